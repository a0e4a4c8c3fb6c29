//! Another certificate for a HOME: renewed by the relay's CA in place, or brought from elsewhere. The key before stays, for what is
//! still sealed to it.

mod papers;

use std::path::Path;
use std::sync::Arc;

use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::{CertificateProfile, Identity};
use tasuki_certs::request::{NewKey, RequestError};
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::identity_text;
use tasuki_proto::mandate::{Renewal, RenewalError};
use tasuki_proto::{pb, time};

use crate::client::Client;
use crate::clock::Clock;
use crate::config::IdentityConfig;
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{
    ANCHORS, CA_ROLLS, Home, IdentityFiles, OwnPapers, PROFILE, copy_identity_as, read_profile, verify_own,
};
use crate::pem;
use crate::transport::Caller;
use crate::trust;

pub use papers::Papers;

/// The key that waits for its certificate. It outlives a crash, so that running the same again goes on with it.
const PENDING: &str = "renewal.key";

/// A certificate that took the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// Whose, as events name it: `office:N`, `terminal:N:NAME`, `proxy:P`.
    pub holder: String,
    /// SHA-256 of the new certificate.
    pub fingerprint: [u8; 32],
    /// Until when its holder may act with it, Unix microseconds.
    pub until_us: i64,
    /// SHA-256 of the one before, whose key the HOME keeps.
    pub previous: [u8; 32],
}

impl Client {
    /// Has the relay's CA renew the certificate of this HOME, an office's own or a terminal's: a new key is made here, signed with the
    /// one before, and the HOME goes over to it. The key before is kept. This client goes on with the one before; open the HOME anew.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// let renewed = client.renew().await?;
    /// println!("{} until {}", renewed.holder, renewed.until_us);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses (`RENEWAL_ELSEWHERE`, `RENEWED_ALREADY`, …), what it issued is not what was asked for, or
    /// the HOME can't be written. Running it again goes on where it stopped.
    pub async fn renew(&self) -> Result<Renewed, SdkError> {
        let home = self.home();
        if home.is_of_a_proxy() {
            // Its key is the proxy's, in the folder above.
            return Err(ConfigError::NotAnOffice.into());
        }
        let renewing = Renewing {
            folder: home.folder(),
            identity: home.identity(),
            caller: &self.inner.caller,
            now_us: self.now_us(),
        };
        let (renewed, identity, signed) = renewing.run().await?;
        if home.config().terminal.is_some() {
            // Before the key changes: who has the longer chain shows the older keys as well.
            OwnPapers::read(home.folder())?.renewed_with(signed.as_bytes()).write(home.folder())?;
        }
        home.config().switch(home.folder(), identity, self.now_us())?;
        renewing.finish()?;
        Ok(renewed)
    }
}

impl Home {
    /// Puts another certificate of the same office into a HOME, with its key: one that was renewed where it came from. The relay
    /// registers it at the next contact. Works offline. The key before is kept.
    ///
    /// # Errors
    /// The files can't be read, the certificate is not of this office or not of its trust anchors, or the HOME can't be written.
    pub fn replace_identity(&self, files: &IdentityFiles, now_us: i64) -> Result<Renewed, SdkError> {
        let (identity, renewed) = replace(self.folder(), self.identity(), files, now_us)?;
        self.config().switch(self.folder(), identity, now_us)?;
        Ok(renewed)
    }

    /// Makes contact with another certificate of the same office, which the HOME does not go over to: so that it learns of a CA that
    /// took the place of the one that it knows, after an emergency in which its own certificate is refused.
    ///
    /// # Errors
    /// The files can't be read, or the relay can't be reached or refuses.
    pub async fn contact_with(&self, files: &IdentityFiles, clock: Arc<dyn Clock>) -> Result<(), SdkError> {
        let home = Self::open_with(self.folder(), files.read()?)?;
        Client::connect(home, clock).await.map(drop)
    }
}

/// The certificate that a HOME has now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// `notAfter`, Unix microseconds.
    pub until_us: i64,
}

impl OwnCertificate {
    pub(crate) fn of(folder: &Path, identity: &KeyIdentity) -> Result<Self, SdkError> {
        let unread = |error| SdkError::Identity { path: folder.to_owned(), error };
        let (_, until_us) = identity.validity_us().map_err(unread)?;
        Ok(Self { fingerprint: identity.fingerprint(), until_us })
    }
}

impl Home {
    /// The certificate that the HOME has now.
    ///
    /// # Errors
    /// Its times can't be read.
    pub fn certificate(&self) -> Result<OwnCertificate, SdkError> {
        OwnCertificate::of(self.folder(), self.identity())
    }
}

/// Copies a new identity into a HOME's folder, if it is the same holder's.
pub(crate) fn replace(
    folder: &Path,
    before: &KeyIdentity,
    files: &IdentityFiles,
    now_us: i64,
) -> Result<(IdentityConfig, Renewed), SdkError> {
    let new = files.read()?;
    let verified = verified(folder, &new, now_us)?;
    // The one before may have ended; whose it is it says all the same.
    let profile = profile_of(folder)?;
    let whose = profile.identify(before.certificate_der()).map_err(ConfigError::Certificate)?;
    if verified.identity != whose {
        return Err(other_holder(&verified.identity));
    }
    let name = file_name(&new);
    let identity = copy_identity_as(folder, files, &name)?;
    let renewed = Renewed {
        holder: identity_text(&verified.identity),
        fingerprint: verified.fingerprint,
        until_us: verified.not_after_us,
        previous: before.fingerprint(),
    };
    Ok((identity, renewed))
}

