//! Asking the relay for everything about one parcel, and writing the folder.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::trust::is_ocsp_answer;
use tasuki_proto::canonical::hex;
use tasuki_proto::cosignature::WitnessKey;
use tasuki_proto::event::sha256;
use tasuki_proto::evidence::Proven;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::log::{Checkpoint, Hash};
use tasuki_proto::{pb, reason};
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use super::layout::{CosignedIndex, EventIndex, INDEX, Index, LinkIndex, MandateIndex, StampedIndex};
use super::month::PAGE;
use super::{EvidenceSource, SavedEvidence, readme, recorded};
use crate::client::Client;
use crate::error::{ConfigError, Refusal, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{PROFILE, Task};
use crate::parcel::{Parcel, ParcelName, State};
use crate::progress::Silent;
use crate::receive::fetch::fetch_all;
use crate::receive::unpack::unpack;
use crate::stamped::Stamped;
use crate::tracking::found;
use crate::witness::Vouched;
use crate::{archive, blocking, pem};

/// Everything that goes into a folder.
pub(super) struct Material {
    pub(super) key: ParcelKey,
    pub(super) recipient: OfficeNumber,
    pub(super) digest: [u8; 32],
    pub(super) proven: Vec<Proven>,
    pub(super) wire: pb::GetEvidenceResponse,
    pub(super) container: Option<Vec<u8>>,
    pub(super) vouched: Vec<Vouched>,
    pub(super) stamps: Vec<Stamped>,
    pub(super) source: EvidenceSource,
}

impl Client {
    /// Writes a folder that proves what happened to a parcel; see [`crate::evidence`]. `out` is new or empty, or
    /// holds older evidence of the same parcel, which is replaced. Of an own parcel that the relay does not know any
    /// more, the receipt that was kept here is written: see [`SavedEvidence::source`].
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// let name = "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse()?;
    /// let saved = client.save_evidence(&name, "evidence".as_ref()).await?;
    /// let report = tasuki_sdk::verify::verify(&saved.folder, &Default::default())?;
    /// println!("{} proofs", report.proofs.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached, has no such parcel for this office, or its evidence does not hold; the folder
    /// holds something else or can't be written.
    pub async fn save_evidence(&self, name: &ParcelName, out: &Path) -> Result<SavedEvidence, SdkError> {
        match self.relays_evidence_of(name, true).await? {
            Some(material) => {
                let (client, out) = (self.clone(), out.to_owned());
                blocking::run(move || write(&client, &material, &out)).await
            }
            None => self.save_recorded(*name, out).await,
        }
    }

    /// Evidence of a parcel that the relay knows, proven.
    pub(super) async fn evidence_of(
        &self,
        name: &ParcelName,
        with_parcel: bool,
    ) -> Result<Material, SdkError> {
        let material = self.relays_evidence_of(name, with_parcel).await?;
        Ok(material.ok_or_else(|| Refusal::of(reason::PARCEL_NOT_FOUND))?)
    }

    async fn relays_evidence_of(
        &self,
        name: &ParcelName,
        with_parcel: bool,
    ) -> Result<Option<Material>, SdkError> {
        let caller = &self.inner.caller;
        let request = pb::GetParcelRequest { r#ref: Some(name.to_wire()) };
        let answer = caller.repeat(|| {
            let mut tracking = caller.tracking();
            let request = request.clone();
            async move { tracking.get_evidence(request).await }
        });
        let Some(mut wire) = found(answer.await)? else { return Ok(None) };
        let parcel = wire.parcel.take().ok_or(VerificationError::Incomplete("the parcel"))?;
        let parcel = Parcel::from_wire(parcel)?;
        if !name.names(&parcel.key) {
            return Err(VerificationError::Incomplete("the parcel that was asked for").into());
        }
        // Evidence that does not hold is not worth keeping.
        let proven = self.prove_events(&parcel, &wire.events, &[]).await?;
        let vouched = self.vouched_for(&wire.events, &proven).await?;
        let stamps = self.stamps_for(&wire.events, &proven).await?;
        wire.crls.extend(self.all_crls(&wire.more_crls).await?);
        let container = if with_parcel { self.container(&parcel).await? } else { None };
        let Parcel { key, recipient, digest, .. } = parcel;
        let source = EvidenceSource::Relay;
        Ok(Some(Material { key, recipient, digest, proven, wire, container, vouched, stamps, source }))
    }

    /// Evidence of what the relay does not know, from the own record.
    async fn save_recorded(&self, name: ParcelName, out: &Path) -> Result<SavedEvidence, SdkError> {
        // Whether the relay's log was set back must be known first.
        self.relay().await?;
        let (client, out) = (self.clone(), out.to_owned());
        blocking::run(move || {
            let material = recorded::material(&client, &name)?;
            let material = material.ok_or_else(|| Refusal::of(reason::PARCEL_NOT_FOUND))?;
            write(&client, &material, &out)
        })
        .await
    }

    /// The signed container, if it can still be had: the sender's from its archive, the receiver's from the relay.
    async fn container(&self, parcel: &Parcel) -> Result<Option<Vec<u8>>, SdkError> {
        let container = if parcel.key.sender == self.office() {
            let (home, id) = (self.home().clone(), parcel.key.id);
            blocking::run(move || archive::get(&home, id)).await?
        } else if matches!(parcel.state, State::Fetched | State::Acknowledged | State::Imported) {
            // Fetching what was fetched before adds no event.
            self.fetch_again(parcel).await?
        } else {
            None
        };
        match &container {
            Some(bytes) if sha256(bytes) != parcel.digest => Err(VerificationError::Digest.into()),
            _ => Ok(container),
        }
    }

    async fn fetch_again(&self, parcel: &Parcel) -> Result<Option<Vec<u8>>, SdkError> {
        let _lock = self.home().lock(Task::Receive).await?;
        let (told, mut fetched) = mpsc::channel(1);
        fetch_all(self, vec![parcel.clone()], &Silent, &told).await;
        let Some(fetched) = fetched.recv().await else { return Ok(None) };
        let fetched = match fetched {
            Ok(fetched) => fetched,
            // The relay no longer keeps the content: the evidence goes without it.
            Err((_, SdkError::Rejected(_))) => return Ok(None),
            Err((_, error)) => return Err(error),
        };
        let delivered = self.prove_delivery(parcel, &fetched.delivered).await?;
        let client = self.clone();
        blocking::run(move || {
            let sealed = files::read(&fetched.sealed)?;
            files::remove(&fetched.sealed)?;
            let (home, verifier) = (client.home(), client.inner.trust.verifier());
            let keys = home.opening_keys();
            let unpacked = unpack(&sealed, &delivered, home.office(), &keys, verifier, client.now_us())?;
            Ok(Some(unpacked.container))
        })
        .await
    }
}

/// Writes the folder beside its place and moves it there whole.
pub(super) fn write(client: &Client, material: &Material, out: &Path) -> Result<SavedEvidence, SdkError> {
    let key = material.key;
    check_free(out, material)?;
    let whole = std::path::absolute(out).map_err(|e| SdkError::io(out, &e))?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        let message = words("作成できるフォルダーではありません", "not a folder that can be made");
        return Err(ConfigError::Path { path: out.to_owned(), message }.into());
    };
    fs::create_dir_all(parent).map_err(|e| SdkError::io(parent, &e))?;
    let beside = |what: &str| {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{what}{}", files::UNFINISHED));
        parent.join(hidden)
    };
    let (new, old) = (beside("new"), beside("old"));
    remove_folder(&new)?;
    remove_folder(&old)?;
    Folder::new(&new)?.fill(client, material)?;
    if out.exists() {
        fs::rename(out, &old).map_err(|e| SdkError::io(out, &e))?;
    }
    fs::rename(&new, out).map_err(|e| SdkError::io(out, &e))?;
    files::sync_folder(parent)?;
    remove_folder(&old)?;
    Ok(SavedEvidence {
        folder: out.to_owned(),
        parcel: key,
        events: material.proven.len(),
        has_parcel: material.container.is_some(),
        source: material.source,
    })
}

/// The folder may be new, empty, or older evidence of the same parcel.
fn check_free(out: &Path, material: &Material) -> Result<(), SdkError> {
    if files::is_empty_or_missing(out)? {
        return Ok(());
    }
    let same = out.join(INDEX).exists() && Index::read(out).is_ok_and(|i| i.key() == material.key);
    if same { Ok(()) } else { Err(VerificationError::FolderDiffers(out.to_owned()).into()) }
}

pub(super) fn remove_folder(path: &Path) -> Result<(), SdkError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(SdkError::io(path, &e)),
        _ => Ok(()),
    }
}

