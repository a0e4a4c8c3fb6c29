//! `cert issue|revoke|crl|server`: certificates of the trial CA, and the relay's own.

mod issue;
mod revoke;
mod server;

use serde::Serialize;
use tasuki_proto::event::kind;
use tasuki_proto::operator::Role;
use tasuki_proto::time;

use super::desk::Desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::cli::Cert;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::trial_ca::{PublishedList, TrialCaFiles};

/// A revocation list, as `--json` prints it.
#[derive(Serialize)]
struct ListObject {
    crl: String,
    number: u32,
    revoked: usize,
    next_update: String,
}

pub(super) async fn run(command: &Cert, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Cert::Issue(arguments) => issue::run(arguments, &trial_ca(config)?, config, out).await,
        Cert::Revoke(arguments) => revoke::run(arguments, &trial_ca(config)?, config, out).await,
        Cert::Crl => {
            may(config, out).await?;
            publish(&trial_ca(config)?, out)
        }
        Cert::Server(arguments) => {
            may(config, out).await?;
            server::run(arguments, config, out, SystemClock.now_us())
        }
    }
}

/// Fails unless whoever gave the command may issue. What is made here stands in no log: it changes nobody's rights.
async fn may(config: &Config, out: &mut Output) -> Result<(), Failure> {
    let desk = Desk::open(config, out).await?;
    let may = desk.may(kind::CERTIFICATE_ISSUED, Role::Certificates).await;
    desk.close().await?;
    may
}

fn trial_ca(config: &Config) -> Result<TrialCaFiles, Failure> {
    let ca = config.trial_ca.clone().map(TrialCaFiles::open).filter(TrialCaFiles::can_issue);
    ca.ok_or_else(no_trial_ca)
}

pub(super) fn no_trial_ca() -> Failure {
    Failure::usage(
        "NO_TRIAL_CA",
        "この中継サーバーには試用認証局の鍵がありません([trial_ca])",
        "this relay has no key of a trial CA ([trial_ca])",
    )
}

fn publish(ca: &TrialCaFiles, out: &mut Output) -> Result<Exit, Failure> {
    let list = ca.publish(SystemClock.now_us())?;
    tell_list(&list, out)?;
    Ok(Exit::Done)
}

fn tell_list(list: &PublishedList, out: &mut Output) -> Result<(), Failure> {
    let PublishedList { number, certificates, .. } = list;
    let next_update = time::format_us(list.next_update_us);
    let text = Text::new(
        format!("失効リスト第{number}号を発行しました(失効{certificates}件、次回{next_update}まで)"),
        format!("revocation list {number} published: {certificates} revoked, next by {next_update}"),
    );
    let object = ListObject {
        crl: list.path.display().to_string(),
        number: *number,
        revoked: *certificates,
        next_update,
    };
    Ok(out.result(&object, &text)?)
}
