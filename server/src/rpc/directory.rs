//! `tasuki.v1.Directory`: offices and their keys, what this relay is, approvals of sealing keys.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::profile::Identity;
use tasuki_certs::recipient::Recipient;
use tasuki_proto::event::sha256;
use tasuki_proto::mandate::Scope;
use tasuki_proto::pb::directory_server::Directory;
use tasuki_proto::statement::{ApproveSealingKey, Statement};
use tasuki_proto::{limits, pb, reason, time};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::crls::{self, Along};
use super::declare::{Verified, verify};
use super::mandates::paper;
use super::page::{page_size, read_token, token};
use super::{Call, Context, Failure};
use super::{notices, office_changes};
use crate::access::Caller;
use crate::committer::change::Change;
use crate::mandates::MandateKey;
use crate::store::StoreError;
use crate::store::mandates::Holder;
use crate::store::offices::{KeyKind, KeyRow, MAX_SEALING_KEYS, OfficeRow, OfficeState};

/// Bytes of words that are searched for; names of offices have about 100.
const MAX_WORDS: usize = 300;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Directory for Service {
    async fn get_office(
        &self,
        request: Request<pb::GetOfficeRequest>,
    ) -> Result<Response<pb::Office>, Status> {
        let entered = self.0.enter_member(Call::of(&request)).await?;
        let number: OfficeNumber = request
            .into_inner()
            .number
            .parse()
            .map_err(|_| Failure::malformed("number is no office number"))?;
        let member = self.0.directory.member(number).await.map_err(Failure::from)?;
        let member = member.ok_or(Failure::of(reason::OFFICE_NOT_FOUND))?;
        let keys = member.keys.iter().map(key).chain(member.mandate_keys.iter().map(mandate_key)).collect();
        let link = link(&self.0, entered.member.office, number).await.map_err(Failure::from)?;
        let mut proxies = Vec::new();
        for mandate in member.mandates.iter().filter(|mandate| mandate.may(Scope::Receive)) {
            let Holder::Proxy(number) = mandate.row.holder else { continue };
            let proxy = self.0.directory.proxy(number).await.map_err(Failure::from)?;
            let name = proxy.map(|proxy| proxy.name.clone()).unwrap_or_default();
            proxies.push(pb::OfficeProxy { number: number.to_string(), name });
        }
        Ok(Response::new(pb::Office { keys, proxies, link: link.into(), ..office(&member.office) }))
    }

    async fn search_offices(
        &self,
        request: Request<pb::SearchOfficesRequest>,
    ) -> Result<Response<pb::SearchOfficesResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let request = request.into_inner();
        if request.words.len() > MAX_WORDS {
            return Err(Failure::malformed("words are at most 300 bytes").into());
        }
        let limit = page_size(request.page_size, 50)?;
        let after = read_token('o', &request.page_token)?;
        let found = self.0.store.search_offices(&request.words, after, limit).await;
        let (offices, next) = found.map_err(Failure::from)?;
        Ok(Response::new(pb::SearchOfficesResponse {
            offices: offices.iter().map(office).collect(),
            next_page_token: next.map(|number| token('o', number.as_str())).unwrap_or_default(),
        }))
    }

    async fn list_changes(
        &self,
        request: Request<pb::ListChangesRequest>,
    ) -> Result<Response<pb::ListChangesResponse>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        Ok(Response::new(office_changes::list(&self.0, &request.into_inner()).await?))
    }

    async fn get_relay(&self, request: Request<pb::GetRelayRequest>) -> Result<Response<pb::Relay>, Status> {
        let _entered = self.0.enter_member(Call::of(&request)).await?;
        let ca_rolls = notices::ca_rolls(&self.0, &request.into_inner().ca_rolls_known).await?;
        // The key last: it opens every checkpoint before it.
        let (checkpoint, key) = (self.0.ledger.checkpoint(), self.0.ledger.key());
        let crls = Along::in_use(&self.0);
        let checks = self.0.intake.checks();
        let (operation, now_us) = (self.0.operating.present(), self.0.clock.now_us());
        Ok(Response::new(pb::Relay {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            log_key: key.vkey(checkpoint.epoch),
            log_key_rolls: key.rolls().iter().map(|roll| roll.note.clone().into()).collect(),
            ca_rolls,
            epoch: checkpoint.epoch,
            checkpoint: checkpoint.note.clone().into(),
            crls: crls.crls,
            more_crls: crls.more,
            max_container_bytes: limits::MAX_CONTAINER_BYTES as u64,
            max_files: u32::try_from(limits::MAX_FILES).unwrap_or(u32::MAX),
            max_file_bytes: limits::MAX_FILE_BYTES as u64,
            max_note_chars: u32::try_from(limits::MAX_NOTE_CHARS).unwrap_or(u32::MAX),
            now: time::format_us(now_us),
            rules_as_errors: checks.severities.rules().map(|rule| rule.as_str().to_owned()).collect(),
            documents: checks.documents_toml().unwrap_or_default().to_owned(),
            known_documents_only: !checks.unknown_documents,
            receive_only: operation.mode.receive_only,
            receive_only_ja: operation.mode.ja.clone(),
            receive_only_en: operation.mode.en.clone(),
            planned_stops: operation.stops_after(now_us).map(notices::planned).collect(),
        }))
    }

    async fn list_notices(
        &self,
        request: Request<pb::ListNoticesRequest>,
    ) -> Result<Response<pb::ListNoticesResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        Ok(Response::new(notices::list(&self.0, entered.caller.office, &request.into_inner()).await?))
    }

    type GetCrlStream = ReceiverStream<Result<pb::GetCrlResponse, Status>>;

    async fn get_crl(
        &self,
        request: Request<pb::GetCrlRequest>,
    ) -> Result<Response<Self::GetCrlStream>, Status> {
        let entered = self.0.enter_member(Call::of(&request)).await?;
        let found = crls::find(&self.0, &request.into_inner().fingerprint).await?;
        let (pieces, stream) = mpsc::channel(1);
        tokio::spawn(crls::send(Arc::clone(&self.0), entered, found, pieces));
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn approve_sealing_key(
        &self,
        request: Request<pb::ApproveSealingKeyRequest>,
    ) -> Result<Response<pb::ApproveSealingKeyResponse>, Status> {
        let entered = self.0.enter_itself(Call::of(&request)).await?;
        let caller = &entered.caller;
        let answer = approve(&self.0, caller, request.into_inner().statement).await;
        let noted = |failure| self.0.noted(&caller.name, Some(caller.office), "approve-key", failure);
        let answer = answer.map_err(noted)?;
        Ok(Response::new(answer))
    }
}

