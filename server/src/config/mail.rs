//! `[mail]`: telling offices by e-mail that something arrived.

use std::path::PathBuf;

use serde::Deserialize;

use super::period::Period;

/// `[mail]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// Name of the SMTP server; empty: no mails.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// CA certificates (PEM) that the server is known by.
    pub ca_file: PathBuf,
    /// User name; empty: none is given.
    pub user: String,
    /// A file whose first line is the user's password.
    pub password_file: PathBuf,
    /// Sender's address.
    pub from: String,
    /// One office gets one mail in this time.
    pub at_most_every: Period,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// TLS from the first byte (port 465).
    Implicit,
    /// STARTTLS, and nothing without it (port 587).
    #[default]
    Starttls,
    /// None: for a server on the relay's own machine.
    None,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 587,
            tls: MailTls::default(),
            ca_file: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
            user: String::new(),
            password_file: PathBuf::new(),
            from: String::new(),
            at_most_every: Period::seconds(3600),
        }
    }
}

impl MailConfig {
    /// There is a mail server.
    pub fn is_on(&self) -> bool {
        !self.server.is_empty()
    }

    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !self.is_on() {
            return Ok(());
        }
        if crate::mail::address(&self.from).is_none() {
            return Err(("mail.from", "must be an e-mail address"));
        }
        if !self.user.is_empty() && self.password_file.as_os_str().is_empty() {
            return Err(("mail.password_file", "name the file with the user's password"));
        }
        if !self.user.is_empty() && self.tls == MailTls::None {
            return Err(("mail.tls", "a password is not sent without TLS"));
        }
        Ok(())
    }
}
