//! The relay's log began anew: what was lost, and what to send again.

use tasuki_sdk::{Client, Losses, LostRange};

use crate::lang::Text;
use crate::moment::japan;
use crate::output::Output;

/// Parcels that are named; further ones are counted.
const NAMED: usize = 20;

/// Tells what the relay lost, once it is learnt, and then until it is sent again. On standard error: it is the result of
/// no command.
pub(super) fn tell(client: &Client, out: &mut Output) {
    // What can't be read here is told by whatever needs it.
    let Ok(losses) = client.losses() else { return };
    if let Some(text) = remark(&losses) {
        out.remark("LOG_BEGAN_ANEW", &text);
    }
}

fn remark(losses: &Losses) -> Option<Text> {
    if losses.parcels.is_empty() && !losses.are_new {
        return None;
    }
    let Text { ja, en } = words(losses.epoch, &losses.ranges, losses.parcels.len());
    let (mut ja, mut en) = (vec![ja], vec![en]);
    for lost in losses.parcels.iter().take(NAMED) {
        let line = format!("  {}  → {}  {}", japan(lost.accepted_us), lost.recipient, lost.parcel.id);
        ja.push(line.clone());
        en.push(line);
    }
    let more = losses.parcels.len().saturating_sub(NAMED);
    if more > 0 {
        ja.push(format!("  ほか{more}件"));
        en.push(format!("  and {more} more"));
    }
    Some(Text::new(ja.join("\n"), en.join("\n")))
}

/// What happened, which range is gone, and what to do.
pub(super) fn words(epoch: u64, ranges: &[LostRange], resend: usize) -> Text {
    let mut ja = vec![format!(
        "中継サーバーのデータが以前の状態に戻され、記録が第{epoch}期として新しく始まりました。"
    )];
    let mut en = vec![format!("The relay's data was set back and its log began anew, as epoch {epoch}.")];
    for LostRange { epoch, from, to } in ranges {
        let last = to.saturating_sub(1).max(*from);
        ja.push(format!("失われた記録: 第{epoch}期の{from}番から{last}番まで。"));
        en.push(format!("Lost entries: {from} to {last} of epoch {epoch}."));
    }
    if resend == 0 {
        ja.push("再送が必要な電文はありません。".to_owned());
        en.push("None of your parcels must be sent again.".to_owned());
    } else {
        ja.push(format!(
            "再送が必要な電文: {resend}件。同じファイルをもう一度 tasuki send で送ってください。二重には届きません。"
        ));
        en.push(format!(
            "To send again: {resend}. Run `tasuki send` on the same files; what arrived already does not arrive twice."
        ));
    }
    Text::new(ja.concat(), en.join(" "))
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::LostParcel;

    use super::*;
    use crate::lang::Lang;
    use crate::testing;

    fn losses(parcels: usize) -> Losses {
        let lost = LostParcel {
            parcel: testing::key(),
            recipient: "9971100012".parse().unwrap(),
            accepted_us: testing::ACCEPTED_US,
        };
        Losses {
            epoch: 2,
            ranges: vec![LostRange { epoch: 1, from: 10, to: 12 }],
            parcels: vec![lost; parcels],
            are_new: false,
        }
    }

    #[test]
    fn people_learn_what_is_gone_and_what_to_send_again() {
        let text = remark(&losses(1)).unwrap();
        for part in ["as epoch 2.", "Lost entries: 10 to 11 of epoch 1.", "To send again: 1.", testing::ID] {
            assert!(text.en.contains(part), "{part}: {}", text.en);
        }
        for part in ["第2期", "第1期の10番から11番まで", "再送が必要な電文: 1件", "9971100012"]
        {
            assert!(text.ja.contains(part), "{part}: {}", text.ja);
        }
        assert!(remark(&losses(25)).unwrap().en.ends_with("and 5 more"));
    }

    #[test]
    fn what_was_sent_again_is_told_no_more() {
        assert_eq!(remark(&losses(0)), None);
        assert_eq!(remark(&Losses::default()), None);
        let text = remark(&Losses { are_new: true, ..losses(0) }).unwrap();
        assert!(text.en.ends_with("None of your parcels must be sent again."), "{}", text.en);
    }

    #[test]
    fn programs_get_an_object_on_standard_error() {
        let (mut out, results, errors) = Output::captured(Lang::Ja, true);
        out.remark("LOG_BEGAN_ANEW", &remark(&losses(1)).unwrap());
        assert_eq!(results.text(), "");
        assert_eq!(errors.objects()[0]["notice"], "LOG_BEGAN_ANEW");
    }
}
