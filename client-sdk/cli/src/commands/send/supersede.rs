//! What a parcel replaces: what `--supersedes` says, what people answer, or a proposal to think about.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use tasuki_sdk::send::SendReport;
use tasuki_sdk::send::plan::Plan;
use tasuki_sdk::send::propose::Proposal;

use crate::args::Supersedes;
use crate::content::{of_parcel, office};
use crate::exit::Failure;
use crate::lang::Text;
use crate::moment::japan;
use crate::output::Output;
use crate::table::shown;

use super::super::Session;

/// Marks what planned parcels supersede. Returns proposals that nobody has decided about.
pub(super) fn decide(
    wanted: Option<Supersedes>,
    plan: &mut Plan,
    session: &Session,
    out: &mut Output,
) -> Result<Vec<Proposal>, Failure> {
    if let Some(Supersedes::Parcel(older)) = wanted {
        let [planned] = plan.parcels.as_mut_slice() else {
            return Err(Failure::usage(
                "--supersedes 電文ID は電文1件を送るときだけ使えます。複数なら --supersedes auto。",
                "--supersedes PARCEL goes with one parcel; for several, use --supersedes auto.",
            ));
        };
        planned.supersedes = Some(older.id);
        return Ok(Vec::new());
    }
    let proposals = match session.run(session.client.propose_superseding(plan)) {
        Ok(proposals) => proposals,
        // Whatever is wrong, sending says it better; what is to be replaced automatically is not sent blindly.
        Err(error) if wanted.is_some() => return Err(error.into()),
        Err(_) => return Ok(Vec::new()),
    };
    let ask = wanted.is_none() && !out.is_json() && std::io::stdin().is_terminal();
    let mut undecided = Vec::new();
    for proposal in proposals {
        if wanted.is_some() || (ask && yes(&proposal, out)) {
            plan.parcels[proposal.place].supersedes = Some(proposal.older.key.id);
        } else if !ask {
            undecided.push(proposal);
        }
    }
    Ok(undecided)
}

fn yes(proposal: &Proposal, out: &mut Output) -> bool {
    let older = &proposal.older;
    let to = office(older.recipient, &older.recipient_name);
    let when = older.accepted_us.map(japan).unwrap_or_default();
    let question = Text::new(
        format!("{to} に {when} 送った「{}」の差し替えですか? [y/N] ", of_parcel(older).ja),
        format!("Does this replace \"{}\", sent to {to} at {when}? [y/N] ", of_parcel(older).en),
    );
    let mut errors = std::io::stderr();
    let asked = write!(errors, "{}", shown(question.of(out.lang()))).and_then(|()| errors.flush());
    let mut answer = String::new();
    asked.is_ok()
        && std::io::stdin().lock().read_line(&mut answer).is_ok()
        && super::partners::is_yes(&answer)
}

/// Tells scripts, and people without a terminal, what might be replaced.
pub(super) fn tell(proposals: &[Proposal], report: &SendReport, out: &mut Output) {
    for proposal in proposals {
        let Some(sent) = report.parcels.get(proposal.place).and_then(|parcel| parcel.parcel) else {
            continue;
        };
        let older = &proposal.older;
        let to = office(older.recipient, &older.recipient_name);
        let text = Text::new(
            format!(
                "{to} 宛の {} は、以前の {} の差し替えかもしれません(--supersedes)。",
                sent.id, older.key.id
            ),
            format!("{} to {to} may replace the earlier {} (--supersedes).", sent.id, older.key.id),
        );
        out.remark("MAY_SUPERSEDE", &text);
    }
}
