//! `tasuki verify`: proof checked offline, without HOME and without network.

mod month;

use std::path::Path;

use serde::Serialize;
use tasuki_proto::canonical::hex;
use tasuki_sdk::SdkError;
use tasuki_sdk::error::VerificationError;
use tasuki_sdk::verify::{
    Proof, Proven, StampedBy, TrustUsed, VerifyOptions, VerifyReport, VerifyWarning, VouchedBy,
    verify as verify_offline, verify_month,
};

use crate::args::Verify;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::lang::{Lang, Text};
use crate::moment::{japan_seconds, utc};
use crate::output::Output;
use crate::table::{Table, shown};
use crate::words;

/// Bytes of a file with a verifier key; a key is one line.
const MAX_LOG_KEY_BYTES: u64 = 1024 * 1024;

/// What was proven.
#[derive(Serialize)]
struct VerifiedObject<'a> {
    path: String,
    verified: bool,
    reason: Option<String>,
    parcel: String,
    sender: String,
    recipient: String,
    /// SHA-256 of the container, hex.
    digest: String,
    proofs: Vec<ProofObject<'a>>,
    /// Who has vouched for the log, beside the relay.
    witnesses: Vec<WitnessObject<'a>>,
    /// Time stamps of the log that cover events.
    timestamps: Vec<StampObject<'a>>,
    trust: TrustObject<'a>,
    /// What should be known, in English.
    warnings: Vec<&'a str>,
    /// The same in Japanese.
    warnings_ja: Vec<&'a str>,
}

#[derive(Serialize)]
struct ProofObject<'a> {
    /// `signed` (the sender's signature), `logged` (an event in the log), `stated` (a party's signed statement).
    what: &'static str,
    /// Kind of the event or statement; null for the sender's signature.
    kind: Option<&'a str>,
    time: String,
    by: &'a str,
}

#[derive(Serialize)]
struct StampObject<'a> {
    authority: &'a str,
    /// SHA-256 of its CA.
    anchor: String,
    /// The CA was given, not found beside the evidence.
    pinned: bool,
    time: String,
    /// How many of the events it covers.
    events: usize,
}

#[derive(Serialize)]
struct WitnessObject<'a> {
    witness: &'a str,
    key: &'a str,
    /// The key was given, not found beside the evidence.
    pinned: bool,
    time: String,
    /// How many of the events it covers.
    events: usize,
}

#[derive(Serialize)]
struct TrustObject<'a> {
    /// SHA-256 of each anchor, hex.
    anchors: Vec<String>,
    anchors_pinned: bool,
    log_key: Option<&'a str>,
    log_key_pinned: bool,
    /// SHA-256 of the certificate profile, hex; null: the trial CA's.
    profile: Option<String>,
    profile_pinned: bool,
}

/// What does not verify.
#[derive(Serialize)]
struct FailedObject<'a> {
    path: String,
    verified: bool,
    reason: &'a str,
    message_ja: String,
    message_en: String,
}

/// `tasuki verify PATH`.
pub(super) fn verify(args: Verify, out: &mut Output) -> Result<Exit, Failure> {
    let log_key = args.log_key.as_deref().map(read_log_key).transpose()?;
    let witness_keys = args.witness.as_deref().map(read_log_key).transpose()?;
    let options = VerifyOptions {
        ca: args.ca,
        log_key,
        profile: args.profile,
        tsa_ca: args.tsa_ca,
        witness_keys,
        witnesses_needed: args.need,
    };
    let told = if month::is_zip(&args.path) {
        verify_month(&args.path, &options).map(|month| month::print(&args.path, &month, out))
    } else {
        verify_offline(&args.path, &options).map(|report| print(&args.path, &report, out))
    };
    match told {
        Ok(printed) => {
            printed?;
            Ok(Exit::Done)
        }
        Err(SdkError::Verification(cause)) => {
            failed(&args.path, &cause, out)?;
            Ok(Exit::Rejected)
        }
        Err(error) => Err(error.into()),
    }
}

