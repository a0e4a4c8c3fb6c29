//! The gRPC services. Handlers translate and delegate; what they decide stands in `access`, `intake`,
//! `directory` and the committer.

mod convert;
mod crls;
mod declare;
mod directory;
mod enrolment;
mod exchange;
mod feed;
mod fetch;
mod log;
mod mail;
mod mandates;
mod membership;
mod notices;
mod office_changes;
mod page;
mod partners;
mod refused;
mod renewal;
mod status;
mod submit;
mod tracking;
mod webhooks;

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::error::CertError;
use tasuki_proto::canonical::hex;
use tasuki_proto::ids::{OCSP_METADATA, OFFICE_METADATA};
use tasuki_proto::limits::MAX_OCSP_BYTES;
use tasuki_proto::mandate::{Role, Scope};
use tasuki_proto::{pb, reason};
use tonic::Request;
use tonic::service::Routes;
use tonic::service::RoutesBuilder;

pub use status::Failure;

use crate::access::{Access, Applicant, Caller, Denied, Member, Peer, Who};
use crate::alerts::Watchman;
use crate::budget::{Memory, Slot, Slots};
use crate::clock::Clock;
use crate::committer::Committer;
use crate::config::{JoiningConfig, LimitsConfig, PartnersConfig};
use crate::counts::RejectedCounts;
use crate::denials::{Attempt, Denials};
use crate::directory::Directory;
use crate::enrolments::Enrolments;
use crate::evidence::ledger::Ledger;
use crate::evidence::witnesses::Witnesses;
use crate::intake::{Archivist, Intake};
use crate::mail::Mails;
use crate::operation::Operating;
use crate::refusals::Refusals;
use crate::renewals::Renewals;
use crate::shutdown::Stopping;
use crate::store::Store;
use crate::trust::Trust;
use crate::webhooks::Webhooks;

/// What handlers work with.
#[derive(Debug)]
pub struct Context {
    /// Reads.
    pub store: Store,
    /// Changes.
    pub committer: Committer,
    /// The log.
    pub ledger: Arc<Ledger>,
    /// Offices and keys.
    pub directory: Arc<Directory>,
    /// Whose certificates are believed.
    pub trust: Trust,
    /// Who calls.
    pub access: Access,
    /// From bytes to deliveries.
    pub intake: Arc<Intake>,
    /// What was not accepted, for its senders.
    pub refusals: Arc<Refusals>,
    /// Signatures of statements.
    pub verifier: Arc<SignatureVerifier>,
    /// What evidence needs later.
    pub archivist: Arc<Archivist>,
    /// Telling offices by e-mail.
    pub mails: Arc<Mails>,
    /// Telling programs of offices.
    pub webhooks: Arc<Webhooks>,
    /// Who cosigns the log.
    pub witnesses: Witnesses,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whether submissions are taken at present.
    pub operating: Arc<Operating>,
    /// Watches for what is unusual.
    pub watchman: Arc<Watchman>,
    /// Writes down what somebody tried and may not.
    pub denials: Arc<Denials>,
    /// Counts submissions that are rejected.
    pub rejected: Arc<RejectedCounts>,
    /// Bounds.
    pub limits: LimitsConfig,
    /// How offices come to take part.
    pub joining: JoiningConfig,
    /// Who may exchange with whom.
    pub partners: PartnersConfig,
    /// Places that calls take.
    pub places: Places,
    /// Issues certificates of terminals.
    pub enrolments: Enrolments,
    /// Renews certificates.
    pub renewals: Renewals,
    /// Says when to stop.
    pub stopping: Stopping,
}

/// Places that calls take, and memory that parcels take.
#[derive(Debug)]
pub struct Places {
    calls: Arc<Slots<Who>>,
    submits: Arc<Slots<Who>>,
    feeds: Arc<Slots<Who>>,
    memory: Memory,
}