async fn approve(
    context: &Context,
    caller: &Caller,
    cms: bytes::Bytes,
) -> Result<pb::ApproveSealingKeyResponse, Failure> {
    let (verifier, now_us, bytes) = (Arc::clone(&context.verifier), context.clock.now_us(), cms.clone());
    let Verified { statement, signer } =
        context.intake.work(move || verify(&verifier, &bytes, now_us)).await??;
    let Statement::ApproveSealingKey(ApproveSealingKey { office, spki, time_us }) = statement else {
        return Err(Failure::of(reason::STATEMENT_MALFORMED));
    };
    if signer.identity != (Identity::Office { number: office.to_string() }) || caller.office != office {
        return Err(Failure::of(reason::STATEMENT_SIGNER));
    }
    if time_us > now_us.saturating_add(limits::MAX_CLOCK_AHEAD_US) {
        return Err(Failure::of(reason::CREATED_IN_FUTURE));
    }
    Recipient::from_sealing_key(&spki).map_err(|_| Failure::of(reason::KEY_MALFORMED))?;
    let fingerprint = sha256(&spki);
    if context.store.sealing_keys_beside(office, &fingerprint).await? >= MAX_SEALING_KEYS {
        return Err(Failure::of(reason::NOT_ALLOWED));
    }
    if let Some(known) = context.store.approval(office, &fingerprint).await? {
        let verifier = Arc::clone(&context.verifier);
        let known = context.intake.work(move || verify(&verifier, &known, now_us)).await?;
        // What this certificate approved, and still counts, or a later one, is not approved anew.
        let stands = |known: &Verified| {
            known.signer.fingerprint == signer.fingerprint || known.statement.time_us() >= time_us
        };
        if known.as_ref().is_ok_and(stands) {
            let fingerprint = fingerprint.to_vec().into();
            return Ok(pb::ApproveSealingKeyResponse { fingerprint, repeated: true });
        }
    }
    let row = KeyRow {
        office,
        kind: KeyKind::Sealing,
        key: spki,
        fingerprint,
        approval: cms.to_vec(),
        not_after_us: i64::MAX,
        registered_us: 0,
    };
    let done = context.committer.submit(Change::RegisterKey(Box::new(row))).await?;
    context.directory.refresh().await?;
    Ok(pb::ApproveSealingKeyResponse { fingerprint: fingerprint.to_vec().into(), repeated: done.repeated })
}

