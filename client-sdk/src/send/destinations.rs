//! Never to the wrong office (誤送信の抑止): where a parcel would go, asked before anything leaves.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::accepts::Needs;
use tasuki_proto::limits::MAX_PAGE;
use tasuki_proto::{pb, reason};

use super::plan::{Plan, PlannedParcel};
use super::{NewPartners, ParcelReport, SendOutcome};
use crate::client::Client;
use crate::directory::Office;
use crate::error::{ConfigError, SdkError, words};
use crate::files::{self, Access};
use crate::home::{Home, PARTNERS};

/// Questions to the relay at once.
const AT_ONCE: usize = 16;

/// Partners that a HOME remembers, 11 bytes each; beyond, the relay is asked again.
const MAX_PARTNERS: usize = 20_000;

/// What is known of where parcels go.
#[derive(Debug, Default)]
pub(super) struct Destinations {
    /// What the directory says; nothing where it could not be asked.
    pub(super) offices: BTreeMap<OfficeNumber, Option<Office>>,
    /// Offices that nothing was ever sent to.
    pub(super) new: BTreeSet<OfficeNumber>,
    /// Nobody looked which are new.
    pub(super) unasked: bool,
    /// New ones that somebody must agree to, and nobody did.
    pub(super) unconfirmed: BTreeSet<OfficeNumber>,
}

impl Destinations {
    /// Why the relay would not take this parcel to its receiver: a stable reason.
    pub(super) fn relay_refuses(&self, planned: &PlannedParcel) -> Option<&'static str> {
        let standard = planned.files.iter().any(|file| file.standard.is_some());
        match self.offices.get(&planned.recipient) {
            Some(None) => Some(reason::RECIPIENT_UNKNOWN),
            Some(Some(office)) if !office.active => Some(match office.state {
                "listed" => reason::RECIPIENT_NOT_JOINED,
                "left" => reason::RECIPIENT_LEFT,
                _ => reason::RECIPIENT_SUSPENDED,
            }),
            Some(Some(office)) if office.partner == Some(false) => Some(reason::NOT_LINKED),
            Some(Some(office)) if standard && !office.standard_ready => Some(reason::RECIPIENT_NOT_READY),
            Some(Some(office)) if office.declared && !accepted_by(office, planned) => {
                Some(reason::RECIPIENT_DOES_NOT_ACCEPT)
            }
            _ => None,
        }
    }
}

/// Whether an office takes every file of a parcel, as far as their names tell; the relay looks inside.
fn accepted_by(office: &Office, planned: &PlannedParcel) -> bool {
    let needs = |name: &str, standard| Needs::of(name, standard, None);
    planned.files.iter().all(|file| needs(&file.name, file.standard.as_ref()).met_by(&office.accepts))
}

