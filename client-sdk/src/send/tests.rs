//! Planning, and preparing with an outbox that earlier runs left in every state.

mod units;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::rand::SystemRandom;
use tasuki_careplan::samples;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::{pb, reason};

use tasuki_careplan::policy::CheckPolicy;

use super::batch::BatchId;
use super::destinations::Destinations;
use super::outbox::{Fate, Outbox};
use super::plan::{Plan, plan};
use super::prepare::{Prepared, Ready, Workshop};
use super::record::{SentRecord, StoredEvidence};
use super::sent::Sent;
use super::{Attachment, SendOptions};
use crate::archive;
use crate::error::{ConfigError, SdkError};
use crate::files;

use crate::home::{ARCHIVE, EPOCHS, Home, OUTBOX, OwnPapers};
use crate::parcel::State;
use crate::testing::{self, Folder, NOW_US, RECIPIENT, SENDER, office, world};

/// Copies samples of one folder to `to`.
fn samples_to(to: &Path, folder: &str) {
    std::fs::create_dir_all(to).unwrap();
    for sample in samples::of_folder(folder) {
        std::fs::write(to.join(sample.name), sample.bytes).unwrap();
    }
}

fn planned(paths: &[PathBuf], options: &SendOptions) -> Plan {
    plan(paths, options, office(SENDER)).unwrap()
}

fn rules(plan: &Plan) -> Vec<&str> {
    plan.unsendable.iter().flat_map(|u| &u.findings).map(|f| f.rule.as_str()).collect()
}

#[test]
fn files_folders_and_zips_become_parcels() {
    let folder = testing::folder("plan");
    let out = folder.path().join("out");
    samples_to(&out.join("deep"), "03_slip_202602_to_visit");
    let zip = folder.path().join("month.ZIP");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    for sample in samples::of_folder("04_slip_202602_to_day_two_users") {
        writer.start_file(format!("x/{}", sample.name), zip::write::SimpleFileOptions::default()).unwrap();
        std::io::Write::write_all(&mut writer, sample.bytes).unwrap();
    }
    writer.finish().unwrap();
    std::fs::write(out.join("memo.pdf"), b"%PDF").unwrap();
    std::fs::write(out.join(".DS_Store"), b"x").unwrap();
    // The same folder twice, and a file of it, are the same files.
    let plan = planned(&[out.clone(), zip, out.join("deep"), out.clone()], &SendOptions::default());
    let recipients: Vec<_> = plan.parcels.iter().map(|p| p.recipient.to_string()).collect();
    assert_eq!(recipients, [RECIPIENT, "9971100020"]);
    assert!(plan.parcels.iter().all(|p| p.files.len() == 3 && p.findings.is_empty()));
    assert_eq!(plan.unsendable.len(), 1);
    assert_eq!(plan.unsendable[0].path, out.join("memo.pdf"));
    assert_eq!(rules(&plan), ["NOT_SENDABLE"]);
}

#[test]
fn attachments_and_notes_go_where_they_were_told() {
    let folder = testing::folder("plan-attach");
    let out = folder.path().join("out");
    samples_to(&out, "03_slip_202602_to_visit");
    let pdf = folder.path().join("退院.pdf");
    std::fs::write(&pdf, b"%PDF").unwrap();
    let options = SendOptions {
        note: Some("all".to_owned()),
        notes_by_office: [(office("9971100020"), "only you".to_owned())].into(),
        attachments: vec![
            Attachment { office: office(RECIPIENT), path: pdf.clone() },
            Attachment { office: office("9971100038"), path: pdf.clone() },
        ],
        ..SendOptions::default()
    };
    let plan = planned(&[out], &options);
    let shape: Vec<_> = plan
        .parcels
        .iter()
        .map(|p| (p.recipient.to_string(), p.files.len(), p.note.clone().unwrap()))
        .collect();
    let expected = [(RECIPIENT, 4, "all"), ("9971100038", 1, "all"), ("9971100020", 0, "only you")];
    assert_eq!(shape, expected.map(|(r, n, note)| (r.to_owned(), n, note.to_owned())));
    assert!(plan.unsendable.is_empty() && plan.parcels.iter().all(|p| p.findings.is_empty()));
}

