//! The interface below the SDK: any bytes, over any certificate. For hostile tests.

use std::path::Path;

use bytes::Bytes;
use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::identity::KeyIdentity;
use tasuki_proto::container::{self, MANIFEST_NAME, SIGNATURE_NAME};
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::manifest::{self, AsicManifest, DataObject};
use tasuki_proto::parcel::{FileEntry, HEADER_NAME, Header, Software};
use tasuki_proto::pb;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::statement::{AboutParcel, Declaration, Statement};
use tonic::transport::Channel;

use crate::bench::load::connect;
use crate::relay::Relay;

/// An office below the SDK.
pub struct RawOffice {
    /// 10 digits.
    pub number: String,
    /// Its certificate and key.
    pub identity: KeyIdentity,
}

impl RawOffice {
    /// From what `cert issue` wrote.
    ///
    /// # Panics
    /// If the files can't be read.
    pub fn load(certificates: &Path, number: &str) -> Self {
        let read = |extension: &str| {
            std::fs::read(certificates.join(format!("{number}.{extension}"))).expect("cert issue wrote it")
        };
        let identity = KeyIdentity::from_pem(&read("pem"), &read("key")).expect("cert issue's files fit");
        Self { number: number.to_owned(), identity }
    }

    /// Connects to a relay as this office.
    ///
    /// # Errors
    /// If the relay does not take the connection.
    pub async fn connect(&self, relay: &Relay) -> Result<Channel, String> {
        let ca = relay.dir.join("relay-ca.pem");
        connect(relay.url.trim_start_matches("https://"), &ca, &self.identity).await
    }
}

/// A parcel in the making. Each part can be bent before it is put together.
pub struct Forge {
    /// `parcel.json` as it will stand in the container.
    pub header: String,
    /// Files: path and content.
    pub files: Vec<(String, Vec<u8>)>,
    /// References of the manifest.
    pub manifest: AsicManifest,
    /// The id in the header.
    pub id: ParcelId,
}

/// Unix microseconds of the machine's clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the other side of a real relay, which has the machine's clock"
)]
pub fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

impl Forge {
    /// A good parcel between these two offices: the standard's sample of a withdrawn slip, the one unit whose record
    /// names no office.
    ///
    /// # Panics
    /// If a number is not one.
    pub fn withdrawal(sender: &str, recipient: &str) -> Self {
        let name = format!("DLTPLAN_202602_{sender}_43_{recipient}_11_20260126090000.CSV");
        let sample =
            tasuki_careplan::samples::of_folder("11_delete_slip").next().expect("the unit has one file");
        let mut header = Self::header(sender, recipient);
        header.files.push(FileEntry::standard(&name, "DLTPLAN", "text/csv"));
        Self::new(&header, vec![(name, sample.bytes.to_vec())])
    }

    /// A withdrawn slip with an attachment so large that the relay keeps the sealed parcel outside its database.
    ///
    /// # Panics
    /// If a number is not one.
    pub fn large(sender: &str, recipient: &str) -> Self {
        let mut header = Self::header(sender, recipient);
        let mut files = Self::withdrawal(sender, recipient).files;
        header.files.push(FileEntry::standard(&files[0].0, "DLTPLAN", "text/csv"));
        header.files.push(FileEntry::attachment("scan.bin", "application/octet-stream"));
        // Noise does not compress.
        let mut noise = vec![0; 300 * 1024];
        SystemRandom::new().fill(&mut noise).expect("the system gives randomness");
        files.push(("attachments/scan.bin".to_owned(), noise));
        Self::new(&header, files)
    }

    /// A header without files.
    ///
    /// # Panics
    /// If a number is not one.
    pub fn header(sender: &str, recipient: &str) -> Header {
        let software = Software { name: "forge".to_owned(), version: "1".to_owned() };
        let id = ParcelId::new(now_us(), &SystemRandom::new()).expect("the system gives randomness");
        let office = |number: &str| number.parse().expect("10 digits");
        Header::new(id, office(sender), office(recipient), now_us(), software)
    }

    /// From a header and its files; the manifest covers both.
    pub fn new(header: &Header, files: Vec<(String, Vec<u8>)>) -> Self {
        let mut forge = Self {
            header: header.print(),
            files,
            manifest: AsicManifest { files: Vec::new() },
            id: header.parcel,
        };
        forge.cover();
        forge
    }

    /// Lets the manifest cover header and files as they are now.
    pub fn cover(&mut self) {
        let header = DataObject::new(HEADER_NAME, Some("application/json"), self.header.as_bytes());
        let files = self.files.iter().map(|(path, content)| DataObject::new(path, None, content));
        self.manifest.files = std::iter::once(header).chain(files).collect();
    }

    /// Signs the manifest and puts the container together.
    ///
    /// # Panics
    /// If signing or writing fails.
    pub fn sign(&self, signer: &KeyIdentity) -> Vec<u8> {
        let xml = manifest::write(&self.manifest);
        let signature =
            cms_sign::sign(signer, xml.as_bytes(), Content::Detached, now_us()).expect("it signs");
        self.assemble(&xml, Some(&signature))
    }

    /// Puts the container together with any manifest and signature.
    ///
    /// # Panics
    /// If writing fails.
    pub fn assemble(&self, xml: &str, signature: Option<&[u8]>) -> Vec<u8> {
        let mut entries: Vec<(&str, &[u8])> = vec![(MANIFEST_NAME, xml.as_bytes())];
        entries.extend(signature.map(|s| (SIGNATURE_NAME, s)));
        entries.push((HEADER_NAME, self.header.as_bytes()));
        entries.extend(self.files.iter().map(|(path, content)| (path.as_str(), content.as_slice())));
        container::write(&entries).expect("the container is written")
    }
}

