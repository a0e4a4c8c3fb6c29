//! A relay as a process of its own, and offices that speak to it without the SDK.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::tls;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::parcel::{self, FileEntry, Header, Software};
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::statement::{AboutParcel, Statement};
use tasuki_proto::{limits, pb};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tonic::transport::{Channel, Endpoint};

/// The offices of every test.
pub(crate) const MANAGER: &str = "1371215102";
pub(crate) const VISIT: &str = "9971100012";

/// Unix microseconds.
#[expect(
    clippy::disallowed_methods,
    reason = "the other side of a real relay, which has the machine's clock"
)]
pub(crate) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_micros()).unwrap()
}

/// A relay that was initialised, with both offices in its directory.
pub(crate) struct Relay {
    folder: TempDir,
    process: Option<Child>,
    address: String,
}

impl Relay {
    /// Not started yet; `settings` replace lines of `relay.toml` that begin with the same key.
    pub(crate) fn new(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let relay = Self { folder, process: None, address: String::new() };
        let init = program().args(["init", "--listen", "127.0.0.1:0"]).arg(relay.path()).output().unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let text = std::fs::read_to_string(relay.config()).unwrap();
        let change = |line: &str| {
            let key = line.split('=').next().unwrap();
            settings.iter().find(|s| s.split('=').next() == Some(key)).map_or(line, |s| *s).to_owned()
        };
        let changed: Vec<String> = text.lines().map(change).collect();
        std::fs::write(relay.config(), changed.join("\n")).unwrap();
        for (number, name) in [(MANAGER, "居宅"), (VISIT, "訪問")] {
            relay.run(&["office", "add", number, "--name", name]);
        }
        relay
    }

    /// Running, with default settings.
    pub(crate) fn started() -> Self {
        let mut relay = Self::new(&[]);
        relay.start();
        relay
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("relay")
    }

    fn config(&self) -> PathBuf {
        self.path().join("relay.toml")
    }

    /// Runs an administrative command, which must succeed.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = program().arg("--config").arg(self.config()).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    pub(crate) fn start(&mut self) {
        let log = std::fs::File::create(self.path().join("relay.log")).unwrap();
        let mut child = program()
            .args(["serve", "--json", "--config"])
            .arg(self.config())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let listening: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("did not start: {}", std::fs::read_to_string(self.path().join("relay.log")).unwrap())
        });
        listening["listening"].as_str().unwrap().clone_into(&mut self.address);
        self.process = Some(child);
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = self.process.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for the process. True: exit code 0.
    pub(crate) fn ended(&mut self) -> bool {
        self.process.take().unwrap().wait().unwrap().success()
    }

    /// An office with a certificate of the trial CA.
    pub(crate) fn office(&self, number: &str) -> Office {
        let out = self.folder.path().join(format!("certificates-{number}"));
        self.run(&["cert", "issue", number, "--out", out.to_str().unwrap()]);
        // A running relay looks twice a second for what other processes wrote.
        std::thread::sleep(Duration::from_millis(700));
        Office::load(&out, number)
    }

    /// What the relay logged since it was started.
    pub(crate) fn log_text(&self) -> String {
        std::fs::read_to_string(self.path().join("relay.log")).unwrap()
    }

    fn connector(&self, office: &Office) -> TlsConnector {
        let pem = std::fs::read(self.path().join("relay-ca.pem")).unwrap();
        let ca = CertificateDer::from_pem_slice(&pem).unwrap().to_vec();
        let config = tls::client_config(&[ca], &office.identity, Arc::new(now_us)).unwrap();
        TlsConnector::from(Arc::new(config))
    }

    /// The certificate (DER) that a new handshake shows.
    pub(crate) async fn shown_certificate(&self, office: &Office) -> Vec<u8> {
        let tcp = TcpStream::connect(&self.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = self.connector(office).connect(name, tcp).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    }

    /// A connection of its own for an office.
    pub(crate) async fn connect(&self, office: &Office) -> Result<Channel, String> {
        let connector = self.connector(office);
        let address = self.address.clone();
        let connect = tower::service_fn(move |_| {
            let (connector, address) = (connector.clone(), address.clone());
            async move {
                let tcp = TcpStream::connect(&address).await?;
                let name = ServerName::try_from("localhost").unwrap();
                Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, tcp).await?))
            }
        });
        let endpoint = Endpoint::from_static("http://relay.test");
        endpoint.connect_with_connector(connect).await.map_err(|e| format!("{e:?}"))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _status = process.wait();
            if std::thread::panicking() {
                eprintln!("{}", std::fs::read_to_string(self.path().join("relay.log")).unwrap_or_default());
            }
        }
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tasuki-relay"));
    command.stdin(Stdio::null());
    command
}