#[test]
fn what_is_named_like_a_standard_file_is_never_an_attachment() {
    let bench = Bench::new("attach-standard");
    let out = bench.folder.path().join("out");
    let slip = samples::of_folder("03_slip_202602_to_visit").next().unwrap().name;
    // Attached it would reach another office than its name says, or the right one unchecked.
    for (name, to) in [
        (slip, "9971100020"),
        (slip, RECIPIENT),
        ("upplan_202602.csv", RECIPIENT),
        ("UPPLAN.pdf", RECIPIENT),
        (&format!(".{slip}"), RECIPIENT),
        ("UPFOO_202602_1371215102_43_9971100012_11_20260125103000.CSV", "9971100020"),
    ] {
        let path = bench.folder.path().join(name);
        std::fs::write(&path, "1\r\n").unwrap();
        let attachments = vec![Attachment { office: office(to), path }];
        let plan =
            planned(std::slice::from_ref(&out), &SendOptions { attachments, ..SendOptions::default() });
        let parcel = plan.parcels.iter().find(|p| p.recipient.as_str() == to).unwrap();
        assert_eq!(parcel.findings.len(), 1, "{name}");
        assert_eq!(
            (parcel.findings[0].rule.as_str(), &parcel.findings[0].file),
            ("ATTACHMENT_NAME", &name.into())
        );
        // Nothing is signed, and nothing else waits for it.
        match bench.workshop(false).prepare(parcel, batch()).unwrap().0 {
            Prepared::Refused(refusal) => assert_eq!(refusal.findings, parcel.findings),
            other => panic!("{name}: {other:?}"),
        }
        assert!(plan.parcels.iter().filter(|p| p.recipient.as_str() != to).all(|p| p.findings.is_empty()));
        assert!(bench.outbox().list().is_empty());
    }
}

#[test]
fn a_broken_name_is_told_exactly_and_a_double_one_stops_its_parcel() {
    let folder = testing::folder("plan-bad");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    samples_to(&a, "03_slip_202602_to_visit");
    samples_to(&b, "03_slip_202602_to_visit");
    let plan = planned(&[a.clone(), b.clone()], &SendOptions::default());
    assert!(plan.parcels[0].findings.is_empty() && plan.parcels[0].files.len() == 3);
    let name = plan.parcels[0].files[0].name.clone();
    std::fs::write(b.join(name), b"other").unwrap();
    std::fs::write(a.join("UPPLAN_202613_1371215102_43_9971100012_11_20260125103000.CSV"), b"1").unwrap();
    let plan = planned(&[a, b], &SendOptions::default());
    assert_eq!(plan.parcels[0].findings[0].rule, "DUPLICATE_NAME");
    assert_eq!(rules(&plan), ["FILE_NAME"]);
}

#[test]
fn a_path_that_is_not_there_is_an_error() {
    let missing = PathBuf::from("/no/such/path");
    let error = plan(std::slice::from_ref(&missing), &SendOptions::default(), office(SENDER)).unwrap_err();
    assert_eq!(error, ConfigError::NoSuchPath(missing).into());
    let folder = testing::folder("plan-bad-zip");
    let zip = folder.path().join("month.zip");
    std::fs::write(&zip, b"PK\x03\x04junk").unwrap();
    let error = plan(std::slice::from_ref(&zip), &SendOptions::default(), office(SENDER)).unwrap_err();
    assert!(matches!(error, SdkError::Config(ConfigError::NotAZip { path, .. }) if path == zip));
}

