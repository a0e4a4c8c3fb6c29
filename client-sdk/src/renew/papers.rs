//! What an office's earlier certificate signed, signed anew: delegations, and its terminals, which take the new paper over.

use tasuki_certs::cms_verify::VerifiedSignature;
use tasuki_certs::trust::Purpose;
use tasuki_proto::event::kind;
use tasuki_proto::ids::is_office;
use tasuki_proto::mandate::{self, InviteTerminal, KeepTerminal, KeyChain, Scope};
use tasuki_proto::reason;
use tasuki_proto::statement::Statement;

use crate::blocking;
use crate::client::Client;
use crate::error::{Refusal, SdkError};
use crate::home::OwnPapers;
use crate::mandates::{Mandate, MandateHolder, MandateState};

/// What became of an office's papers after its certificate was renewed: those that the one before signed end with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Papers {
    /// Proxies whose delegation was signed anew.
    pub delegated: Vec<String>,
    /// Terminals that go on under the new certificate.
    pub kept: Vec<String>,
    /// Terminals that end with the certificate before, and when (Unix microseconds): they are invited anew.
    pub terminals: Vec<(String, i64)>,
}

impl Client {
    /// Signs anew what an earlier certificate of the office signed and still counts: delegations, each as far and as long as it went, and
    /// terminals, which go on. For an office's own HOME, opened after [`Client::renew`]. May be repeated: what this certificate signed is
    /// left alone.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn renew_papers(&self) -> Result<Papers, SdkError> {
        let mut papers = Papers::default();
        for mandate in self.mandates().await? {
            if mandate.state != MandateState::Active {
                continue;
            }
            // Registered by the operator, or signed by this certificate already.
            let Some(said) = self.said_before(&mandate, &[self.now_us()]) else { continue };
            match (&mandate.holder, said) {
                (MandateHolder::Terminal { name }, said) => match self.keep(&mandate, said).await {
                    Ok(()) => papers.kept.push(name.clone()),
                    Err(SdkError::Rejected(_)) => {
                        papers.terminals.extend(mandate.until_us.map(|until_us| (name.clone(), until_us)));
                    }
                    Err(error) => return Err(error),
                },
                (MandateHolder::Proxy { number, .. }, Statement::Delegate(said)) => {
                    self.delegate_until(*number, (said.scopes, said.confirm), said.until_us).await?;
                    papers.delegated.push(number.to_string());
                }
                (MandateHolder::Proxy { .. }, _) => {}
            }
        }
        Ok(papers)
    }

    /// Lets a terminal go on that an earlier certificate of the office let act, also one that has ended or is revoked by now: the
    /// office's word that this is its terminal. Who has the key of a revoked certificate may have invited one: the office looks at the
    /// name before it says so. Nothing to do is no error.
    ///
    /// # Errors
    /// `MANDATE_NOT_FOUND`: no terminal of that name that could go on; the relay can't be reached or refuses (`MANDATE_ENDED`: its own
    /// certificate has ended).
    pub async fn keep_terminal(&self, name: &str) -> Result<(), SdkError> {
        let has_name = |m: &Mandate| matches!(&m.holder, MandateHolder::Terminal { name: n } if n == name);
        let open = |m: &Mandate| m.state != MandateState::Ended && m.fingerprint.is_some();
        // The newest of that name stands first.
        let found = self.all_mandates().await?.into_iter().find(|m| has_name(m) && open(m));
        let mandate = found.ok_or_else(|| Refusal::of(reason::MANDATE_NOT_FOUND))?;
        if self.is_own(&mandate) {
            return Ok(());
        }
        // When it counted: before it ended, when it was last used, when it was given.
        let ended = mandate.until_us.map(|until_us| until_us - 1);
        let moments = [Some(self.now_us()), ended, mandate.last_used_us, mandate.made_us];
        let moments: Vec<i64> = moments.into_iter().flatten().filter(|at| *at <= self.now_us()).collect();
        let said = self.said_before(&mandate, &moments);
        self.keep(&mandate, said.ok_or_else(|| Refusal::of(reason::MANDATE_INVALID))?).await
    }

    /// What another certificate of the office said in a mandate's statement, if that was good at one of these times (Unix microseconds).
    fn said_before(&self, mandate: &Mandate, moments: &[i64]) -> Option<Statement> {
        if self.is_own(mandate) {
            return None;
        }
        let verified = moments.iter().find_map(|at_us| self.signed(mandate, *at_us))?;
        Statement::parse(verified.content?).ok()
    }

    /// Whether this HOME's certificate signed it.
    fn is_own(&self, mandate: &Mandate) -> bool {
        let own = self.home().identity().fingerprint();
        self.signed(mandate, self.now_us()).is_some_and(|verified| verified.signer.fingerprint == own)
    }

    fn signed<'m>(&self, mandate: &'m Mandate, at_us: i64) -> Option<VerifiedSignature<'m>> {
        let verifier = self.inner.trust.verifier();
        let verified = verifier.verify_as_of(&mandate.statement, None, at_us, self.now_us()).ok()?;
        is_office(&verified.signer.identity, self.office()).then_some(verified)
    }

    /// Signs that a terminal goes on, with the key that it has now.
    async fn keep(&self, mandate: &Mandate, said: Statement) -> Result<(), SdkError> {
        let invalid = || SdkError::from(Refusal::of(reason::MANDATE_INVALID));
        let (Statement::InviteTerminal(InviteTerminal { office, name, scopes, code_key, .. })
        | Statement::KeepTerminal(KeepTerminal { office, name, scopes, code_key, .. })) = said
        else {
            return Err(invalid());
        };
        // The code's key signed the terminal's, and each key the next one: the relay can't slip another in here.
        let chain = KeyChain::verify(&mandate.enrolment, &code_key).map_err(|_| invalid())?;
        if office != self.office() || chain.enrolment.invitation != mandate.digest {
            return Err(invalid());
        }
        let said = Statement::KeepTerminal(KeepTerminal {
            office,
            mandate: mandate.digest,
            name,
            scopes,
            code_key,
            key: chain.newest(),
            time_us: self.now_us(),
        });
        self.say(&said, &[kind::MANDATE_KEPT]).await.map(|_| ())
    }

    /// The papers that a parcel carries from here on. A terminal asks the relay whether its office has signed anew what lets it act, and
    /// takes that over, into the HOME as well, if it shows the same.
    ///
    /// # Errors
    /// The HOME can't be written. Without the relay the papers are those of the HOME.
    pub(crate) async fn papers_now(&self) -> Result<OwnPapers, SdkError> {
        let own = self.home().papers().clone();
        if self.home().config().terminal.is_none() {
            return Ok(own);
        }
        let Ok(mandates) = self.mandates().await else { return Ok(own) };
        let fingerprint = self.home().identity().fingerprint();
        let mine = mandates.into_iter().find(|mandate| mandate.fingerprint == Some(fingerprint));
        let offered = mine.map(|mandate| OwnPapers {
            delegation: None,
            invitation: Some(mandate.statement),
            enrolment: Some(mandate.enrolment),
        });
        let Some(offered) = offered.filter(|offered| *offered != own && self.shows_right(offered)) else {
            return Ok(own);
        };
        let (folder, written) = (self.home().folder().to_owned(), offered.clone());
        blocking::run(move || written.write(&folder)).await?;
        Ok(offered)
    }

    /// Whether papers show now that this HOME's key may act for its office.
    fn shows_right(&self, papers: &OwnPapers) -> bool {
        let (trust, now_us) = (&self.inner.trust, self.now_us());
        let own = self.home().identity().certificate_der();
        let Ok(signer) = trust.store().verify(own, &[], Purpose::Any, now_us) else { return false };
        // Any scope lets read the status.
        let (scope, moment) = (Scope::ReadStatus, (now_us, now_us));
        mandate::check(&signer, self.office(), scope, &papers.of_parcel(), trust.verifier(), moment).is_ok()
    }
}
