//! The client: one HOME, one connection, and what it learns at contact.

use std::collections::BTreeSet;
use std::sync::Arc;

use ring::rand::SystemRandom;
use tasuki_careplan::finding::RuleId;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::policy::CheckPolicy;
use tasuki_careplan::severity::Severities;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::handover::MAX_HANDOVERS;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::log::{Checkpoint, LogError, LogVerifier};
use tasuki_proto::statement::{ApproveSealingKey, Statement};
use tasuki_proto::{ca_roll, evidence, pb, time};
use tokio::sync::Mutex;

use crate::blocking;
use crate::checkpoints::{self, AlongProof, Checkpoints};
use crate::clock::Clock;
use crate::directory::{Office, RelayInfo};
use crate::epochs::{self, Epochs};
use crate::error::{ConfigError, SdkError, Unreachable, VerificationError};
use crate::files::{self, Access};
use crate::home::{Home, SEALING_KEY_APPROVED};
use crate::known_offices::KnownOffices;
use crate::send::Budget;
use crate::tracking::found;
use crate::transport::{self, Caller};
use crate::trust::Trust;

/// How long what was learnt at contact is good: long-running programs fetch new revocation lists that often.
const CONTACT_US: i64 = 30 * 60 * 1_000_000;

/// Pages of a search that are read, of 500 offices each.
const MAX_SEARCH_PAGES: usize = 1_000;

/// A HOME at work. Cheap to clone; clones share the connection.
///
/// ```no_run
/// use std::sync::Arc;
/// use tasuki_sdk::{Client, Home, SystemClock};
///
/// # async fn run() -> Result<(), tasuki_sdk::SdkError> {
/// let client = Client::open(Home::open("/var/lib/tasuki/1371215102".as_ref())?, Arc::new(SystemClock))?;
/// for parcel in client.inbox().await? {
///     println!("{} from {}: {}", parcel.key.id, parcel.sender_name, parcel.words().ja);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) home: Home,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: SystemRandom,
    pub(crate) caller: Caller,
    pub(crate) trust: Arc<Trust>,
    checkpoints: Arc<Checkpoints>,
    pub(crate) epochs: epochs::Seen,
    contact: Arc<Mutex<Option<Contact>>>,
    offices: KnownOffices,
    pub(crate) budget: Budget,
}

/// What clients of several offices can share: all that is the relay's and not one office's.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    trust: Arc<Trust>,
    checkpoints: Arc<Checkpoints>,
    contact: Arc<Mutex<Option<Contact>>>,
    offices: KnownOffices,
    budget: Budget,
}

impl Common {
    /// Of one office.
    fn of_one(home: &Home) -> Result<Self, SdkError> {
        Ok(Self {
            trust: Arc::new(Trust::load(home)?),
            checkpoints: Arc::default(),
            contact: Arc::default(),
            offices: KnownOffices::default(),
            budget: Budget::new(),
        })
    }

    /// Of all offices of a proxy, by the HOME of any of them.
    pub(crate) fn of_many(home: &Home) -> Result<Self, SdkError> {
        Ok(Self { checkpoints: Arc::new(Checkpoints::ahead()), ..Self::of_one(home)? })
    }

    /// Asks for offices anew.
    pub(crate) async fn forget_offices(&self) {
        self.offices.forget().await;
    }
}

/// What was learnt when the relay was last asked what it is.
#[derive(Clone, Debug)]
struct Contact {
    at_us: i64,
    log: LogVerifier,
    info: RelayInfo,
    checks: CheckPolicy,
}

/// What a relay demands of files. Rules and documents that only a later version knows are left to it.
fn demanded(rules: &[String], documents: &str, known_only: bool) -> CheckPolicy {
    let rules = rules.iter().filter_map(|rule| RuleId::ALL.into_iter().find(|known| known.as_str() == rule));
    let policy = CheckPolicy::default().and(&Severities::strict_about(rules));
    if documents.is_empty() {
        return policy.taking_unknown_documents(!known_only);
    }
    match policy.clone().with_documents(documents) {
        Ok(policy) => policy.taking_unknown_documents(!known_only),
        Err(_) => policy.taking_unknown_documents(true),
    }
}

