//! `tasuki.v1.Mandates`: who may act for an office; for which offices a proxy may. And what an office's statements about it ask for.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::trust::{CurrentTrust as _, Purpose, VerifiedCertificate};
use tasuki_proto::canonical::{hex, parse_hex};
use tasuki_proto::event::sha256;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Delegate, EndMandate, InviteTerminal, KeepTerminal, Scope, Scopes};
use tasuki_proto::pb::mandates_server::Mandates;
use tasuki_proto::{limits, pb, reason, time};
use tonic::{Request, Response, Status};

use super::convert::when;
use super::page::{page_size, read_token, token};
use super::{Call, Context, Failure};
use crate::access::Who;
use crate::committer::change::{Change, Mandating, Paper};
use crate::intake::Refusal;
use crate::store::mandates::{Holder, MandateRow};

const DAY_US: i64 = 86_400 * 1_000_000;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Mandates for Service {
    async fn list(
        &self,
        request: Request<pb::ListMandatesRequest>,
    ) -> Result<Response<pb::ListMandatesResponse>, Status> {
        let entered = self.0.enter_member(Call::of(&request)).await?;
        let request = request.into_inner();
        let answer = match (entered.member.who, entered.member.office) {
            (Who::Proxy(number, None), _) => of_proxy(&self.0, number, &request).await?,
            (_, Some(office)) => of_office(&self.0, office, &request).await?,
            (_, None) => pb::ListMandatesResponse::default(),
        };
        Ok(Response::new(answer))
    }
}

async fn of_office(
    context: &Context,
    office: OfficeNumber,
    request: &pb::ListMandatesRequest,
) -> Result<pb::ListMandatesResponse, Failure> {
    if !request.all {
        let rows = context.store.mandates(&[office], context.clock.now_us()).await?;
        return Ok(pb::ListMandatesResponse {
            mandates: shown(context, rows).await?,
            next_page_token: String::new(),
        });
    }
    let limit = page_size(request.page_size, 100)?;
    let before = read_token('m', &request.page_token)?.map(|text: String| place(&text)).transpose()?;
    let made = |(made, digest): (String, [u8; 32])| {
        let made = made.parse().map_err(|_| Failure::malformed("page_token is none of this list's"))?;
        Ok::<_, Failure>((made, digest))
    };
    let before = before.map(made).transpose()?;
    let rows = context.store.all_mandates(office, before, limit + 1).await?;
    let next = |last: &MandateRow| token('m', &format!("{}/{}", last.made_us, hex(&last.digest)));
    page(context, rows, limit, next).await
}

async fn of_proxy(
    context: &Context,
    number: ProxyNumber,
    request: &pb::ListMandatesRequest,
) -> Result<pb::ListMandatesResponse, Failure> {
    let limit = page_size(request.page_size, 100)?;
    let after = read_token('p', &request.page_token)?.map(|text: String| place(&text)).transpose()?;
    let after = after.unwrap_or_default();
    let now_us = context.clock.now_us();
    let rows = context.store.mandates_of_proxy(number, &after, now_us, limit + 1).await?;
    let next = |last: &MandateRow| token('p', &format!("{}/{}", last.office, hex(&last.digest)));
    let mut answer = page(context, rows, limit, next).await?;
    let read = |mandate: &pb::Mandate| {
        let reads = [Scope::Receive, Scope::ReadStatus]
            .iter()
            .any(|scope| mandate.scopes.iter().any(|own| own == scope.as_str()));
        let active = mandate.state == i32::from(pb::MandateState::Active);
        mandate.office.parse::<OfficeNumber>().ok().filter(|_| reads && active)
    };
    let offices: Vec<OfficeNumber> = answer.mandates.iter().filter_map(read).collect();
    let ends = super::feed::ends(context, &offices).await?;
    for mandate in &mut answer.mandates {
        if let Some(end) = read(mandate).and_then(|office| ends.get(&office)) {
            (mandate.feed_epoch, mandate.feed_number) = (end.epoch, end.number);
        }
    }
    Ok(answer)
}

async fn page(
    context: &Context,
    mut rows: Vec<MandateRow>,
    limit: u32,
    next: impl Fn(&MandateRow) -> String,
) -> Result<pb::ListMandatesResponse, Failure> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_page_token = rows.last().filter(|_| more).map(next).unwrap_or_default();
    Ok(pb::ListMandatesResponse { mandates: shown(context, rows).await?, next_page_token })
}

/// A place in a list: a word, and a digest.
fn place(text: &str) -> Result<(String, [u8; 32]), Failure> {
    let malformed = || Failure::malformed("page_token is none of this list's");
    let (word, digest) = text.split_once('/').ok_or_else(malformed)?;
    Ok((word.to_owned(), parse_hex(digest).ok_or_else(malformed)?))
}

async fn shown(context: &Context, rows: Vec<MandateRow>) -> Result<Vec<pb::Mandate>, Failure> {
    context.directory.prepare(rows.iter().map(|row| row.office)).await?;
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        shown.push(one(context, row).await?);
    }
    Ok(shown)
}