fn read_log_key(path: &Path) -> Result<String, Failure> {
    let unreadable = |why: String| {
        let path = path.display();
        Failure::usage(
            format!("検証鍵 {path} を読めません: {why}"),
            format!("the verifier key {path} can't be read: {why}"),
        )
    };
    let length = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if length > MAX_LOG_KEY_BYTES {
        return Err(unreadable(format!("> {MAX_LOG_KEY_BYTES} bytes")));
    }
    std::fs::read_to_string(path).map_err(|e| unreadable(e.to_string()))
}

fn failed(path: &Path, cause: &VerificationError, out: &mut Output) -> Result<(), Failure> {
    let message = explain::verification(cause);
    if out.is_json() {
        out.object(&FailedObject {
            path: path.display().to_string(),
            verified: false,
            reason: cause.code(),
            message_ja: message.ja,
            message_en: message.en,
        })?;
    } else {
        out.error(cause.code(), &message);
    }
    Ok(())
}

fn print(path: &Path, report: &VerifyReport, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.object(&object(path, report))?;
        return Ok(());
    }
    let lang = out.lang();
    out.say("検証できました。", "It verifies.")?;
    out.line("")?;
    let mut facts = Table::bare();
    facts.row([lang.pick("電文ID", "parcel"), &report.parcel.id.to_string()]);
    facts.row([lang.pick("送信元", "from"), report.parcel.sender.as_str()]);
    facts.row([lang.pick("宛先", "to"), report.recipient.as_str()]);
    facts.row(["SHA-256", &hex(&report.digest)]);
    out.lines(facts.lines())?;
    out.line("")?;
    let mut proofs = Table::new(&[
        lang.pick("日時", "WHEN"),
        lang.pick("証明されたこと", "WHAT IS PROVEN"),
        lang.pick("証言者", "WHOSE WORD"),
    ]);
    for proof in &report.proofs {
        proofs.row([&japan_seconds(proof.time_us), what(proof).of(lang), whose(&proof.by).of(lang)]);
    }
    out.lines(proofs.lines())?;
    out.line("")?;
    out.lines(report.witnesses.iter().map(|vouched| vouched_line(vouched, lang)))?;
    out.lines(report.timestamps.iter().map(|stamp| stamp_line(stamp, lang)))?;
    out.lines(trust(&report.trust, lang))?;
    for VerifyWarning { ja, en } in &report.warnings {
        let warning = lang.pick(ja, en);
        out.line(format!("{}: {}", lang.pick("注意", "note"), shown(warning)))?;
    }
    Ok(())
}

/// Whose word it is.
fn whose(party: &str) -> Text {
    match party.split_once(':') {
        Some(("office", number)) => Text::new(format!("事業所 {number}"), format!("office {number}")),
        None if party == "relay" => Text::new("中継サーバー", "the relay"),
        _ => Text::new(party, party),
    }
}

fn what(proof: &Proof) -> Text {
    match &proof.what {
        Proven::SignedBySender => Text::new("送信元が署名しました", "the sender signed it"),
        Proven::Logged(kind) if kind == tasuki_proto::event::kind::PARCEL_ACKNOWLEDGED => {
            Text::new("受領の署名が記録されました", "the signed receipt was logged")
        }
        Proven::Logged(kind) => words::event(kind),
        Proven::Stated(kind) if kind == "acknowledge" => {
            Text::new("宛先が署名して受領しました", "the receiver signed for it")
        }
        Proven::Stated(kind) => {
            Text::new(format!("署名付きの申告: {kind}"), format!("signed statement: {kind}"))
        }
        other => Text::new(format!("{other:?}"), format!("{other:?}")),
    }
}

/// A witness that has vouched.
fn vouched_line(vouched: &VouchedBy, lang: Lang) -> String {
    let (when, events) = (japan_seconds(vouched.time_us), vouched.events);
    let sure = given(vouched.pinned, lang);
    let text = Text::new(
        format!("立会人 {}: {when} に出来事{events}件を確認（{sure}）", vouched.key),
        format!("witness {}: vouched for {events} of the events at {when} ({sure})", vouched.key),
    );
    shown(text.of(lang)).into_owned()
}

