//! What an offline verification trusts: given, or found beside what is verified.

use std::path::Path;
use std::sync::Arc;

use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::error::Position;
use tasuki_certs::profile::CertificateProfile;
use tasuki_certs::trust::{
    OnDoubt, RevocationPolicy, TrustMaterial, TrustStore, VerifiedCertificate, Warning,
};
use tasuki_proto::event::sha256;
use tasuki_proto::log::{Checkpoint, LogError, LogVerifier};

use super::{TrustUsed, VerifyOptions, VerifyWarning};
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::evidence::{INDEX, Index};
use crate::home::read_profile;
use crate::papers::Right;
use crate::pem;
use crate::trust::is_ca;

/// Files beside a lone parcel that may hold anchors, whole.
const ANCHOR_FILES: [&str; 2] = ["anchors.pem", "trial-ca.pem"];

/// The signer's chain that receiving leaves beside a parcel: the anchor stands last.
const CHAIN_FILE: &str = "certificates.pem";

/// Certificates, revocation lists and profile that came along.
#[derive(Debug, Default)]
pub(super) struct Along {
    pub(super) anchors: Vec<Vec<u8>>,
    pub(super) intermediates: Vec<Vec<u8>>,
    pub(super) crls: Vec<Vec<u8>>,
    pub(super) profile: Option<(String, CertificateProfile)>,
}

impl Along {
    /// What a folder of evidence holds.
    pub(super) fn of_evidence(folder: &Path, index: &Index) -> Result<Self, SdkError> {
        let certificates = |names: &[String]| -> Result<Vec<Vec<u8>>, SdkError> {
            let mut all = Vec::new();
            for name in names {
                all.extend(pem::read_certificates(&folder.join(name))?);
            }
            Ok(all)
        };
        let crls = index.crls.iter().map(|name| Index::read_file(folder, name));
        Ok(Self {
            anchors: certificates(&index.anchors)?,
            intermediates: certificates(&index.certificates)?,
            crls: crls.collect::<Result<_, _>>()?,
            profile: index.profile.as_deref().map(|name| profile_in(folder, name)).transpose()?,
        })
    }

    /// What lies beside a lone parcel.
    pub(super) fn beside(container: &Path) -> Result<Self, SdkError> {
        let folder = container.parent().unwrap_or(Path::new("."));
        if folder.join(INDEX).is_file() {
            return Self::of_evidence(folder, &Index::read(folder)?);
        }
        let mut along = Self::default();
        let chain = folder.join(CHAIN_FILE);
        if chain.is_file() {
            let mut chain = pem::read_certificates(&chain)?;
            along.anchors.extend(chain.pop());
        }
        for name in ANCHOR_FILES {
            let path = folder.join(name);
            if path.is_file() {
                along.anchors.extend(pem::read_certificates(&path)?);
            }
        }
        Ok(along)
    }
}

/// The profile of a folder of evidence.
fn profile_in(folder: &Path, name: &str) -> Result<(String, CertificateProfile), SdkError> {
    let malformed = |message| VerificationError::Malformed { path: folder.join(name), message };
    let text = String::from_utf8(Index::read_file(folder, name)?);
    let text = text.map_err(|_| malformed(words("UTF-8のテキストではありません", "not UTF-8")))?;
    let unfit = |e: tasuki_certs::profile::ProfileError| {
        malformed(words(format!("証明書のプロファイルとして読めません（{e}）"), e.to_string()))
    };
    let profile = CertificateProfile::from_toml(&text).map_err(unfit)?;
    Ok((text, profile))
}

