//! Taking part: applying to join (利用申請), confirming with a code, leaving, and how the own office stands.

use tasuki_proto::event::{Event, kind};
use tasuki_proto::evidence;
use tasuki_proto::membership::{Membership, MembershipWord, is_office_name};
use tasuki_proto::pb;
use tasuki_proto::statement::Statement;

use crate::client::Client;
use crate::error::{ConfigError, SdkError, VerificationError, words};

/// How the own office stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name in the directory; empty: it is not there.
    pub name: String,
    /// `none`, `listed`, `applied`, `active`, `suspended` or `left`; a word of a later relay stands for itself.
    pub state: String,
    /// Of the last application: `open`, `approved` or `rejected`; empty: there was none, or it is over.
    pub application: String,
    /// Why it was rejected, in the operator's words.
    pub reason: String,
    /// The application is to be confirmed with the code that comes by post or telephone.
    pub code_needed: bool,
    /// Nothing was changed: it had been done before.
    pub repeated: bool,
    /// The office left, and its mailbox is still being cleared.
    pub clearing: bool,
    /// What was erased on its request: the event, as the relay's log has it.
    pub erasure: Option<Event>,
}

impl Standing {
    /// The office takes part.
    pub fn active(&self) -> bool {
        self.state == "active"
    }
}

impl Client {
    /// Applies to join. `name` helps an operator whose list does not have the office; it may be empty. Running it again is safe.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// let standing = client.join("ひまわり訪問介護").await?;
    /// if standing.code_needed {
    ///     println!("A code comes by post: client.confirm(code)");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses (`JOINING_CLOSED`, `CALLER_SUSPENDED`, `TOO_MANY_APPLICATIONS`, …), or this HOME is
    /// not the office's own.
    pub async fn join(&self, name: &str) -> Result<Standing, SdkError> {
        if !is_office_name(name) {
            let message =
                words("事業所の名称は100文字までの1行です", "the name is one line of at most 100 characters");
            return Err(ConfigError::Argument(message).into());
        }
        let statement = self.sign_membership(MembershipWord::Join { name: name.to_owned() }).await?;
        let caller = &self.inner.caller;
        let request = pb::ApplyRequest { statement };
        let answer = caller.repeat(|| {
            let (mut membership, request) = (caller.membership(), request.clone());
            async move { membership.apply(request).await }
        });
        self.read_standing(answer.await?)
    }

    /// Confirms the application with the code that came by post or telephone.
    ///
    /// # Errors
    /// The relay can't be reached or refuses: `JOIN_CODE_WRONG`, `JOIN_CODE_OVER`, `JOIN_CODE_LOCKED`, `NO_APPLICATION`.
    pub async fn confirm(&self, code: &str) -> Result<Standing, SdkError> {
        let caller = &self.inner.caller;
        let request = pb::ConfirmRequest { code: code.to_owned() };
        // Once only: a wrong code counts each time that it is tried.
        let mut membership = caller.membership();
        let answer = caller.once(async move { membership.confirm(request).await });
        self.read_standing(answer.await?)
    }

    /// Leaves: from now on nothing goes to or from this office, and what waits for it goes back to its senders. With `erase` the
    /// relay erases what it keeps of the office, as far as it is nobody else's evidence; [`Client::standing`] then has the event
    /// that says so.
    ///
    /// # Errors
    /// The relay can't be reached or refuses (`CALLER_SUSPENDED`, `STATEMENT_OLD`), or this HOME is not the office's own.
    pub async fn leave(&self, erase: bool) -> Result<Standing, SdkError> {
        let statement = self.sign_membership(MembershipWord::Leave { erase }).await?;
        let caller = &self.inner.caller;
        let request = pb::LeaveRequest { statement };
        let answer = caller.repeat(|| {
            let (mut membership, request) = (caller.membership(), request.clone());
            async move { membership.leave(request).await }
        });
        self.read_standing(answer.await?)
    }

    /// How the own office stands, whether it takes part or not.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn standing(&self) -> Result<Standing, SdkError> {
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut membership = caller.membership();
            async move { membership.get_standing(pb::GetStandingRequest {}).await }
        });
        self.read_standing(answer.await?)
    }

    async fn sign_membership(&self, word: MembershipWord) -> Result<bytes::Bytes, SdkError> {
        let said = Membership { office: self.office(), word, time_us: self.now_us() };
        self.sign(&Statement::Membership(said)).await
    }

    fn read_standing(&self, standing: pb::Standing) -> Result<Standing, SdkError> {
        Ok(Standing {
            name: standing.name,
            state: standing.state,
            application: standing.application,
            reason: standing.reason,
            code_needed: standing.code_needed,
            repeated: standing.repeated,
            clearing: standing.clearing,
            erasure: standing.erasure.map(|evidence| self.read_erasure(&evidence)).transpose()?,
        })
    }

    /// The event of an erasure, under a checkpoint of the pinned log. Who left can't ask how that goes on from the last one seen.
    fn read_erasure(&self, erasure: &pb::Evidence) -> Result<Event, SdkError> {
        let checkpoint = self.pinned_log()?.open(&erasure.checkpoint).map_err(VerificationError::Log)?;
        let proven = evidence::check(erasure, &checkpoint).map_err(VerificationError::Evidence)?;
        if proven.event.kind != kind::OFFICE_ERASED || proven.event.office("office") != Some(self.office()) {
            return Err(VerificationError::Event("it is no event of this office's erasure").into());
        }
        Ok(proven.event)
    }
}
