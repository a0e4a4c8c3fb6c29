//! Telling offices by e-mail that something arrived. No queue is kept: what is due follows from a place in the office's feed, so that
//! a mail server that is away loses nothing, and a restart neither.

mod letter;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, Message, SmtpTransport, Transport as _};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::feed::Cursor;
use tokio::sync::Semaphore;

use self::letter::BySender;
use crate::clock::Clock;
use crate::config::{MailConfig, MailTls};
use crate::directory::Directory;
use crate::evidence::ledger::Ledger;
use crate::store::mail::MailRow;
use crate::store::{Store, StoreError};

/// Addresses of one office.
pub const MAX_ADDRESSES: usize = 5;
/// Longest address (RFC 5321, section 4.5.3.1.3, without its brackets).
const MAX_ADDRESS: usize = 254;
/// Mails that are handed over at once: as many connections to the mail server.
const AT_ONCE: usize = 4;
/// Events that one mail looks at; more are in the next.
const IN_ONE_MAIL: u32 = 1_000;
/// For the whole conversation with the mail server.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a turn is another relay's at most, should it die in it.
const LEASE_US: i64 = 5 * 60 * 1_000_000;
/// Pause after the first failed try, doubled after each further one, up to an hour.
const FIRST_PAUSE_US: i64 = 2 * 1_000_000;
const LONGEST_PAUSE_US: i64 = 3_600 * 1_000_000;
/// Tries of one mail: about a day. Then it is given up, and the next arrival is told.
const MAX_TRIES: u32 = 34;
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
        Self { store, ledger, directory, clock, config, places: Arc::new(Semaphore::new(AT_ONCE)) }
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
        let row = MailRow {
            office,
            addresses,
            cursor: Cursor { epoch, number },
            next_us: 0,
            tries: 0,
            last_error: String::new(),
            changed_us: self.clock.now_us(),
        };
        Ok(self.store.put_mail(&row).await?)
    }

    /// Writes what is due, until the relay goes down.
    pub async fn run(self: Arc<Self>) {
        if !self.config.is_on() {
            return;
        }
        loop {
            let now_us = self.clock.now_us();
            let free = u32::try_from(self.places.available_permits()).unwrap_or(0);
            let due = if free > 0 { self.store.due_mail(now_us, free).await } else { Ok(Vec::new()) };
            let due = due.unwrap_or_else(|error| {
                tracing::warn!(%error, "what is to be mailed can't be read");
                Vec::new()
            });
            for row in due {
                let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
                match self.store.lease_mail(&row, now_us, now_us + LEASE_US).await {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        tracing::warn!(%error, "the turn to mail can't be taken");
                        continue;
                    }
                }
                let this = Arc::clone(&self);
                tokio::spawn(async move {
                    if let Err(error) = this.turn(row).await {
                        tracing::warn!(%error, "a mail's turn was cut short");
                    }
                    drop(place);
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Tells one office what arrived since it was told last.
    async fn turn(&self, mut row: MailRow) -> Result<(), StoreError> {
        let (arrived, cursor) = self.arrived(&row).await?;
        let now_us = self.clock.now_us();
        let outcome = if arrived.is_empty() { Ok(()) } else { self.write(&row, &arrived).await };
        match outcome {
            Ok(()) => {
                let pause_us = if arrived.is_empty() { 0 } else { self.config.at_most_every.us() };
                row = MailRow {
                    cursor,
                    tries: 0,
                    last_error: String::new(),
                    next_us: now_us + pause_us,
                    ..row
                };
            }
            Err(fault) => {
                tracing::warn!(office.number = %row.office, fault, "a mail could not be handed over");
                row.tries += 1;
                row.next_us = now_us + pause_us(row.tries);
                row.last_error = fault;
                if row.tries >= MAX_TRIES {
                    row = MailRow { cursor, tries: 0, ..row };
                }
            }
        }
        if !arrived.is_empty() {
            let outcome = if row.last_error.is_empty() { "sent" } else { "failed" };
            metrics::counter!("tasuki_mails_total", "outcome" => outcome).increment(1);
        }
        self.store.note_mail(&row).await
    }

    /// Deliveries to the office behind its place, as far as the published checkpoint covers them; and the place behind them.
    async fn arrived(&self, row: &MailRow) -> Result<(BySender, Cursor), StoreError> {
        let current = self.ledger.checkpoint();
        let (mut arrived, mut cursor) = (BySender::new(), row.cursor);
        for (place, text) in self.store.feed_after(row.office, row.cursor, IN_ONE_MAIL).await? {
            let at = place.position;
            if at.epoch > current.epoch || (at.epoch == current.epoch && at.index >= current.size) {
                break;
            }
            cursor = Cursor { epoch: at.epoch, number: place.opening.number };
            let Ok(event) = Event::parse(&text) else { continue };
            let ours = event.kind == kind::PARCEL_DELIVERED && event.office("recipient") == Some(row.office);
            let Some(key) = event.parcel().filter(|_| ours) else { continue };
            let from = arrived.entry(key.sender).or_default();
            from.count += 1;
            from.last_us = event.time_us;
        }
        for (sender, from) in &mut arrived {
            from.name = self.directory.name(*sender).await?;
        }
        Ok((arrived, cursor))
    }

    async fn write(&self, row: &MailRow, arrived: &BySender) -> Result<(), String> {
        let name = self.directory.name(row.office).await.map_err(|e| e.to_string())?;
        let (subject, text) = letter::write(row.office, &name, arrived);
        let (config, addresses) = (self.config.clone(), row.addresses.clone());
        let send = tokio::task::spawn_blocking(move || send(&config, &addresses, &subject, text));
        send.await.unwrap_or_else(|_| Err("the mail's task failed".to_owned()))
    }
}

/// Hands one mail to the server. What failed is said without addresses.
fn send(config: &MailConfig, addresses: &[String], subject: &str, text: String) -> Result<(), String> {
    let mailbox = |text: &str| address(text).map(Into::into).ok_or_else(|| "not an address".to_owned());
    let mut message = Message::builder().from(mailbox(&config.from)?).subject(subject);
    for text in addresses {
        message = message.to(mailbox(text)?);
    }
    let message = message.header(ContentType::TEXT_PLAIN).body(text).map_err(|e| e.to_string())?;
    let fault = |error: lettre::transport::smtp::Error| match error.status() {
        Some(code) => format!("SMTP {code}"),
        None if error.is_timeout() => "SMTP: no answer in time".to_owned(),
        None if error.is_tls() => "SMTP: TLS failed".to_owned(),
        None => "SMTP: the server can't be reached".to_owned(),
    };
    transport(config)?.send(&message).map(|_| ()).map_err(fault)
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
    fn a_mail_is_tried_for_about_a_day() {
        let all: i64 = (1..MAX_TRIES).map(pause_us).sum();
        let hours = all / LONGEST_PAUSE_US;
        assert!((22..=26).contains(&hours), "{hours}");
    }
}