/// A time stamp.
fn stamp_line(stamp: &StampedBy, lang: Lang) -> String {
    let (when, events, who) = (japan_seconds(stamp.time_us), stamp.events, &stamp.authority);
    let (anchor, sure) = (hex(&stamp.anchor), given(stamp.pinned, lang));
    let text = Text::new(
        format!("タイムスタンプ {who}: 出来事{events}件が{when}に存在（CA SHA-256 {anchor}、{sure}）"),
        format!(
            "time stamp of {who}: {events} of the events were there at {when} (CA SHA-256 {anchor}, {sure})"
        ),
    );
    shown(text.of(lang)).into_owned()
}

/// Where something to trust in came from.
fn given(pinned: bool, lang: Lang) -> &'static str {
    if pinned {
        lang.pick("指定されたもの", "as given")
    } else {
        lang.pick(
            "証拠と一緒にあったもの。別の経路で確かめてください",
            "found beside the evidence: compare it with what you know from elsewhere",
        )
    }
}

/// What trust rests on, and how sure that is.
fn trust(trust: &TrustUsed, lang: Lang) -> Vec<String> {
    let given = |pinned| given(pinned, lang);
    let mut lines = Vec::new();
    for anchor in &trust.anchors {
        let label = lang.pick("事業所証明書のCA", "CA of the offices' certificates");
        lines.push(format!("{label}: SHA-256 {} ({})", hex(anchor), given(trust.anchors_pinned)));
    }
    if let Some(key) = &trust.log_key {
        let label = lang.pick("記録の検証鍵", "key of the log");
        lines.push(format!("{label}: {} ({})", shown(key.trim()), given(trust.log_key_pinned)));
    }
    if let Some(profile) = &trust.profile {
        let label = lang.pick("証明書のプロファイル", "profile of the certificates");
        lines.push(format!("{label}: SHA-256 {} ({})", hex(profile), given(trust.profile_pinned)));
    }
    lines
}

fn stamp_object(stamp: &StampedBy) -> StampObject<'_> {
    StampObject {
        authority: &stamp.authority,
        anchor: hex(&stamp.anchor),
        pinned: stamp.pinned,
        time: utc(stamp.time_us),
        events: stamp.events,
    }
}

fn witness(vouched: &VouchedBy) -> WitnessObject<'_> {
    WitnessObject {
        witness: name_of(&vouched.key),
        key: &vouched.key,
        pinned: vouched.pinned,
        time: utc(vouched.time_us),
        events: vouched.events,
    }
}

/// A verifier key begins with its owner's name.
fn name_of(key: &str) -> &str {
    key.split('+').next().unwrap_or_default()
}

