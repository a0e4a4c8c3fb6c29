//! Papers of terminals and proxies, with real certificates: what they prove, and everything that they don't.

use std::borrow::Cow;
use std::sync::Arc;

use ring::rand::SystemRandom;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, Issued, KeyChoice, TrialCa};
use tasuki_certs::trust::{TrustMaterial, TrustStore};
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::ids::ParcelId;
use tasuki_proto::mandate::{
    BY_OPERATOR, Code, Delegate, Enrolment, InviteTerminal, KeepTerminal, Mandated, Papers, PapersError,
    Role, STATEMENT_VOUCHED, Scope, Scopes, Signed, VOUCHED, check, vouched,
};
use tasuki_proto::parcel::{FileEntry, Header, OpenParcel, ParcelError, Software, build, build_with};
use tasuki_proto::statement::Statement;

const NOW_US: i64 = 1_795_261_114_000_000;
const SECOND_US: i64 = 1_000_000;
const OFFICE: &str = "1371215102";
const OTHER: &str = "9971100012";

struct World {
    office: KeyIdentity,
    other: KeyIdentity,
    terminal: KeyIdentity,
    proxy: KeyIdentity,
    verifier: SignatureVerifier,
}

fn identity(issued: &Issued) -> KeyIdentity {
    KeyIdentity::from_pem(&issued.chain_pem().expect("it is made"), &issued.key_pem().expect("it is made"))
        .expect("it is made")
}

fn world() -> World {
    let ca = TrialCa::create("test", NOW_US).expect("it is made");
    let options = || IssueOptions::new(NOW_US).with_key(KeyChoice::P256);
    let crl = ca.crl(&[], 1, NOW_US, NOW_US + 86_400 * SECOND_US).expect("it is made");
    let material = TrustMaterial {
        anchors: vec![ca.cert_der().expect("it is made")],
        crls: vec![crl],
        ..TrustMaterial::default()
    };
    World {
        office: identity(&ca.issue_office(OFFICE, "A", &options()).expect("it is made")),
        other: identity(&ca.issue_office(OTHER, "B", &options()).expect("it is made")),
        terminal: identity(&ca.issue_terminal(OFFICE, "reception", &options()).expect("it is made")),
        proxy: identity(&ca.issue_proxy("P00001", "proxy", &options()).expect("it is made")),
        verifier: SignatureVerifier::new(Arc::new(TrustStore::new(material).expect("it is made"))),
    }
}

fn number(text: &str) -> OfficeNumber {
    text.parse().expect("it is made")
}

fn sign(signer: &KeyIdentity, statement: &Statement) -> Vec<u8> {
    cms_sign::sign(signer, statement.print().as_bytes(), Content::Attached, NOW_US).expect("it is made")
}

fn parcel(signer: &KeyIdentity, papers: &Papers<'_>) -> Vec<u8> {
    let id = ParcelId::new(NOW_US, &SystemRandom::new()).expect("it is made");
    let software = Software { name: "test".to_owned(), version: "1".to_owned() };
    let mut header = Header::new(id, number(OFFICE), number(OTHER), NOW_US, software);
    header.files = vec![FileEntry::attachment("memo.pdf", "application/pdf")];
    build_with(&header, &[Cow::Borrowed(&b"%PDF"[..])], papers, signer, NOW_US).expect("it is made")
}

fn delegation() -> Delegate {
    Delegate {
        office: number(OFFICE),
        proxy: "P00001".parse().expect("it is made"),
        scopes: Scopes::of([Scope::Send]),
        from_us: NOW_US,
        until_us: NOW_US + 60 * SECOND_US,
        confirm: false,
        time_us: NOW_US,
    }
}

fn invitation(code: &Code) -> InviteTerminal {
    InviteTerminal {
        office: number(OFFICE),
        name: "reception".to_owned(),
        scopes: Scopes::of([Scope::Send, Scope::Receive]),
        code_key: code.public_key(),
        until_us: NOW_US,
        time_us: NOW_US,
    }
}