async fn one(context: &Context, row: MandateRow) -> Result<pb::Mandate, Failure> {
    let member = context.directory.member(row.office).await?;
    let usable =
        member.as_ref().is_some_and(|member| member.active() && member.mandate(&row.digest).is_some());
    let now_us = context.clock.now_us();
    let state = match () {
        () if row.ended_us != 0 => pb::MandateState::Ended,
        () if now_us >= row.until_us => pb::MandateState::Expired,
        () if row.is_invitation() => pb::MandateState::Invited,
        () if now_us < row.from_us => pb::MandateState::NotYet,
        () if usable => pb::MandateState::Active,
        () => pb::MandateState::Unusable,
    };
    let (kind, holder_name) = match &row.holder {
        Holder::Proxy(number) => {
            let proxy = context.directory.proxy(*number).await?;
            (pb::MandateKind::Proxy, proxy.map(|proxy| proxy.name.clone()).unwrap_or_default())
        }
        Holder::Terminal(_) => (pb::MandateKind::Terminal, String::new()),
    };
    Ok(pb::Mandate {
        digest: row.digest.to_vec().into(),
        office: row.office.to_string(),
        office_name: member.map(|member| member.office.name.clone()).unwrap_or_default(),
        kind: kind.into(),
        holder: row.holder.name().to_owned(),
        holder_name,
        scopes: row.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        from: time::format_us(row.from_us),
        until: time::format_us(row.until_us),
        state: state.into(),
        fingerprint: row.fingerprint.clone().into(),
        made_at: when(row.made_us),
        enrolled_at: when(row.enrolled_us),
        ended_at: when(row.ended_us),
        last_used_at: when(row.last_used_us),
        confirm: row.confirm,
        paper: Some(paper(row)),
        feed_epoch: 0,
        feed_number: 0,
    })
}

/// What shows a mandate.
pub(super) fn paper(row: MandateRow) -> pb::MandatePaper {
    pb::MandatePaper { statement: row.cms.into(), enrolment: row.enrolment.into() }
}

/// A delegation, as a change.
pub(super) fn delegate(
    said: &Delegate,
    signer: &VerifiedCertificate,
    by: String,
    paper: Paper,
    now_us: i64,
) -> Result<Change, Refusal> {
    if said.until_us.saturating_sub(said.from_us.min(now_us)) > limits::MAX_MANDATE_DAYS * DAY_US {
        return Err(Refusal::of(reason::STATEMENT_MALFORMED));
    }
    let row = MandateRow {
        from_us: said.from_us,
        // It can't be checked any more once its signer's certificate has ended.
        until_us: said.until_us.min(signer.not_after_us),
        confirm: said.confirm,
        ..row(said.office, Holder::Proxy(said.proxy), said.scopes, &paper)?
    };
    give(row, by, paper, now_us)
}

/// An invitation of a terminal, as a change.
pub(super) fn invite(
    said: &InviteTerminal,
    signer: &VerifiedCertificate,
    by: String,
    paper: Paper,
    now_us: i64,
) -> Result<Change, Refusal> {
    if said.until_us.saturating_sub(now_us) > limits::MAX_INVITATION_DAYS * DAY_US {
        return Err(Refusal::of(reason::STATEMENT_MALFORMED));
    }
    let row = MandateRow {
        from_us: said.time_us.min(now_us),
        until_us: said.until_us.min(signer.not_after_us),
        code_key: said.code_key.to_vec(),
        ..row(said.office, Holder::Terminal(said.name.clone()), said.scopes, &paper)?
    };
    give(row, by, paper, now_us)
}

/// A terminal that goes on under this certificate, as a change.
pub(super) async fn keep(
    context: &Context,
    said: KeepTerminal,
    signer: &VerifiedCertificate,
    by: String,
    paper: Paper,
) -> Result<Change, Refusal> {
    let known = context.store.mandate(&said.mandate).await?.filter(|row| row.office == said.office);
    let known = known.ok_or(Refusal::of(reason::MANDATE_NOT_FOUND))?;
    if !known.is_meant_by(&said) {
        return Err(Refusal::of(reason::MANDATE_INVALID));
    }
    let (trust, now_us, certificate) =
        (context.trust.current(), context.clock.now_us(), known.certificate.clone());
    let own = move || trust.verify(&certificate, &[], Purpose::TlsClient, now_us).map(|own| own.not_after_us);
    // Without a certificate of its own it does not go on, whatever its office says.
    let own_ends_us = context.intake.work(own).await?.map_err(|_| Refusal::of(reason::MANDATE_ENDED))?;
    let until_us = own_ends_us.min(signer.not_after_us);
    let row = MandateRow { cms: sized(&paper)?, signer: Some(paper.signer), until_us, ..known };
    Ok(Change::Mandate(Box::new(Mandating::Keep { row, said, by, paper })))
}

/// The end of a mandate, as a change.
pub(super) fn end(said: &EndMandate, by: String, paper: Paper) -> Change {
    Change::Mandate(Box::new(Mandating::End {
        office: said.office,
        digest: said.mandate,
        by,
        paper: Some(paper),
    }))
}

fn give(row: MandateRow, by: String, paper: Paper, now_us: i64) -> Result<Change, Refusal> {
    if row.until_us <= now_us || row.until_us <= row.from_us {
        return Err(Refusal::of(reason::MANDATE_ENDED));
    }
    Ok(Change::Mandate(Box::new(Mandating::Give { row, by, paper: Some(paper) })))
}

fn row(office: OfficeNumber, holder: Holder, scopes: Scopes, paper: &Paper) -> Result<MandateRow, Refusal> {
    let signed = MandateRow::new(office, holder, scopes, sha256(&paper.cms));
    Ok(MandateRow { cms: sized(paper)?, signer: Some(paper.signer), ..signed })
}

/// The statement, if parcels can carry it.
fn sized(paper: &Paper) -> Result<Vec<u8>, Refusal> {
    let fits = paper.cms.len() <= limits::MAX_MANDATE_BYTES;
    fits.then(|| paper.cms.clone()).ok_or(Refusal::of(reason::STATEMENT_MALFORMED))
}
