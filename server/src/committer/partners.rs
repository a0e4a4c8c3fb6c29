//! Whom an office deals with, and what it takes: partners by invitation and acceptance (招待・承諾), and declared profiles.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::membership::PartnerStep;
use tasuki_proto::reason;

use super::apply::{Answer, Applied, Draft};
use super::batch::GiveUp;
use super::change::{Paper, Profiling, Refused};
use super::events::Entry;
use super::membership::{because, is_old, repeated};
use crate::store::Tx;
use crate::store::partners::{LinkRow, LinkState, ProfileRow, ordered};

/// Invitations of one office that nobody answered: more than any office has partners.
const MAX_INVITATIONS: i64 = 1_000;

/// What one office says to another about being partners; its signature was verified.
#[derive(Debug)]
pub struct Partnering {
    /// Who speaks.
    pub office: OfficeNumber,
    /// To whom.
    pub partner: OfficeNumber,
    /// What.
    pub step: PartnerStep,
    /// When it was signed, by the signer's clock. Unix microseconds.
    pub said_us: i64,
    /// Who signed, as events name it.
    pub by: String,
    /// The signed word.
    pub paper: Paper,
}

impl Draft<'_> {
    pub(super) async fn partner(&mut self, tx: &mut Tx, said: &Partnering) -> Answer {
        let Partnering { office, partner, step, said_us, .. } = said;
        let (office, partner) = (*office, *partner);
        if office == partner {
            return because(reason::RECIPIENT_IS_SENDER);
        }
        if self.store.has_office_statement(tx, &sha256(&said.paper.cms)).await? {
            return repeated();
        }
        let known = self.store.link_in(tx, office, partner).await?;
        if is_old(*said_us, known.map_or(0, |link| link.since_us)) {
            return because(reason::STATEMENT_OLD);
        }
        let known = known.filter(|link| link.state != LinkState::Ended);
        let next = match (step, known.map(|link| (link.state, link.inviter == office))) {
            (PartnerStep::Invite | PartnerStep::Accept, Some((LinkState::Linked, _)))
            | (PartnerStep::Invite, Some((LinkState::Invited, true))) => return repeated(),
            // Who invites whom has invited it agrees.
            (PartnerStep::Invite | PartnerStep::Accept, Some((LinkState::Invited, false))) => {
                LinkState::Linked
            }
            (PartnerStep::Invite, _) => LinkState::Invited,
            (PartnerStep::Accept, _) | (PartnerStep::End, None) => return because(reason::NO_INVITATION),
            (PartnerStep::End, Some(_)) => LinkState::Ended,
        };
        if next != LinkState::Ended {
            let other = self.store.office_in(tx, partner).await?;
            let word = other.map_or(Some(reason::RECIPIENT_UNKNOWN), |o| o.state.refuses_as_recipient());
            if let Some(word) = word {
                return because(word);
            }
        }
        if next == LinkState::Invited && self.store.invitations_in(tx, office).await? >= MAX_INVITATIONS {
            return because(reason::TOO_MANY_INVITATIONS);
        }
        let (first, second) = ordered(office, partner);
        let inviter = known.map_or(office, |link| link.inviter);
        let row = LinkRow { first, second, state: next, inviter, since_us: self.scribe.time_us };
        self.keep_word(tx, office, step.as_str(), &said.paper).await?;
        let written = self.put_link(tx, &row, office, &said.by, Some(&said.paper)).await?;
        Ok(Ok(Applied::event(written)))
    }

    /// Ends all of an office's partnerships and invitations.
    pub(super) async fn end_links(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        by: &str,
    ) -> Result<(), GiveUp> {
        for link in self.store.links_in(tx, office).await? {
            let row = LinkRow { state: LinkState::Ended, since_us: self.scribe.time_us, ..link };
            self.put_link(tx, &row, office, by, None).await?;
        }
        Ok(())
    }

    /// Writes how two offices stand to each other, with an event in both feeds.
    async fn put_link(
        &mut self,
        tx: &mut Tx,
        row: &LinkRow,
        office: OfficeNumber,
        by: &str,
        paper: Option<&Paper>,
    ) -> Result<Entry, GiveUp> {
        self.store.put_link(tx, row).await?;
        let kind = match row.state {
            LinkState::Invited => kind::PARTNER_INVITED,
            LinkState::Linked => kind::PARTNER_LINKED,
            LinkState::Ended => {
                // What was checked before that is looked at again, under the lock.
                self.head.directory += 1;
                kind::PARTNER_ENDED
            }
        };
        let both = [row.first, row.second];
        self.ends.load(self.store, tx, self.scribe.epoch, both).await?;
        Ok(self.scribe.write(kind, 0, &both, self.ends, |event| {
            event.lines.add("office", office.as_str());
            event.lines.add("partner", row.other(office).as_str());
            event.lines.add("by", by);
            if let Some(paper) = paper {
                event.lines.add("signer", &digest_text(&paper.signer));
                event.lines.add("statement", &digest_text(&sha256(&paper.cms)));
            }
        })?)
    }

    pub(super) async fn profile(&mut self, tx: &mut Tx, profiling: &Profiling) -> Answer {
        match profiling {
            Profiling::Declare { office, accepts, said_us, by, paper, approval } => {
                let (office, digest) = (*office, sha256(&paper.cms));
                if self.store.has_office_statement(tx, &digest).await? {
                    return repeated();
                }
                let last = self.store.last_office_statement(tx, office, "profile").await?;
                if is_old(*said_us, last) {
                    return because(reason::STATEMENT_OLD);
                }
                self.keep_word(tx, office, "profile", paper).await?;
                if *approval {
                    let made_us = self.scribe.time_us;
                    let row =
                        ProfileRow { office, accepts: accepts.clone(), digest: digest.to_vec(), made_us };
                    self.store.put_profile(tx, &row).await?;
                } else {
                    self.declared(tx, office, accepts).await?;
                }
                self.told(kind::OFFICE_DECLARED, office, by, |event| {
                    event.lines.add("accepts", &accepts.join(","));
                    event.lines.add("approval", if *approval { "needed" } else { "not-needed" });
                    event.lines.add("signer", &digest_text(&paper.signer));
                    event.lines.add("statement", &digest_text(&digest));
                })
            }
            Profiling::Decide { office, approve } => {
                let Some(row) = self.store.profile_in(tx, *office).await? else {
                    return Ok(Err(Refused::Because(reason::NO_DECLARATION)));
                };
                self.store.remove_profile(tx, *office).await?;
                if *approve {
                    self.declared(tx, *office, &row.accepts).await?;
                }
                let kind =
                    if *approve { kind::OFFICE_PROFILE_APPROVED } else { kind::OFFICE_PROFILE_REJECTED };
                self.told(kind, *office, "operator", |event| {
                    event.lines.add("accepts", &row.accepts.join(","));
                })
            }
        }
    }

    async fn declared(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        accepts: &[String],
    ) -> Result<(), GiveUp> {
        self.head.directory += 1;
        let when = (self.scribe.time_us, self.head.directory);
        self.store.remove_profile(tx, office).await?;
        Ok(self.store.declare_accepts(tx, office, accepts, when).await?)
    }
}