impl Places {
    /// As many as the configuration allows.
    pub fn new(limits: &LimitsConfig) -> Self {
        // No office can have more calls than its connections carry; all together are bounded by connections.
        let all = limits.connections.saturating_mul(limits.calls_per_connection);
        Self {
            calls: Slots::new("tasuki_calls", all, limits.calls_per_office),
            submits: Slots::new("tasuki_submit_streams", all, limits.submits_per_office),
            feeds: Slots::new("tasuki_feeds", limits.feeds, limits.feeds_per_office),
            memory: Memory::mib(limits.open_parcels_mib, Some("tasuki_open_bytes")),
        }
    }
}

/// A call for an office that was let in; its place is free again when this is dropped.
#[derive(Debug)]
struct Entered {
    caller: Caller,
    _call: Slot<Who>,
}

/// A call for what all may know that was let in.
#[derive(Debug)]
struct EnteredMember {
    member: Member,
    _call: Slot<Who>,
}

/// A call of an office that need not take part was let in.
#[derive(Debug)]
struct EnteredApplicant {
    applicant: Applicant,
    _call: Slot<Who>,
}

/// Who calls, as the connection and the request's metadata say.
struct Call {
    peer: Option<Peer>,
    office: Result<Option<OfficeNumber>, Failure>,
}

impl Call {
    fn of<T>(request: &Request<T>) -> Self {
        let office = match request.metadata().get(OFFICE_METADATA) {
            None => Ok(None),
            Some(value) => {
                let number = value.to_str().ok().and_then(|text| text.parse().ok());
                number.map(Some).ok_or_else(|| Failure::malformed("tasuki-office is no office number"))
            }
        };
        let peer = request.extensions().get::<Peer>().cloned();
        if let (Some(peer), Some(answer)) = (&peer, stapled(request)) {
            peer.bring(answer);
        }
        Self { peer, office }
    }
}

/// The OCSP answer in a request's metadata. What is none that can be read is as none: the certificate stands as without.
fn stapled<T>(request: &Request<T>) -> Option<Vec<u8>> {
    let bytes = request.metadata().get_bin(OCSP_METADATA)?.to_bytes().ok()?;
    (bytes.len() <= MAX_OCSP_BYTES).then(|| bytes.to_vec())
}

impl Context {
    /// Lets a call for an office in: who is it, may it do that for the office, and is there room for it?
    async fn enter(&self, call: Call, scope: Scope) -> Result<Entered, Failure> {
        let (peer, office) = self.open(call)?;
        let caller = self.access.caller(&peer, office, scope).await;
        let caller = caller.map_err(|denied| self.turned_away(&peer, office, scope.as_str(), denied))?;
        let call = self.places.calls.enter(caller.who).ok_or(Failure::of(reason::TOO_MANY_STREAMS))?;
        Ok(Entered { caller, _call: call })
    }

    /// Lets a call in that is the office's alone: its keys, who may act for it, where it is told.
    async fn enter_itself(&self, call: Call) -> Result<Entered, Failure> {
        let entered = self.enter(call, Scope::ReadStatus).await?;
        let caller = &entered.caller;
        if caller.role == Role::Office {
            return Ok(entered);
        }
        Err(self.noted(&caller.name, Some(caller.office), "office-itself", Denied::NotItself.into()))
    }

    /// Lets a call in for what all may know who take part.
    async fn enter_member(&self, call: Call) -> Result<EnteredMember, Failure> {
        let (peer, office) = self.open(call)?;
        let member = self.access.member(&peer, office).await;
        let member = member.map_err(|denied| self.turned_away(&peer, office, "list", denied))?;
        let call = self.places.calls.enter(member.who).ok_or(Failure::of(reason::TOO_MANY_STREAMS))?;
        Ok(EnteredMember { member, _call: call })
    }

    /// Lets a call of an office in that is about its own taking part.
    fn enter_applicant(&self, call: Call) -> Result<EnteredApplicant, Failure> {
        let (peer, office) = self.open(call)?;
        let applicant = self.access.applicant(&peer, office);
        let applicant = applicant.map_err(|denied| self.turned_away(&peer, office, "membership", denied))?;
        let who = Who::Office(applicant.office);
        let call = self.places.calls.enter(who).ok_or(Failure::of(reason::TOO_MANY_STREAMS))?;
        Ok(EnteredApplicant { applicant, _call: call })
    }

