//! How far a mandate goes.

use std::fmt;
use std::str::FromStr;

/// One thing that a mandate lets somebody do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Sign and send parcels, and what the sender declares of them (release, discard, recall).
    Send,
    /// Fetch and open what is for the office.
    Receive,
    /// Sign for what was received (acknowledge, import, refuse). A terminal that may receive may do this as well.
    Acknowledge,
    /// Read lists, events and the feed.
    ReadStatus,
}

impl Scope {
    /// All scopes, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Send, Self::Receive, Self::Acknowledge, Self::ReadStatus];

    /// As statements, command lines and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Acknowledge => "acknowledge",
            Self::ReadStatus => "read-status",
        }
    }

    fn bit(self) -> u8 {
        1 << Self::ALL.iter().position(|scope| *scope == self).unwrap_or(0)
    }
}

/// A set of scopes, never empty where it was read from a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

/// The text is not a list of scopes, separated by commas, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a list of scopes: send, receive, acknowledge, read-status, separated by commas")]
pub struct ScopesError;

impl Scopes {
    /// Of these.
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Whether a scope is among them.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// Each of them, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// Whether reading what goes on is implied: who may send or receive sees what became of it.
    pub fn may_read(self) -> bool {
        self.0 != 0
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

impl FromStr for Scopes {
    type Err = ScopesError;

    /// Reads scopes in any order; [`fmt::Display`] gives the one canonical spelling.
    fn from_str(text: &str) -> Result<Self, ScopesError> {
        let mut scopes = Self::default();
        for word in text.split(',').map(str::trim) {
            let scope = Scope::ALL.into_iter().find(|scope| scope.as_str() == word).ok_or(ScopesError)?;
            if scopes.has(scope) {
                return Err(ScopesError);
            }
            scopes.0 |= scope.bit();
        }
        Ok(scopes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_in_any_order_and_print_in_one() {
        let scopes: Scopes = "read-status, send".parse().unwrap();
        assert_eq!(scopes.to_string(), "send,read-status");
        assert!(scopes.has(Scope::Send) && !scopes.has(Scope::Receive) && scopes.may_read());
        assert_eq!(scopes, Scopes::of([Scope::Send, Scope::ReadStatus]));
        for wrong in ["", ",", "send,send", "sent", "send receive", "SEND"] {
            assert_eq!(wrong.parse::<Scopes>(), Err(ScopesError), "{wrong:?}");
        }
    }
}
