//! Whether a certificate is revoked: by the CRLs of its issuer and by answers of its OCSP responder, with a bound on
//! their age. Either may revoke; which of them must vouch for a certificate is the policy's to say.
//!
//! Two times matter. `at_us` is the time asked about; `known_us` is the present of whoever asks. They differ when a
//! parcel is checked again later. A CRL issued at or before `at_us` must be fresh then. One issued between the two
//! speaks of the earlier time too: it names what was revoked before, each entry with its date, and an entry stays at
//! least until the certificate has expired (RFC 5280 section 3.3).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, SECOND_US};
use crate::crl::Crl;
use crate::error::{CertError, CrlFault, OcspFault, Position};
use crate::ocsp::{self, OcspAnswer};

/// What to do when revocation data leaves a doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDoubt {
    /// Refuse the certificate.
    #[default]
    Refuse,
    /// Accept it, with a [`Warning`].
    Warn,
}

/// What answers of OCSP responders are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OcspUse {
    /// They are not looked at.
    Off,
    /// One vouches for a certificate that no fresh CRL vouches for. A revocation counts from either.
    #[default]
    Fallback,
    /// One is needed for every end entity's certificate, whatever the CRLs say. CAs' are as in `fallback`.
    Require,
}

/// How revocation is decided.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RevocationPolicy {
    /// When the newest CRL is too old.
    pub on_stale: OnDoubt,
    /// When an issuer in the chain has no CRL at all. `warn` is for CAs that publish none.
    pub on_missing: OnDoubt,
    /// A CRL older than this, in seconds since its `thisUpdate`, is stale even before its `nextUpdate`.
    pub max_crl_age_s: u32,
    /// What answers of OCSP responders are for.
    pub ocsp: OcspUse,
    /// When an answer is required and there is none that can be used: refuse, or go by the CRLs alone.
    pub on_no_answer: OnDoubt,
    /// An answer older than this, in seconds since its `thisUpdate`, is stale even before its `nextUpdate`.
    pub max_ocsp_age_s: u32,
    /// [`TrustStore::revocation_alarms`](crate::trust::TrustStore::revocation_alarms) speaks up this many seconds
    /// before a CRL becomes stale.
    pub alarm_before_s: u32,
    /// An operator's override: until this time (Unix microseconds) a stale CRL is accepted with a [`Warning`].
    /// Not part of a configuration file: it is given, with its time limit, by an audited command.
    #[serde(skip)]
    pub override_until_us: Option<i64>,
}

impl Default for RevocationPolicy {
    /// Refuse; a CRL serves for 8 days (a weekly CRL and one day to publish it), the alarm comes 2 days before.
    fn default() -> Self {
        Self {
            on_stale: OnDoubt::Refuse,
            on_missing: OnDoubt::Refuse,
            max_crl_age_s: 8 * 86_400,
            ocsp: OcspUse::Fallback,
            on_no_answer: OnDoubt::Refuse,
            max_ocsp_age_s: 86_400,
            alarm_before_s: 2 * 86_400,
            override_until_us: None,
        }
    }
}

/// What was accepted but should be seen by somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The CRL that covers this certificate is stale; the policy says to go on.
    CrlStale(Position),
    /// The CRL that covers this certificate is stale; an operator's override is in force.
    CrlStaleOverridden(Position),
    /// No CRL covers this certificate; the policy says to go on.
    CrlMissing(Position),
    /// An OCSP answer about this certificate was required, and there was none; the policy or an override says to go on.
    OcspMissing(Position),
    /// The certificate was revoked later than the time asked about: from this time on (Unix microseconds).
    RevokedLater(Position, i64),
}

/// What is wrong, or soon will be, with the CRL of a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationAlarm {
    /// The CA's name as text.
    pub issuer: String,
    /// What is wrong.
    pub state: AlarmState,
}

/// How old the CRLs of a CA are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationAge {
    /// The CA's common name and the first eight hexadecimal digits of its key's SHA-256: it names a CA that the
    /// operator configured, never a certificate's holder.
    pub issuer: String,
    /// When its CRL was issued, Unix microseconds; of several for different certificates, the oldest.
    pub this_update_us: i64,
    /// The last microsecond at which it is fresh, by its `nextUpdate` and by the policy; of several, the first to end.
    pub fresh_until_us: i64,
}

/// The kinds of [`RevocationAlarm`], the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlarmState {
    /// A configured CA has no CRL.
    Missing,
    /// The newest CRL cannot be used.
    Unusable(CrlFault),
    /// The newest CRL is stale since this time (Unix microseconds).
    StaleSince(i64),
    /// The newest CRL becomes stale at this time (Unix microseconds), within the policy's `alarm_before_s`.
    StaleFrom(i64),
}

