//! A relay that means harm hands on revocation lists: what it brings never makes a revocation forgotten.

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, Revocation, RevocationReason, TrialCa};

use super::*;
use crate::testing::{self, Folder, NOW_US, SENDER, world};

const DAY_US: i64 = 86_400_000_000;

fn home(folder: &Folder) -> Home {
    testing::home(folder, &world().sender)
}

/// A list of `ca` with so many entries; with 200,000 it has about 8 MiB.
fn list(ca: &TrialCa, number: u32, entries: u32, at_us: i64) -> Vec<u8> {
    let revoked: Vec<Revocation> = (0..entries)
        .map(|n| {
            let serial = [&[0x41; 16][..], &n.to_be_bytes()].concat();
            Revocation::new(&serial, at_us, RevocationReason::KeyCompromise)
        })
        .collect();
    ca.crl(&revoked, number, at_us, at_us + 7 * DAY_US).unwrap()
}

fn kept_lists(home: &Home) -> Vec<Vec<u8>> {
    kept(home).unwrap().into_iter().map(|list| list.der).collect()
}

#[test]
fn strangers_lists_never_push_out_the_newest_of_a_known_ca() {
    let folder = testing::folder("crls");
    let home = home(&folder);
    let trust = Trust::load(&home).unwrap();
    let newest = list(&world().ca, 2, 1, NOW_US);
    trust.keep_crls(&home, &[&newest], NOW_US).unwrap();
    // The same name, another key: it claims to be newer, and nobody known signed it.
    let stranger = TrialCa::create("test", NOW_US).unwrap();
    let large: Vec<Vec<u8>> = (0..3).map(|n| list(&stranger, n, 300_000, NOW_US + DAY_US)).collect();
    assert!(large.iter().map(Vec::len).sum::<usize>() > MAX_CRLS_BYTES);
    trust.keep_crls(&home, &large, NOW_US).unwrap();
    let kept = kept_lists(&home);
    assert!(kept.contains(&newest));
    assert!(kept.iter().map(Vec::len).sum::<usize>() <= MAX_CRLS_BYTES);
    let many: Vec<Vec<u8>> = (0..100).map(|n| list(&stranger, 100 + n, 0, NOW_US)).collect();
    for wave in many.chunks(50) {
        trust.keep_crls(&home, wave, NOW_US).unwrap();
    }
    assert_eq!(kept_lists(&home).len(), MAX_CRLS);
    assert!(kept_lists(&home).contains(&newest));
    // What was kept is what is used, now and after the next start.
    let used = |trust: &Trust| trust.store.current().crls().any(|(_, der)| der[..] == newest[..]);
    assert!(used(&trust) && used(&Trust::load(&home).unwrap()));
}

#[test]
fn older_lists_of_a_known_ca_go_before_its_newest() {
    let folder = testing::folder("crls-old");
    let home = home(&folder);
    let trust = Trust::load(&home).unwrap();
    let newest = list(&world().ca, 1_000, 0, NOW_US);
    trust.keep_crls(&home, &[&newest], NOW_US).unwrap();
    let older: Vec<Vec<u8>> =
        (0..64_u32).map(|n| list(&world().ca, n, 0, NOW_US - (100 - i64::from(n)) * DAY_US)).collect();
    trust.keep_crls(&home, &older, NOW_US).unwrap();
    let kept = kept_lists(&home);
    assert_eq!(kept.len(), MAX_CRLS);
    assert!(kept.contains(&newest) && !kept.contains(&older[0]) && kept.contains(&older[1]));
}

#[test]
fn the_ca_above_the_own_certificate_is_known() {
    let options = || IssueOptions::new(NOW_US).with_key(KeyChoice::P256);
    let middle = world().ca.issue_intermediate("Middle", &IssueOptions::for_ca(NOW_US)).unwrap();
    let own = middle.issue_office(SENDER, "A", &options()).unwrap();
    let folder = testing::folder("crls-middle");
    let home = testing::home(&folder, &own);
    let trust = Trust::load(&home).unwrap();
    trust.keep_crls(&home, &[list(&middle, 1, 0, NOW_US), list(&world().ca, 1, 0, NOW_US)], NOW_US).unwrap();
    let standings: Vec<_> =
        trust.store.current().ranked_crls(NOW_US).iter().map(|ranked| ranked.standing).collect();
    assert_eq!(standings, [tasuki_certs::trust::CrlStanding::Current; 2]);
}

#[test]
fn what_is_no_list_is_passed_over() {
    let folder = testing::folder("crls-bad");
    let home = home(&folder);
    let trust = Trust::load(&home).unwrap();
    trust.keep_crls(&home, &[b"nonsense".to_vec(), vec![0x30; MAX_CRL_BYTES + 1]], NOW_US).unwrap();
    assert_eq!(kept_lists(&home), Vec::<Vec<u8>>::new());
}