impl Client {
    /// Sets up a client. Nothing is connected before the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If settings, keys or trust of the HOME can't be used.
    pub fn open(home: Home, clock: Arc<dyn Clock>) -> Result<Self, SdkError> {
        let caller = transport::caller(&home, &clock)?;
        let common = Common::of_one(&home)?;
        Ok(Self::open_with(home, caller, clock, common))
    }

    /// [`Client::open`] over a connection that is there already, and with what other offices learnt: a proxy has one for many.
    pub(crate) fn open_with(home: Home, caller: Caller, clock: Arc<dyn Clock>, common: Common) -> Self {
        let Common { trust, checkpoints, contact, offices, budget } = common;
        let (rng, epochs) = (SystemRandom::new(), epochs::Seen::default());
        let inner = Inner { home, clock, rng, caller, trust, checkpoints, epochs, contact, offices, budget };
        Self { inner: Arc::new(inner) }
    }

    /// Sets up a client and makes contact: see [`Client::relay`].
    ///
    /// # Errors
    /// As [`Client::open`] and [`Client::relay`].
    pub async fn connect(home: Home, clock: Arc<dyn Clock>) -> Result<Self, SdkError> {
        let client = Self::open(home, clock)?;
        client.relay().await?;
        Ok(client)
    }

    /// The HOME.
    pub fn home(&self) -> &Home {
        &self.inner.home
    }

    /// The own office.
    pub fn office(&self) -> OfficeNumber {
        self.inner.home.office()
    }

    /// Now, in Unix microseconds.
    pub(crate) fn now_us(&self) -> i64 {
        self.inner.clock.now_us()
    }

    /// Makes contact: asks the relay what it is, pins its log's key (at the first contact) or holds it against the
    /// pinned one, takes over revocation lists, and has the sealing key approved if there is one. Other calls do
    /// this by themselves where they need it.
    ///
    /// # Errors
    /// The relay can't be reached or refuses; its log's key is not the pinned one; its log does not go on from the
    /// last checkpoint seen.
    pub async fn relay(&self) -> Result<RelayInfo, SdkError> {
        let mut contact = self.inner.contact.lock().await;
        Ok(self.make_contact(&mut contact).await?.info.clone())
    }

    /// What the relay is, as it said at the last contact; `None`: there was none yet. Does not ask it.
    pub async fn relay_known(&self) -> Option<RelayInfo> {
        self.inner.contact.lock().await.as_ref().map(|contact| contact.info.clone())
    }

    /// The log's key; makes contact if the last one is too long ago.
    pub(crate) async fn log_key(&self) -> Result<LogVerifier, SdkError> {
        let mut contact = self.inner.contact.lock().await;
        let now_us = self.now_us();
        let (log, epoch) = match &*contact {
            Some(c) if (0..CONTACT_US).contains(&now_us.saturating_sub(c.at_us)) => {
                (c.log.clone(), c.info.epoch)
            }
            _ => return Ok(self.make_contact(&mut contact).await?.log.clone()),
        };
        drop(contact);
        // The contact may have been made for another office of a proxy, whose feed tells other losses.
        self.look_at_epochs(epoch).await?;
        Ok(log)
    }

    /// Writes the newest checkpoint seen, where it is kept in memory.
    pub(crate) async fn flush_checkpoints(&self) -> Result<(), SdkError> {
        let Inner { home, caller, checkpoints, .. } = &*self.inner;
        checkpoints.flush(home, caller, &self.pinned_log()?).await
    }

