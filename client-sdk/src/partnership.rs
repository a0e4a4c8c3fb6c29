//! Whom the own office deals with, and what it takes: partners by invitation and acceptance (招待・承諾), and its declared profile.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::accepts::accepted;
use tasuki_proto::event::kind;
use tasuki_proto::membership::{Membership, MembershipWord, PartnerStep};
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, time};

use crate::client::Client;
use crate::error::{ConfigError, SdkError, VerificationError, words};

/// Pages of a list that are read.
const MAX_PAGES: usize = 1_000;

/// A partner, or an open invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// The other office.
    pub office: OfficeNumber,
    /// Its name in the directory.
    pub name: String,
    /// Both agreed; else one has only invited the other.
    pub linked: bool,
    /// The own office invited.
    pub invited_by_us: bool,
    /// Since when, Unix microseconds.
    pub since_us: Option<i64>,
}

/// Partners, and whether they matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partnerships {
    /// In the order of their numbers.
    pub partners: Vec<Partner>,
    /// Only partners may exchange at this relay.
    pub linked_only: bool,
}

impl Client {
    /// Invites an office to be a partner. Where it has invited the own one, both are partners then.
    ///
    /// # Errors
    /// The relay can't be reached or refuses (`RECIPIENT_UNKNOWN`, `RECIPIENT_LEFT`, …), or this HOME is not the office's own.
    pub async fn invite_partner(&self, partner: OfficeNumber) -> Result<(), SdkError> {
        self.say_to_partner(partner, PartnerStep::Invite, &[kind::PARTNER_INVITED, kind::PARTNER_LINKED])
            .await
    }

    /// Accepts an office's invitation.
    ///
    /// # Errors
    /// As [`Client::invite_partner`]; `NO_INVITATION`.
    pub async fn accept_partner(&self, partner: OfficeNumber) -> Result<(), SdkError> {
        self.say_to_partner(partner, PartnerStep::Accept, &[kind::PARTNER_LINKED]).await
    }

    /// Ends a partnership, or declines or takes back an invitation.
    ///
    /// # Errors
    /// As [`Client::accept_partner`].
    pub async fn end_partner(&self, partner: OfficeNumber) -> Result<(), SdkError> {
        self.say_to_partner(partner, PartnerStep::End, &[kind::PARTNER_ENDED]).await
    }

    /// The own office's partners and open invitations.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn partners(&self) -> Result<Partnerships, SdkError> {
        let caller = &self.inner.caller;
        let (mut all, mut token) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let request = pb::ListPartnersRequest { page_size: 0, page_token: token };
            let answer = caller.repeat(|| {
                let (mut partners, request) = (caller.partners(), request.clone());
                async move { partners.list(request).await }
            });
            let answer = answer.await?;
            for partner in answer.partners {
                let office = partner.office.parse();
                all.push(Partner {
                    office: office.map_err(|_| VerificationError::Incomplete("a partner's number"))?,
                    name: partner.name,
                    linked: partner.state == "linked",
                    invited_by_us: partner.invited_by_us,
                    since_us: time::parse_us(&partner.since),
                });
            }
            if answer.next_page_token.is_empty() {
                return Ok(Partnerships { partners: all, linked_only: answer.linked_only });
            }
            token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }

    /// Declares what the own office takes: editions of the standard (`csv-4.1`) and formats of attachments (`pdf`), separated by
    /// commas. From then on the relay takes nothing else for it. Gives the words as they were declared; the operator may have to
    /// agree first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses, this HOME is not the office's own, or the words are none.
    pub async fn declare_profile(&self, accepts: &str) -> Result<Vec<String>, SdkError> {
        let Some(accepts) = accepted(accepts).filter(|words| !words.is_empty()) else {
            let message = words(
                "受け取れるものは csv-4.1,csv-3.2,pdf のように指定してください",
                "what is taken is given like csv-4.1,csv-3.2,pdf",
            );
            return Err(ConfigError::Argument(message).into());
        };
        let word = MembershipWord::Profile { accepts: accepts.clone() };
        let said = Membership { office: self.office(), word, time_us: self.now_us() };
        self.say(&Statement::Membership(said), &[kind::OFFICE_DECLARED]).await?;
        Ok(accepts)
    }

    async fn say_to_partner(
        &self,
        partner: OfficeNumber,
        step: PartnerStep,
        kinds: &[&str],
    ) -> Result<(), SdkError> {
        let word = MembershipWord::Partner { partner, step };
        let said = Membership { office: self.office(), word, time_us: self.now_us() };
        self.say(&Statement::Membership(said), kinds).await.map(|_| ())
    }
}
