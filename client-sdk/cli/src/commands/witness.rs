//! `tasuki witness`: vouching for the relay's log.

use std::time::Duration;

use serde::Serialize;
use tasuki_sdk::{Cosigned, ErrorKind};

use crate::args::Witness;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::lang::Text;
use crate::moment::{japan_seconds, utc};
use crate::output::Output;

use super::Session;
use super::watch::asked_to_stop;

/// Who vouches.
#[derive(Serialize)]
struct KeyObject<'a> {
    witness: &'a str,
    /// Verifier key (C2SP tlog-cosignature).
    key: String,
}

/// What was vouched for.
#[derive(Serialize)]
struct CosignedObject<'a> {
    witness: &'a str,
    epoch: u64,
    size: u64,
    time: String,
    /// False: nothing is new since then.
    cosigned: bool,
}

/// `tasuki witness`.
pub(super) fn witness(args: &Witness, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let witness = session.client.witness(args.name.as_deref())?;
    let name = witness.key().name().to_owned();
    if args.show_key {
        let key = witness.key().vkey();
        if out.is_json() {
            out.object(&KeyObject { witness: &name, key })?;
        } else {
            out.line(key)?;
        }
        return Ok(Exit::Done);
    }
    if args.once {
        let cosigned = session.run(witness.look())?;
        tell(&name, &cosigned, true, out)?;
        return Ok(Exit::Done);
    }
    session.runtime.block_on(async {
        let stop = asked_to_stop();
        tokio::pin!(stop);
        loop {
            match witness.look().await {
                Ok(cosigned) => tell(&name, &cosigned, false, out)?,
                // A relay that is away comes back; one that contradicts itself is an alarm.
                Err(error) if error.kind() == ErrorKind::Unreachable => {
                    out.remark("RELAY_LOST", &explain::cause(&error));
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(args.every.into())) => {}
                () = &mut stop => return Ok(Exit::Done),
            }
        }
    })
}

/// Tells what was vouched for; what was told before only where it was asked for.
fn tell(name: &str, cosigned: &Cosigned, always: bool, out: &mut Output) -> Result<(), Failure> {
    if cosigned.state_went_back {
        out.remark(
            "WITNESS_STATE_WENT_BACK",
            &Text::new(
                "この立会人の控え（state/witness）が、中継サーバーにある連署より古いものでした。\
                 復元した場合は、この先もその控えに頼らず、別の保存先を用意してください。",
                "what this witness had kept (state/witness) was older than what the relay has of it: if a backup was \
                 restored, leave state/witness out of it next time",
            ),
        );
    }
    if !cosigned.is_new && !always {
        return Ok(());
    }
    let time_us = i64::try_from(cosigned.time_s).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    if out.is_json() {
        let Cosigned { epoch, size, is_new, .. } = *cosigned;
        out.object(&CosignedObject { witness: name, epoch, size, time: utc(time_us), cosigned: is_new })?;
        return Ok(());
    }
    let (when, epoch, size) = (japan_seconds(time_us), cosigned.epoch, cosigned.size);
    let text = Text::new(
        format!("{when}  第{epoch}期の記録 {size}件を確認し、連署しました。"),
        format!("{when}  vouched for {size} entries of epoch {epoch}"),
    );
    out.line(text.of(out.lang()))?;
    Ok(())
}
