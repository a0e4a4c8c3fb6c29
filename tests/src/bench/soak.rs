//! A soak: many parcels live their whole lives, and the relay's memory stays as it is.
//!
//! They are sent, fetched and signed for, and their contents go, slice by slice.

use std::path::Path;
use std::time::Instant;

use futures_util::future::try_join_all;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_proto::event::sha256;
use tasuki_proto::pb;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::statement::{AboutParcel, Statement};
use tonic::transport::Channel;

use super::cpu;
use super::fixture::{self, Party, Signed, in_parallel};
use super::load::{self, Load};
use crate::raw::{now_us, parcel_ref};
use crate::relay::Relay;

/// Parcels of one slice: what is prepared, sent, fetched and signed for together.
const SLICE: usize = 4_000;
/// Parcels in one call, as the interface allows.
const IN_ONE_CALL: usize = 256;
/// Unanswered parcels.
const WINDOW: usize = 256;
/// Slices before memory is looked at: caches and pools fill first.
const WARM: usize = 5;

/// Makes a relay let contents go as soon as they are signed for.
pub fn keep_nothing(relay: &Relay) {
    relay.configure(|line| match line.split(' ').next() {
        Some("acknowledged") => Some("acknowledged = \"0s\"".to_owned()),
        Some("sweep_every_s") => Some("sweep_every_s = 2".to_owned()),
        _ => None,
    });
}

/// The receiving offices, connected.
pub struct Receivers<'p> {
    parties: &'p [Party],
    channels: Vec<Channel>,
}

impl<'p> Receivers<'p> {
    /// Connects each office.
    ///
    /// # Errors
    /// If the relay does not answer.
    pub async fn connect(address: &str, relay_ca: &Path, parties: &'p [Party]) -> Result<Self, String> {
        let mut channels = Vec::with_capacity(parties.len());
        for party in parties {
            channels.push(load::connect(address, relay_ca, &party.identity).await?);
        }
        Ok(Self { parties, channels })
    }

    /// Fetches these parcels and signs for them.
    async fn take(&self, parcels: &[Signed]) -> Result<(), String> {
        let statements = tokio::task::block_in_place(|| {
            in_parallel(parcels.len(), |n| statement(&parcels[n], &self.parties[parcels[n].recipient]))
        });
        let offices = self.channels.iter().enumerate().map(|(office, channel)| {
            let own: Vec<usize> = (0..parcels.len()).filter(|n| parcels[*n].recipient == office).collect();
            let statements = &statements;
            async move {
                for some in own.chunks(IN_ONE_CALL) {
                    fetch(channel, some.iter().map(|n| &parcels[*n])).await?;
                    acknowledge(channel, some.iter().map(|n| statements[*n].clone()).collect()).await?;
                }
                Ok::<(), String>(())
            }
        });
        try_join_all(offices).await.map(|_| ())
    }
}

fn statement(parcel: &Signed, receiver: &Party) -> bytes::Bytes {
    let about = AboutParcel {
        parcel: parcel.key,
        recipient: receiver.number.parse().expect("10 digits"),
        digest: sha256(&parcel.container),
        time_us: now_us(),
    };
    let text = Statement::acknowledge(about).print();
    cms_sign::sign(&receiver.identity, text.as_bytes(), Content::Attached, now_us()).expect("it signs").into()
}

async fn fetch(channel: &Channel, parcels: impl Iterator<Item = &Signed>) -> Result<(), String> {
    let item = |p: &Signed| pb::FetchItem { r#ref: Some(parcel_ref(&p.key)), offset: 0 };
    let request = pb::FetchRequest { items: parcels.map(item).collect() };
    let (wanted, mut whole) = (request.items.len(), 0);
    let call = ExchangeClient::new(channel.clone()).fetch(request).await;
    let mut stream = call.map_err(|e| e.to_string())?.into_inner();
    while let Some(response) = stream.message().await.map_err(|e| e.to_string())? {
        match response.part {
            Some(pb::fetch_response::Part::End(_)) => whole += 1,
            Some(pb::fetch_response::Part::Failure(failure)) => return Err(failure.reason),
            Some(pb::fetch_response::Part::Header(_) | pb::fetch_response::Part::Chunk(_)) | None => {}
        }
    }
    if whole == wanted { Ok(()) } else { Err(format!("{whole} of {wanted} parcels came whole")) }
}

async fn acknowledge(channel: &Channel, statements: Vec<bytes::Bytes>) -> Result<(), String> {
    let call = ExchangeClient::new(channel.clone()).acknowledge(pb::AcknowledgeRequest { statements }).await;
    for result in call.map_err(|e| e.to_string())?.into_inner().results {
        if let Some(pb::acknowledge_result::Outcome::Rejected(rejected)) = result.outcome {
            return Err(rejected.reason);
        }
    }
    Ok(())
}

/// Runs `total` parcels through the relay and prints its resident memory as it goes.
///
/// # Errors
/// If a parcel is rejected, does not come, or can't be signed for.
pub async fn run(
    load: &mut Load,
    receivers: &Receivers<'_>,
    senders: &[Party],
    total: usize,
    pid: u32,
) -> Result<(), String> {
    let began = Instant::now();
    let (mut done, mut warm, mut most) = (0, None, 0);
    for slice in 0.. {
        if done >= total {
            break;
        }
        let count = (total - done).min(SLICE);
        let parcels =
            tokio::task::block_in_place(|| fixture::parcels(senders, receivers.parties, count, now_us()));
        load.run(&parcels, WINDOW, None).await?;
        receivers.take(&parcels).await?;
        done += count;
        let resident = cpu::resident_kib(pid);
        if slice < WARM {
            continue;
        }
        let warm = *warm.get_or_insert(resident);
        most = most.max(resident);
        if slice % WARM == 0 || done == total {
            let grown = resident.cast_signed() - warm.cast_signed();
            println!("{done:>9} parcels {:>7.0?}  resident {resident} KiB ({grown:+} KiB)", began.elapsed());
        }
    }
    println!("most after {} parcels: {most} KiB", WARM * SLICE);
    Ok(())
}