/// The two times of a question: what was true at `at_us`, as far as is known at `known_us` (Unix microseconds).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) at_us: i64,
    pub(crate) known_us: i64,
}

/// That a certificate is not revoked, and for how long that is known.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// The CRLs relied on.
    pub(crate) crls: Vec<[u8; 32]>,
    /// The answer holds from here, Unix microseconds.
    pub(crate) from_us: Option<i64>,
    /// The answer holds until here, Unix microseconds.
    pub(crate) until_us: Option<i64>,
    pub(crate) warnings: Vec<Warning>,
}

impl Standing {
    /// Both hold: what both rely on, for as long as both do.
    fn and(mut self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        self.crls.extend(other.crls);
        self.warnings.extend(other.warnings);
        self.from_us = self.from_us.max(other.from_us);
        if let Some(until) = other.until_us {
            self.no_longer_than(until);
        }
        self
    }

    pub(crate) fn no_longer_than(&mut self, until_us: i64) {
        self.until_us = Some(self.until_us.map_or(until_us, |earlier| earlier.min(until_us)));
    }
}

impl RevocationPolicy {
    /// The last microsecond at which `crl` is fresh.
    pub(crate) fn fresh_until_us(&self, crl: &Crl) -> i64 {
        let aged_us =
            crl.this_update_us.saturating_add(i64::from(self.max_crl_age_s).saturating_mul(SECOND_US));
        aged_us.min(crl.next_update_us)
    }

    /// The last microsecond at which an answer is fresh.
    pub(crate) fn answer_until_us(&self, word: ocsp::Word<'_>) -> i64 {
        let age_us = i64::from(self.max_ocsp_age_s).saturating_mul(SECOND_US);
        let aged_us = word.this_update_us().saturating_add(age_us);
        word.next_update_us().map_or(aged_us, |next| aged_us.min(next))
    }

    /// Decides on the certificate at `position`, which `issuer` issued, by CRLs and by answers about it.
    pub(crate) fn check(
        &self,
        crls: &[Crl],
        answers: &[Arc<OcspAnswer>],
        certificate: &Certificate,
        issuer: &Certificate,
        position: Position,
        moment: Moment,
    ) -> Result<Standing, CertError> {
        let case = Case { crls, certificate, issuer, position, moment };
        let lists = crls.iter().filter(|crl| crl.is_from(issuer) && crl.covers(certificate)).map(Word::List);
        let by_list = self.judge(lists.collect(), Source::Lists, case);
        let revoked = CertError::CertificateRevoked(position);
        if self.ocsp == OcspUse::Off || by_list.as_ref().is_err_and(|error| *error == revoked) {
            return by_list;
        }
        let about = answers.iter().filter_map(|answer| answer.about(certificate, issuer)).map(Word::Answer);
        let by_answer = self.judge(about.collect(), Source::Answers, case);
        if by_answer.as_ref().is_err_and(|error| *error == revoked) {
            return by_answer;
        }
        if self.ocsp == OcspUse::Require && !certificate.is_ca {
            return match by_answer {
                Ok(standing) => Ok(standing.and(by_list.ok())),
                Err(error) => self.without_answer(error, by_list, position, moment),
            };
        }
        match by_list {
            Ok(standing) => Ok(standing),
            // Where there is no list and never was an answer, the list is what is missing.
            Err(error) => by_answer.map_err(|other| match other {
                CertError::OcspMissing(_) if certificate.ocsp_url.is_none() => error,
                other if error == CertError::CrlMissing(position) => other,
                _ => error,
            }),
        }
    }

    /// What holds where an answer is required and there is none that can be used.
    fn without_answer(
        &self,
        error: CertError,
        by_list: Result<Standing, CertError>,
        position: Position,
        moment: Moment,
    ) -> Result<Standing, CertError> {
        let overridden = self.override_until_us.filter(|until| moment.known_us <= *until);
        if self.on_no_answer == OnDoubt::Refuse && overridden.is_none() {
            return Err(error);
        }
        let mut standing = by_list?;
        if let (OnDoubt::Refuse, Some(until)) = (self.on_no_answer, overridden) {
            standing.no_longer_than(until);
        }
        standing.warnings.push(Warning::OcspMissing(position));
        Ok(standing)
    }

