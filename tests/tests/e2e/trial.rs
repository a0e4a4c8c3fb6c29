//! The national trial, replayed; see `tasuki_tests::trial`.

use tasuki_tests::trial::play::Trial;

use crate::stage::programs;

#[test]
fn the_national_trial_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let mut trial = Trial::begin(&programs(), folder.path());
    let mut parcels = 0;
    for round in 0..Trial::rounds() {
        parcels += trial.round(round).parcels;
    }
    trial.end();
    assert_eq!(parcels, 264, "44 for each of the six care-management offices");
}
