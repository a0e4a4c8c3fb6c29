//! Which certificates are trusted, for what, and why others are not; with the trial CA as the issuer.

mod trial;
mod trial_ca;
