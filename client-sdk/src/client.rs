//! The client: one HOME, one connection.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::pb;

use crate::clock::Clock;
use crate::directory::{Office, RelayInfo};
use crate::error::{SdkError, VerificationError};
use crate::home::Home;
use crate::transport::{self, Caller};

/// A HOME at work. Cheap to clone; clones share the connection.
///
/// ```no_run
/// use std::sync::Arc;
/// use tasuki_sdk::{Client, Home, SystemClock};
///
/// # async fn run() -> Result<(), tasuki_sdk::SdkError> {
/// let client = Client::open(Home::open("/var/lib/tasuki/1371215102".as_ref())?, Arc::new(SystemClock))?;
/// for parcel in client.inbox().await? {
///     println!("{} from {}: {}", parcel.key.id, parcel.sender_name, parcel.words().ja);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) home: Home,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) caller: Caller,
}

impl Client {
    /// Sets up a client. Nothing is connected before the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If settings, keys or trust of the HOME can't be used.
    pub fn open(home: Home, clock: Arc<dyn Clock>) -> Result<Self, SdkError> {
        let caller = transport::caller(&home)?;
        Ok(Self { inner: Arc::new(Inner { home, clock, caller }) })
    }

    /// Sets up a client and makes contact: see [`Client::relay`].
    ///
    /// # Errors
    /// As [`Client::open`] and [`Client::relay`].
    pub async fn connect(home: Home, clock: Arc<dyn Clock>) -> Result<Self, SdkError> {
        let client = Self::open(home, clock)?;
        client.relay().await?;
        Ok(client)
    }

    /// The HOME.
    pub fn home(&self) -> &Home {
        &self.inner.home
    }

    /// The own office.
    pub fn office(&self) -> OfficeNumber {
        self.inner.home.office()
    }
}

// Interim: the calls as they will be.
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::evidence::SavedEvidence;
use crate::feed::{FeedPosition, News};
use crate::parcel::{Parcel, ParcelHistory, ParcelName};
use crate::progress::Progress;
use crate::receive::{ReceiveOptions, ReceiveReport};
use crate::send::plan::Plan;
use crate::send::{SendOptions, SendReport};

fn soon<T>() -> Result<T, SdkError> {
    Err(VerificationError::Incomplete("this call").into())
}

#[expect(missing_docs, clippy::unused_async, unused_variables, reason = "interim")]
impl Client {
    pub async fn relay(&self) -> Result<RelayInfo, SdkError> {
        let _: Option<pb::Relay> = None;
        soon()
    }
    pub async fn office_by_number(&self, number: OfficeNumber) -> Result<Option<Office>, SdkError> {
        soon()
    }
    pub async fn offices(&self, words: &str) -> Result<Vec<Office>, SdkError> {
        soon()
    }
    pub async fn inbox(&self) -> Result<Vec<Parcel>, SdkError> {
        soon()
    }
    pub async fn sent(&self) -> Result<Vec<Parcel>, SdkError> {
        soon()
    }
    pub async fn show(&self, parcel: &ParcelName) -> Result<Option<ParcelHistory>, SdkError> {
        soon()
    }
    pub fn plan(&self, paths: &[PathBuf], options: &SendOptions) -> Result<Plan, SdkError> {
        crate::send::plan::plan(paths, options, self.office())
    }
    pub async fn send(&self, plan: Plan, progress: &dyn Progress) -> Result<SendReport, SdkError> {
        soon()
    }
    pub async fn receive(
        &self,
        out: &Path,
        options: &ReceiveOptions,
        progress: &dyn Progress,
    ) -> Result<ReceiveReport, SdkError> {
        soon()
    }
    /// Reads the feed up to its present end. Break: this news was not processed, stop.
    pub async fn sync_feed(
        &self,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        soon()
    }
    /// Reads the feed as it grows, until `on_news` breaks; reconnects by itself.
    pub async fn watch(
        &self,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        soon()
    }
    pub async fn save_evidence(&self, parcel: &ParcelName, out: &Path) -> Result<SavedEvidence, SdkError> {
        soon()
    }
}
