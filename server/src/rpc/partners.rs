//! Partners and declared profiles: what offices' statements about them ask for, and the list of partners.

use std::sync::Arc;

use tasuki_proto::event::kind;
use tasuki_proto::mandate::Scope;
use tasuki_proto::membership::{Membership, MembershipWord, PartnerStep};
use tasuki_proto::pb::partners_server::Partners;
use tasuki_proto::{pb, reason};
use tonic::{Request, Response, Status};

use super::convert::when;
use super::page::{page_size, read_token, token};
use super::{Call, Context, Failure};
use crate::committer::change::{Change, Paper, Partnering, Profiling};
use crate::intake::Refusal;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Partners for Service {
    async fn list(
        &self,
        request: Request<pb::ListPartnersRequest>,
    ) -> Result<Response<pb::ListPartnersResponse>, Status> {
        let entered = self.0.enter(Call::of(&request), Scope::ReadStatus).await?;
        let (office, request) = (entered.caller.office, request.into_inner());
        let limit = page_size(request.page_size, 100)?;
        let after: Option<String> = read_token('l', &request.page_token)?;
        let rows = self.0.store.partners(office, &after.unwrap_or_default(), limit + 1).await;
        let mut rows = rows.map_err(Failure::from)?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| token('l', row.other(office).as_str()));
        let mut partners = Vec::with_capacity(rows.len());
        for row in rows {
            let other = row.other(office);
            partners.push(pb::Partner {
                office: other.to_string(),
                name: self.0.directory.name(other).await.map_err(Failure::from)?,
                state: row.state.as_str().to_owned(),
                invited_by_us: row.inviter == office,
                since: when(row.since_us),
            });
        }
        let linked_only = self.0.partners.linked_only();
        Ok(Response::new(pb::ListPartnersResponse {
            partners,
            next_page_token: next.unwrap_or_default(),
            linked_only,
        }))
    }
}

/// What a declaration asks for, with the kind of its event.
pub(super) fn change(
    context: &Context,
    said: Membership,
    by: String,
    paper: Paper,
) -> Result<(&'static str, Change), Refusal> {
    let Membership { office, word, time_us: said_us } = said;
    Ok(match word {
        MembershipWord::Partner { partner, step } => {
            let kind = match step {
                PartnerStep::Invite => kind::PARTNER_INVITED,
                PartnerStep::Accept => kind::PARTNER_LINKED,
                PartnerStep::End => kind::PARTNER_ENDED,
            };
            let partnering = Partnering { office, partner, step, said_us, by, paper };
            (kind, Change::Partner(Box::new(partnering)))
        }
        MembershipWord::Profile { accepts } => {
            let approval = context.joining.profile_approval;
            let profiling = Profiling::Declare { office, accepts, said_us, by, paper, approval };
            (kind::OFFICE_DECLARED, Change::Profile(Box::new(profiling)))
        }
        // Who joins or leaves says so in `Membership`.
        MembershipWord::Join { .. } | MembershipWord::Leave { .. } => {
            return Err(Refusal::of(reason::STATEMENT_MALFORMED));
        }
    })
}
