//! Settings that administrative commands change while the relay runs.

use sqlx::Row as _;

use super::{Store, StoreError, Tx};

/// Until when stale revocation data passes, Unix microseconds.
pub const REVOCATION_OVERRIDE: &str = "revocation_override_until_us";

/// How far the log was walked for parcels that are overdue, and that expire: a position.
pub const WALKED_OVERDUE: &str = "walked_overdue";
/// See [`WALKED_OVERDUE`].
pub const WALKED_EXPIRED: &str = "walked_expired";

/// Whether the relay is receive-only, and planned stops, as JSON; see `crate::operation`.
pub const MODE: &str = "mode";
/// See [`MODE`].
pub const STOPS: &str = "planned_stops";

/// How far the log was walked for evidence whose time is over: a position.
pub const EVIDENCE_ERASED_TO: &str = "evidence_erased_to";

/// How the log's key was handed over: rolls, one a line; see `crate::log_key`.
pub const LOG_KEY_ROLLS: &str = "log_key_rolls";

/// How the issuing CA handed over: rolls, one a line; see `crate::ca_rolls`.
pub const CA_ROLLS: &str = "ca_rolls";

/// How far stored search keys were made anew: the folding's version, and the last office; see `search_key`.
pub const SEARCH_KEYS: &str = "search_keys";

impl Store {
    /// A setting's value.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(self.read())
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// A setting's value, as this transaction sees it.
    pub(crate) async fn setting_in(&self, tx: &mut Tx, name: &str) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM settings WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(&mut **tx)
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn put_setting(&self, tx: &mut Tx, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO settings (name, value) VALUES ($1, $2) \
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )
        .bind(name.to_owned())
        .bind(value.to_owned())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
