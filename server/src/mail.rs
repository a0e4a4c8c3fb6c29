//! Telling offices by e-mail that something arrived. No queue is kept: what is due follows from a place in the office's feed, so that
//! a mail server that is away loses nothing, and a restart neither.

mod letter;

use std::error::Error as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, Message, SmtpTransport, Transport as _};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::feed::Cursor;
use tasuki_proto::time;
use tokio::sync::Semaphore;

use self::letter::{Ending, News};
use crate::clock::Clock;
use crate::config::{MailConfig, MailTls};
use crate::directory::Directory;
use crate::evidence::ledger::Ledger;
use crate::store::mail::MailRow;
use crate::store::turns::Way;
use crate::store::{Store, StoreError};
use crate::turns::Turns;

/// Addresses of one office.
pub const MAX_ADDRESSES: usize = 5;
/// Longest address (RFC 5321, section 4.5.3.1.3, without its brackets).
const MAX_ADDRESS: usize = 254;
/// Mails that are handed over at once: as many connections to the mail server.
const AT_ONCE: usize = 4;
/// Events that one mail looks at; more are in the next.
const IN_ONE_MAIL: u32 = 1_000;
/// For each step of the conversation with the mail server.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a turn is another relay's at most, should it die in it.
const LEASE_US: i64 = 5 * 60 * 1_000_000;
/// Pause after the first failed try, doubled after each further one, up to an hour.
const FIRST_PAUSE_US: i64 = 2 * 1_000_000;
const LONGEST_PAUSE_US: i64 = 3_600 * 1_000_000;
/// How often the database is asked for what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An e-mail address, if it is one: ASCII, at most 254 bytes.
pub fn address(text: &str) -> Option<Address> {
    let plain = text.len() <= MAX_ADDRESS && text.is_ascii() && !text.contains(char::is_whitespace);
    text.parse().ok().filter(|_| plain)
}

/// Addresses can't be set.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The relay has no mail server.
    #[error("this relay sends no mails")]
    NotOffered,
    /// Too many, or one that is none.
    #[error("not at most {MAX_ADDRESSES} e-mail addresses")]
    Address,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The mails to all offices.
#[derive(Debug)]
pub struct Mails {
    store: Store,
    ledger: Arc<Ledger>,
    directory: Arc<Directory>,
    clock: Arc<dyn Clock>,
    config: MailConfig,
    places: Arc<Semaphore>,
    turns: Turns,
}

impl Mails {
    /// As the configuration says.
    pub fn new(
        store: Store,
        ledger: Arc<Ledger>,
        directory: Arc<Directory>,
        clock: Arc<dyn Clock>,
        config: MailConfig,
    ) -> Self {
        // What the first mail would stumble over is told at once.
        if config.is_on()
            && let Err(error) = transport(&config)
        {
            tracing::error!(error, "no mail can be sent as [mail] is set");
        }
        let (places, turns) = (Arc::new(Semaphore::new(AT_ONCE)), Turns::new(Way::Mail));
        Self { store, ledger, directory, clock, config, places, turns }
    }

    /// Sets an office's addresses; none: it is not written to.
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn set(&self, office: OfficeNumber, addresses: Vec<String>) -> Result<(), MailError> {
        if !addresses.is_empty() && !self.config.is_on() {
            return Err(MailError::NotOffered);
        }
        if addresses.len() > MAX_ADDRESSES || addresses.iter().any(|text| address(text).is_none()) {
            return Err(MailError::Address);
        }
        let epoch = self.ledger.checkpoint().epoch;
        let number = self.store.feed_length(office, epoch).await?;
        // Setting addresses again is no way to more mails.
        let next_us = self.store.mail(office).await?.map_or(0, |row| row.next_us);
        let row = MailRow {
            office,
            addresses,
            cursor: Cursor { epoch, number },
            next_us,
            tries: 0,
            last_error: String::new(),
            changed_us: self.clock.now_us(),
        };
        self.store.put_mail(&row).await?;
        // What came between the look at its feed's end and now rang for nobody.
        self.turns.note(office);
        Ok(())
    }

