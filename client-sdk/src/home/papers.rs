//! The papers of a HOME that is not the office's own: what shows that it may act for the office.
//!
//! ```text
//! mandate/delegation.p7s   the office's delegation to the proxy
//! mandate/invitation.p7s   the office's invitation of the terminal, or what a later certificate of it signed in its place
//! mandate/enrolment.txt    the terminal's key, signed with the invitation's, and its renewals
//! ```

use std::path::Path;

use tasuki_proto::mandate::Papers;

use crate::error::SdkError;
use crate::files::{self, Access};

const DELEGATION: &str = "mandate/delegation.p7s";
const INVITATION: &str = "mandate/invitation.p7s";
const ENROLMENT: &str = "mandate/enrolment.txt";

/// The papers, as they lie in the HOME. An office's own has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnPapers {
    pub(crate) delegation: Option<Vec<u8>>,
    pub(crate) invitation: Option<Vec<u8>>,
    pub(crate) enrolment: Option<Vec<u8>>,
}

impl OwnPapers {
    pub(crate) fn read(home: &Path) -> Result<Self, SdkError> {
        let read = |name: &str| files::read_if_exists(&home.join(name));
        Ok(Self { delegation: read(DELEGATION)?, invitation: read(INVITATION)?, enrolment: read(ENROLMENT)? })
    }

    /// Puts them into a HOME, in place of earlier ones, durably.
    pub(crate) fn write(&self, home: &Path) -> Result<(), SdkError> {
        self.write_by(home, files::write_durably)
    }

    fn write_by(
        &self,
        home: &Path,
        write: fn(&Path, &[u8], Access) -> Result<(), SdkError>,
    ) -> Result<(), SdkError> {
        files::create_private_folder(&home.join("mandate"))?;
        for (name, paper) in
            [(DELEGATION, &self.delegation), (INVITATION, &self.invitation), (ENROLMENT, &self.enrolment)]
        {
            match paper {
                Some(bytes) => write(&home.join(name), bytes, Access::Owner)?,
                None => files::remove(&home.join(name))?,
            }
        }
        Ok(())
    }

    /// Puts them into a HOME, unless the very same are there. What a power cut makes of them is no loss: the relay hands them out again.
    pub(crate) fn keep_up(&self, home: &Path) -> Result<(), SdkError> {
        if Self::read(home)? == *self { Ok(()) } else { self.write_by(home, files::write_lightly) }
    }

    /// With a renewal of the terminal's key behind the others.
    pub(crate) fn renewed_with(&self, renewal: &[u8]) -> Self {
        let enrolment = self.enrolment.as_ref().map(|enrolment| [enrolment.as_slice(), renewal].concat());
        Self { enrolment, ..self.clone() }
    }

    /// As a parcel carries them.
    pub(crate) fn of_parcel(&self) -> Papers<'_> {
        Papers {
            delegation: self.delegation.as_deref(),
            invitation: self.invitation.as_deref(),
            enrolment: self.enrolment.as_deref(),
        }
    }
}