/// A verifier for the anchors that were given, else for those that came along; and what to say of it.
pub(super) fn verifier(
    options: &VerifyOptions,
    along: Along,
) -> Result<(SignatureVerifier, TrustUsed), SdkError> {
    let pinned = options.ca.as_deref().map(pem::read_certificates).transpose()?;
    let anchors_pinned = pinned.is_some();
    let anchors = pinned.unwrap_or(along.anchors);
    if anchors.is_empty() {
        return Err(VerificationError::NothingToTrust(words(
            "事業所証明書のCA（--ca）",
            "trust anchor (--ca)",
        ))
        .into());
    }
    let profile_pinned = options.profile.is_some();
    let profile = match &options.profile {
        Some(path) => Some(read_profile(path)?),
        None => along.profile.filter(|_| !anchors_pinned),
    };
    let used = TrustUsed {
        anchors: anchors.iter().map(|a| sha256(a)).collect(),
        anchors_pinned,
        profile: profile.as_ref().map(|(text, _)| sha256(text.as_bytes())),
        profile_pinned,
        ..TrustUsed::default()
    };
    let profile = profile.map(|(_, profile)| profile).unwrap_or_default();
    // A CA among the intermediates is found by name; others, such as the signers themselves, are no CAs and come
    // with the signatures.
    let intermediates = along.intermediates.into_iter().filter(|der| is_ca(der)).collect();
    // What was fresh when the relay accepted is all that can be had offline: doubts are told, not refused. A
    // revocation is.
    let policy = RevocationPolicy {
        on_missing: OnDoubt::Warn,
        on_stale: OnDoubt::Warn,
        ..RevocationPolicy::default()
    };
    let crls = along.crls;
    let material =
        TrustMaterial { anchors, intermediates, crls, profile, policy, ..TrustMaterial::default() };
    let store = TrustStore::new(material).map_err(|e| ConfigError::Trust(e.to_string()))?;
    Ok((SignatureVerifier::new(Arc::new(store)), used))
}

/// The log's keys that count: the one given, else those beside.
#[derive(Debug)]
pub(super) struct LogKeys(pub(super) Vec<LogVerifier>);

impl LogKeys {
    /// Reads keys, one a line.
    pub(super) fn parse(text: &str, malformed: impl Fn() -> SdkError) -> Result<Self, SdkError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys = lines.map(|line| LogVerifier::from_vkey(line).map_err(|_| malformed()));
        Ok(Self(keys.collect::<Result<_, _>>()?))
    }

    /// A checkpoint of a folder, signed with one of the keys.
    pub(super) fn open(&self, folder: &Path, name: &str) -> Result<Checkpoint, SdkError> {
        let note = Index::read_file(folder, name)?;
        let mut error = LogError::Key;
        for key in &self.0 {
            match key.open(&note) {
                Ok(checkpoint) => return Ok(checkpoint),
                Err(why) => error = why,
            }
        }
        Err(VerificationError::Log(error).into())
    }
}

/// What somebody should know of how a certificate was accepted.
pub(super) fn warnings(whose: Whose, certificate: &VerifiedCertificate) -> Vec<VerifyWarning> {
    let of = |position: &Position, ja: &str, en: &str| {
        let above = if *position == Position::LEAF { ("", "") } else { ("の上位CA", "the CA above ") };
        let (whose_ja, whose_en) = match whose {
            Whose::Sender => ("送信元の証明書", "the sender's certificate"),
            Whose::Recipient => ("宛先の証明書", "the recipient's certificate"),
        };
        VerifyWarning::new(format!("{whose_ja}{}: {ja}", above.0), format!("{}{whose_en}: {en}", above.1))
    };
    let words = |warning: &Warning| match warning {
        Warning::CrlMissing(position) => of(
            position,
            "手元に失効リストがないため、失効は確認していません",
            "no revocation list at hand, so revocation was not checked",
        ),
        Warning::CrlStale(position) | Warning::CrlStaleOverridden(position) => of(
            position,
            "手元の失効リストは、その時点では古すぎました",
            "the revocation list at hand was too old at that time",
        ),
        Warning::RevokedLater(position, since_us) => {
            let since = tasuki_proto::time::format_us(*since_us);
            of(
                position,
                &format!("その時点では有効で、後に（{since}）失効しました"),
                &format!("revoked later, since {since}; valid at that time"),
            )
        }
        other => VerifyWarning::new(format!("{other:?}"), format!("{other:?}")),
    };
    certificate.warnings.iter().map(words).collect()
}

/// What somebody should know of how a signer's right was shown.
pub(super) fn vouched(whose: Whose, right: Right) -> Option<VerifyWarning> {
    let (ja, en) = match whose {
        Whose::Sender => ("送信元", "the sender"),
        Whose::Recipient => ("宛先", "the recipient"),
    };
    (right == Right::Vouched).then(|| {
        VerifyWarning::new(
            format!("{ja}は証明書を持たず、署名は伝送代行業者のものです。委任は運用主体の登録によります"),
            format!("{en} has no certificate: its proxy signed, and the operator vouches that it may"),
        )
    })
}

/// Whose certificate a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Sender,
    Recipient,
}