    /// Writes what is due, until the relay goes down.
    pub async fn run(self: Arc<Self>) {
        if !self.config.is_on() {
            return;
        }
        loop {
            let now_us = self.clock.now_us();
            let free = u32::try_from(self.places.available_permits()).unwrap_or(0);
            for row in self.due(now_us, free).await {
                let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
                let lease_us = now_us + LEASE_US;
                match self.store.lease_mail(&row, now_us, lease_us).await {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        tracing::warn!(%error, "the turn to mail can't be taken");
                        self.turns.note(row.office);
                        continue;
                    }
                }
                let this = Arc::clone(&self);
                tokio::spawn(async move {
                    let office = row.office;
                    if let Err(error) = this.turn(row, lease_us).await {
                        tracing::warn!(%error, "a mail's turn was cut short");
                        this.turns.give_back(&this.store, &*this.clock, office, lease_us).await;
                    }
                    // What came meanwhile rang while the turn was taken.
                    this.turns.note(office);
                    drop(place);
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Offices whose turn may be taken, at most as many as there are places.
    async fn due(&self, now_us: i64, free: u32) -> Vec<MailRow> {
        if free == 0 {
            return Vec::new();
        }
        let current = self.ledger.checkpoint();
        let found = match self.turns.next(&self.store, &current, now_us, free).await {
            Ok(offices) => {
                let rows = self.store.due_mail(&offices, now_us).await;
                rows.inspect_err(|_| offices.iter().for_each(|office| self.turns.note(*office)))
            }
            Err(error) => Err(error),
        };
        found.unwrap_or_else(|error| {
            tracing::warn!(%error, "what is to be mailed can't be read");
            Vec::new()
        })
    }

    /// Tells one office what arrived since it was told last, in the turn that ends at `lease_us`.
    async fn turn(&self, mut row: MailRow, lease_us: i64) -> Result<(), StoreError> {
        // Its pause, if it kept one, is over.
        row.next_us = 0;
        let (news, cursor) = self.news(&row).await?;
        if news.is_empty() {
            row.cursor = cursor;
            return self.store.note_mail(&row, lease_us).await;
        }
        let outcome = self.write(&row, cursor, &news).await;
        let now_us = self.clock.now_us();
        let counted = match outcome {
            Ok(refused) => {
                let next_us = now_us.saturating_add(self.config.at_most_every.us());
                row = MailRow { cursor, tries: 0, last_error: refused, next_us, ..row };
                "sent"
            }
            Err(fault) => {
                tracing::warn!(office.number = %row.office, fault, "a mail could not be handed over");
                let tries = row.tries.saturating_add(1);
                row = MailRow { tries, next_us: now_us + pause_us(tries), last_error: fault, ..row };
                "failed"
            }
        };
        metrics::counter!("tasuki_mails_total", "outcome" => counted).increment(1);
        self.store.note_mail(&row, lease_us).await
    }

    /// Deliveries to the office, and certificates that end, behind its place, as far as the published checkpoint covers them; and
    /// the place behind them.
    async fn news(&self, row: &MailRow) -> Result<(News, Cursor), StoreError> {
        let current = self.ledger.checkpoint();
        let (mut news, mut cursor) = (News::default(), row.cursor);
        for (place, text) in self.store.feed_after(row.office, row.cursor, IN_ONE_MAIL).await? {
            let at = place.position;
            if at.epoch > current.epoch || (at.epoch == current.epoch && at.index >= current.size) {
                break;
            }
            cursor = Cursor { epoch: at.epoch, number: place.opening.number };
            let Ok(event) = Event::parse(&text) else { continue };
            if event.kind == kind::CERTIFICATE_ENDING {
                news.ending.extend(ending(&event));
            }
            let ours = event.kind == kind::PARCEL_DELIVERED && event.office("recipient") == Some(row.office);
            let Some(key) = event.parcel().filter(|_| ours) else { continue };
            let from = news.arrived.entry(key.sender).or_default();
            from.count += 1;
            from.last_us = event.time_us;
        }
        for (sender, from) in &mut news.arrived {
            from.name = self.directory.name(*sender).await?;
        }
        Ok((news, cursor))
    }

    /// Writes to every address. What the server refused of single addresses is in the answer: nobody else waits for them.
    async fn write(&self, row: &MailRow, cursor: Cursor, news: &News) -> Result<String, String> {
        let name = self.directory.name(row.office).await.map_err(|e| e.to_string())?;
        let (subject, text) = letter::write(row.office, &name, news);
        let (config, addresses) = (self.config.clone(), row.addresses.clone());
        let id = format!("{}-{}-{}", row.office, cursor.epoch, cursor.number);
        let letter = Letter { id, subject, text };
        let send = tokio::task::spawn_blocking(move || send(&config, &addresses, &letter));
        send.await.unwrap_or_else(|_| Err("the mail's task failed".to_owned()))
    }
}

/// What an event says of a certificate's end.
fn ending(event: &Event) -> Option<Ending> {
    let not_after_us = time::parse_us(event.lines.get("not-after")?)?;
    Some(Ending { holder: event.lines.get("holder")?.to_owned(), not_after_us })
}

/// What is handed to the server for each address.
struct Letter {
    /// The same for every try.
    id: String,
    subject: String,
    text: String,
}

/// Hands one mail for each address to the server. What failed is said without addresses.
fn send(config: &MailConfig, addresses: &[String], letter: &Letter) -> Result<String, String> {
    let transport = transport(config)?;
    let (mut taken, mut refused, mut failed) = (false, String::new(), None);
    for (place, address) in addresses.iter().enumerate() {
        match transport.send(&message(config, address, place, letter)?) {
            Ok(_) => taken = true,
            Err(error) if error.is_permanent() && !is_of_login(&error) => refused = fault(&error),
            Err(error) => failed = Some(fault(&error)),
        }
    }
    match failed {
        // Nobody has it. Otherwise, who has it would get it again with the others.
        Some(fault) if !taken => Err(fault),
        Some(fault) => Ok(fault),
        None => Ok(refused),
    }
}

fn message(config: &MailConfig, to: &str, place: usize, letter: &Letter) -> Result<Message, String> {
    let mailbox = |text: &str| address(text).map(Into::into).ok_or_else(|| "not an address".to_owned());
    let domain = config.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    Message::builder()
        .from(mailbox(&config.from)?)
        .to(mailbox(to)?)
        .subject(letter.subject.clone())
        .message_id(Some(format!("<{}-{place}@{domain}>", letter.id)))
        // Nobody's absence note answers it (RFC 3834, section 5).
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text.clone())
        .map_err(|e| e.to_string())
}

/// Whether the server refused the relay itself, and no address (RFC 4954, section 6): nobody can be told until that is mended.
fn is_of_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

/// Whether a connection broke because of what TLS found: rustls says so by the kind of the I/O error.
fn is_of_tls(error: &lettre::transport::smtp::Error) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<std::io::Error>() {
            return io.kind() == std::io::ErrorKind::InvalidData;
        }
        source = cause.source();
    }
    false
}

fn fault(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("SMTP {code}"),
        None if error.is_timeout() => "SMTP: no answer in time".to_owned(),
        None if error.is_tls() || is_of_tls(error) => "SMTP: TLS failed".to_owned(),
        None if error.is_client() => "SMTP: the server does not offer what is set (TLS, login)".to_owned(),
        None => "SMTP: the server can't be reached".to_owned(),
    }
}

