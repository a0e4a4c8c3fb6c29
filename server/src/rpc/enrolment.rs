//! `tasuki.v1.Enrolment`: a new terminal takes its invitation up. Served without a client certificate.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::trust::CurrentTrust as _;
use tasuki_proto::mandate::Enrolment as Signed;
use tasuki_proto::pb::enrolment_server::Enrolment;
use tasuki_proto::{event, pb, reason};
use tonic::{Request, Response, Status};

use super::{Context, Failure};
use crate::access::Peer;
use crate::committer::change::{Change, Mandating};
use crate::enrolments::{EnrolError, Enrolled};
use crate::store::mandates::MandateRow;

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Service(pub(super) Arc<Context>);

impl From<EnrolError> for Failure {
    fn from(error: EnrolError) -> Self {
        match error {
            EnrolError::Because(word) => Self::of(word),
            EnrolError::Request(error) => {
                Self::detailed(reason::CERTIFICATE_REQUEST_INVALID, &error.to_string())
            }
            EnrolError::Ca(error) => {
                tracing::error!(%error, "a terminal's certificate can't be issued");
                Self::of(reason::NO_ISSUING_CA)
            }
        }
    }
}

#[tonic::async_trait]
impl Enrolment for Service {
    async fn get_invitation(
        &self,
        request: Request<pb::GetInvitationRequest>,
    ) -> Result<Response<pb::Invitation>, Status> {
        let address = self.0.enter_with_a_code(&request)?;
        let key = <[u8; 32]>::try_from(&request.get_ref().code_key[..])
            .map_err(|_| Failure::malformed("code_key has not 32 bytes"))?;
        let found = self.0.store.invitation(&key).await.map_err(Failure::from)?;
        let row = self.0.known(found, address).await?;
        if row.is_invitation() {
            self.0
                .enrolments
                .check_open(&row)
                .map_err(|error| self.0.enrolment_refused(row.office, row.holder.name(), error.into()))?;
        }
        Ok(Response::new(pb::Invitation {
            statement: row.cms.into(),
            office_name: self.0.directory.name(row.office).await.map_err(Failure::from)?,
            anchors: self.0.trust.current().anchors_der().map(Bytes::copy_from_slice).collect(),
        }))
    }

    async fn enrol(&self, request: Request<pb::EnrolRequest>) -> Result<Response<pb::EnrolResponse>, Status> {
        let address = self.0.enter_with_a_code(&request)?;
        let pb::EnrolRequest { enrolment, request } = request.into_inner();
        let said = Signed::peek(&enrolment).map_err(|_| Failure::malformed("enrolment can't be read"))?;
        let found = self.0.store.mandate(&said.invitation).await.map_err(Failure::from)?;
        let row = self.0.known(found, address).await?;
        let others =
            self.0.store.mandates(&[row.office], self.0.clock.now_us()).await.map_err(Failure::from)?;
        let (digest, office, name) = (row.digest, row.office, row.holder.name().to_owned());
        let others: Vec<MandateRow> = others.into_iter().filter(|other| other.digest != digest).collect();
        let context = Arc::clone(&self.0);
        let issued =
            tokio::task::spawn_blocking(move || context.enrolments.issue(row, &others, &enrolment, &request));
        let issued = issued.await.map_err(|_| Failure::of(reason::INTERNAL))?;
        if matches!(issued, Err(EnrolError::Because(reason::CODE_UNKNOWN))) {
            self.0.note_failed(address).await;
        }
        let noted = |error: EnrolError| self.0.enrolment_refused(office, &name, error.into());
        let Enrolled { row, chain, repeated } = issued.map_err(noted)?;
        let certificate = Bytes::from(row.certificate.clone());
        if !repeated {
            let change = Change::Mandate(Box::new(Mandating::Enrol(row)));
            self.0.committer.submit(change).await.map_err(|refused| Failure::of(refused.code()))?;
            self.0.directory.refresh().await.map_err(Failure::from)?;
        }
        let certificates = std::iter::once(certificate).chain(chain.into_iter().map(Bytes::from)).collect();
        Ok(Response::new(pb::EnrolResponse { certificates }))
    }
}

impl Context {
    /// Lets a call with a code in, unless too many codes from its address were none.
    fn enter_with_a_code<T>(&self, request: &Request<T>) -> Result<IpAddr, Failure> {
        if self.stopping.now() {
            return Err(Failure::of(reason::SHUTTING_DOWN));
        }
        if !self.enrolments.offered() {
            return Err(Failure::of(reason::NO_ISSUING_CA));
        }
        let peer = request.extensions().get::<Peer>().ok_or(Failure::of(reason::CALLER_UNKNOWN))?;
        if self.enrolments.may_try(peer.address()) {
            Ok(peer.address())
        } else {
            Err(Failure::of(reason::TOO_MANY_TRIES))
        }
    }

    /// Somebody has an invitation's code and got no certificate.
    fn enrolment_refused(&self, office: OfficeNumber, name: &str, failure: Failure) -> Failure {
        self.noted(&format!("terminal:{office}:{name}"), Some(office), "enrol", failure)
    }

    /// The invitation, if there is one.
    async fn known(&self, found: Option<MandateRow>, address: IpAddr) -> Result<MandateRow, Failure> {
        if let Some(row) = found.filter(|row| !row.code_key.is_empty()) {
            return Ok(row);
        }
        self.note_failed(address).await;
        Err(Failure::of(reason::CODE_UNKNOWN))
    }

    /// Counts a code that was none. Who is locked out for it stands in the log, once.
    async fn note_failed(&self, address: IpAddr) {
        metrics::counter!("tasuki_enrolments_failed_total").increment(1);
        if !self.enrolments.failed(address) {
            return;
        }
        tracing::warn!(%address, "too many invitation codes that are none");
        let lines = vec![("address", address.to_string())];
        let change =
            Change::Audit { kind: event::kind::ENROLMENT_LOCKED, lines, office: None, setting: None };
        if let Err(refused) = self.committer.submit(change).await {
            tracing::warn!(reason = refused.code(), "a lock-out can't be written to the log");
        }
    }
}