/// A HOME that has its certificate renewed.
pub(crate) struct Renewing<'h> {
    pub(crate) folder: &'h Path,
    pub(crate) identity: &'h KeyIdentity,
    pub(crate) caller: &'h Caller,
    pub(crate) now_us: i64,
}

impl Renewing<'_> {
    /// Makes a key, has it certified, and writes both down beside the ones before. Gives where they are, and what the key before signed.
    pub(crate) async fn run(&self) -> Result<(Renewed, IdentityConfig, String), SdkError> {
        let current = verified(self.folder, self.identity, self.now_us)?;
        let key = self.pending_key()?;
        let holder = identity_text(&current.identity);
        let renewal = Renewal {
            holder: holder.clone(),
            key: sha256(&key.spki_der().map_err(failed)?),
            previous: current.spki_der.clone(),
            time_us: self.now_us,
        };
        let signed =
            renewal.sign(self.identity).map_err(|e: RenewalError| ConfigError::Trust(e.to_string()))?;
        let (number, common) = match &current.identity {
            Identity::Terminal { office, name } => (office, name),
            Identity::Office { number } | Identity::Proxy { number } => (number, number),
            Identity::Operator { .. } => return Err(ConfigError::NotAnOffice.into()),
        };
        let request = pb::RenewRequest {
            renewal: signed.clone().into(),
            request: key.request(number, common).map_err(failed)?.into(),
        };
        let caller = self.caller;
        let answer = caller.repeat(|| {
            let (mut renewal, request) = (caller.renewal(), request.clone());
            async move { renewal.renew(request).await }
        });
        let answer = answer.await?;
        let chain: Vec<Vec<u8>> = answer.certificates.iter().map(|der| der.to_vec()).collect();
        let (pem, secret) = (pem::encode(&chain), key.to_pem().map_err(failed)?);
        // It must be for the key that was made here, and say the same of its holder.
        let identity = KeyIdentity::from_pem(pem.as_bytes(), &secret)
            .map_err(|error| SdkError::Identity { path: self.folder.join(PENDING), error })?;
        let issued = verified(self.folder, &identity, self.now_us)?;
        if issued.identity != current.identity {
            return Err(other_holder(&issued.identity));
        }
        let name = file_name(&identity);
        let (certificates, key) = (format!("{name}.pem"), format!("{name}.key"));
        files::write_durably(&self.folder.join(&key), &secret, Access::Owner)?;
        files::write_durably(&self.folder.join(&certificates), pem.as_bytes(), Access::Owner)?;
        let until_us = time::parse_us(&answer.until)
            .ok_or(VerificationError::Incomplete("the end of the new certificate"))?;
        let renewed = Renewed {
            holder,
            fingerprint: issued.fingerprint,
            until_us: until_us.min(issued.not_after_us),
            previous: self.identity.fingerprint(),
        };
        Ok((renewed, IdentityConfig::Pem { certificates, key }, signed))
    }

    /// The HOME went over to the new key: it waits for nothing any more.
    pub(crate) fn finish(&self) -> Result<(), SdkError> {
        files::remove(&self.folder.join(PENDING))
    }

    fn pending_key(&self) -> Result<NewKey, SdkError> {
        let path = self.folder.join(PENDING);
        if let Some(pem) = files::read_if_exists(&path)? {
            return NewKey::from_pem(&pem).map_err(failed);
        }
        let key = NewKey::generate().map_err(failed)?;
        files::write_durably(&path, &key.to_pem().map_err(failed)?, Access::Owner)?;
        Ok(key)
    }
}

/// Name of an identity's files: keys that come later don't write over it.
fn file_name(identity: &KeyIdentity) -> String {
    format!("identity-{}", &hex(&identity.fingerprint())[..16])
}

fn profile_of(folder: &Path) -> Result<CertificateProfile, SdkError> {
    let path = folder.join(PROFILE);
    Ok(if path.exists() { read_profile(&path)?.1 } else { CertificateProfile::default() })
}

/// A certificate by the trust anchors of a HOME.
fn verified(folder: &Path, identity: &KeyIdentity, now_us: i64) -> Result<VerifiedCertificate, SdkError> {
    let anchors = pem::read_certificates(&folder.join(ANCHORS))?;
    let handovers = trust::handovers(&folder.join(CA_ROLLS))?;
    verify_own(identity, &anchors, handovers, profile_of(folder)?, now_us)
}

fn other_holder(identity: &Identity) -> SdkError {
    let whose = identity_text(identity);
    ConfigError::Argument(words(
        format!("この証明書は {whose} のもので、このHOMEのものではありません"),
        format!("the certificate is {whose}'s, and this HOME is not"),
    ))
    .into()
}

fn failed(error: RequestError) -> SdkError {
    ConfigError::Trust(error.to_string()).into()
}
