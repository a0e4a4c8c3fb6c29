//! Notices of the operator (お知らせ): which events they are, and for whom. One for everybody is one row and one leaf, however
//! many offices there are.

use sqlx::Row as _;
use tasuki_careplan::office::OfficeNumber;

use super::leaves::Position;
use super::{Store, StoreError, Tx};

/// Stands for all offices.
const ALL: &str = "";

impl Store {
    /// Files an event as a notice to these offices; none: to all.
    pub(crate) async fn insert_notice(
        &self,
        tx: &mut Tx,
        position: Position,
        to: &[OfficeNumber],
    ) -> Result<(), StoreError> {
        let all = to.is_empty().then(|| ALL.to_owned());
        for office in all.into_iter().chain(to.iter().map(ToString::to_string)) {
            sqlx::query("INSERT INTO notices (office, pos) VALUES ($1, $2)")
                .bind(office)
                .bind(position.to_key())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// Notices to an office, or to all, behind a position, in order, at most `limit`.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn notices_for(
        &self,
        office: OfficeNumber,
        after: Position,
        limit: u32,
    ) -> Result<Vec<Position>, StoreError> {
        let rows = sqlx::query(
            "SELECT pos FROM notices WHERE office IN ($1, $2) AND pos > $3 ORDER BY pos LIMIT $4",
        )
        .bind(ALL)
        .bind(office.to_string())
        .bind(after.to_key())
        .bind(i64::from(limit))
        .fetch_all(self.read())
        .await?;
        rows.iter().map(|row| Ok(Position::from_key(row.try_get("pos")?))).collect()
    }
}
