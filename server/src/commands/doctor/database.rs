//! The database: durable, and in agreement with log key, witness and clock.

use tasuki_proto::log::{Checkpoint, Hash, LogVerifier};
use tasuki_proto::time;

use super::{Finding, Status};
use crate::boot::log_signer;
use crate::config::Config;
use crate::config::period::Period;
use crate::evidence::tree::{Missing, Tree};
use crate::evidence::witness::Witness;
use crate::log_key_roller;
use crate::store::dialect::Dialect;
use crate::store::head::Head;
use crate::store::{Store, StoreError};

/// How far the last event may lie ahead of the clock: beyond, the relay refuses to write.
const MAX_SKEW_US: i64 = 60 * 1_000_000;

/// 2026-01-01, before the first relay: a clock that says less was never set.
const CLOCK_FLOOR_US: i64 = 1_767_225_600_000_000;

/// Looks at the database; that it opened means that it is durable.
pub(super) async fn check(store: &Store, config: &Config, now_us: i64) -> Vec<Finding> {
    let dialect = match store.dialect() {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgres => "PostgreSQL",
    };
    let mut findings = vec![Finding::new(
        "database",
        Status::Ok,
        format!("{dialect}: 書き込みは失われない設定です"),
        format!("{dialect}: what it confirms is durable"),
    )];
    let head = match store.head().await {
        Ok(head) => head,
        Err(error) => {
            findings.push(Finding::failed("log", &error));
            return findings;
        }
    };
    findings.push(clock(head.time_us, now_us));
    match log_signer(&config.evidence.log_key) {
        Err(error) => findings.push(Finding::failed("log", &error)),
        Ok(signer) => {
            let key = signer.verifier();
            findings.push(log(&head, &key));
            findings.push(witness(store, config, &head, &key).await);
            if let Some(after) = config.evidence.log_key_roll_after {
                findings.push(age(store, after, now_us).await);
            }
        }
    }
    findings
}

/// Whether the log's key is due to hand over; a relay that runs does so by itself, if it has the next one.
async fn age(store: &Store, after: Period, now_us: i64) -> Finding {
    const CHECK: &str = "log_key";
    match log_key_roller::due_us(store, after).await {
        Err(error) => Finding::failed(CHECK, &error),
        Ok(Some(due_us)) if due_us <= now_us => Finding::new(
            CHECK,
            Status::Warn,
            "記録の鍵を取り替える時期です。複数の中継サーバーでは、先に log-key prepare で次の鍵を配ってください",
            "the log's key is due to hand over; several relays need the next one first: log-key prepare",
        ),
        Ok(due_us) => {
            let due = due_us.map_or_else(|| "-".to_owned(), time::format_us);
            Finding::new(
                CHECK,
                Status::Ok,
                format!("記録の鍵の取り替え: {due}"),
                format!("the log's key hands over at {due}"),
            )
        }
    }
}

fn clock(last_event_us: i64, now_us: i64) -> Finding {
    let (now, last) = (time::format_us(now_us), time::format_us(last_event_us));
    if now_us < CLOCK_FLOOR_US {
        return Finding::new(
            "clock",
            Status::Fail,
            format!("{now}: 時計が合っていません"),
            format!("{now}: the clock was never set"),
        );
    }
    if last_event_us > now_us.saturating_add(MAX_SKEW_US) {
        return Finding::new(
            "clock",
            Status::Fail,
            format!("{now}: 最後の記録は{last}です。時計がそれを過ぎるまで書き込めません"),
            format!("{now}: the last event is of {last}; nothing is written until the clock is past it"),
        );
    }
    Finding::new("clock", Status::Ok, now.clone(), now)
}

fn log(head: &Head, key: &LogVerifier) -> Finding {
    if head.epoch == 0 {
        return Finding::new(
            "log",
            Status::Warn,
            "記録はまだありません。最初の起動で始まります",
            "there is no log yet; it begins at the first start",
        );
    }
    let opened = key.open(&head.note);
    if !opened.is_ok_and(|opened| (opened.epoch, opened.size) == (head.epoch, head.size)) {
        return Finding::new(
            "log",
            Status::Fail,
            "現在位置の署名が記録の鍵のものではありません。evidence.log_key を確認してください",
            "the head is not signed by the log's key: is evidence.log_key this database's?",
        );
    }
    Finding::new(
        "log",
        Status::Ok,
        format!("第{}期、記録{}件。内容の検証は log verify で行います", head.epoch, head.size),
        format!("epoch {}, {} events; log verify checks them", head.epoch, head.size),
    )
}

async fn witness(store: &Store, config: &Config, head: &Head, key: &LogVerifier) -> Finding {
    let path = &config.evidence.witness;
    let shown = path.display();
    let known = match Witness::read(path, key) {
        Ok(Some(known)) => known,
        Ok(None) => {
            return Finding::new(
                "witness",
                Status::Warn,
                format!("{shown}: 控えがありません。過去の状態に戻されたデータベースを見分けられません"),
                format!("{shown}: missing; a database set back in time would not be noticed"),
            );
        }
        Err(error) => return Finding::failed("witness", &format!("{shown}: {error}")),
    };
    match agrees(store, &known, head).await {
        Ok(true) => Finding::new(
            "witness",
            Status::Ok,
            format!("{shown}: データベースと一致します(第{}期、{}件)", known.epoch, known.size),
            format!("{shown}: agrees with the database (epoch {}, {} events)", known.epoch, known.size),
        ),
        Ok(false) => Finding::new(
            "witness",
            Status::Fail,
            format!(
                "{shown}: データベースが控え(第{}期、{}件)と一致しません。次の起動で新しい期が始まります",
                known.epoch, known.size
            ),
            format!(
                "{shown}: the database is not the one that the witness knows (epoch {}, {} events); the next \
                 start begins a new epoch",
                known.epoch, known.size
            ),
        ),
        Err(error) => Finding::failed("witness", &error),
    }
}

/// Whether the database's log continues what the witness knows. A past epoch has ended, as its first event says.
async fn agrees(store: &Store, known: &Checkpoint, head: &Head) -> Result<bool, StoreError> {
    if known.epoch != head.epoch {
        return Ok(known.epoch < head.epoch);
    }
    Ok(known.size <= head.size && root_at(store, head, known.size).await? == Some(known.root))
}

async fn root_at(store: &Store, head: &Head, size: u64) -> Result<Option<Hash>, StoreError> {
    let mut tree = Tree::of_size(head.epoch, head.size);
    // A root needs two tiles a level at most.
    for _ in 0..32 {
        match tree.root(size) {
            Ok(root) => return Ok(Some(root)),
            Err(Missing::Range) => return Ok(None),
            Err(Missing::Tile(name)) => {
                let bytes = store.tile(name).await?;
                tree.insert(name.level, name.tile, bytes.as_deref())?;
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_held_against_the_last_event() {
        let now_us = 1_795_261_114_000_000;
        assert_eq!(clock(now_us - 1, now_us).status, Status::Ok);
        assert_eq!(clock(now_us + MAX_SKEW_US, now_us).status, Status::Ok);
        assert_eq!(clock(now_us + MAX_SKEW_US + 1, now_us).status, Status::Fail);
        assert_eq!(clock(0, 0).status, Status::Fail);
    }
}
