//! Numbers for monitoring, in Prometheus' form, on a port of their own. No label names an office.
//!
//! | metric | meaning |
//! |---|---|
//! | `tasuki_parcels_total{outcome,reason}` | parcels handed in |
//! | `tasuki_refusals_dropped_total` | refused submissions that were not kept for their senders: more came than are written |
//! | `tasuki_malware_scans_total{outcome}` | parcels whose files were handed to the scanner: `clean`, `found`, `too_large`, `unavailable` |
//! | `tasuki_parcels_fetched_total` | sealed parcels sent whole |
//! | `tasuki_statements_rejected_total{reason}` | acknowledgements refused |
//! | `tasuki_handshakes_refused_total{reason}` | client certificates refused in the handshake |
//! | `tasuki_commit_batch`, `tasuki_commit_seconds` | changes in one transaction; time for it |
//! | `tasuki_commit_queue` | changes that wait |
//! | `tasuki_contents_swept_total` | large contents whose parcels were never accepted, removed |
//! | `tasuki_open_bytes` | memory held by parcels that are not committed yet |
//! | `tasuki_connections`, `tasuki_calls`, `tasuki_submit_streams`, `tasuki_feeds` | what is open |
//! | `tasuki_signer_cache_hits`, `tasuki_signer_cache_misses` | signers that were known, and that had to be verified |
//! | `tasuki_contents_purged_total` | sealed contents that went because their time was over |
//! | `tasuki_evidence_erased_total` | parcels and requests whose evidence went because its time was over |
//! | `tasuki_archive_erased_total` | certificates and revocation lists that went because no evidence names them any more |
//! | `tasuki_alerts_total{code}` | what was unusual: `UNUSUAL_VOLUME`, `SIGNATURE_FAILURES`, `NEW_KEY`, `REFUSED_HANDSHAKES` |
//! | `tasuki_crl_alarms` | revocation lists that need a person |
//! | `tasuki_crl_age_seconds{issuer}`, `tasuki_crl_fresh_seconds{issuer}` | age of a CA's list; seconds until it is stale |
//! | `tasuki_crl_fetches_total{result}`, `tasuki_crl_sources_failing`, `tasuki_crl_fetched_age_seconds` | lists that are fetched: tries, addresses that fail, the longest wait |
//! | `tasuki_ocsp_answers_total{result}`, `tasuki_ocsp_unanswered` | questions about certificates in use; those without a good answer |
//! | `tasuki_ocsp_staples_total{result}`, `tasuki_ocsp_stapled` | questions about the relay's own certificate; whether an answer is shown |
//! | `tasuki_timestamps_total{result}` | time stamps of the log |
//! | `tasuki_certificates_ending_total{days}` | warnings that a certificate ends |
//! | `tasuki_enrolments_failed_total` | codes that were wrong |
//! | `tasuki_mails_total{outcome}`, `tasuki_webhook_posts_total{outcome}` | notices sent |
//! | `tasuki_parcels_timed_total{event}` | parcels whose time came: released, overdue, expired |
//! | `tasuki_tls_certificate_seconds` | until the relay's own certificate ends |
//!
//! What an operator does with them is in ops/README.md.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder};
use tasuki_certs::cms_verify::SignatureVerifier;

use crate::committer::Committer;

/// How often numbers that somebody else keeps are copied.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

/// Upper bounds of histogram buckets: of batches, and of seconds.
const BATCH_BUCKETS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];
const SECOND_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];

/// Begins to answer on this address.
///
/// # Errors
/// If the address can't be bound.
pub fn start(listen: SocketAddr) -> Result<(), BuildError> {
    use metrics_exporter_prometheus::Matcher::Full;
    PrometheusBuilder::new()
        .with_http_listener(listen)
        .set_buckets_for_metric(Full("tasuki_commit_batch".to_owned()), &BATCH_BUCKETS)?
        .set_buckets_for_metric(Full("tasuki_commit_seconds".to_owned()), &SECOND_BUCKETS)?
        .install()
}

/// Copies numbers that others keep, again and again. Ends when the relay's verifier is gone.
pub async fn sample(committer: Committer, verifier: std::sync::Weak<SignatureVerifier>) {
    let mut ticks = tokio::time::interval(SAMPLE_EVERY);
    loop {
        ticks.tick().await;
        let Some(verifier) = verifier.upgrade() else { return };
        copy(&committer, &verifier);
    }
}

fn copy(committer: &Committer, verifier: &Arc<SignatureVerifier>) {
    let queued = u32::try_from(committer.queued()).unwrap_or(u32::MAX);
    metrics::gauge!("tasuki_commit_queue").set(f64::from(queued));
    let (hits, misses) = verifier.stats();
    metrics::counter!("tasuki_signer_cache_hits").absolute(hits);
    metrics::counter!("tasuki_signer_cache_misses").absolute(misses);
}
