//! An office's parcels as it lists them: filters, pages.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::lifecycle::State;

use super::parcels::{COLUMNS, ParcelRow, VISIBLE, parcel};
use super::{Store, StoreError};

/// Which parcels a list wants.
#[derive(Clone, Debug, Default)]
pub struct ParcelFilter {
    /// Any of these states; empty: all.
    pub states: Vec<State>,
    /// The other office.
    pub partner: Option<OfficeNumber>,
    /// Service month of at least one file.
    pub month: Option<String>,
    /// Kind of at least one file.
    pub kind: Option<String>,
    /// Only those that are, or are not, superseded by a newer one.
    pub superseded: Option<bool>,
    /// Only those that were, or were not, called overdue and still wait.
    pub overdue: Option<bool>,
    /// Continue behind this `seq`.
    pub after: Option<i64>,
}

/// Whose side of its parcels an office lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What it sent, newest first.
    Sent,
    /// What it received, oldest first.
    Received,
}

impl Store {
    /// One page of an office's parcels.
    pub async fn list_parcels(
        &self,
        office: OfficeNumber,
        side: Side,
        filter: &ParcelFilter,
        limit: u32,
    ) -> Result<Vec<ParcelRow>, StoreError> {
        let (own, other, compare, order) = match side {
            Side::Sent => ("sender", "recipient", "<", "DESC"),
            Side::Received => ("recipient", "sender", ">", "ASC"),
        };
        let visible = if side == Side::Received { VISIBLE } else { "1 = 1" };
        let mut sql = format!("SELECT {COLUMNS} FROM parcels WHERE {own} = $1 AND {visible}");
        for (wanted, yes, no) in [
            (filter.superseded, " AND superseded_by IS NOT NULL", " AND superseded_by IS NULL"),
            (
                filter.overdue,
                " AND overdue_us > 0 AND state = 'delivered'",
                " AND NOT (overdue_us > 0 AND state = 'delivered')",
            ),
        ] {
            sql.push_str(wanted.map_or("", |wanted| if wanted { yes } else { no }));
        }
        let mut texts = vec![office.to_string()];
        let mut with = |sql: &mut String, condition: &str, value: String| {
            texts.push(value);
            sql.push_str(&condition.replace('?', &format!("${}", texts.len())));
        };
        if let Some(partner) = filter.partner {
            with(&mut sql, &format!(" AND {other} = ?"), partner.to_string());
        }
        // Files are lines "KIND MONTH SERIAL SIZE": a month stands between spaces, a kind begins a line.
        if let Some(month) = &filter.month {
            with(&mut sql, " AND files LIKE ? ESCAPE '!'", format!("% {} %", like(month)));
        }
        if let Some(kind) = &filter.kind {
            let newline = "\n";
            with(
                &mut sql,
                &format!(" AND ('{newline}' || files) LIKE ? ESCAPE '!'"),
                format!("%\n{} %", like(kind)),
            );
        }
        if !filter.states.is_empty() {
            sql.push_str(" AND state IN (");
            for (i, state) in filter.states.iter().enumerate() {
                with(&mut sql, if i == 0 { "?" } else { ",?" }, state.as_str().to_owned());
            }
            sql.push(')');
        }
        let count = texts.len();
        let after =
            if filter.after.is_some() { format!(" AND seq {compare} ${}", count + 2) } else { String::new() };
        let sql = format!("{sql}{after} ORDER BY seq {order} LIMIT ${}", count + 1);
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql));
        for text in texts {
            query = query.bind(text);
        }
        query = query.bind(i64::from(limit));
        if let Some(after) = filter.after {
            query = query.bind(after);
        }
        query.fetch_all(self.read()).await?.iter().map(parcel).collect()
    }
}

/// Takes the meaning from LIKE's wildcards.
fn like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