/// A folder that is being filled.
pub(super) struct Folder {
    path: PathBuf,
    names: BTreeSet<String>,
}

/// What stands in a folder of evidence.
const INSIDE: [&str; 6] = ["events", "checkpoints", "statements", "mandates", "certificates", "crls"];

impl Folder {
    /// A folder that exists and is empty.
    pub(super) fn new(path: &Path) -> Result<Self, SdkError> {
        for inside in INSIDE {
            let path = path.join(inside);
            fs::create_dir_all(&path).map_err(|e| SdkError::io(&path, &e))?;
        }
        Ok(Self { path: path.to_owned(), names: BTreeSet::new() })
    }

    fn fill(mut self, client: &Client, material: &Material) -> Result<(), SdkError> {
        let index = self.add(client, material, None)?;
        let keys: Vec<&str> = material.wire.log_keys.iter().map(|key| key.trim()).chain([""]).collect();
        self.put("log-key.txt", keys.join("\n").as_bytes())?;
        self.put("README.txt", readme::text(&index).as_bytes())?;
        self.put(INDEX, &index.print())?;
        for inside in INSIDE.iter().chain([&""]) {
            files::sync_folder(&self.path.join(inside))?;
        }
        Ok(())
    }

    /// Puts the evidence of one parcel in; what several share stands there once. `part` sets its own files apart. The log's
    /// keys, the index and what people read are the caller's to write.
    pub(super) fn add(
        &mut self,
        client: &Client,
        material: &Material,
        part: Option<&str>,
    ) -> Result<Index, SdkError> {
        let Material { key, recipient, digest, proven, wire, container, vouched, stamps, source } = material;
        let mut index = Index::new(*key, *recipient, digest, "log-key.txt");
        index.from_sent_record = matches!(source, EvidenceSource::SentRecord { .. });
        for (number, (event, proven)) in wire.events.iter().zip(proven).enumerate() {
            index.events.push(self.event(part, number + 1, event, proven)?);
        }
        for statement in &wire.statements {
            index.statements.push(self.put(&format!("statements/{}.p7s", name_of(statement)), statement)?);
        }
        for paper in wire.mandates.iter().filter(|paper| !paper.statement.is_empty()) {
            let name = name_of(&paper.statement);
            let statement = self.put(&format!("mandates/{name}.p7s"), &paper.statement)?;
            let enrolment = if paper.enrolment.is_empty() {
                None
            } else {
                Some(self.put(&format!("mandates/{name}.txt"), &paper.enrolment)?)
            };
            index.mandates.push(MandateIndex { statement, enrolment });
        }
        let trusted = client.inner.trust.store();
        let anchors: Vec<Vec<u8>> = trusted.anchors_der().map(<[u8]>::to_vec).collect();
        // By cross certificates whoever pinned a CA before the present one finds the way to it.
        let above = trusted.intermediates_der().map(<[u8]>::to_vec);
        let all = wire.certificates.iter().map(|c| c.to_vec()).chain(above).chain(anchors.clone());
        for certificate in all {
            let is_anchor = anchors.contains(&certificate);
            let mark = if is_anchor { "anchor-" } else { "" };
            let name = format!("certificates/{mark}{}.pem", name_of(&certificate));
            let list = if is_anchor { &mut index.anchors } else { &mut index.certificates };
            if !list.contains(&name) {
                list.push(self.put(&name, pem::encode([&certificate]).as_bytes())?);
            }
        }
        for crl in &wire.crls {
            let ending = if is_ocsp_answer(crl) { "ors" } else { "crl" };
            index.crls.push(self.put(&format!("crls/{}.{ending}", name_of(crl)), crl)?);
        }
        if let Some(profile) = files::read_if_exists(&client.home().path(PROFILE))? {
            index.profile = Some(self.put("profile.toml", &profile)?);
        }
        self.vouched(vouched, part, &mut index)?;
        self.stamps(stamps, &mut index)?;
        if let Some(container) = container {
            let name = part.map_or("parcel.asice".to_owned(), |part| format!("parcels/{part}.asice"));
            index.container = Some(self.put(&name, container)?);
        }
        Ok(index)
    }