/// A HOME with a folder of samples.
struct Bench {
    folder: Folder,
    home: Home,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder = testing::folder(name);
        let home = testing::home(&folder, &world().sender);
        samples_to(&folder.path().join("out"), "03_slip_202602_to_visit");
        Self { folder, home }
    }

    /// The outbox as a new process finds it.
    fn outbox(&self) -> Outbox {
        let outbox = Outbox::read(&self.home, &Sent::of(&self.home).unwrap()).unwrap();
        outbox.tidy().unwrap();
        outbox
    }

    fn workshop(&self, again: bool) -> Workshop {
        Workshop {
            home: self.home.clone(),
            outbox: self.outbox(),
            sent: Arc::new(Sent::of(&self.home).unwrap()),
            again,
            unchecked: false,
            hold: None,
            checks: CheckPolicy::default(),
            destinations: Destinations::default(),
            software: SendOptions::default().software,
            papers: OwnPapers::default(),
            rng: SystemRandom::new(),
            now_us: NOW_US,
        }
    }

    fn prepare(&self, again: bool) -> Prepared {
        let plan = planned(&[self.folder.path().join("out")], &SendOptions::default());
        self.workshop(again).prepare(&plan.parcels[0], batch()).unwrap().0
    }

    /// The parcel as it is to be sent: in the outbox already, or put there.
    fn ready(&self, again: bool) -> Ready {
        match self.prepare(again) {
            Prepared::Ready(ready) => ready,
            Prepared::Built(ready) => {
                let built = std::slice::from_ref(&ready);
                self.outbox().put(ready.batch, built, &SystemRandom::new()).unwrap();
                ready
            }
            other => panic!("{other:?}"),
        }
    }

    fn refused(&self) -> String {
        match self.prepare(false) {
            Prepared::Refused(refusal) => refusal.reason,
            other => panic!("{other:?}"),
        }
    }

    /// What settling an acceptance leaves.
    fn record(&self, ready: &Ready) {
        let signer = self.home.identity().fingerprint();
        let mut event = Event::new(kind::PARCEL_DELIVERED, 0, NOW_US, [0; 16]);
        event.lines.add("signer", &digest_text(&signer));
        let entry = pb::LogEntry { text: event.print().into_bytes().into(), ..pb::LogEntry::default() };
        let evidence =
            StoredEvidence::from_wire(&pb::Evidence { entry: Some(entry), ..pb::Evidence::default() });
        let record = SentRecord::new(
            ready.key,
            ready.recipient,
            &ready.digest,
            State::Delivered,
            NOW_US,
            ready.batch,
            evidence.unwrap(),
        );
        Sent::of(&self.home).unwrap().put(batch(), &[(ready.content, &record)]).unwrap();
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names = files::list(&self.home.path(folder)).unwrap();
        names.sort_unstable();
        names
    }
}

fn batch() -> BatchId {
    BatchId::new(NOW_US, &SystemRandom::new()).unwrap()
}

#[test]
fn an_interrupted_sending_resumes_with_the_same_bytes() {
    let bench = Bench::new("resume");
    let first = bench.ready(false);
    let again = bench.ready(false);
    assert_eq!((again.key, &again.container), (first.key, &first.container));
    // Also when it was to be a new parcel: the first one's fate is not known yet.
    assert_eq!(bench.ready(true).key, first.key);
    let parcel = OpenParcel::open(&first.container).unwrap();
    assert_eq!((parcel.header.parcel, parcel.files().count()), (first.key.id, 3));
}