impl World {
    /// What a parcel's signature and papers prove, `seconds` after now.
    fn judge(
        &self,
        signer: &KeyIdentity,
        papers: &Papers<'_>,
        seconds: i64,
    ) -> Result<Mandated, PapersError> {
        let container = parcel(signer, papers);
        let parcel = OpenParcel::open(&container).expect("it is made");
        assert_eq!(parcel.papers(), *papers, "papers travel in the container");
        let at_us = NOW_US + seconds * SECOND_US;
        let signed =
            self.verifier.verify(parcel.signature(), Some(parcel.manifest()), at_us).expect("it is made");
        let office = parcel.header.sender;
        check(&signed.signer, office, Scope::Send, &parcel.papers(), &self.verifier, (at_us, at_us))
    }

    fn by_proxy(&self, delegate: Delegate, seconds: i64) -> Result<Mandated, PapersError> {
        let cms = sign(&self.office, &Statement::Delegate(delegate));
        self.judge(&self.proxy, &Papers { delegation: Some(&cms), ..Papers::default() }, seconds)
    }

    fn terminal_key(&self) -> [u8; 32] {
        let signed = sign(&self.terminal, &Statement::Delegate(delegation()));
        sha256(&self.verifier.verify(&signed, None, NOW_US).expect("it is made").signer.spki_der)
    }
}

#[test]
fn an_office_needs_no_papers_and_nobody_signs_for_another() {
    let world = world();
    let own = world.judge(&world.office, &Papers::default(), 0).unwrap();
    assert_eq!(own, Mandated { role: Role::Office, mandate: None });
    assert_eq!(world.judge(&world.other, &Papers::default(), 0), Err(PapersError::OtherOffice));
    assert_eq!(world.judge(&world.terminal, &Papers::default(), 0), Err(PapersError::Missing));
    assert_eq!(world.judge(&world.proxy, &Papers::default(), 0), Err(PapersError::Missing));
}

#[test]
fn a_proxy_acts_as_far_and_as_long_as_its_delegation() {
    let world = world();
    let good = world.by_proxy(delegation(), 59).unwrap();
    assert_eq!(good.role, Role::Proxy { number: "P00001".parse().unwrap() });
    assert!(good.mandate.is_some());
    assert_eq!(world.by_proxy(delegation(), 60), Err(PapersError::Time));
    let later = Delegate { from_us: NOW_US + SECOND_US, ..delegation() };
    assert_eq!(world.by_proxy(later, 0), Err(PapersError::Time));
    let receiving = Delegate { scopes: Scopes::of([Scope::Receive]), ..delegation() };
    assert_eq!(world.by_proxy(receiving, 0), Err(PapersError::Scope));
    let anothers = Delegate { proxy: "P00002".parse().unwrap(), ..delegation() };
    assert_eq!(world.by_proxy(anothers, 0), Err(PapersError::Other));
    let other_office = Delegate { office: number(OTHER), ..delegation() };
    assert_eq!(world.by_proxy(other_office, 0), Err(PapersError::Other));
}

#[test]
fn nobody_but_the_office_delegates() {
    let world = world();
    let statement = Statement::Delegate(delegation());
    for signer in [&world.other, &world.terminal, &world.proxy] {
        let cms = sign(signer, &statement);
        let papers = Papers { delegation: Some(&cms), ..Papers::default() };
        assert_eq!(world.judge(&world.proxy, &papers, 0), Err(PapersError::Signer));
    }
    let mut altered = sign(&world.office, &statement);
    *altered.last_mut().unwrap() ^= 1;
    let papers = Papers { delegation: Some(&altered), ..Papers::default() };
    assert!(matches!(world.judge(&world.proxy, &papers, 0), Err(PapersError::Signature(_))));
    // Another statement of the office's is no delegation.
    let invitation = Statement::InviteTerminal(invitation(&Code::new(&SystemRandom::new()).unwrap()));
    let cms = sign(&world.office, &invitation);
    let papers = Papers { delegation: Some(&cms), ..Papers::default() };
    assert_eq!(world.judge(&world.proxy, &papers, 0), Err(PapersError::Other));
}