    /// Packs everything into one ZIP file, which appears whole or not at all.
    pub(super) fn pack(self, out: &Path) -> Result<(), SdkError> {
        let mut unfinished = out.as_os_str().to_owned();
        unfinished.push(files::UNFINISHED);
        let unfinished = PathBuf::from(unfinished);
        let failed = |e: ZipError| SdkError::io(&unfinished, &io::Error::other(e));
        let file = files::create(&unfinished, Access::Default).map_err(|e| SdkError::io(&unfinished, &e))?;
        let mut zip = ZipWriter::new(io::BufWriter::new(file));
        // The page first: who looks into the file by hand sees it at once.
        let first = |name: &&String| (name.contains('/'), *name != PAGE, (*name).clone());
        let mut names: Vec<&String> = self.names.iter().collect();
        names.sort_by_key(first);
        for name in names {
            let from = self.path.join(name);
            zip.start_file(name.as_str(), SimpleFileOptions::default()).map_err(failed)?;
            let mut content = fs::File::open(&from).map_err(|e| SdkError::io(&from, &e))?;
            io::copy(&mut content, &mut zip).map_err(|e| SdkError::io(&unfinished, &e))?;
        }
        let file =
            zip.finish().map_err(failed)?.into_inner().map_err(|e| SdkError::io(&unfinished, e.error()))?;
        file.sync_all().map_err(|e| SdkError::io(&unfinished, &e))?;
        fs::rename(&unfinished, out).map_err(|e| SdkError::io(out, &e))
    }

