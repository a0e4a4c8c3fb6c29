//! `tasuki.v1.Tracking`: lists, one parcel's events, evidence.

use std::collections::BTreeSet;
use std::sync::Arc;

use tasuki_careplan::kind::FileKind;
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::Event;
use tasuki_proto::ids::ParcelId;
use tasuki_proto::lifecycle::State;
use tasuki_proto::log::Checkpoint;
use tasuki_proto::log::roll::KeyRoll;
use tasuki_proto::mandate::Scope;
use tasuki_proto::parcel::ATTACHMENT;
use tasuki_proto::pb::tracking_server::Tracking;
use tasuki_proto::{canonical, pb, reason};
use tonic::{Request, Response, Status};

use super::convert::{opening_at, parcel_key};
use super::crls::Along;
use super::mandates::paper;
use super::page::{page_size, read_token, token};
use super::status::check_items;
use super::{Call, Context, Failure, refused};
use crate::access::Caller;
use crate::store::parcel_lists::{ParcelFilter, Side};
use crate::store::parcels::ParcelRow;

/// Files of all parcels on one page, about 50 bytes each: a page stays below the 4 MiB that gRPC clients take by
/// default, whatever an office was sent.
const MAX_FILES_IN_PAGE: usize = 20_000;

/// Bytes of statements and texts in one answer: it stays below the 4 MiB that gRPC clients take by default.
const MAX_STATEMENT_BYTES: usize = 3 * 1024 * 1024;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Tracking for Service {
    async fn list_sent(
        &self,
        request: Request<pb::ListRequest>,
    ) -> Result<Response<pb::ListResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let page = list(&self.0, &entered.caller, Side::Sent, request.into_inner()).await?;
        Ok(Response::new(page))
    }

    async fn list_received(
        &self,
        request: Request<pb::ListRequest>,
    ) -> Result<Response<pb::ListResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let page = list(&self.0, &entered.caller, Side::Received, request.into_inner()).await?;
        Ok(Response::new(page))
    }

    async fn get_parcel(
        &self,
        request: Request<pb::GetParcelRequest>,
    ) -> Result<Response<pb::GetParcelResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let (context, office) = (&self.0, entered.caller.office);
        let row = find(context, office, request.into_inner().r#ref).await?;
        let current = context.ledger.checkpoint();
        let mut events = events(context, office, &row, &current).await?;
        for event in &mut events {
            let of_current = event.entry.as_ref().is_some_and(|entry| entry.epoch == current.epoch);
            if of_current {
                event.checkpoint = bytes::Bytes::new();
            }
        }
        Ok(Response::new(pb::GetParcelResponse {
            parcel: Some(context.summary(&row).await.map_err(Failure::from)?),
            events,
            checkpoint: current.note.clone().into(),
        }))
    }

    async fn get_evidence(
        &self,
        request: Request<pb::GetParcelRequest>,
    ) -> Result<Response<pb::GetEvidenceResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let (context, office) = (&self.0, entered.caller.office);
        let row = find(context, office, request.into_inner().r#ref).await?;
        let current = context.ledger.checkpoint();
        let events = events(context, office, &row, &current).await?;
        let mut named = Named::by(&events);
        let mandates = mandates(context, &named.mandates, &mut named.signers).await?;
        let crls = Along::archived(context, named.crls.iter()).await.map_err(Failure::from)?;
        let statements = context.store.statements_of(row.seq).await.map_err(Failure::from)?;
        let key = context.ledger.key();
        let keys = named.epochs.iter().map(|epoch| key.vkey(*epoch));
        let statements = statements.into_iter().filter(|kept| named.statements.contains(&kept.digest));
        Ok(Response::new(pb::GetEvidenceResponse {
            parcel: Some(context.summary(&row).await.map_err(Failure::from)?),
            statements: statements.map(|kept| kept.cms.into()).collect(),
            certificates: certificates(context, &named.signers).await?,
            crls: crls.crls,
            more_crls: crls.more,
            mandates,
            log_keys: keys.chain(key.rolls().iter().map(KeyRoll::line)).collect(),
            events,
        }))
    }

    async fn get_statements(
        &self,
        request: Request<pb::GetStatementsRequest>,
    ) -> Result<Response<pb::GetStatementsResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let (context, office) = (&self.0, entered.caller.office);
        let wanted = request.into_inner().digests;
        check_items(wanted.len())?;
        let (mut statements, mut signers, mut size) = (Vec::new(), BTreeSet::new(), 0);
        let mut named = BTreeSet::new();
        for digest in wanted {
            let digest = <[u8; 32]>::try_from(&digest[..])
                .map_err(|_| Failure::malformed("digests holds one that has not 32 bytes"))?;
            let kept = context.store.statement_for(&digest, office).await.map_err(Failure::from)?;
            let Some(kept) = kept else { continue };
            size += kept.cms.len() + kept.text.len();
            // What does not fit is asked for again.
            if size > MAX_STATEMENT_BYTES && !statements.is_empty() {
                break;
            }
            signers.extend(kept.signer);
            named.extend(kept.mandate);
            statements.push(pb::SignedStatement { statement: kept.cms.into(), text: kept.text.into() });
        }
        let mandates = mandates(context, &named, &mut signers).await?;
        let certificates = certificates(context, &signers).await?;
        Ok(Response::new(pb::GetStatementsResponse { statements, certificates, mandates }))
    }

    async fn list_refused(
        &self,
        request: Request<pb::ListRefusedRequest>,
    ) -> Result<Response<pb::ListRefusedResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        Ok(Response::new(refused::list(&self.0, &entered.caller, &request.into_inner()).await?))
    }
}

