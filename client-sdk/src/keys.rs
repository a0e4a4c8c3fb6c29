//! Keys of other offices, for what is sealed to them here: texts of statements. The relay hands them on; each is verified
//! as the relay itself must verify it, so that it can't slip in a key of its own.

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::profile::Identity;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::trust::Purpose;
use tasuki_proto::ids::is_office;
use tasuki_proto::mandate::Scope;
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, reason, time};

use crate::client::Client;
use crate::error::{Refusal, SdkError};
use crate::papers::{self, Paper};
use crate::tracking::found;

impl Client {
    /// Every key that may be sealed to for an office now.
    ///
    /// # Errors
    /// The relay can't be reached or refuses, or none of the keys that it hands on is the office's.
    pub(crate) async fn keys_of(&self, office: OfficeNumber) -> Result<Vec<Recipient>, SdkError> {
        let row = self.with_keys(office).await?.ok_or_else(|| Refusal::of(reason::RECIPIENT_UNKNOWN))?;
        let keys: Vec<Recipient> = self.verified_keys(office, &row).map(|(_, recipient)| recipient).collect();
        if keys.is_empty() { Err(Refusal::of(reason::RECIPIENT_NO_KEY).into()) } else { Ok(keys) }
    }

    /// Since when the newest key of an office is its, Unix microseconds; `None`: it has none, or the relay does not say. That a
    /// key is the office's is verified here; its time is the relay's word.
    pub(crate) async fn newest_key_of(&self, office: OfficeNumber) -> Result<Option<i64>, SdkError> {
        let Some(row) = self.with_keys(office).await? else { return Ok(None) };
        let own = self.verified_keys(office, &row);
        Ok(own.filter_map(|(key, _)| time::parse_us(&key.registered_at)).max())
    }

    async fn with_keys(&self, office: OfficeNumber) -> Result<Option<pb::Office>, SdkError> {
        self.log_key().await?;
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut directory = caller.directory();
            let request = pb::GetOfficeRequest { number: office.to_string() };
            async move { directory.get_office(request).await }
        });
        found(answer.await)
    }

    fn verified_keys<'k>(
        &'k self,
        office: OfficeNumber,
        row: &'k pb::Office,
    ) -> impl Iterator<Item = (&'k pb::OfficeKey, Recipient)> {
        let own = [pb::OfficeKeyKind::Certificate, pb::OfficeKeyKind::Sealing].map(i32::from);
        let alone = !row.keys.iter().any(|key| own.contains(&key.kind));
        row.keys.iter().filter_map(move |key| Some((key, self.verified(office, key, alone)?)))
    }

    /// A key, if it is this office's by its certificate or by a statement that its certificate signed, or if the office lets its
    /// holder receive. `alone`: the office has no key of its own, so that it could sign nothing, and for its proxy's key the operator
    /// vouches.
    fn verified(&self, office: OfficeNumber, key: &pb::OfficeKey, alone: bool) -> Option<Recipient> {
        let (trust, now_us) = (&self.inner.trust, self.now_us());
        match pb::OfficeKeyKind::try_from(key.kind) {
            Ok(pb::OfficeKeyKind::Certificate) => {
                let certificate = trust.store().verify(&key.key, &[], Purpose::Seal, now_us).ok()?;
                let own = is_office(&certificate.identity, office);
                if own { Recipient::from_certificate(&key.key).ok() } else { None }
            }
            Ok(pb::OfficeKeyKind::Sealing) => {
                let approval = trust.verifier().verify(&key.approval, None, now_us).ok()?;
                let said = Statement::parse(approval.content?).ok()?;
                let Statement::ApproveSealingKey(said) = said else { return None };
                let own = is_office(&approval.signer.identity, office)
                    && said.office == office
                    && said.spki == key.key;
                if own { Recipient::from_sealing_key(&key.key).ok() } else { None }
            }
            Ok(pb::OfficeKeyKind::Terminal | pb::OfficeKeyKind::Proxy) => {
                let certificate = trust.store().verify(&key.key, &[], Purpose::Seal, now_us).ok()?;
                let paper = key.mandate.clone().map(Paper::from)?;
                let moment = (now_us, now_us);
                let vouched = alone
                    && paper.is_none()
                    && matches!(certificate.identity, Identity::Proxy { .. })
                    && self.home().config().accept_vouched;
                if !vouched {
                    papers::check(&certificate, office, Scope::Receive, [&paper], trust.verifier(), moment)
                        .ok()?;
                }
                Recipient::from_certificate(&key.key).ok()
            }
            Ok(pb::OfficeKeyKind::Unspecified) | Err(_) => None,
        }
    }
}
