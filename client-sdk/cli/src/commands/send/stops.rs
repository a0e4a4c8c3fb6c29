//! Says before sending that the relay takes nothing new, or soon will not.

use tasuki_sdk::RelayInfo;

use crate::lang::Text;
use crate::output::Output;

use crate::commands::Session;

/// Warns of receive-only mode and of planned stops, as the relay told them at the last contact.
pub(super) fn warn(session: &Session, out: &mut Output) {
    let Some(relay) = session.runtime.block_on(session.client.relay_known()) else { return };
    for (code, text) in warnings(&relay) {
        out.remark(code, &text);
    }
}

fn warnings(relay: &RelayInfo) -> Vec<(&'static str, Text)> {
    let receive_only = relay.receive_only.iter().map(|(ja, en)| {
        let ja = format!("中継サーバーは受信専用です。今は送れません。{ja}");
        ("RECEIVE_ONLY", Text::new(ja, format!("the relay takes nothing new for now. {en}")))
    });
    let stops = relay.planned_stops.iter().map(|stop| {
        let ja = format!("中継サーバーは{}から{}まで停止します。{}", stop.from, stop.until, stop.ja);
        let en = format!("the relay stops from {} to {}. {}", stop.from, stop.until, stop.en);
        ("PLANNED_STOP", Text::new(ja, en))
    });
    receive_only.chain(stops).collect()
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::notices::PlannedStop;

    use super::*;

    #[test]
    fn a_relay_at_work_is_no_news() {
        let mut relay = RelayInfo {
            version: String::new(),
            log_key: String::new(),
            epoch: 1,
            max_container_bytes: 0,
            receive_only: None,
            planned_stops: Vec::new(),
            now_us: None,
        };
        assert_eq!(warnings(&relay), []);
        let stop =
            PlannedStop { from: "A".into(), until: "B".into(), ja: "点検".into(), en: "works".into() };
        relay.planned_stops.push(stop);
        relay.receive_only = Some(("障害".into(), "trouble".into()));
        let codes: Vec<&str> = warnings(&relay).iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, ["RECEIVE_ONLY", "PLANNED_STOP"]);
        assert_eq!(warnings(&relay)[1].1.en, "the relay stops from A to B. works");
    }
}
