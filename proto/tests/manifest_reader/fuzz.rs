//! Damaged manifests by the ten thousand: never a panic, and what is accepted means what it says.

use tasuki_proto::manifest::{parse, write};

use crate::sample;

/// If `bytes` are accepted, writing and reading the result gives the same again.
fn stable(bytes: &[u8]) -> bool {
    let Ok(manifest) = parse(bytes) else { return false };
    assert_eq!(parse(write(&manifest).as_bytes()), Ok(manifest));
    true
}

#[test]
fn every_single_byte_changed() {
    let good = write(&sample()).into_bytes();
    let mut bytes = good.clone();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for to in b"\0\t <>&;\"'=/:!?-[]%#aA1\x7f\xff" {
            bytes[at] = *to;
            accepted += u32::from(stable(&bytes));
        }
        bytes[at] = good[at];
    }
    assert!(accepted > 500, "blanks and letters of names can change: {accepted}");
}

#[test]
fn pieces_removed_moved_and_repeated() {
    let good = write(&sample()).into_bytes();
    let mut state = 0x6173_6963_u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        for _ in 0..=below(3) {
            let at = below(bytes.len() - 80);
            let piece: Vec<u8> = bytes[at..at + 1 + below(80)].to_vec();
            if below(2) == 0 {
                bytes.drain(at..at + piece.len());
            }
            if below(2) == 0 {
                let to = below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        stable(&bytes);
    }
}