/// Submits one container in one message and returns its result.
///
/// # Errors
/// The call's status.
pub async fn submit(channel: &Channel, container: Vec<u8>) -> Result<pb::SubmitResponse, tonic::Status> {
    let size = container.len() as u64;
    submit_messages(channel, vec![pb::SubmitRequest { ticket: 1, size, chunk: Bytes::from(container) }])
        .await?
        .into_iter()
        .next()
        .ok_or_else(|| tonic::Status::internal("no result"))
}

/// Submits messages as they are, ends the stream, and returns all results.
///
/// # Errors
/// The call's status.
pub async fn submit_messages(
    channel: &Channel,
    messages: Vec<pb::SubmitRequest>,
) -> Result<Vec<pb::SubmitResponse>, tonic::Status> {
    let mut client = ExchangeClient::new(channel.clone()).max_decoding_message_size(64 << 20);
    let mut stream = client.submit(tokio_stream::iter(messages)).await?.into_inner();
    let mut results = Vec::new();
    while let Some(result) = stream.message().await? {
        results.push(result);
    }
    Ok(results)
}

/// Fetches one parcel from an offset on: its sealed bytes, or the failure's reason.
///
/// # Errors
/// The call's status.
pub async fn fetch(
    channel: &Channel,
    key: &ParcelKey,
    offset: u64,
) -> Result<Result<Vec<u8>, String>, tonic::Status> {
    let item = pb::FetchItem { r#ref: Some(parcel_ref(key)), offset };
    let mut client = ExchangeClient::new(channel.clone());
    let mut stream = client.fetch(pb::FetchRequest { items: vec![item] }).await?.into_inner();
    let mut bytes = Vec::new();
    while let Some(response) = stream.message().await? {
        match response.part {
            Some(pb::fetch_response::Part::Chunk(chunk)) => bytes.extend_from_slice(&chunk),
            Some(pb::fetch_response::Part::Failure(failure)) => return Ok(Err(failure.reason)),
            Some(pb::fetch_response::Part::Header(_) | pb::fetch_response::Part::End(_)) | None => {}
        }
    }
    Ok(Ok(bytes))
}

/// Signs and hands in one acknowledgement: `accepted`, or the rejection's reason.
///
/// # Errors
/// The call's status.
///
/// # Panics
/// If signing fails.
pub async fn acknowledge(
    channel: &Channel,
    about: AboutParcel,
    signer: &RawOffice,
) -> Result<String, tonic::Status> {
    let text = Statement::acknowledge(about).print();
    let cms =
        cms_sign::sign(&signer.identity, text.as_bytes(), Content::Attached, now_us()).expect("it signs");
    let request = pb::AcknowledgeRequest { statements: vec![cms.into()] };
    let response = ExchangeClient::new(channel.clone()).acknowledge(request).await?.into_inner();
    match response.results.into_iter().next().and_then(|r| r.outcome) {
        Some(pb::acknowledge_result::Outcome::Accepted(_)) => Ok("accepted".to_owned()),
        Some(pb::acknowledge_result::Outcome::Rejected(rejected)) => Ok(rejected.reason),
        None => Err(tonic::Status::internal("no result")),
    }
}

/// The reason of a rejection; `accepted` if it was not rejected.
pub fn reason(response: &pb::SubmitResponse) -> &str {
    match &response.outcome {
        Some(pb::submit_response::Outcome::Rejected(rejected)) => &rejected.reason,
        Some(pb::submit_response::Outcome::Accepted(_)) => "accepted",
        None => "",
    }
}

/// The stable reason in a status (`google.rpc.ErrorInfo`).
pub fn status_reason(status: &tonic::Status) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

/// Names a parcel in a message.
pub fn parcel_ref(key: &ParcelKey) -> pb::ParcelRef {
    pb::ParcelRef { sender: key.sender.to_string(), parcel_id: key.id.to_string() }
}

/// Hands in a declaration about a parcel, signed by an office; the outcome as [`acknowledge`] gives it, and whether it had
/// been declared before.
///
/// # Errors
/// The call itself failed.
///
/// # Panics
/// If it can't be signed.
pub async fn declare(
    channel: &Channel,
    declaration: Declaration,
    signer: &RawOffice,
    sealed_text: &[u8],
) -> Result<(String, bool), tonic::Status> {
    let at_us = declaration.about.time_us;
    let text = Statement::Parcel(declaration).print();
    let cms = cms_sign::sign(&signer.identity, text.as_bytes(), Content::Attached, at_us).expect("it signs");
    let signed = pb::SignedStatement { statement: cms.into(), text: sealed_text.to_vec().into() };
    let request = pb::DeclareRequest { statements: vec![signed] };
    let answer = ExchangeClient::new(channel.clone()).declare(request).await?.into_inner();
    let outcome = answer.results.into_iter().next().and_then(|result| result.outcome);
    Ok(match outcome {
        Some(pb::declare_result::Outcome::Accepted(accepted)) => ("accepted".to_owned(), accepted.repeated),
        Some(pb::declare_result::Outcome::Rejected(rejected)) => (rejected.reason, false),
        None => ("no outcome".to_owned(), false),
    })
}