#[test]
fn a_terminal_shows_the_invitation_and_that_its_key_took_it_up() {
    let world = world();
    let code = Code::new(&SystemRandom::new()).unwrap();
    let judge = |invite: InviteTerminal, key: [u8; 32], with: &Code| {
        let invitation = sign(&world.office, &Statement::InviteTerminal(invite));
        let enrolment = Enrolment {
            office: number(OFFICE),
            name: "reception".to_owned(),
            invitation: sha256(&invitation),
            key,
        };
        let enrolment = enrolment.sign(with);
        let papers = Papers {
            invitation: Some(&invitation),
            enrolment: Some(enrolment.as_bytes()),
            ..Papers::default()
        };
        world.judge(&world.terminal, &papers, 0)
    };
    let key = world.terminal_key();
    let good = judge(invitation(&code), key, &code).unwrap();
    assert_eq!(good.role, Role::Terminal { name: "reception".to_owned() });
    let other = Code::new(&SystemRandom::new()).unwrap();
    assert!(matches!(judge(invitation(&code), key, &other), Err(PapersError::Enrolment(_))));
    assert_eq!(judge(invitation(&code), [9; 32], &code), Err(PapersError::Other));
    let renamed = InviteTerminal { name: "office".to_owned(), ..invitation(&code) };
    assert_eq!(judge(renamed, key, &code), Err(PapersError::Other));
    let reading = InviteTerminal { scopes: Scopes::of([Scope::ReadStatus]), ..invitation(&code) };
    assert_eq!(judge(reading, key, &code), Err(PapersError::Scope));
}

#[test]
fn a_kept_terminal_acts_as_it_was_invited() {
    let world = world();
    let code = Code::new(&SystemRandom::new()).unwrap();
    let invited = sha256(&sign(&world.office, &Statement::InviteTerminal(invitation(&code))));
    let key = world.terminal_key();
    let kept = || KeepTerminal {
        office: number(OFFICE),
        mandate: invited,
        name: "reception".to_owned(),
        scopes: Scopes::of([Scope::Send]),
        code_key: code.public_key(),
        key,
        time_us: NOW_US,
    };
    let judge = |said: KeepTerminal, signer: &KeyIdentity, mandate: [u8; 32], with: &Code| {
        let paper = sign(signer, &Statement::KeepTerminal(said));
        let (office, name) = (number(OFFICE), "reception".to_owned());
        let enrolment = Enrolment { office, name, invitation: mandate, key }.sign(with);
        let papers =
            Papers { invitation: Some(&paper), enrolment: Some(enrolment.as_bytes()), ..Papers::default() };
        world.judge(&world.terminal, &papers, 0)
    };
    let office = &world.office;
    // It is the mandate that the invitation gave.
    let role = Role::Terminal { name: "reception".to_owned() };
    assert_eq!(judge(kept(), office, invited, &code), Ok(Mandated { role, mandate: Some(invited) }));
    assert_eq!(judge(kept(), &world.other, invited, &code), Err(PapersError::Signer));
    assert_eq!(judge(kept(), &world.terminal, invited, &code), Err(PapersError::Signer));
    assert_eq!(judge(kept(), office, [9; 32], &code), Err(PapersError::Other));
    // Who comes by the code makes no other terminal of it.
    assert_eq!(
        judge(KeepTerminal { key: [9; 32], ..kept() }, office, invited, &code),
        Err(PapersError::Other)
    );
    let renamed = KeepTerminal { name: "office".to_owned(), ..kept() };
    assert_eq!(judge(renamed, office, invited, &code), Err(PapersError::Other));
    let others = KeepTerminal { office: number(OTHER), ..kept() };
    assert_eq!(judge(others, office, invited, &code), Err(PapersError::Other));
    let reading = KeepTerminal { scopes: Scopes::of([Scope::ReadStatus]), ..kept() };
    assert_eq!(judge(reading, office, invited, &code), Err(PapersError::Scope));
    let other = Code::new(&SystemRandom::new()).unwrap();
    assert!(matches!(judge(kept(), office, invited, &other), Err(PapersError::Enrolment(_))));
}