async fn list(
    context: &Context,
    caller: &Caller,
    side: Side,
    request: pb::ListRequest,
) -> Result<pb::ListResponse, Failure> {
    let office = caller.acts_for(&request.office)?;
    let limit = page_size(request.page_size, 100)?;
    let kind = match side {
        Side::Sent => 's',
        Side::Received => 'r',
    };
    let filter = ParcelFilter {
        states: states(&request)?,
        partner: optional(&request.partner, "partner is no office number")?,
        month: optional::<Month>(&request.month, "month is not YYYYMM")?.map(|m| m.to_string()),
        kind: file_kind(&request.kind)?,
        superseded: marked(request.superseded)?,
        overdue: marked(request.overdue)?,
        after: read_token(kind, &request.page_token)?,
    };
    if !request.states.is_empty() && filter.states.is_empty() {
        return Err(Failure::malformed("states holds the unspecified one only"));
    }
    let mut rows = context.store.list_parcels(office, side, &filter, limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let more = cut_page(&mut rows) || more;
    let next = rows.last().filter(|_| more).map(|row| token(kind, &row.seq.to_string()));
    let mut parcels = Vec::with_capacity(rows.len());
    for row in &rows {
        parcels.push(context.summary(row).await?);
    }
    Ok(pb::ListResponse { parcels, next_page_token: next.unwrap_or_default() })
}

/// Ends a page before it has too many files. Returns whether it did. One parcel always fits.
fn cut_page(rows: &mut Vec<ParcelRow>) -> bool {
    let mut files = 0;
    let fits = rows.iter().take_while(|row| {
        files += row.files.len();
        files <= MAX_FILES_IN_PAGE
    });
    let fits = fits.count().max(1);
    let cut = fits < rows.len();
    rows.truncate(fits);
    cut
}

fn states(request: &pb::ListRequest) -> Result<Vec<State>, Failure> {
    let mut states = Vec::new();
    for number in &request.states {
        let state = pb::ParcelState::try_from(*number)
            .map_err(|_| Failure::malformed("states holds an unknown state"))?;
        states.extend(State::of_wire(state).filter(|s| !states.contains(s)));
    }
    Ok(states)
}

/// How a list treats a mark.
fn marked(number: i32) -> Result<Option<bool>, Failure> {
    match pb::Marked::try_from(number) {
        Ok(pb::Marked::Any) => Ok(None),
        Ok(pb::Marked::No) => Ok(Some(false)),
        Ok(pb::Marked::Yes) => Ok(Some(true)),
        Err(_) => Err(Failure::malformed("superseded or overdue is unknown")),
    }
}

pub(super) fn optional<T: std::str::FromStr>(text: &str, rule: &str) -> Result<Option<T>, Failure> {
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| Failure::malformed(rule)) }
}

fn file_kind(text: &str) -> Result<Option<String>, Failure> {
    let known = text.is_empty() || text == ATTACHMENT || FileKind::from_prefix(text).is_some();
    if !known {
        return Err(Failure::malformed("kind is no prefix of the standard's files"));
    }
    Ok(Some(text.to_owned()).filter(|t| !t.is_empty()))
}

