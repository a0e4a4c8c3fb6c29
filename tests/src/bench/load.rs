//! The load: a thousand offices, each over its own mutual-TLS connection, sending parcels signed beforehand.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::tls;
use tasuki_certs::trust_files::certificates_in;
use tasuki_proto::pb;
use tasuki_proto::pb::directory_client::DirectoryClient;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use super::fixture::Signed;
use crate::raw::now_us;

/// Connects one office.
///
/// # Errors
/// If the relay does not take the connection.
pub async fn connect(address: &str, relay_ca: &Path, identity: &KeyIdentity) -> Result<Channel, String> {
    let relay_ca = certificates_in(relay_ca).map_err(|e| e.to_string())?;
    let config = tls::client_config(&relay_ca, identity, Arc::new(now_us)).map_err(|e| e.to_string())?;
    over(address, config).await
}

/// Connects without a certificate.
///
/// # Errors
/// If the relay does not take the connection.
pub async fn anonymous(address: &str, relay_ca: &Path) -> Result<Channel, String> {
    let relay_ca = certificates_in(relay_ca).map_err(|e| e.to_string())?;
    let config = tls::anonymous_client_config(&relay_ca, Arc::new(now_us)).map_err(|e| e.to_string())?;
    over(address, config).await
}

async fn over(address: &str, config: ClientConfig) -> Result<Channel, String> {
    let connector = TlsConnector::from(Arc::new(config));
    let address = address.to_owned();
    let endpoint = Endpoint::from_static("http://relay.bench");
    let connect = tower::service_fn(move |_| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let tcp = TcpStream::connect(&address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").expect("a name");
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, tcp).await?))
        }
    });
    endpoint.connect_with_connector(connect).await.map_err(|e| format!("{e:?}"))
}

/// Lets an office be seen by the relay, which registers its certificate's key then.
///
/// # Errors
/// If the relay does not answer.
pub async fn introduce(channel: Channel) -> Result<(), String> {
    let call = DirectoryClient::new(channel).get_relay(pb::GetRelayRequest::default()).await;
    call.map(|_| ()).map_err(|e| e.to_string())
}

struct Flight {
    began: Instant,
    _place: OwnedSemaphorePermit,
}

/// One office's open Submit call.
struct Line {
    requests: mpsc::Sender<pb::SubmitRequest>,
    flights: mpsc::UnboundedSender<(u32, Flight)>,
    next_ticket: u32,
}

/// What a run measured.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Parcels accepted.
    pub accepted: usize,
    /// From the first send to the last result.
    pub elapsed: Duration,
    /// Latencies, sorted: from handing the parcel to the connection until its result came back.
    pub latencies: Vec<Duration>,
}

impl Measured {
    /// Accepted parcels per second.
    pub fn per_second(&self) -> f64 {
        number(self.latencies.len()) / self.elapsed.as_secs_f64()
    }

    /// The latency that so many of a hundred parcels stayed below, in milliseconds.
    pub fn percentile_ms(&self, percent: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let place = last * percent / 100;
        self.latencies.get(place).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    }
}

/// All offices with their open calls.
pub struct Load {
    lines: Vec<Line>,
    results: mpsc::UnboundedReceiver<Result<Duration, String>>,
}

impl Load {
    /// Opens one Submit call per office. A call that fails says so when parcels are sent.
    pub fn open(channels: &[Channel]) -> Self {
        let (done, results) = mpsc::unbounded_channel();
        let mut lines = Vec::with_capacity(channels.len());
        for channel in channels {
            let (requests, stream) = mpsc::channel(64);
            let (flights, flying) = mpsc::unbounded_channel();
            let client = ExchangeClient::new(channel.clone());
            tokio::spawn(answers(client, ReceiverStream::new(stream), flying, done.clone()));
            lines.push(Line { requests, flights, next_ticket: 0 });
        }
        Self { lines, results }
    }

    /// Sends parcels: at most `window` unanswered at once and, if `per_second` is given, evenly paced.
    ///
    /// # Errors
    /// If a parcel is rejected or a call breaks.
    pub async fn run(
        &mut self,
        parcels: &[Signed],
        window: usize,
        per_second: Option<f64>,
    ) -> Result<Measured, String> {
        self.run_telling(parcels, window, per_second, &|_| {}).await
    }

