//! `tasuki.v1.Renewal`: who is connected with a certificate of the relay's own CA gets its next one.

use std::sync::Arc;

use bytes::Bytes;
use tasuki_proto::ids::identity_text;
use tasuki_proto::pb::renewal_server::Renewal;
use tasuki_proto::{pb, reason, time};
use tonic::{Request, Response, Status};

use super::{Call, Context, Failure};
use crate::access::{Denied, Peer};
use crate::committer::change::{Certifying, Change};
use crate::renewals::Asking;
use crate::store::certificates::Bearer;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

#[tonic::async_trait]
impl Renewal for Service {
    async fn renew(&self, request: Request<pb::RenewRequest>) -> Result<Response<pb::RenewResponse>, Status> {
        let call = Call::of(&request);
        let peer = call.peer.clone().ok_or(Denied::NoCertificate).map_err(Failure::from)?;
        let _entered = self.0.enter_member(call).await?;
        let asking = self.0.asking(&peer).await?;
        let (who, office) = (asking.bearer.to_string(), asking.bearer.office());
        let noted = |failure| self.0.noted(&who, office, "renew", failure);
        let pb::RenewRequest { renewal, request } = request.into_inner();
        let context = Arc::clone(&self.0);
        let renewed = tokio::task::spawn_blocking(move || context.renewals.issue(asking, &renewal, &request));
        let renewed = renewed.await.map_err(|_| Failure::of(reason::INTERNAL))?;
        let renewed = renewed.map_err(|error| noted(error.into()))?;
        if let Some(change) = renewed.change {
            let change = Change::Certificate(Box::new(Certifying::Renewed(Box::new(change))));
            self.0.committer.submit(change).await.map_err(|refused| Failure::of(refused.code()))?;
            self.0.directory.refresh().await.map_err(Failure::from)?;
        }
        let certificates = std::iter::once(renewed.certificate).chain(renewed.chain);
        Ok(Response::new(pb::RenewResponse {
            certificates: certificates.map(Bytes::from).collect(),
            until: time::format_us(renewed.until_us),
        }))
    }
}

impl Context {
    /// Who renews: the holder of the certificate that the connection was made with.
    async fn asking(&self, peer: &Peer) -> Result<Asking, Failure> {
        let current = self.access.certificate(peer).await?;
        let bearer: Bearer =
            identity_text(&current.identity).parse().map_err(|()| Failure::of(reason::NOT_ALLOWED))?;
        let now_us = self.clock.now_us();
        let known = self.store.certificates_held(&bearer, now_us).await?;
        let (name, mandate) = match &bearer {
            Bearer::Office(office) => (self.directory.name(*office).await?, None),
            Bearer::Proxy(number) => (
                self.directory.proxy(*number).await?.map(|proxy| proxy.name.clone()).unwrap_or_default(),
                None,
            ),
            Bearer::Terminal(office, name) => {
                let member = self.directory.member(*office).await?;
                let own = |m: &&Arc<crate::mandates::Mandate>| m.is_held_with(&current.fingerprint);
                let mandate = member.and_then(|member| member.mandates.iter().find(own).cloned());
                let mandate = mandate.ok_or(Denied::NoMandate)?;
                (name.clone(), Some(mandate.row.clone()))
            }
        };
        Ok(Asking { current, bearer, name, mandate, known })
    }
}