#[test]
fn what_was_accepted_is_answered_from_the_record_unless_again() {
    let bench = Bench::new("recorded");
    let first = bench.ready(false);
    bench.record(&first);
    // The crash came before the container left the outbox.
    match bench.prepare(false) {
        Prepared::Recorded(record) => assert_eq!(record.key(), first.key),
        other => panic!("{other:?}"),
    }
    assert!(bench.outbox().list().is_empty());
    let second = bench.ready(true);
    assert_ne!(second.key, first.key);
    bench.record(&second);
    match bench.prepare(false) {
        Prepared::Recorded(record) => assert_eq!(record.key(), first.key.max(second.key)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_begun_is_not_refused_for_what_became_of_its_receiver() {
    let bench = Bench::new("begun");
    let plan = planned(&[bench.folder.path().join("out")], &SendOptions::default());
    let prepare = |again: bool| {
        let mut workshop = bench.workshop(again);
        workshop.destinations.offices.insert(plan.parcels[0].recipient, None);
        workshop.prepare(&plan.parcels[0], batch()).unwrap().0
    };
    let unknown = |prepared| match prepared {
        Prepared::Refused(refusal) => assert_eq!(refusal.reason, reason::RECIPIENT_UNKNOWN),
        other => panic!("{other:?}"),
    };
    unknown(prepare(false));
    assert!(bench.outbox().list().is_empty());
    let first = bench.ready(false);
    // Its answer was lost: the relay may have taken it.
    assert!(matches!(prepare(false), Prepared::Ready(ready) if ready.key == first.key));
    bench.record(&first);
    assert!(matches!(prepare(false), Prepared::Recorded(record) if record.key() == first.key));
    unknown(prepare(true));
}

#[test]
fn what_the_relay_has_lost_does_not_count_as_sent() {
    let bench = Bench::new("lost");
    let first = bench.ready(false);
    bench.record(&first);
    let epochs = r#"{"format": "tasuki-epochs/v1", "newest": 1, "lost": [{"epoch": 0, "from": 0, "to": 3}]}"#;
    std::fs::write(bench.home.path(EPOCHS), epochs).unwrap();
    let lost = Sent::of(&bench.home).unwrap().lost().unwrap();
    assert_eq!(lost.iter().map(SentRecord::key).collect::<Vec<_>>(), [first.key]);
    // What lies in the outbox goes out, whatever the record says.
    assert_eq!(bench.ready(false).key, first.key);
    std::fs::remove_file(first.batch.path(&bench.home.path(OUTBOX))).unwrap();
    // The archive does not have it: it is made anew, once.
    let second = bench.ready(false);
    assert_ne!(second.key, first.key);
    assert_eq!(bench.ready(false).key, second.key);
}

#[test]
fn what_the_relay_has_lost_goes_out_again_from_the_archive() {
    let bench = Bench::new("lost-archived");
    let first = bench.ready(false);
    bench.record(&first);
    bench.outbox();
    assert_eq!(bench.names(ARCHIVE), [format!("{}.p7m", first.batch)]);
    let epochs = r#"{"format": "tasuki-epochs/v1", "newest": 1, "lost": [{"epoch": 0, "from": 0, "to": 3}]}"#;
    std::fs::write(bench.home.path(EPOCHS), epochs).unwrap();
    let again = bench.ready(false);
    assert_eq!((again.key, &again.container), (first.key, &first.container));
    assert_ne!(again.batch, first.batch);
    // The newer record counts, and the batch that it names.
    let evidence = pb::Evidence {
        entry: Some(pb::LogEntry { epoch: 1, ..pb::LogEntry::default() }),
        ..pb::Evidence::default()
    };
    let evidence = StoredEvidence::from_wire(&evidence).unwrap();
    let (key, recipient, digest) = (again.key, again.recipient, again.digest);
    let record = SentRecord::new(key, recipient, &digest, State::Delivered, NOW_US, again.batch, evidence);
    let later = BatchId::new(NOW_US + 1_000_000, &SystemRandom::new()).unwrap();
    Sent::of(&bench.home).unwrap().put(later, &[(again.content, &record)]).unwrap();
    assert!(matches!(bench.prepare(false), Prepared::Recorded(record) if record.batch == again.batch));
    assert!(Sent::of(&bench.home).unwrap().lost().unwrap().is_empty());
    assert_eq!(Sent::of_parcel(&bench.home, key).unwrap().unwrap().batch, again.batch);
}

#[test]
fn a_damaged_outbox_is_an_error_and_nothing_is_sent_twice() {
    let bench = Bench::new("damaged");
    let first = bench.ready(false);
    std::fs::write(first.batch.path(&bench.home.path(OUTBOX)), b"damaged").unwrap();
    let error = Outbox::read(&bench.home, &Sent::of(&bench.home).unwrap()).unwrap_err();
    assert!(matches!(error, SdkError::Config(ConfigError::File { .. })));
}

/// Parcels of one batch, and what waits of them after each has met its fate, in this process and in one that begins anew.
#[test]
fn a_batch_leaves_the_outbox_when_all_its_parcels_have_met_their_fate() {
    let bench = Bench::new("batch");
    let (a, b, c) = {
        let of = |note: &str| {
            let options = SendOptions { note: Some(note.to_owned()), ..SendOptions::default() };
            let plan = planned(&[bench.folder.path().join("out")], &options);
            plan.parcels.into_iter().next().unwrap()
        };
        (of("a"), of("b"), of("c"))
    };
    let id = batch();
    let built = |parcel| match bench.workshop(false).prepare(parcel, id).unwrap().0 {
        Prepared::Built(ready) => ready,
        other => panic!("{other:?}"),
    };
    let all = [built(&a), built(&b), built(&c)];
    let outbox = bench.outbox();
    outbox.put(id, &all, &SystemRandom::new()).unwrap();
    let file = format!("{id}.p7m");
    let waiting = |outbox: &Outbox| outbox.list().into_iter().map(|(content, _)| content).collect::<Vec<_>>();
    let [first, second, third] = &all;
    // Refused: not to be sent again by a process that begins anew.
    outbox.settle(id, &[(first.key.id, Fate::Refused)]).unwrap();
    assert_eq!(waiting(&outbox), [second.content, third.content]);
    assert_eq!(waiting(&bench.outbox()), [second.content, third.content]);
    bench.record(second);
    assert_eq!(waiting(&bench.outbox()), [third.content]);
    // What was accepted can be had although its batch still waits.
    let kept = archive::get(&bench.home, second.key.id).unwrap();
    assert_eq!(kept.as_deref(), Some(&second.container[..]));
    let left = bench.outbox().ready(third.content).unwrap().unwrap();
    assert_eq!((left.key, &left.container, left.batch), (third.key, &third.container, id));
    assert_eq!(bench.names(OUTBOX), [file.clone(), format!("{id}_{}.refused", first.key.id)]);
    outbox.settle(id, &[(second.key.id, Fate::Accepted)]).unwrap();
    bench.record(third);
    outbox.settle(id, &[(third.key.id, Fate::Accepted)]).unwrap();
    assert_eq!((bench.names(OUTBOX), bench.names(ARCHIVE)), (Vec::new(), vec![file]));
    for ready in [second, third] {
        let kept = archive::get(&bench.home, ready.key.id).unwrap();
        assert_eq!(kept.as_deref(), Some(&ready.container[..]));
    }
    // Of the refused one nothing can be asked for.
    assert_eq!(archive::get(&bench.home, first.key.id).unwrap(), None);
}

#[test]
fn a_batch_of_refused_parcels_leaves_nothing() {
    let bench = Bench::new("batch-refused");
    let ready = bench.ready(false);
    bench.outbox().settle(ready.batch, &[(ready.key.id, Fate::Refused)]).unwrap();
    assert_eq!((bench.names(OUTBOX), bench.names(ARCHIVE)), (Vec::new(), Vec::new()));
}

#[test]
fn what_the_relay_would_refuse_is_refused_before_it_leaves() {
    let bench = Bench::new("refuse");
    let out = bench.folder.path().join("out");
    let name = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";
    std::fs::write(out.join(name), "一,二\r\n").unwrap();
    assert_eq!(bench.refused(), reason::FILES_REJECTED);
    std::fs::remove_dir_all(&out).unwrap();
    samples_to(&out, "06_result_202602_from_visit");
    assert_eq!(bench.refused(), reason::SENDER_MISMATCH);
    assert!(bench.outbox().list().is_empty());
}
