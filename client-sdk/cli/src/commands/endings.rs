//! The own certificate ends soon: told beside whatever a command does, until it is renewed.

use tasuki_sdk::{Client, Clock as _, SystemClock};

use crate::lang::Text;
use crate::moment::japan;
use crate::output::Output;

/// How long before its end the own certificate is spoken of.
const SOON_US: i64 = 30 * DAY_US;

const DAY_US: i64 = 86_400 * 1_000_000;

/// Tells that the certificate of this HOME ends soon or has ended. On standard error: it is the result of no command.
pub(super) fn tell(client: &Client, out: &mut Output) {
    // One that can't be read is told by whatever needs it.
    let Ok((_, not_after_us)) = client.home().identity().validity_us() else { return };
    if let Some(text) = remark(not_after_us, SystemClock.now_us()) {
        out.remark("CERTIFICATE_ENDS_SOON", &text);
    }
}

fn remark(not_after_us: i64, now_us: i64) -> Option<Text> {
    let left_us = not_after_us.saturating_sub(now_us);
    if left_us > SOON_US {
        return None;
    }
    let until = japan(not_after_us);
    if left_us < 0 {
        return Some(Text::new(
            format!("このHOMEの証明書は {until} に切れました。"),
            format!("the certificate of this HOME ended at {until}"),
        ));
    }
    let days = left_us / DAY_US;
    Some(Text::new(
        format!("このHOMEの証明書はあと{days}日（{until}）で切れます。tasuki renew で更新してください。"),
        format!("the certificate of this HOME ends in {days} days ({until}): renew it with tasuki renew"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thirty_days_are_spoken_of() {
        let now_us = 1_795_261_114_000_000;
        assert_eq!(remark(now_us + 31 * DAY_US, now_us), None);
        let text = remark(now_us + 29 * DAY_US + 1, now_us).unwrap();
        assert!(text.en.contains("in 29 days") && text.ja.contains("あと29日"), "{text:?}");
        assert!(remark(now_us - 1, now_us).unwrap().en.contains("ended at"));
    }
}
