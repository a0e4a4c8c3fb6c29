//! `tasuki.v1.Membership`: an office applies to join, confirms, leaves, and asks how it stands.

use std::sync::Arc;

use bytes::Bytes;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::{identity_text, is_office};
use tasuki_proto::membership::{Membership as Said, MembershipWord};
use tasuki_proto::pb::membership_server::Membership;
use tasuki_proto::statement::Statement;
use tasuki_proto::{limits, pb, reason};
use tonic::{Request, Response, Status};

use super::declare::{Verified, verify};
use super::{Call, Context, Failure};
use crate::access::Applicant;
use crate::committer::change::{Applying, Change, Done, Leaving, Paper, Standing};
use crate::store::membership::{ApplicationRow, ApplicationState};

/// Bytes of a code as people write it.
const MAX_CODE_BYTES: usize = 40;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Membership for Service {
    async fn apply(&self, request: Request<pb::ApplyRequest>) -> Result<Response<pb::Standing>, Status> {
        let entered = self.0.enter_applicant(Call::of(&request))?;
        let applicant = &entered.applicant;
        let said = word(&self.0, applicant, request.into_inner().statement).await;
        let noted = |failure| self.0.noted(&applicant.name, Some(applicant.office), "join", failure);
        let (said, paper, needed) = said.map_err(noted)?;
        let MembershipWord::Join { name } = said.word else {
            return Err(Failure::of(reason::STATEMENT_MALFORMED).into());
        };
        let by = applicant.name.clone();
        let rules = self.0.joining;
        let applying = Applying { office: said.office, name, said_us: said.time_us, by, paper, rules };
        let done = submit(&self.0, Standing::Apply(applying)).await.map_err(noted)?;
        if !done.repeated {
            self.0.archivist.committed(&needed);
        }
        Ok(Response::new(standing(&self.0, applicant.office, done.repeated).await?))
    }

    async fn confirm(&self, request: Request<pb::ConfirmRequest>) -> Result<Response<pb::Standing>, Status> {
        let entered = self.0.enter_applicant(Call::of(&request))?;
        let applicant = &entered.applicant;
        let code = digits(&request.get_ref().code).ok_or(Failure::of(reason::JOIN_CODE_WRONG))?;
        let (office, by, rules) = (applicant.office, applicant.name.clone(), self.0.joining);
        let done = submit(&self.0, Standing::Confirm { office, code, by, rules }).await?;
        match told(&done).as_deref() {
            Some(kind::OFFICE_CODE_WRONG) => Err(Failure::of(reason::JOIN_CODE_WRONG).into()),
            Some(kind::OFFICE_CODE_LOCKED) => {
                tracing::warn!(office.number = %office, "too many wrong codes, an application's code is void");
                Err(Failure::of(reason::JOIN_CODE_LOCKED).into())
            }
            _ => Ok(Response::new(standing(&self.0, office, done.repeated).await?)),
        }
    }

    async fn leave(&self, request: Request<pb::LeaveRequest>) -> Result<Response<pb::Standing>, Status> {
        let entered = self.0.enter_applicant(Call::of(&request))?;
        let applicant = &entered.applicant;
        let said = word(&self.0, applicant, request.into_inner().statement).await;
        let noted = |failure| self.0.noted(&applicant.name, Some(applicant.office), "leave", failure);
        let (said, paper, needed) = said.map_err(noted)?;
        let MembershipWord::Leave { erase } = said.word else {
            return Err(Failure::of(reason::STATEMENT_MALFORMED).into());
        };
        let leaving = Leaving {
            office: said.office,
            said_us: said.time_us,
            by: applicant.name.clone(),
            reason: String::new(),
            erase,
            paper: Some(paper),
        };
        let done = submit(&self.0, Standing::Leave(leaving)).await.map_err(noted)?;
        if !done.repeated {
            self.0.archivist.committed(&needed);
        }
        Ok(Response::new(standing(&self.0, applicant.office, done.repeated).await?))
    }

    async fn get_standing(
        &self,
        request: Request<pb::GetStandingRequest>,
    ) -> Result<Response<pb::Standing>, Status> {
        let entered = self.0.enter_applicant(Call::of(&request))?;
        Ok(Response::new(standing(&self.0, entered.applicant.office, false).await?))
    }
}

