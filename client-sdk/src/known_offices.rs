//! What the directory said of offices, remembered; of several who want to know the same, one asks.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tokio::sync::{Mutex, OnceCell};

use crate::directory::Office;
use crate::error::SdkError;

/// Offices that are remembered; beyond, they are asked for again.
const MAX_OFFICES: usize = 10_000;

/// An office, nothing where the directory does not hold it, or why nobody could tell.
type Answer = Result<Option<Office>, SdkError>;

/// Offices by number. Clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownOffices(Arc<Mutex<HashMap<OfficeNumber, Arc<OnceCell<Answer>>>>>);

impl KnownOffices {
    /// An office: what is remembered, else what `ask` says. A failure is not remembered.
    ///
    /// That the relay can't be reached goes for all who wait for one answer: each asking for itself would take as long again, one after
    /// the other. What it refuses to one office it may tell another, which asks for itself then.
    pub(crate) async fn get(&self, number: OfficeNumber, ask: impl AsyncFn() -> Answer) -> Answer {
        let cell = {
            let mut offices = self.0.lock().await;
            if offices.len() >= MAX_OFFICES && !offices.contains_key(&number) {
                offices.clear();
            }
            Arc::clone(offices.entry(number).or_default())
        };
        let mut asked = false;
        let answer = cell.get_or_init(async || {
            asked = true;
            ask().await
        });
        let answer = answer.await.clone();
        let Err(error) = &answer else { return answer };
        {
            let mut offices = self.0.lock().await;
            if offices.get(&number).is_some_and(|held| Arc::ptr_eq(held, &cell)) {
                offices.remove(&number);
            }
        }
        if asked || matches!(error, SdkError::Unreachable(_)) { answer } else { ask().await }
    }

    /// Asks for all of them anew.
    pub(crate) async fn forget(&self) {
        self.0.lock().await.clear();
    }

    /// Asks anew for those of these that are not `good`. One that is just being asked for is as new as can be.
    pub(crate) async fn forget_unless(
        &self,
        offices: &BTreeSet<OfficeNumber>,
        good: impl Fn(&Office) -> bool,
    ) {
        let stays = |cell: &OnceCell<Answer>| match cell.get() {
            Some(answer) => answer.as_ref().is_ok_and(|office| office.as_ref().is_some_and(&good)),
            None => true,
        };
        self.0.lock().await.retain(|number, cell| !offices.contains(number) || stays(cell));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::task::yield_now;

    use super::*;
    use crate::error::{Refusal, Unreachable};
    use crate::testing::{SENDER, office};

    /// Eight who want to know the same at once: their answers, and how often somebody asked.
    async fn eight(known: &KnownOffices, answer: &Answer) -> (Vec<Answer>, usize) {
        let asked = AtomicUsize::new(0);
        let ask = async || {
            asked.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
            answer.clone()
        };
        let answers = join_all((0..8).map(|_| known.get(office(SENDER), &ask))).await;
        (answers, asked.into_inner())
    }

    #[tokio::test]
    async fn one_asks_for_all_and_a_failure_is_asked_about_again() {
        let known = KnownOffices::default();
        // The relay is away: nobody waits for more than one attempt.
        let away: Answer = Err(Unreachable::Timeout.into());
        assert_eq!(eight(&known, &away).await, (vec![away.clone(); 8], 1));
        // It refuses: each office has its own answer.
        let refused: Answer = Err(Refusal::of("MANDATE_ENDED").into());
        assert_eq!(eight(&known, &refused).await, (vec![refused.clone(); 8], 8));
        // Nothing of that is remembered; an answer is.
        let nobody: Answer = Ok(None);
        assert_eq!(eight(&known, &nobody).await, (vec![nobody.clone(); 8], 1));
        assert_eq!(eight(&known, &away).await, (vec![nobody.clone(); 8], 0));
        known.forget_unless(&BTreeSet::from([office(SENDER)]), |_| true).await;
        assert_eq!(eight(&known, &away).await, (vec![away; 8], 1));
        assert_eq!(eight(&known, &nobody).await.1, 1);
        known.forget().await;
        assert_eq!(eight(&known, &nobody).await.1, 1);
    }
}