    /// Decides by words of one kind.
    fn judge(&self, words: Vec<Word<'_>>, source: Source, case: Case<'_>) -> Result<Standing, CertError> {
        let Case { certificate, position, moment, .. } = case;
        let mut standing = Standing::default();
        let mut usable = Vec::new();
        let mut fault = None;
        for word in newest_first(words) {
            match word.usability(case) {
                Ok(()) => usable.push(word),
                Err(found) => {
                    // Whoever remembers the answer must ask again when this word's time comes: it may revoke.
                    if found.is_of_the_future() {
                        standing.no_longer_than(word.this_update_us().saturating_sub(1));
                    }
                    fault = fault.or(Some(found));
                }
            }
        }
        if let (true, Some(fault)) = (usable.is_empty(), fault) {
            return Err(fault.at(position));
        }
        let (later, before): (Vec<Word<'_>>, Vec<Word<'_>>) =
            usable.into_iter().partition(|word| word.this_update_us() > moment.at_us);
        // Of the words that were there at the time only the newest counts: a hold may have been lifted since an older.
        if let Some(newest) = before.first() {
            // It counts whatever the date in it: a CA that lists a certificate has withdrawn it.
            if newest.revoked_since_us(certificate).is_some() {
                return Err(CertError::CertificateRevoked(position));
            }
            standing.crls.push(newest.fingerprint());
            standing.from_us = Some(newest.this_update_us());
        }
        for word in &later {
            standing.crls.push(word.fingerprint());
            match word.revoked_since_us(certificate) {
                Some(since) if since <= moment.at_us => return Err(CertError::CertificateRevoked(position)),
                Some(since) => {
                    standing.no_longer_than(since.saturating_sub(1));
                    standing.warnings.push(Warning::RevokedLater(position, since));
                }
                None => {}
            }
        }
        self.age(before.first().copied(), &later, source, case, standing)
    }

    /// Adds to `standing` what the age of the words allows.
    fn age(
        &self,
        newest: Option<Word<'_>>,
        later: &[Word<'_>],
        source: Source,
        case: Case<'_>,
        mut standing: Standing,
    ) -> Result<Standing, CertError> {
        let Case { certificate, position, moment, .. } = case;
        let fresh_until_us =
            newest.map(|word| word.fresh_until_us(self)).filter(|until| moment.at_us <= *until);
        if let Some(until) = fresh_until_us {
            standing.no_longer_than(until);
            return Ok(standing);
        }
        // The entry of an expired certificate may be gone from what was issued after it expired.
        if let Some(word) = later.iter().rev().find(|word| word.this_update_us() <= certificate.not_after_us)
        {
            standing.no_longer_than(word.this_update_us());
            return Ok(standing);
        }
        if source == Source::Answers {
            return Err(match newest {
                None => CertError::OcspMissing(position),
                Some(_) => CertError::OcspStale(position),
            });
        }
        if newest.is_none() {
            standing.warnings.push(Warning::CrlMissing(position));
            return match self.on_missing {
                OnDoubt::Refuse => Err(CertError::CrlMissing(position)),
                OnDoubt::Warn => Ok(standing),
            };
        }
        if self.on_stale == OnDoubt::Warn {
            standing.warnings.push(Warning::CrlStale(position));
            return Ok(standing);
        }
        match self.override_until_us {
            Some(until) if moment.known_us <= until => {
                standing.no_longer_than(until);
                standing.warnings.push(Warning::CrlStaleOverridden(position));
                Ok(standing)
            }
            _ => Err(CertError::CrlStale(position)),
        }
    }

    /// The alarm for one CA at `now_us`, from the CRLs that name it as their issuer.
    pub(crate) fn alarm(&self, crls: &[Crl], issuer: &Certificate, now_us: i64) -> Option<AlarmState> {
        let current = current(crls, issuer);
        if current.is_empty() {
            return Some(AlarmState::Missing);
        }
        let states = current.into_iter().filter_map(|crl| {
            if let Err(fault) = usability(crl, issuer, Moment { at_us: now_us, known_us: now_us }) {
                return Some((i64::MIN, AlarmState::Unusable(fault)));
            }
            let until = self.fresh_until_us(crl);
            let alarm_from = until.saturating_sub(i64::from(self.alarm_before_s).saturating_mul(SECOND_US));
            match now_us {
                now if now > until => Some((until, AlarmState::StaleSince(until.saturating_add(1)))),
                now if now >= alarm_from => Some((until, AlarmState::StaleFrom(until.saturating_add(1)))),
                _ => None,
            }
        });
        states.min_by_key(|(until, _)| *until).map(|(_, state)| state)
    }

    /// The age of one CA's CRLs. `None`: it has none.
    pub(crate) fn age_of_lists(&self, crls: &[Crl], issuer: &Certificate) -> Option<RevocationAge> {
        let current = current(crls, issuer);
        Some(RevocationAge {
            issuer: issuer.short_name(),
            this_update_us: current.iter().map(|crl| crl.this_update_us).min()?,
            fresh_until_us: current.iter().map(|crl| self.fresh_until_us(crl)).min()?,
        })
    }
}

/// The CRLs of `issuer` that no newer one replaces. A CA may split its certificates over several lists.
fn current<'c>(crls: &'c [Crl], issuer: &Certificate) -> Vec<&'c Crl> {
    let mut own: Vec<&Crl> = crls.iter().filter(|crl| crl.is_from(issuer)).collect();
    own.sort_by_key(|crl| std::cmp::Reverse(crl.this_update_us));
    let replaced = |at: usize| own[..at].iter().any(|newer| newer.replaces(own[at]));
    (0..own.len()).filter(|at| !replaced(*at)).map(|at| own[at]).collect()
}

