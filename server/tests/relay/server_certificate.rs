//! The relay's own certificate is replaced while it runs: new handshakes show the new one, open connections go on.

use std::time::Duration;

use tasuki_proto::pb;
use tasuki_proto::pb::directory_client::DirectoryClient;

use crate::common::{MANAGER, Office, Relay};

/// Waits until a new handshake shows another certificate than `old`.
async fn another(relay: &Relay, office: &Office, old: &[u8]) -> Vec<u8> {
    for _ in 0..100 {
        let shown = relay.shown_certificate(office).await;
        if shown != old {
            return shown;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the relay still shows its old certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_needs_no_restart_and_a_broken_one_changes_nothing() {
    let mut relay = Relay::new(&["reload_every_s = 1"]);
    relay.start();
    let office = relay.office(MANAGER);
    let open = relay.connect(&office).await.unwrap();
    let first = relay.shown_certificate(&office).await;
    assert_eq!(relay.shown_certificate(&office).await, first);

    relay.run(&["cert", "server"]);
    let second = another(&relay, &office, &first).await;
    DirectoryClient::new(open).get_relay(pb::GetRelayRequest::default()).await.unwrap();

    let file = relay.path().join("tls.pem");
    let good = std::fs::read(&file).unwrap();
    std::fs::write(&file, "no certificate").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(relay.shown_certificate(&office).await, second);
    let told = |text: &str| text.matches("the new server certificate can't be used").count();
    assert_eq!(told(&relay.log_text()), 1);

    std::fs::write(&file, good).unwrap();
    relay.run(&["cert", "server"]);
    another(&relay, &office, &second).await;
    assert_eq!(told(&relay.log_text()), 1);
}
