//! Where the relay writes to the own office when something arrived.

use tasuki_proto::pb;

use crate::client::Client;
use crate::error::SdkError;

/// Addresses of the own office, and how the last mail went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailSettings {
    /// At most 5; empty: no mails.
    pub addresses: Vec<String>,
    /// Tries of the mail that is due that failed.
    pub tries: u32,
    /// Why the last try failed, in the relay's words; empty: it did not.
    pub last_error: String,
}

impl From<pb::MailSettings> for MailSettings {
    fn from(settings: pb::MailSettings) -> Self {
        let pb::MailSettings { addresses, tries, last_error } = settings;
        Self { addresses, tries, last_error }
    }
}

impl Client {
    /// Has the relay write to these addresses when something arrives from now on: from whom, how many and when, nothing of what. None:
    /// no mails.
    ///
    /// # Errors
    /// The relay can't be reached or refuses: `MAIL_NOT_OFFERED`, `MAIL_ADDRESS`.
    pub async fn set_mail(&self, addresses: &[String]) -> Result<MailSettings, SdkError> {
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut mail = caller.mail();
            let request = pb::SetAddressesRequest { addresses: addresses.to_vec(), ..Default::default() };
            async move { mail.set_addresses(request).await }
        });
        Ok(answer.await?.into())
    }

    /// Where the relay writes to.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn mail(&self) -> Result<MailSettings, SdkError> {
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut mail = caller.mail();
            async move { mail.get_addresses(pb::GetAddressesRequest::default()).await }
        });
        Ok(answer.await?.into())
    }
}