/// The parcel that a request names, if it exists for this office.
async fn find(
    context: &Context,
    office: OfficeNumber,
    named: Option<pb::ParcelRef>,
) -> Result<ParcelRow, Failure> {
    let not_found = || Failure::of(reason::PARCEL_NOT_FOUND);
    match named {
        Some(named) if named.sender.is_empty() => {
            let id: ParcelId =
                named.parcel_id.parse().map_err(|_| Failure::malformed("ref.parcel_id is no UUIDv7"))?;
            let mut rows = context.store.parcels_by_id(&id, office).await?;
            let found = rows.pop().ok_or_else(not_found)?;
            if rows.is_empty() { Ok(found) } else { Err(Failure::of(reason::PARCEL_AMBIGUOUS)) }
        }
        named => {
            let key = parcel_key(named.as_ref())?;
            context.visible(&key, office).await?.ok_or_else(not_found)
        }
    }
}

/// A parcel's events in the order of the log, each with the checkpoint that covers it.
async fn events(
    context: &Context,
    office: OfficeNumber,
    row: &ParcelRow,
    current: &Checkpoint,
) -> Result<Vec<pb::Evidence>, Failure> {
    let openings = context.store.openings_of(office, row.seq).await?;
    let mut events = Vec::new();
    for leaf in context.store.leaves_of_parcel(row.seq).await? {
        let position = leaf.position;
        let past = match position.epoch {
            epoch if epoch > current.epoch => continue,
            epoch if epoch < current.epoch => Some(context.ledger.checkpoint_of(epoch).await?),
            // Committed, and not published yet.
            _ if position.index >= current.size => continue,
            _ => None,
        };
        let under = past.as_deref().unwrap_or(current);
        // What is not in its feed is not this office's to see: a hold, for its receiver.
        let Some(opening) = opening_at(&openings, position) else { continue };
        events.push(context.ledger.evidence(position, under, Some(leaf.text), Some(opening)).await?);
    }
    Ok(events)
}

/// What events name, and evidence needs.
#[derive(Debug, Default)]
struct Named {
    statements: BTreeSet<[u8; 32]>,
    mandates: BTreeSet<[u8; 32]>,
    signers: BTreeSet<[u8; 32]>,
    crls: BTreeSet<[u8; 32]>,
    epochs: BTreeSet<u64>,
}

impl Named {
    fn by(events: &[pb::Evidence]) -> Self {
        let mut named = Self::default();
        let texts = events.iter().filter_map(|event| event.entry.as_ref());
        for event in texts.filter_map(|entry| Event::parse(&entry.text).ok()) {
            named.epochs.insert(event.epoch);
            named.statements.extend(event.digest("statement"));
            for key in ["mandate", "transmitter-mandate", "statement-mandate"] {
                named.mandates.extend(event.digest(key));
            }
            named.signers.extend(event.digest("signer"));
            named.signers.extend(event.digest("statement-signer"));
            named.crls.extend(event.lines.all("crl").filter_map(canonical::parse_digest));
        }
        named
    }
}

/// Mandates by their digests, with what showed them before the office's certificate was renewed. Who signed them, where it is known, joins the signers: their certificates are needed as well.
async fn mandates(
    context: &Context,
    digests: &BTreeSet<[u8; 32]>,
    signers: &mut BTreeSet<[u8; 32]>,
) -> Result<Vec<pb::MandatePaper>, Failure> {
    let mut papers = Vec::new();
    for digest in digests {
        let Some(row) = context.store.mandate(digest).await? else { continue };
        let earlier = context.store.earlier_papers(digest).await?;
        signers.extend(row.signer);
        signers.extend(earlier.iter().map(|paper| paper.signer));
        let enrolment = row.enrolment.clone();
        papers.push(paper(row));
        papers.extend(earlier.into_iter().map(|earlier| pb::MandatePaper {
            statement: earlier.cms.into(),
            enrolment: enrolment.clone().into(),
        }));
    }
    Ok(papers)
}

/// Chains of all signers up to their anchors, each certificate once.
async fn certificates(context: &Context, signers: &BTreeSet<[u8; 32]>) -> Result<Vec<bytes::Bytes>, Failure> {
    let mut seen = BTreeSet::new();
    let mut certificates = Vec::new();
    for signer in signers {
        let Some((_, chain)) = context.store.archived(signer).await? else { continue };
        for fingerprint in chain {
            if seen.insert(fingerprint)
                && let Some((der, _)) = context.store.archived(&fingerprint).await?
            {
                certificates.push(der.into());
            }
        }
    }
    Ok(certificates)
}