#[test]
fn papers_are_covered_by_the_signature_and_are_no_files() {
    let world = world();
    let cms = sign(&world.office, &Statement::Delegate(delegation()));
    let container = parcel(&world.proxy, &Papers { delegation: Some(&cms), ..Papers::default() });
    let opened = OpenParcel::open(&container).unwrap();
    assert_eq!(opened.files().count(), 1);
    assert!(String::from_utf8_lossy(opened.manifest()).contains("mandate/delegation.p7s"));
    // A header can't call a paper one of its files.
    let id = ParcelId::new(NOW_US, &SystemRandom::new()).unwrap();
    let software = Software { name: "test".to_owned(), version: "1".to_owned() };
    let mut header = Header::new(id, number(OFFICE), number(OTHER), NOW_US, software);
    let named = FileEntry {
        path: "mandate/delegation.p7s".to_owned(),
        kind: "ATTACHMENT".to_owned(),
        media_type: "application/pkcs7-mime".to_owned(),
    };
    header.files = vec![named];
    let container = build(&header, &[Cow::Borrowed(&cms[..])], &world.office, NOW_US).unwrap();
    assert!(matches!(OpenParcel::open(&container), Err(ParcelError::Header(_))));
}

#[test]
fn the_operator_vouches_for_the_proxy_that_the_event_names_and_no_other() {
    let world = world();
    let signer = |identity: &KeyIdentity| {
        let cms = sign(identity, &Statement::Delegate(delegation()));
        world.verifier.verify(&cms, None, NOW_US).expect("it is made").signer
    };
    let (proxy, office) = (signer(&world.proxy), signer(&world.office));
    let event = |lines: &[(&'static str, String)]| {
        let mut event = Event::new(kind::PARCEL_DELIVERED, 1, NOW_US, [1; 16]);
        for (key, value) in lines {
            event.lines.add(key, value);
        }
        event
    };
    let mandate = ("mandate", digest_text(&[7; 32]));
    let by_operator = (VOUCHED, BY_OPERATOR.to_owned());
    let parcel = [
        ("signer", digest_text(&proxy.fingerprint)),
        ("proxy", "P00001".to_owned()),
        mandate.clone(),
        by_operator.clone(),
    ];
    let right = vouched(&event(&parcel), Signed::Parcel, &proxy).expect("the operator vouches");
    assert_eq!(right.mandate, Some([7; 32]));
    // Each line is needed, and says who.
    for missing in 0..parcel.len() {
        let mut lines = parcel.to_vec();
        lines.remove(missing);
        assert_eq!(vouched(&event(&lines), Signed::Parcel, &proxy), None, "without {}", parcel[missing].0);
    }
    let mut another = parcel.clone();
    another[1].1 = "P00002".to_owned();
    assert_eq!(vouched(&event(&another), Signed::Parcel, &proxy), None);
    assert_eq!(vouched(&event(&parcel), Signed::Parcel, &office), None);
    // That the parcel's signer is vouched for says nothing of a statement's.
    assert_eq!(vouched(&event(&parcel), Signed::Statement, &proxy), None);

    let statement = [
        ("signer", digest_text(&proxy.fingerprint)),
        ("by", "proxy:P00001".to_owned()),
        mandate.clone(),
        by_operator,
    ];
    assert!(vouched(&event(&statement), Signed::Statement, &proxy).is_some());
    // Of a release, the statement has lines of its own.
    let release: Vec<_> = parcel
        .iter()
        .cloned()
        .chain([("by", "proxy:P00001".to_owned()), ("statement-signer", digest_text(&proxy.fingerprint))])
        .collect();
    assert_eq!(vouched(&event(&release), Signed::Statement, &proxy), None);
    let said = [("statement-mandate", digest_text(&[8; 32])), (STATEMENT_VOUCHED, BY_OPERATOR.to_owned())];
    let release: Vec<_> = release.into_iter().chain(said).collect();
    let right = vouched(&event(&release), Signed::Statement, &proxy).expect("the operator vouches");
    assert_eq!(right.mandate, Some([8; 32]));
}