    /// A call that was not let in.
    fn turned_away(
        &self,
        peer: &Peer,
        office: Option<OfficeNumber>,
        act: &'static str,
        denied: Denied,
    ) -> Failure {
        if let (Denied::Certificate(CertError::OcspInvalid(_, fault)), Some(certificate)) =
            (&denied, peer.fingerprint())
        {
            // Nobody known: the answer that it brought is what is told.
            self.denials.note_source(&format!("sha256:{}", hex(&certificate)), "ocsp-stapled", fault.code());
        }
        match self.access.name(peer) {
            Some(name) => self.noted(&name, office, act, denied.into()),
            None => denied.into(),
        }
    }

    /// A failure of somebody's, written down where it is because that one may not.
    fn noted(&self, who: &str, office: Option<OfficeNumber>, act: &'static str, failure: Failure) -> Failure {
        self.denials.note(Attempt { who: who.to_owned(), office, act, refused: failure.reason });
        failure
    }

    fn open(&self, call: Call) -> Result<(Peer, Option<OfficeNumber>), Failure> {
        if self.stopping.now() {
            return Err(Failure::of(reason::SHUTTING_DOWN));
        }
        Ok((call.peer.ok_or(Denied::NoCertificate)?, call.office?))
    }
}

/// All services.
///
/// # Errors
/// If the descriptors that are compiled in can't be read.
pub fn routes(context: &Arc<Context>) -> Result<Routes, tonic_reflection::server::Error> {
    use tasuki_proto::limits::{MAX_COSIGNED_BYTES, MAX_MESSAGE_BYTES};

    let mut routes = RoutesBuilder::default();
    let exchange = exchange::Service(Arc::clone(context));
    routes.add_service(
        pb::exchange_server::ExchangeServer::new(exchange).max_decoding_message_size(MAX_MESSAGE_BYTES),
    );
    routes.add_service(pb::feed_server::FeedServer::new(feed::Service(Arc::clone(context))));
    routes.add_service(pb::tracking_server::TrackingServer::new(tracking::Service(Arc::clone(context))));
    routes.add_service(pb::directory_server::DirectoryServer::new(directory::Service(Arc::clone(context))));
    let log = pb::log_server::LogServer::new(log::Service(Arc::clone(context)));
    routes.add_service(log.max_decoding_message_size(MAX_COSIGNED_BYTES));
    routes.add_service(pb::mandates_server::MandatesServer::new(mandates::Service(Arc::clone(context))));
    routes.add_service(pb::partners_server::PartnersServer::new(partners::Service(Arc::clone(context))));
    let membership = membership::Service(Arc::clone(context));
    routes.add_service(pb::membership_server::MembershipServer::new(membership));
    // Who has a certificate already may take up another invitation over the same connection.
    routes.add_service(enrolment_service(context));
    let renewal = pb::renewal_server::RenewalServer::new(renewal::Service(Arc::clone(context)));
    routes.add_service(renewal.max_decoding_message_size(tasuki_proto::limits::MAX_ENROLMENT_BYTES));
    routes.add_service(pb::mail_server::MailServer::new(mail::Service(Arc::clone(context))));
    routes.add_service(pb::webhooks_server::WebhooksServer::new(webhooks::Service(Arc::clone(context))));
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    routes.add_service(reflection);
    Ok(routes.routes())
}

/// What is served to connections without a client certificate.
pub fn anonymous_routes(context: &Arc<Context>) -> Routes {
    let mut routes = RoutesBuilder::default();
    routes.add_service(enrolment_service(context));
    routes.routes()
}

fn enrolment_service(context: &Arc<Context>) -> pb::enrolment_server::EnrolmentServer<enrolment::Service> {
    use tasuki_proto::limits::MAX_ENROLMENT_BYTES;

    let service = enrolment::Service(Arc::clone(context));
    pb::enrolment_server::EnrolmentServer::new(service).max_decoding_message_size(MAX_ENROLMENT_BYTES)
}