/// Whether the caller's office and another are partners, where that matters.
async fn link(
    context: &Context,
    own: Option<OfficeNumber>,
    other: OfficeNumber,
) -> Result<pb::PartnerLink, StoreError> {
    match own.filter(|own| context.partners.linked_only() && *own != other) {
        None => Ok(pb::PartnerLink::Unspecified),
        Some(own) if context.store.linked(own, other).await? => Ok(pb::PartnerLink::Linked),
        Some(_) => Ok(pb::PartnerLink::None),
    }
}

/// An office as it goes to clients, without its keys.
pub(super) fn office(row: &OfficeRow) -> pb::Office {
    let state = match row.state {
        OfficeState::Active => pb::OfficeState::Active,
        OfficeState::Suspended => pb::OfficeState::Suspended,
        OfficeState::Listed => pb::OfficeState::Listed,
        OfficeState::Left | OfficeState::Removed => pb::OfficeState::Left,
    };
    pb::Office {
        number: row.number.to_string(),
        name: row.name.clone(),
        kana: row.kana.clone(),
        services: row.services.clone(),
        standard_ready: row.standard_ready,
        state: state.into(),
        keys: Vec::new(),
        municipality: row.municipality.clone(),
        accepts: row.accepts.clone(),
        declared: row.declared,
        link: pb::PartnerLink::Unspecified.into(),
        proxies: Vec::new(),
        since: if row.since_us == 0 { String::new() } else { time::format_us(row.since_us) },
    }
}

fn key(row: &KeyRow) -> pb::OfficeKey {
    let kind = match row.kind {
        KeyKind::Certificate => pb::OfficeKeyKind::Certificate,
        KeyKind::Sealing => pb::OfficeKeyKind::Sealing,
    };
    let not_after =
        if row.not_after_us == i64::MAX { String::new() } else { time::format_us(row.not_after_us) };
    pb::OfficeKey {
        kind: kind.into(),
        key: row.key.clone().into(),
        approval: row.approval.clone().into(),
        fingerprint: row.fingerprint.to_vec().into(),
        not_after,
        registered_at: time::format_us(row.registered_us),
        mandate: None,
    }
}

/// The key of who may receive for the office.
fn mandate_key(key: &MandateKey) -> pb::OfficeKey {
    let kind = match key.mandate.holder {
        Holder::Proxy(_) => pb::OfficeKeyKind::Proxy,
        Holder::Terminal(_) => pb::OfficeKeyKind::Terminal,
    };
    pb::OfficeKey {
        kind: kind.into(),
        key: key.certificate.clone().into(),
        approval: bytes::Bytes::new(),
        fingerprint: key.fingerprint.to_vec().into(),
        not_after: time::format_us(key.not_after_us),
        registered_at: time::format_us(key.since_us),
        mandate: Some(paper(key.mandate.clone())),
    }
}