fn newest_first(mut words: Vec<Word<'_>>) -> Vec<Word<'_>> {
    words.sort_by_key(|word| std::cmp::Reverse(word.this_update_us()));
    words
}

/// The certificate that is decided on, and when.
#[derive(Clone, Copy)]
struct Case<'a> {
    /// All lists that are held.
    crls: &'a [Crl],
    certificate: &'a Certificate,
    issuer: &'a Certificate,
    position: Position,
    moment: Moment,
}

/// Whether a list of the issuer's names the certificate of a responder, by the time in question. Where there is no list the issuer's
/// signature on that certificate counts (RFC 6960 section 4.2.2.2.1 leaves that to who asks).
pub(crate) fn has_revoked(
    crls: &[Crl],
    issuer: &Certificate,
    responder: &Certificate,
    moment: Moment,
) -> bool {
    let lists = crls.iter().filter(|crl| crl.is_from(issuer) && crl.covers(responder));
    lists
        .filter(|crl| usability(crl, issuer, moment).is_ok())
        .any(|crl| crl.revoked_since_us(responder).is_some_and(|since_us| since_us <= moment.at_us))
}

/// Which kind of words is decided by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Lists,
    Answers,
}

/// What says whether a certificate is revoked: a CRL, or an OCSP answer, which is as good as a CRL for one certificate.
#[derive(Clone, Copy)]
enum Word<'a> {
    List(&'a Crl),
    Answer(ocsp::Word<'a>),
}

/// Why a word cannot be used.
#[derive(Clone, Copy)]
enum Fault {
    List(CrlFault),
    Answer(OcspFault),
}

impl Fault {
    fn is_of_the_future(self) -> bool {
        matches!(self, Self::List(CrlFault::NotYetValid) | Self::Answer(OcspFault::FromTheFuture))
    }

    fn at(self, position: Position) -> CertError {
        match self {
            Self::List(fault) => CertError::CrlInvalid(position, fault),
            Self::Answer(fault) => CertError::OcspInvalid(position, fault),
        }
    }
}

impl Word<'_> {
    fn usability(&self, case: Case<'_>) -> Result<(), Fault> {
        match self {
            Self::List(crl) => usability(crl, case.issuer, case.moment).map_err(Fault::List),
            Self::Answer(word) => {
                let responder = word.usability(case.issuer, case.moment).map_err(Fault::Answer)?;
                let Case { crls, issuer, moment, .. } = case;
                let fallen = responder.is_some_and(|one| has_revoked(crls, issuer, one, moment));
                if fallen { Err(Fault::Answer(OcspFault::ResponderRevoked)) } else { Ok(()) }
            }
        }
    }

    fn this_update_us(&self) -> i64 {
        match self {
            Self::List(crl) => crl.this_update_us,
            Self::Answer(word) => word.this_update_us(),
        }
    }

    fn fresh_until_us(&self, policy: &RevocationPolicy) -> i64 {
        match self {
            Self::List(crl) => policy.fresh_until_us(crl),
            Self::Answer(word) => policy.answer_until_us(*word),
        }
    }

    fn fingerprint(&self) -> [u8; 32] {
        match self {
            Self::List(crl) => crl.fingerprint,
            Self::Answer(word) => word.answer.fingerprint,
        }
    }

    fn revoked_since_us(&self, certificate: &Certificate) -> Option<i64> {
        match self {
            Self::List(crl) => crl.revoked_since_us(certificate),
            Self::Answer(word) => word.revoked_since_us(),
        }
    }
}

/// Whether a CRL may be relied on at all.
pub(crate) fn usability(crl: &Crl, issuer: &Certificate, moment: Moment) -> Result<(), CrlFault> {
    if let Some(fault) = crl.fault {
        return Err(fault);
    }
    if crl.this_update_us > moment.known_us {
        return Err(CrlFault::NotYetValid);
    }
    // RFC 5280 section 6.3.3 (f): where key usage is present it must include cRLSign.
    if issuer.key_usage.is_some_and(|usage| !usage.crl_sign()) {
        return Err(CrlFault::IssuerWithoutCrlSign);
    }
    if crl.is_signed_by(issuer) { Ok(()) } else { Err(CrlFault::BadSignature) }
}