/// What an office signed about its taking part: its own word, by its own certificate, over its own connection.
async fn word(
    context: &Context,
    applicant: &Applicant,
    cms: Bytes,
) -> Result<(Said, Paper, crate::intake::Needed), Failure> {
    let (verifier, now_us, bytes) = (Arc::clone(&context.verifier), context.clock.now_us(), cms.clone());
    let Verified { statement, signer } =
        context.intake.work(move || verify(&verifier, &bytes, now_us)).await??;
    let Statement::Membership(said) = statement else {
        return Err(Failure::of(reason::STATEMENT_MALFORMED));
    };
    let itself =
        is_office(&signer.identity, said.office) && identity_text(&signer.identity) == applicant.name;
    if !itself || said.office != applicant.office {
        return Err(Failure::of(reason::STATEMENT_SIGNER));
    }
    if said.time_us > now_us.saturating_add(limits::MAX_CLOCK_AHEAD_US) {
        return Err(Failure::of(reason::CREATED_IN_FUTURE));
    }
    let needed = context.archivist.needed(&signer);
    let archive = Arc::clone(&needed.items);
    let paper = Paper { cms: cms.to_vec(), text: Vec::new(), signer: signer.fingerprint, archive };
    Ok((said, paper, needed))
}

async fn submit(context: &Context, standing: Standing) -> Result<Done, Failure> {
    let done = context.committer.submit(Change::Standing(Box::new(standing))).await?;
    // Whoever joined may act as soon as it has its answer; whoever left may not.
    context.directory.refresh().await?;
    Ok(done)
}

/// Kind of the event that a change wrote.
fn told(done: &Done) -> Option<String> {
    Event::parse(done.text.as_ref()?).ok().map(|event| event.kind)
}

async fn standing(context: &Context, office: OfficeNumber, repeated: bool) -> Result<pb::Standing, Failure> {
    let known = context.store.office(office).await?;
    let application = context.store.application(office).await?;
    let open = application.as_ref().is_some_and(|row| row.state == ApplicationState::Open);
    let state = match &known {
        Some(known) if known.state.is_member() => known.state.as_str(),
        _ if open => "applied",
        Some(known) => known.state.as_str(),
        None => "none",
    };
    let told = application.as_ref().filter(|row| row.state != ApplicationState::Left);
    let unconfirmed = application.as_ref().is_some_and(|row| row.confirmed_us == 0);
    Ok(pb::Standing {
        office: office.to_string(),
        name: known.map(|known| known.name).unwrap_or_default(),
        state: state.to_owned(),
        application: told.map(|row| row.state.as_str().to_owned()).unwrap_or_default(),
        reason: told.map(|row| row.reason.clone()).unwrap_or_default(),
        code_needed: open && context.joining.code && unconfirmed,
        repeated,
        clearing: context.store.closing(office).await?.is_some(),
        erasure: erasure(context, office, application.as_ref()).await?,
    })
}

/// The event that says what was erased: who left reads no feed any more.
async fn erasure(
    context: &Context,
    office: OfficeNumber,
    application: Option<&ApplicationRow>,
) -> Result<Option<pb::Evidence>, Failure> {
    let Some(position) = application.and_then(|row| row.erased) else { return Ok(None) };
    let opening = context.store.opening_at(office, position).await?;
    let checkpoint = context.checkpoint_over(position).await?;
    Ok(Some(context.ledger.evidence(position, &checkpoint, None, opening.as_ref()).await?))
}

/// The digits of a code, whatever stands between them; full-width ones count.
fn digits(code: &str) -> Option<String> {
    if code.len() > MAX_CODE_BYTES {
        return None;
    }
    let digit = |c: char| match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
        _ => None,
    };
    Some(code.chars().filter_map(digit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_its_digits() {
        assert_eq!(digits("12345-67890").as_deref(), Some("1234567890"));
        assert_eq!(digits("１２３４５ー６７８９０").as_deref(), Some("1234567890"));
        assert_eq!(digits(&"1".repeat(MAX_CODE_BYTES + 1)), None);
    }
}