    fn event(
        &mut self,
        part: Option<&str>,
        number: usize,
        event: &pb::Evidence,
        proven: &Proven,
    ) -> Result<EventIndex, SdkError> {
        let entry = event.entry.as_ref().ok_or(VerificationError::Incomplete("an event"))?;
        // A kind is a word of the relay's: only its plain characters go into a name.
        let kind: String =
            proven.event.kind.chars().filter(|c| c.is_ascii_lowercase() || *c == '.').take(40).collect();
        let part = part.map_or(String::new(), |part| format!("{part}/"));
        let file = self.put(&format!("events/{part}{number:02}-{kind}.txt"), &entry.text)?;
        let checkpoint = checkpoint_name(proven.event.epoch, checkpoint_size(&event.checkpoint));
        Ok(EventIndex {
            file,
            epoch: proven.event.epoch,
            index: proven.index,
            inclusion: event.inclusion.iter().map(|h| hex(h)).collect(),
            checkpoint: self.put(&checkpoint, &event.checkpoint)?,
        })
    }

    /// Cosigned checkpoints, and that they and those of the events are one history.
    fn vouched(&mut self, all: &[Vouched], part: Option<&str>, index: &mut Index) -> Result<(), SdkError> {
        let mut keys: Vec<String> =
            all.iter().flat_map(|vouched| &vouched.witnesses).map(WitnessKey::vkey).collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(());
        }
        keys.push(String::new());
        let name = part.map_or("witness-keys.txt".to_owned(), |part| format!("witness-keys/{part}.txt"));
        index.witness_keys = Some(self.put(&name, keys.join("\n").as_bytes())?);
        for vouched in all {
            let Checkpoint { epoch, size, note, .. } = &vouched.checkpoint;
            let links = link_index(&vouched.links);
            // Of one tree there may be several: a witness more may have vouched meanwhile.
            let name = format!("checkpoints/e{epoch}-{size}-cosigned-{}.txt", &name_of(note)[..8]);
            index.cosigned.push(CosignedIndex { links, checkpoint: self.put(&name, note)? });
        }
        Ok(())
    }

    /// Stamped checkpoints with their stamps, and that they and those of the events are one history.
    fn stamps(&mut self, all: &[Stamped], index: &mut Index) -> Result<(), SdkError> {
        for stamped in all {
            let Checkpoint { epoch, size, note, .. } = &stamped.checkpoint;
            let links = link_index(&stamped.links);
            let name = format!("checkpoints/e{epoch}-{size}-stamped-{}", &name_of(&stamped.response)[..8]);
            let checkpoint = self.put(&format!("{name}.txt"), note)?;
            let response = self.put(&format!("{name}.tsr"), &stamped.response)?;
            index.stamped.push(StampedIndex { checkpoint, response, links });
        }
        Ok(())
    }

    /// Writes a file, once, and gives its name back.
    pub(super) fn put(&mut self, name: &str, content: &[u8]) -> Result<String, SdkError> {
        if self.names.insert(name.to_owned()) {
            let path = self.path.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent).map_err(|e| SdkError::io(parent, &e))?;
            }
            files::write_synced(&path, content, Access::Default)?;
        }
        Ok(name.to_owned())
    }
}

/// Proofs to checkpoints of the events, as the index has them.
fn link_index(links: &[(Checkpoint, Vec<Hash>)]) -> Vec<LinkIndex> {
    let link = |(to, proof): &(Checkpoint, Vec<Hash>)| LinkIndex {
        checkpoint: checkpoint_name(to.epoch, to.size),
        consistency: proof.iter().map(|hash| hex(&hash.0)).collect(),
    };
    links.iter().map(link).collect()
}

fn name_of(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

fn checkpoint_name(epoch: u64, size: u64) -> String {
    format!("checkpoints/e{epoch}-{size}.txt")
}

/// The second line of a checkpoint is the tree's size; it was verified before.
fn checkpoint_size(note: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(note);
    text.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
}
