//! Witnesses: other parties that cosign the log's checkpoints, so that a relay can't show two histories to two offices.
//!
//! Offices name the witnesses that they believe in `[witnesses]` of `config.toml` and how many of them must agree; the
//! relay's own key never counts. Cosignatures come after the acceptance, so an event may stay without for as long as
//! the witnesses need for their next look. Being a witness is [`Client::witness`].

mod cosign;

use tasuki_proto::cosignature::WitnessKey;
use tasuki_proto::evidence::Proven;
use tasuki_proto::log::{Checkpoint, Hash};
use tasuki_proto::pb;

use crate::checkpoints;
use crate::client::Client;
use crate::error::{SdkError, VerificationError};

pub use cosign::{Cosigned, Witness};

/// Cosigned checkpoints that are read of one answer: one for each witness, if no two agree.
const MAX_COSIGNED: usize = 100;

/// A checkpoint that witnesses of the HOME have cosigned, and that is consistent with what this HOME has seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vouched {
    pub(crate) checkpoint: Checkpoint,
    /// Who.
    pub(crate) witnesses: Vec<WitnessKey>,
    /// That it is consistent with the checkpoints of the evidence: each with its proof from the smaller to the larger.
    pub(crate) links: Vec<(Checkpoint, Vec<Hash>)>,
}

impl Vouched {
    /// Whether it covers an event.
    fn covers(&self, event: &Proven) -> bool {
        self.checkpoint.epoch == event.event.epoch && self.checkpoint.size > event.index
    }
}

impl Client {
    /// The newest checkpoints of an epoch that witnesses of this HOME have cosigned; none if the HOME names none.
    pub(crate) async fn vouched(&self, epoch: u64) -> Result<Vec<Vouched>, SdkError> {
        let keys = self.home().config().witnesses.keys()?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut log = caller.log();
            async move { log.get_checkpoint(pb::GetCheckpointRequest { epoch }).await }
        });
        let answer = answer.await?;
        let mut vouched = Vec::new();
        for note in answer.cosigned.iter().take(MAX_COSIGNED) {
            let agreed = |key: &&WitnessKey| matches!(key.cosignature(note), Ok(Some(_)));
            let witnesses: Vec<WitnessKey> = keys.iter().filter(agreed).cloned().collect();
            if !witnesses.is_empty() {
                // What witnesses have seen and what this HOME has seen must be one history.
                let checkpoint = self.admit_only(note).await?;
                vouched.push(Vouched { checkpoint, witnesses, links: Vec::new() });
            }
        }
        Ok(vouched)
    }

    /// Insists on as many witnesses as the HOME asks for: they must have cosigned the present log.
    pub(crate) async fn insist_on_witnesses(&self, epoch: u64) -> Result<(), SdkError> {
        let need = self.home().config().witnesses.need;
        if need == 0 {
            return Ok(());
        }
        let vouched = self.vouched(epoch).await?;
        Ok(enough(&vouched, need, |vouched| vouched.checkpoint.epoch == epoch)?)
    }

    /// The cosigned checkpoints that cover events, linked to the checkpoints that prove them. Insists on as many witnesses
    /// for each event as the HOME asks for.
    pub(crate) async fn vouched_for(
        &self,
        events: &[pb::Evidence],
        proven: &[Proven],
    ) -> Result<Vec<Vouched>, SdkError> {
        let mut epochs: Vec<u64> = proven.iter().map(|one| one.event.epoch).collect();
        epochs.sort_unstable();
        epochs.dedup();
        let mut all = Vec::new();
        for epoch in epochs {
            all.extend(self.vouched(epoch).await?);
        }
        all.retain(|vouched| proven.iter().any(|event| vouched.covers(event)));
        let need = self.home().config().witnesses.need;
        for event in proven {
            enough(&all, need, |vouched| vouched.covers(event))?;
        }
        for vouched in &mut all {
            for event in events {
                self.link(vouched, &event.checkpoint).await?;
            }
        }
        Ok(all)
    }

    /// Adds the proof that a checkpoint of the evidence and the cosigned one are one history.
    async fn link(&self, vouched: &mut Vouched, note: &[u8]) -> Result<(), SdkError> {
        let other = self.pinned_log()?.open(note).map_err(VerificationError::Log)?;
        let known = vouched.links.iter().any(|(known, _)| known.note == other.note);
        if known || other.epoch != vouched.checkpoint.epoch {
            return Ok(());
        }
        let proof = checkpoints::consistency(&self.inner.caller, &vouched.checkpoint, &other).await?;
        vouched.links.push((other, proof));
        Ok(())
    }
}

/// Whether so many different witnesses agree, by the checkpoints that count.
fn enough(all: &[Vouched], need: u32, counts: impl Fn(&Vouched) -> bool) -> Result<(), VerificationError> {
    let mut who: Vec<String> = Vec::new();
    for witness in all.iter().filter(|vouched| counts(vouched)).flat_map(|vouched| &vouched.witnesses) {
        let key = witness.vkey();
        if !who.contains(&key) {
            who.push(key);
        }
    }
    let have = u32::try_from(who.len()).unwrap_or(u32::MAX);
    if have >= need { Ok(()) } else { Err(VerificationError::Witnesses { have, need }) }
}

#[cfg(test)]
mod tests {
    use ring::rand::SystemRandom;
    use tasuki_proto::cosignature::Cosigner;

    use super::*;

    #[test]
    fn each_witness_counts_once() {
        let key = |name: &str| Cosigner::generate(name, &SystemRandom::new()).unwrap().key().clone();
        let (one, two) = (key("w/1"), key("w/2"));
        let vouched = |epoch, size, witnesses: &[&WitnessKey]| Vouched {
            checkpoint: Checkpoint { epoch, size, root: Hash([0; 32]), note: Vec::new() },
            witnesses: witnesses.iter().map(|key| (*key).clone()).collect(),
            links: Vec::new(),
        };
        let all = [vouched(1, 5, &[&one]), vouched(1, 9, &[&one, &two]), vouched(2, 9, &[&two])];
        let first = |need| enough(&all, need, |vouched| vouched.checkpoint.epoch == 1);
        assert_eq!(first(0), Ok(()));
        assert_eq!(first(2), Ok(()));
        assert_eq!(first(3), Err(VerificationError::Witnesses { have: 2, need: 3 }));
        let small = enough(&all, 2, |vouched| vouched.checkpoint.size < 9);
        assert_eq!(small, Err(VerificationError::Witnesses { have: 1, need: 2 }));
    }
}