/// An office below the SDK.
pub(crate) struct Office {
    pub(crate) number: String,
    pub(crate) identity: KeyIdentity,
    pub(crate) pem: PathBuf,
}

impl Office {
    fn load(folder: &Path, number: &str) -> Self {
        let file = |extension: &str| folder.join(format!("{number}.{extension}"));
        let read = |extension: &str| std::fs::read(file(extension)).unwrap();
        let identity = KeyIdentity::from_pem(&read("pem"), &read("key")).unwrap();
        Self { number: number.to_owned(), identity, pem: file("pem") }
    }

    /// A signed parcel with a note and an attachment of so many bytes.
    pub(crate) fn parcel(&self, recipient: &str, attachment: usize) -> (ParcelKey, Vec<u8>) {
        let id = ParcelId::new(now_us(), &SystemRandom::new()).unwrap();
        let sender = self.number.parse().unwrap();
        let software = Software { name: "test".to_owned(), version: "1".to_owned() };
        let mut header = Header::new(id, sender, recipient.parse().unwrap(), now_us(), software);
        header.note = Some("送付状".to_owned());
        header.files = vec![FileEntry::attachment("scan.bin", "application/octet-stream")];
        // Noise does not compress.
        let mut noise = vec![0; attachment];
        SystemRandom::new().fill(&mut noise).unwrap();
        let container = parcel::build(&header, &[noise.into()], &self.identity, now_us()).unwrap();
        (ParcelKey { sender, id }, container)
    }

    /// A signed acknowledgement.
    pub(crate) fn acknowledgement(&self, parcel: ParcelKey, digest: [u8; 32]) -> Bytes {
        let about =
            AboutParcel { parcel, recipient: self.number.parse().unwrap(), digest, time_us: now_us() };
        self.sign(&Statement::acknowledge(about))
    }

    pub(crate) fn sign(&self, statement: &Statement) -> Bytes {
        let text = statement.print();
        cms_sign::sign(&self.identity, text.as_bytes(), Content::Attached, now_us()).unwrap().into()
    }
}

/// Pieces of one parcel.
pub(crate) fn pieces(ticket: u32, container: &[u8]) -> Vec<pb::SubmitRequest> {
    container
        .chunks(limits::MAX_CHUNK_BYTES)
        .map(|chunk| pb::SubmitRequest {
            ticket,
            size: container.len() as u64,
            chunk: Bytes::copy_from_slice(chunk),
        })
        .collect()
}

/// Sends messages, ends the stream, and returns all results by ticket.
pub(crate) async fn submit(
    channel: &Channel,
    messages: Vec<pb::SubmitRequest>,
) -> Result<Vec<pb::SubmitResponse>, tonic::Status> {
    let mut stream =
        ExchangeClient::new(channel.clone()).submit(tokio_stream::iter(messages)).await?.into_inner();
    let mut results = Vec::new();
    while let Some(result) = stream.message().await? {
        results.push(result);
    }
    results.sort_by_key(|r| r.ticket);
    Ok(results)
}

/// `accepted`, or the rejection's reason.
pub(crate) fn reason(response: &pb::SubmitResponse) -> &str {
    match &response.outcome {
        Some(pb::submit_response::Outcome::Accepted(_)) => "accepted",
        Some(pb::submit_response::Outcome::Rejected(rejected)) => &rejected.reason,
        None => "",
    }
}

/// What was accepted.
pub(crate) fn accepted(response: pb::SubmitResponse) -> pb::Accepted {
    match response.outcome {
        Some(pb::submit_response::Outcome::Accepted(accepted)) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

/// The stable reason in a status.
pub(crate) fn status_reason(status: &tonic::Status) -> String {
    use tonic_types::StatusExt as _;
    status.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

pub(crate) fn parcel_ref(key: &ParcelKey) -> pb::ParcelRef {
    pb::ParcelRef { sender: key.sender.to_string(), parcel_id: key.id.to_string() }
}