    async fn make_contact<'c>(&self, contact: &'c mut Option<Contact>) -> Result<&'c Contact, SdkError> {
        let Inner { home, caller, .. } = &*self.inner;
        let request = pb::GetRelayRequest { ca_rolls_known: Trust::known_rolls(home)? };
        let relay = caller.repeat(|| {
            let (mut directory, request) = (caller.directory(), request.clone());
            async move { directory.get_relay(request).await }
        });
        let relay = relay.await?;
        let log = checkpoints::pin(home, &relay.log_key, &relay.log_key_rolls)?;
        let more = self.unknown_crls(&relay.more_crls).await?;
        let (client, crls) = (self.clone(), [relay.crls, more].concat());
        let keep = move || client.inner.trust.keep_crls(&client.inner.home, &crls, client.now_us());
        blocking::run(keep).await?;
        let checkpoint = self.inner.checkpoints.admit(home, caller, &log, &relay.checkpoint, None).await?;
        let seen = Epochs::load(home)?.map_or(0, |epochs| epochs.newest);
        if checkpoint.epoch < seen {
            return Err(Unreachable::EarlierEpoch { epoch: checkpoint.epoch, seen }.into());
        }
        self.look_at_epochs(checkpoint.epoch).await?;
        self.follow_ca(&relay.ca_rolls).await?;
        self.insist_on_witnesses(checkpoint.epoch).await?;
        self.approve_sealing_key().await?;
        let info = RelayInfo {
            version: relay.version,
            log_key: relay.log_key,
            epoch: relay.epoch,
            max_container_bytes: relay.max_container_bytes,
            receive_only: relay.receive_only.then_some((relay.receive_only_ja, relay.receive_only_en)),
            planned_stops: relay.planned_stops.into_iter().map(Into::into).collect(),
            now_us: time::parse_us(&relay.now),
        };
        let checks = demanded(&relay.rules_as_errors, &relay.documents, relay.known_documents_only);
        Ok(contact.insert(Contact { at_us: self.now_us(), log, info, checks }))
    }

    /// Follows the issuing CA to new keys, where the log is proven to tell of them.
    async fn follow_ca(&self, rolls: &[pb::Evidence]) -> Result<(), SdkError> {
        let mut told = Vec::new();
        for entry in rolls.iter().take(MAX_HANDOVERS) {
            let checkpoint = self.admit_only(&entry.checkpoint).await?;
            let proven = evidence::check(entry, &checkpoint).map_err(VerificationError::Evidence)?;
            if let Some(handover) = ca_roll::of_event(&proven.event) {
                told.push(handover);
            } else {
                // One that the old CA does not vouch for, or of a later version: what the new one issues is refused.
                tracing::warn!("the log tells of a new issuing CA in a way that can't be followed");
            }
        }
        if told.is_empty() {
            return Ok(());
        }
        let client = self.clone();
        blocking::run(move || client.inner.trust.follow(&client.inner.home, told)).await
    }

    /// What files are checked by before they leave: what the relay demands, as far as it is known, and what this HOME adds.
    pub(crate) async fn checks(&self) -> CheckPolicy {
        let contact = self.inner.contact.lock().await;
        let relays = contact.as_ref().map(|contact| contact.checks.clone()).unwrap_or_default();
        relays.and(&self.home().config().checks.as_errors)
    }

    /// Has the relay register the sealing key, once for each certificate that approves it.
    async fn approve_sealing_key(&self) -> Result<(), SdkError> {
        let Inner { home, caller, .. } = &*self.inner;
        let Some(key) = home.sealing_key() else { return Ok(()) };
        let spki = key.spki_der();
        // The certificate's word ends with it: another one approves the key anew.
        let (key, signer) = (hex(&sha256(&spki)), hex(&home.identity().fingerprint()));
        let approved = format!("{key} {signer}").into_bytes();
        let marker = home.path(SEALING_KEY_APPROVED);
        if files::read_if_exists(&marker)?.as_ref() == Some(&approved) {
            return Ok(());
        }
        let now_us = self.now_us();
        let statement =
            Statement::ApproveSealingKey(ApproveSealingKey { office: home.office(), spki, time_us: now_us });
        let signed = cms_sign::sign(home.identity(), statement.print().as_bytes(), Content::Attached, now_us)
            .map_err(|e| ConfigError::Trust(e.to_string()))?;
        let request = pb::ApproveSealingKeyRequest { statement: signed.into() };
        let answer = caller.repeat(|| {
            let mut directory = caller.directory();
            let request = request.clone();
            async move { directory.approve_sealing_key(request).await }
        });
        answer.await?;
        files::write_durably(&marker, &approved, Access::Owner)
    }

    /// Checks a checkpoint; see [`Checkpoints::admit`].
    pub(crate) async fn admit(&self, note: &[u8]) -> Result<Checkpoint, SdkError> {
        self.admit_along(note, None).await
    }

    /// [`Client::admit`] with a proof that came along.
    pub(crate) async fn admit_along(
        &self,
        note: &[u8],
        along: Option<AlongProof<'_>>,
    ) -> Result<Checkpoint, SdkError> {
        let log = self.log_key().await?;
        let Inner { home, caller, checkpoints, .. } = &*self.inner;
        let admitted = checkpoints.admit(home, caller, &log, note, along).await;
        let checkpoint = match admitted {
            // The log's key may have handed over to another since the last contact.
            Err(SdkError::Verification(VerificationError::Log(LogError::Signature))) => {
                let mut contact = self.inner.contact.lock().await;
                let log = self.make_contact(&mut contact).await?.log.clone();
                drop(contact);
                checkpoints.admit(home, caller, &log, note, along).await?
            }
            admitted => admitted?,
        };
        if self.look_at_epochs(checkpoint.epoch).await? {
            // What the last contact registered may be lost as well.
            *self.inner.contact.lock().await = None;
        }
        Ok(checkpoint)
    }

    /// Checks a checkpoint while contact is being made.
    pub(crate) async fn admit_only(&self, note: &[u8]) -> Result<Checkpoint, SdkError> {
        let log = self.pinned_log()?;
        let Inner { home, caller, checkpoints, .. } = &*self.inner;
        checkpoints.admit(home, caller, &log, note, None).await
    }

    /// The log's key as it was pinned at the first contact.
    pub(crate) fn pinned_log(&self) -> Result<LogVerifier, SdkError> {
        Ok(checkpoints::pinned_key(self.home())?.ok_or(VerificationError::Incomplete("a pinned log key"))?)
    }

    /// An office by its number; `None` if the directory does not hold it. Answers are remembered.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn office_by_number(&self, number: OfficeNumber) -> Result<Option<Office>, SdkError> {
        let caller = &self.inner.caller;
        let ask = async || {
            let answer = caller.repeat(|| {
                let mut directory = caller.directory();
                let request = pb::GetOfficeRequest { number: number.to_string() };
                async move { directory.get_office(request).await }
            });
            Ok(found(answer.await)?.map(Office::from_wire_with_keys).transpose()?)
        };
        self.inner.offices.get(number, ask).await
    }

    /// Of these offices, those for which something would be refused are asked for again: meanwhile they may have joined, accepted or
    /// declared something else.
    pub(crate) async fn forget_refusing(&self, offices: &BTreeSet<OfficeNumber>) {
        let fine = |office: &Office| office.active && office.partner != Some(false) && !office.declared;
        self.inner.offices.forget_unless(offices, fine).await;
    }

    /// Offices whose number, name, reading or municipality holds every word.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// for office in client.offices("さくら 訪問").await? {
    ///     println!("{} {}", office.number, office.name);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn offices(&self, words: &str) -> Result<Vec<Office>, SdkError> {
        let caller = &self.inner.caller;
        let mut offices = Vec::new();
        let mut token = String::new();
        for _ in 0..MAX_SEARCH_PAGES {
            let request = pb::SearchOfficesRequest {
                words: words.to_owned(),
                page_size: tasuki_proto::limits::MAX_PAGE,
                page_token: token,
            };
            let answer = caller.repeat(|| {
                let mut directory = caller.directory();
                let request = request.clone();
                async move { directory.search_offices(request).await }
            });
            let answer = answer.await?;
            for office in answer.offices {
                offices.push(Office::from_wire(office)?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(offices);
            }
            token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_later_version_knows_is_left_to_the_relay() {
        let rules = ["CHECK_DIGIT".to_owned(), "A_LATER_RULE".to_owned()];
        let known =
            "[[document]]\nid = \"map\"\nname_ja = \"地図\"\nname_en = \"map\"\nformats = [\"png\"]\n";
        let policy = demanded(&rules, known, true);
        assert_eq!(policy.severities, Severities::strict_about([RuleId::CheckDigit]));
        assert_eq!((policy.documents_toml(), policy.unknown_documents), (Some(known), false));
        let policy = demanded(&rules, &known.replace("png", "a-later-format"), true);
        assert_eq!(policy.severities, Severities::strict_about([RuleId::CheckDigit]));
        assert_eq!((policy.documents_toml(), policy.unknown_documents), (None, true));
        assert!(!demanded(&[], "", true).unknown_documents);
    }
}