fn transport(config: &MailConfig) -> Result<SmtpTransport, String> {
    let mut builder =
        SmtpTransport::builder_dangerous(&config.server).port(config.port).timeout(Some(PATIENCE));
    builder = match config.tls {
        MailTls::None => builder.tls(Tls::None),
        MailTls::Implicit => builder.tls(Tls::Wrapper(tls(config)?)),
        MailTls::Starttls => builder.tls(Tls::Required(tls(config)?)),
    };
    if !config.user.is_empty() {
        let text = read(&config.password_file)?;
        let password = text.lines().next().unwrap_or_default().trim_end_matches('\r').to_owned();
        builder = builder.credentials(Credentials::new(config.user.clone(), password));
    }
    Ok(builder.build())
}

fn tls(config: &MailConfig) -> Result<TlsParameters, String> {
    let roots =
        Certificate::from_pem(read(&config.ca_file)?.as_bytes()).map_err(|_| "ca_file can't be used")?;
    let builder = TlsParameters::builder(config.server.clone()).certificate_store(CertificateStore::None);
    builder.add_root_certificate(roots).build_rustls().map_err(|e| e.to_string())
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {}", path.display(), error.kind()))
}

/// Pause after so many failed tries.
fn pause_us(tries: u32) -> i64 {
    FIRST_PAUSE_US.saturating_mul(1 << tries.saturating_sub(1).min(20)).min(LONGEST_PAUSE_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        for good in ["a@example.jp", "care.office+tasuki@mail.example.co.jp"] {
            assert!(address(good).is_some(), "{good}");
        }
        let long = format!("{}@example.jp", "a".repeat(250));
        for bad in
            ["", "a", "a@", "@b", "a@b\r\nBcc: c@d", "a b@c.jp", "あ@example.jp", "A <a@example.jp>", &long]
        {
            assert!(address(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_server_that_is_away_is_asked_again_at_least_every_hour() {
        assert_eq!([1, 2, 3, 40, u32::MAX].map(|tries| pause_us(tries) / 1_000_000), [2, 4, 8, 3600, 3600]);
    }
}
