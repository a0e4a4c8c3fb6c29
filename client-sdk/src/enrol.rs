//! Becoming a terminal (端末): a HOME from an invitation code. The key is made here and never leaves this computer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::request::{NewKey, RequestError};
use tasuki_certs::trust::{OnDoubt, RevocationPolicy, TrustMaterial, TrustStore};
use tasuki_proto::event::sha256;
use tasuki_proto::ids::is_office;
use tasuki_proto::mandate::{Code, Enrolment, InviteTerminal, Scopes};
use tasuki_proto::pb;
use tasuki_proto::statement::Statement;

use crate::clock::Clock;
use crate::config::{CONFIG_FILE, Config, IdentityConfig};
use crate::error::{ConfigError, SdkError, VerificationError};
use crate::files::{self, Access};
use crate::home::{ANCHORS, OwnPapers, RELAY_CA, make_folders};
use crate::pem;
use crate::transport::{RelayAddress, anonymous_caller};

const KEY: &str = "identity.key";
const CERTIFICATES: &str = "identity.pem";

/// What a terminal's HOME is made of.
#[derive(Clone, Debug)]
pub struct EnrolOptions {
    /// The relay, `https://host:port`.
    pub relay: String,
    /// The CA certificate of the relay's TLS certificate (PEM).
    pub relay_ca: PathBuf,
    /// The invitation's code.
    pub code: Code,
    /// The offices' trust anchors (PEM). Absent: those that the relay names.
    pub ca: Option<PathBuf>,
    /// An HTTP proxy; see [`Config::proxy`].
    pub proxy: Option<String>,
}

/// A terminal that was enrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// The office.
    pub office: OfficeNumber,
    /// Its name in the directory.
    pub office_name: String,
    /// The terminal's name.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// SHA-256 of its certificate.
    pub fingerprint: [u8; 32],
}

/// Makes a HOME in `folder` from an invitation code. Running it again after a failure goes on with the same key.
///
/// # Errors
/// The folder is a HOME already, the relay can't be reached or refuses (`CODE_UNKNOWN`, `CODE_USED`, …), or the invitation is not
/// the office's.
pub async fn enrol(
    folder: &Path,
    options: &EnrolOptions,
    clock: Arc<dyn Clock>,
) -> Result<Enrolled, SdkError> {
    if folder.join(CONFIG_FILE).exists() {
        return Err(ConfigError::AlreadyAHome(folder.to_owned()).into());
    }
    let relay = RelayAddress::parse(&options.relay)?;
    let relay_ca = pem::read_certificates(&options.relay_ca)?;
    let caller = anonymous_caller(&options.relay, &relay_ca, options.proxy.as_deref(), &clock)?;
    let request = pb::GetInvitationRequest { code_key: options.code.public_key().to_vec().into() };
    let invitation = caller.repeat(|| {
        let (mut enrolment, request) = (caller.enrolment(), request.clone());
        async move { enrolment.get_invitation(request).await }
    });
    let invitation = invitation.await?;
    let anchors = match &options.ca {
        Some(path) => pem::read_certificates(path)?,
        None => invitation.anchors.iter().map(|der| der.to_vec()).collect(),
    };
    let said = read_invitation(&invitation.statement, &anchors, &options.code, clock.now_us())?;

    make_folders(folder)?;
    let key = own_key(folder)?;
    let spki = key.spki_der().map_err(failed)?;
    let enrolment = Enrolment {
        office: said.office,
        name: said.name.clone(),
        invitation: sha256(&invitation.statement),
        key: sha256(&spki),
    };
    let enrolment = enrolment.sign(&options.code);
    let request = pb::EnrolRequest {
        enrolment: enrolment.clone().into(),
        request: key.request(said.office.as_str(), &said.name).map_err(failed)?.into(),
    };
    let answer = caller.repeat(|| {
        let (mut enrolment, request) = (caller.enrolment(), request.clone());
        async move { enrolment.enrol(request).await }
    });
    let certificates: Vec<Vec<u8>> = answer.await?.certificates.iter().map(|der| der.to_vec()).collect();
    let leaf = certificates.first().ok_or(VerificationError::Incomplete("the terminal's certificate"))?;
    let fingerprint = sha256(leaf);

    let write = |name: &str, content: &[u8]| files::write_durably(&folder.join(name), content, Access::Owner);
    write(RELAY_CA, pem::encode(&relay_ca).as_bytes())?;
    write(ANCHORS, pem::encode(&anchors).as_bytes())?;
    write(CERTIFICATES, pem::encode(&certificates).as_bytes())?;
    let papers = OwnPapers {
        invitation: Some(invitation.statement.to_vec()),
        enrolment: Some(enrolment.into_bytes()),
        delegation: None,
    };
    papers.write(folder)?;
    let identity = IdentityConfig::Pem { certificates: CERTIFICATES.to_owned(), key: KEY.to_owned() };
    let config = Config {
        proxy: options.proxy.clone(),
        terminal: Some(said.name.clone()),
        // What came before it was enrolled is sealed to the office's other keys, and not lost.
        answer_key_lost: false,
        ..Config::new(relay.to_string(), said.office, identity)
    };
    write(CONFIG_FILE, config.print()?.as_bytes())?;
    Ok(Enrolled {
        office: said.office,
        office_name: invitation.office_name,
        name: said.name,
        scopes: said.scopes,
        fingerprint,
    })
}

/// The invitation, if it is an office's and belongs to the code. Revocation is the relay's to look at: there are no lists here yet.
fn read_invitation(
    cms: &[u8],
    anchors: &[Vec<u8>],
    code: &Code,
    now_us: i64,
) -> Result<InviteTerminal, SdkError> {
    let policy = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    let material = TrustMaterial { anchors: anchors.to_vec(), policy, ..TrustMaterial::default() };
    let store = TrustStore::new(material).map_err(|e| ConfigError::Trust(e.to_string()))?;
    let verifier = SignatureVerifier::new(Arc::new(store));
    let verified = verifier.verify(cms, None, now_us).map_err(VerificationError::Signature)?;
    let text = verified.content.ok_or(VerificationError::Statement)?;
    let Ok(Statement::InviteTerminal(said)) = Statement::parse(text) else {
        return Err(VerificationError::Statement.into());
    };
    if !is_office(&verified.signer.identity, said.office) || said.code_key != code.public_key() {
        return Err(VerificationError::Signer(said.office.to_string()).into());
    }
    Ok(said)
}

/// The key of this HOME: that of an earlier try, or a new one.
fn own_key(folder: &Path) -> Result<NewKey, SdkError> {
    let path = folder.join(KEY);
    if let Some(pem) = files::read_if_exists(&path)? {
        return NewKey::from_pem(&pem).map_err(failed);
    }
    let key = NewKey::generate().map_err(failed)?;
    files::write_durably(&path, &key.to_pem().map_err(failed)?, Access::Owner)?;
    Ok(key)
}

fn failed(error: RequestError) -> SdkError {
    ConfigError::Trust(error.to_string()).into()
}
