//! Small helpers for rows: typed columns, statements with many rows.

use std::fmt::{Display, Write as _};

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use tasuki_careplan::office::OfficeNumber;

use super::StoreError;
use super::dialect::Dialect;

/// Rows in one INSERT at most: as many as a batch has changes. 128 rows of 20 columns stay far below the databases'
/// parameter limits.
pub(crate) const MAX_ROWS: usize = 128;

/// Splits rows into pieces whose lengths are powers of two, so that only eight statements per table are
/// ever prepared.
pub(crate) fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        if rows.is_empty() {
            return None;
        }
        let length = (usize::pow(2, rows.len().ilog2())).min(MAX_ROWS);
        let (piece, rest) = rows.split_at(length);
        rows = rest;
        Some(piece)
    })
}

/// `INSERT INTO <into> VALUES ($1,$2),($3,$4)<tail>` for `rows` rows. Whoever calls it gives the transaction up if
/// it fails: on `SQLite` the rows before the one that failed stay.
pub(crate) fn insert_sql(
    dialect: Dialect,
    into: &str,
    columns: usize,
    rows: usize,
    tail: &str,
) -> AssertSqlSafe<String> {
    let mut sql = String::with_capacity(into.len() + tail.len() + 32 + rows * columns * 5);
    sql.push_str(match dialect {
        // Without "OR FAIL" each statement keeps a copy of every page that it touches, to undo itself alone.
        Dialect::Sqlite => "INSERT OR FAIL INTO ",
        Dialect::Postgres => "INSERT INTO ",
    });
    sql.push_str(into);
    sql.push_str(" VALUES ");
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..columns {
            if column > 0 {
                sql.push(',');
            }
            match dialect {
                // SQLite takes `$1` for a name, and looking up a thousand names is quadratic: measured, a
                // quarter of the committer's CPU time.
                Dialect::Sqlite => sql.push('?'),
                Dialect::Postgres => {
                    write!(sql, "${}", row * columns + column + 1)
                        .expect("writing to a String does not fail");
                }
            }
        }
        sql.push(')');
    }
    sql.push_str(tail);
    AssertSqlSafe(sql)
}

/// `$1,$2,$3` for so many parameters, in the form that suits the database; see [`insert_sql`].
pub(crate) fn parameters(dialect: Dialect, count: usize) -> String {
    (1..=count).map(|n| parameter(dialect, n)).collect::<Vec<_>>().join(",")
}

/// One parameter, the `n`th of a statement that names them in their order.
pub(crate) fn parameter(dialect: Dialect, n: usize) -> String {
    match dialect {
        Dialect::Sqlite => "?".to_owned(),
        Dialect::Postgres => format!("${n}"),
    }
}

pub(crate) type AnyQuery = sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>;

/// A query whose first parameters are these offices.
pub(crate) fn naming(sql: String, offices: &[OfficeNumber]) -> AnyQuery {
    offices.iter().fold(sqlx::query(AssertSqlSafe(sql)), |query, number| query.bind(number.to_string()))
}

/// The first rows of each of several offices in a table that names them in `office`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct First<'s> {
    pub(crate) table: &'s str,
    /// With `office` among them.
    pub(crate) columns: &'s str,
    /// What rows must be like; ends before a parameter, which the caller binds.
    pub(crate) condition: &'s str,
    pub(crate) order: &'s str,
    /// So many of each office.
    pub(crate) count: u32,
}

impl First<'_> {
    /// Asks for those of these offices, by office and in their order.
    pub(crate) fn of_each(self, dialect: Dialect, offices: &[OfficeNumber]) -> AnyQuery {
        let Self { table, columns, condition, order, count } = self;
        let (list, last) = (parameters(dialect, offices.len()), parameter(dialect, offices.len() + 1));
        let sql = format!(
            "SELECT {columns} FROM (SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY office ORDER BY {order}) AS place \
             FROM {table} WHERE office IN ({list}) AND {condition} {last}) AS ranked \
             WHERE place <= {count} ORDER BY office, place"
        );
        naming(sql, offices)
    }
}

/// An integer column that can't be negative.
pub(crate) fn unsigned(row: &AnyRow, column: &'static str) -> Result<u64, sqlx::Error> {
    let value: i64 = row.try_get(column)?;
    u64::try_from(value).map_err(|e| sqlx::Error::Decode(Box::new(e)))
}

/// A column of exactly 32 bytes.
pub(crate) fn digest(row: &AnyRow, column: &'static str) -> Result<[u8; 32], sqlx::Error> {
    array(row, column)
}

/// A column of exactly `N` bytes.
pub(crate) fn array<const N: usize>(row: &AnyRow, column: &'static str) -> Result<[u8; N], sqlx::Error> {
    let bytes: Vec<u8> = row.try_get(column)?;
    bytes.try_into().map_err(|_| sqlx::Error::Decode(format!("{column} is not {N} bytes long").into()))
}

/// A text column that parses.
pub(crate) fn parsed<T: std::str::FromStr>(
    row: &AnyRow,
    table: &'static str,
    column: &'static str,
    key: &dyn Display,
) -> Result<T, StoreError> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| StoreError::Corrupt { table, column, row: key.to_string() })
}

/// A `u64` as a database integer. Sizes and counters stay far below `i64::MAX`.
pub(crate) fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_powers_of_two_and_lose_nothing() {
        for count in 0..200 {
            let rows: Vec<usize> = (0..count).collect();
            let parts: Vec<&[usize]> = pieces(&rows).collect();
            assert!(parts.iter().all(|p| p.len().is_power_of_two() && p.len() <= MAX_ROWS));
            assert_eq!(parts.concat(), rows);
        }
    }

    #[test]
    fn parameters_are_numbered_through() {
        let sql = |dialect| insert_sql(dialect, "t (a,b)", 2, 2, " X").0;
        assert_eq!(sql(Dialect::Postgres), "INSERT INTO t (a,b) VALUES ($1,$2),($3,$4) X");
        assert_eq!(sql(Dialect::Sqlite), "INSERT OR FAIL INTO t (a,b) VALUES (?,?),(?,?) X");
    }
}