impl Client {
    /// Offices in a plan that this office has never sent anything to. Asks the relay about those that the HOME does not
    /// remember.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn new_partners(&self, plan: &Plan) -> Result<BTreeSet<OfficeNumber>, SdkError> {
        self.new_among(&self.receivers(plan)).await
    }

    /// Where a plan's parcels go. Those that this office can't send at all, another's or to itself, go nowhere.
    fn receivers(&self, plan: &Plan) -> BTreeSet<OfficeNumber> {
        let own = self.office();
        let sendable = plan.parcels.iter().filter(|p| p.sender == own && p.recipient != own);
        sendable.map(|parcel| parcel.recipient).collect()
    }

    async fn new_among(
        &self,
        recipients: &BTreeSet<OfficeNumber>,
    ) -> Result<BTreeSet<OfficeNumber>, SdkError> {
        let mut known = known(self.home())?;
        let mut unknown: Vec<OfficeNumber> = recipients.difference(&known).copied().collect();
        let mut new = BTreeSet::new();
        let before = known.len();
        if unknown.len() > 1 {
            // One question for all, where the relay's list fits into one answer.
            let (partners, all) = self.sent_lately_to().await?;
            known.extend(unknown.iter().filter(|office| partners.contains(office)));
            unknown.retain(|office| !partners.contains(office));
            if all {
                new.extend(std::mem::take(&mut unknown));
            }
        }
        let asked: Vec<(OfficeNumber, bool)> = stream::iter(unknown)
            .map(|office| async move { Ok::<_, SdkError>((office, self.has_sent_to(office).await?)) })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        known.extend(asked.iter().filter(|(_, sent)| *sent).map(|(office, _)| *office));
        if known.len() > before {
            remember(self.home(), &known)?;
        }
        new.extend(asked.into_iter().filter(|(_, sent)| !sent).map(|(office, _)| office));
        Ok(new)
    }

    /// Whom the newest parcels of the own office went to, and whether these are all that the relay has.
    async fn sent_lately_to(&self) -> Result<(BTreeSet<OfficeNumber>, bool), SdkError> {
        let caller = &self.inner.caller;
        let request = pb::ListRequest { page_size: MAX_PAGE, ..pb::ListRequest::default() };
        let answer = caller.repeat(|| {
            let mut tracking = caller.tracking();
            let request = request.clone();
            async move { tracking.list_sent(request).await }
        });
        let answer = answer.await?;
        let partners = answer.parcels.iter().filter_map(|parcel| parcel.recipient.parse().ok()).collect();
        Ok((partners, answer.next_page_token.is_empty()))
    }

    /// Whether the relay has anything that the own office sent there.
    async fn has_sent_to(&self, office: OfficeNumber) -> Result<bool, SdkError> {
        let caller = &self.inner.caller;
        let request =
            pb::ListRequest { partner: office.to_string(), page_size: 1, ..pb::ListRequest::default() };
        let answer = caller.repeat(|| {
            let mut tracking = caller.tracking();
            let request = request.clone();
            async move { tracking.list_sent(request).await }
        });
        Ok(!answer.await?.parcels.is_empty())
    }

    /// Looks at where a plan's parcels go. Where the relay can't be asked, it will say so itself.
    pub(super) async fn destinations(&self, plan: &Plan) -> Result<Destinations, SdkError> {
        let recipients = self.receivers(plan);
        self.forget_refusing(&recipients).await;
        let asked = stream::iter(recipients.clone())
            .map(|office| async move { Ok::<_, SdkError>((office, self.office_by_number(office).await?)) })
            .buffered(AT_ONCE)
            .try_collect();
        let offices: BTreeMap<OfficeNumber, Option<Office>> = match asked.await {
            Ok(offices) => offices,
            Err(SdkError::Unreachable(_)) => return Ok(Destinations::default()),
            Err(error) => return Err(error),
        };
        if plan.new_partners == NewPartners::Unasked {
            return Ok(Destinations { offices, unasked: true, ..Destinations::default() });
        }
        let new = match self.new_among(&recipients).await {
            Ok(new) => new,
            Err(SdkError::Unreachable(_)) => return Ok(Destinations { offices, ..Destinations::default() }),
            Err(error) => return Err(error),
        };
        let demanded =
            self.home().config().send.confirm_new_partners && plan.new_partners == NewPartners::AsConfigured;
        let agreed = |office: &&OfficeNumber| plan.agreed.contains(office);
        let unconfirmed =
            new.iter().filter(|office| plan.declined.contains(office) || (demanded && !agreed(office)));
        let unconfirmed = unconfirmed.copied().collect();
        Ok(Destinations { offices, new, unasked: false, unconfirmed })
    }

    /// Remembers whom parcels went to.
    pub(super) fn remember_partners(&self, reports: &[ParcelReport]) -> Result<(), SdkError> {
        let sent = reports.iter().filter(|report| {
            matches!(report.outcome, SendOutcome::Accepted { .. } | SendOutcome::Recorded { .. })
        });
        let mut known = known(self.home())?;
        let before = known.len();
        known.extend(sent.map(|report| report.recipient));
        if known.len() > before { remember(self.home(), &known) } else { Ok(()) }
    }
}

fn known(home: &Home) -> Result<BTreeSet<OfficeNumber>, SdkError> {
    let path = home.path(PARTNERS);
    let bytes = files::read_if_exists(&path)?.unwrap_or_default();
    // Whoever a power cut took from it is asked about once more.
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    Ok(lines.filter_map(|line| line.parse().ok()).collect())
}

fn remember(home: &Home, known: &BTreeSet<OfficeNumber>) -> Result<(), SdkError> {
    let lines: Vec<String> = known.iter().take(MAX_PARTNERS).map(ToString::to_string).collect();
    files::write_lightly(&home.path(PARTNERS), (lines.join("\n") + "\n").as_bytes(), Access::Owner)
}

impl Plan {
    /// Somebody agrees that a new partner is meant.
    ///
    /// # Errors
    /// The plan does not send anything there.
    pub fn agree(&mut self, office: OfficeNumber) -> Result<(), SdkError> {
        self.has(office)?;
        self.agreed.insert(office);
        Ok(())
    }

    /// Somebody says that a new partner is not meant: what would go there is refused with `NEW_PARTNER`.
    ///
    /// # Errors
    /// The plan does not send anything there.
    pub fn decline(&mut self, office: OfficeNumber) -> Result<(), SdkError> {
        self.has(office)?;
        self.declined.insert(office);
        Ok(())
    }

    fn has(&self, office: OfficeNumber) -> Result<(), SdkError> {
        if self.parcels.iter().any(|parcel| parcel.recipient == office) {
            return Ok(());
        }
        let message = words(format!("{office} への電文はありません"), format!("nothing goes to {office}"));
        Err(ConfigError::Argument(message).into())
    }
}