fn object<'a>(path: &Path, report: &'a VerifyReport) -> VerifiedObject<'a> {
    let proofs = report.proofs.iter().map(|proof| {
        let (what, kind) = match &proof.what {
            Proven::SignedBySender => ("signed", None),
            Proven::Logged(kind) => ("logged", Some(kind.as_str())),
            Proven::Stated(kind) => ("stated", Some(kind.as_str())),
            _ => ("other", None),
        };
        ProofObject { what, kind, time: utc(proof.time_us), by: &proof.by }
    });
    VerifiedObject {
        path: path.display().to_string(),
        verified: true,
        reason: None,
        parcel: report.parcel.id.to_string(),
        sender: report.parcel.sender.to_string(),
        recipient: report.recipient.to_string(),
        digest: hex(&report.digest),
        proofs: proofs.collect(),
        witnesses: report.witnesses.iter().map(witness).collect(),
        timestamps: report.timestamps.iter().map(stamp_object).collect(),
        trust: TrustObject {
            anchors: report.trust.anchors.iter().map(|a| hex(a)).collect(),
            anchors_pinned: report.trust.anchors_pinned,
            log_key: report.trust.log_key.as_deref().map(str::trim),
            log_key_pinned: report.trust.log_key_pinned,
            profile: report.trust.profile.as_ref().map(|p| hex(p)),
            profile_pinned: report.trust.profile_pinned,
        },
        warnings: report.warnings.iter().map(|warning| warning.en.as_str()).collect(),
        warnings_ja: report.warnings.iter().map(|warning| warning.ja.as_str()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn report() -> VerifyReport {
        let proof = |what, by: &str| Proof { what, time_us: testing::ACCEPTED_US, by: by.into() };
        VerifyReport {
            parcel: testing::key(),
            recipient: "9971100012".parse().unwrap(),
            digest: [0x5d; 32],
            proofs: vec![
                proof(Proven::SignedBySender, "office:1371215102"),
                proof(Proven::Logged("parcel.delivered".into()), "relay"),
                proof(Proven::Stated("acknowledge".into()), "office:9971100012"),
            ],
            witnesses: vec![VouchedBy {
                key: "w/1+00+key".into(),
                pinned: true,
                time_us: testing::ACCEPTED_US,
                events: 2,
            }],
            timestamps: vec![StampedBy {
                authority: "CN=tsa".into(),
                anchor: [0x75; 32],
                pinned: false,
                time_us: testing::ACCEPTED_US,
                events: 2,
            }],
            trust: TrustUsed {
                anchors: vec![[0xca; 32]],
                anchors_pinned: false,
                log_key: Some("relay/e1+00+key\n".into()),
                log_key_pinned: true,
                profile: Some([0x9f; 32]),
                profile_pinned: true,
            },
            warnings: vec![VerifyWarning { ja: "遅い".into(), en: "late".into() }],
        }
    }

    #[test]
    fn programs_learn_what_is_proven_and_what_trust_rests_on() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print(Path::new("E"), &report(), &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["verified"], &object["parcel"]), (&true.into(), &testing::ID.into()));
        assert_eq!(object["proofs"][1]["kind"], "parcel.delivered");
        assert_eq!(object["trust"]["anchors"][0], "ca".repeat(32));
        assert_eq!(object["trust"]["log_key"], "relay/e1+00+key");
        assert_eq!(object["trust"]["profile"], "9f".repeat(32));
        assert_eq!(
            (&object["witnesses"][0]["witness"], &object["witnesses"][0]["events"]),
            (&"w/1".into(), &2.into())
        );
        assert_eq!((&object["warnings"][0], &object["warnings_ja"][0]), (&"late".into(), &"遅い".into()));
    }

    #[test]
    fn people_are_told_to_compare_what_was_not_pinned() {
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print(Path::new("E"), &report(), &mut out).unwrap();
        let text = results.text();
        assert!(text.starts_with("It verifies.\n"), "{text}");
        assert!(
            text.contains("SHA-256 cacacaca") && text.contains("compare it with what you know"),
            "{text}"
        );
        assert!(text.contains("key of the log: relay/e1+00+key (as given)"), "{text}");
        assert!(text.contains("profile of the certificates: SHA-256 9f9f9f9f"), "{text}");
        assert!(text.contains("witness w/1+00+key: vouched for 2 of the events at 2026-11-21"), "{text}");
        assert!(text.contains("the receiver signed for it         office 9971100012"), "{text}");
        let (mut out, results, _) = Output::captured(Lang::Ja, false);
        print(Path::new("E"), &report(), &mut out).unwrap();
        let text = results.text();
        assert!(text.contains("事業所 9971100012") && text.ends_with("注意: 遅い\n"), "{text}");
    }

    #[test]
    fn what_does_not_verify_is_a_result_for_programs_and_an_error_for_people() {
        let error = VerificationError::Digest;
        let (mut out, results, _) = Output::captured(Lang::En, true);
        failed(Path::new("E"), &error, &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["verified"], &object["reason"]), (&false.into(), &"DIGEST_MISMATCH".into()));
        let (mut out, results, errors) = Output::captured(Lang::En, false);
        failed(Path::new("E"), &error, &mut out).unwrap();
        assert_eq!(results.text(), "");
        assert!(
            errors.text().starts_with("error: the parcel is not the one in the log"),
            "{}",
            errors.text()
        );
    }

    #[test]
    fn a_key_that_can_not_be_read_is_a_usage_error() {
        assert_eq!(read_log_key(Path::new("no/such/file")).unwrap_err().exit(), Exit::Usage);
    }
}