    /// As [`Load::run`]; `note` is called for each parcel right before it is handed to its connection.
    ///
    /// # Errors
    /// If a parcel is rejected or a call breaks.
    pub async fn run_telling(
        &mut self,
        parcels: &[Signed],
        window: usize,
        per_second: Option<f64>,
        note: &(dyn Fn(&Signed) + Sync),
    ) -> Result<Measured, String> {
        let places = Arc::new(Semaphore::new(window));
        let began = Instant::now();
        for (n, parcel) in parcels.iter().enumerate() {
            if let Some(rate) = per_second {
                let due = began + Duration::from_secs_f64(number(n) / rate);
                tokio::time::sleep_until(due.into()).await;
            }
            let place = Arc::clone(&places).acquire_owned().await.map_err(|e| e.to_string())?;
            note(parcel);
            self.send(parcel.sender, parcel.container.clone(), place).await?;
        }
        self.collect(began, parcels.len()).await
    }

    /// Sends parcels as they are made, at most `window` unanswered at once, until `count` are answered.
    ///
    /// # Errors
    /// If a parcel is rejected or a call breaks.
    pub async fn run_live(
        &mut self,
        parcels: &mut mpsc::Receiver<Signed>,
        count: usize,
        window: usize,
    ) -> Result<Measured, String> {
        let places = Arc::new(Semaphore::new(window));
        let began = Instant::now();
        while let Some(parcel) = parcels.recv().await {
            let place = Arc::clone(&places).acquire_owned().await.map_err(|e| e.to_string())?;
            self.send(parcel.sender, parcel.container, place).await?;
        }
        self.collect(began, count).await
    }

    async fn collect(&mut self, began: Instant, count: usize) -> Result<Measured, String> {
        let mut latencies = Vec::with_capacity(count);
        while latencies.len() < count {
            let result = tokio::time::timeout(Duration::from_secs(30), self.results.recv()).await;
            let result = result.map_err(|_| "no result for 30 s".to_owned())?;
            latencies.push(result.ok_or("the calls ended")??);
        }
        let elapsed = began.elapsed();
        latencies.sort_unstable();
        Ok(Measured { accepted: latencies.len(), elapsed, latencies })
    }

    async fn send(
        &mut self,
        office: usize,
        container: Bytes,
        place: OwnedSemaphorePermit,
    ) -> Result<(), String> {
        let line = &mut self.lines[office];
        let ticket = line.next_ticket;
        line.next_ticket += 1;
        let flight = Flight { began: Instant::now(), _place: place };
        line.flights.send((ticket, flight)).map_err(|_| "the call ended".to_owned())?;
        let size = container.len() as u64;
        let request = pb::SubmitRequest { ticket, size, chunk: container };
        line.requests.send(request).await.map_err(|_| "the call ended".to_owned())
    }
}

async fn answers(
    mut client: ExchangeClient<Channel>,
    requests: ReceiverStream<pb::SubmitRequest>,
    mut flying: mpsc::UnboundedReceiver<(u32, Flight)>,
    done: mpsc::UnboundedSender<Result<Duration, String>>,
) {
    let mut open = std::collections::HashMap::new();
    let mut stream = match client.submit(requests).await {
        Ok(response) => response.into_inner(),
        Err(status) => {
            let _gone = done.send(Err(status.to_string()));
            return;
        }
    };
    loop {
        let response = match stream.message().await {
            Ok(Some(response)) => response,
            Ok(None) => return,
            Err(status) => {
                let _gone = done.send(Err(status.to_string()));
                return;
            }
        };
        while let Ok((ticket, flight)) = flying.try_recv() {
            open.insert(ticket, flight);
        }
        let flight: Option<Flight> = open.remove(&response.ticket);
        let result = match (response.outcome, flight) {
            (Some(pb::submit_response::Outcome::Accepted(_)), Some(flight)) => Ok(flight.began.elapsed()),
            (Some(pb::submit_response::Outcome::Rejected(rejected)), _) => {
                Err(format!("rejected: {} {:?}", rejected.reason, rejected.findings))
            }
            _ => Err("a result for no parcel".to_owned()),
        };
        let _gone = done.send(result);
    }
}

/// A count as a number to calculate with: counts here stay far below four billion.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
