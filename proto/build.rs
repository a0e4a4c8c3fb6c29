//! Compiles `tasuki/v1/*.proto` without an installed `protoc`.
use std::{env, error::Error, fs, path::PathBuf};

const PROTOS: [&str; 12] = [
    "tasuki/v1/types.proto",
    "tasuki/v1/exchange.proto",
    "tasuki/v1/feed.proto",
    "tasuki/v1/tracking.proto",
    "tasuki/v1/directory.proto",
    "tasuki/v1/log.proto",
    "tasuki/v1/webhook.proto",
    "tasuki/v1/mail.proto",
    "tasuki/v1/mandate.proto",
    "tasuki/v1/renewal.proto",
    "tasuki/v1/membership.proto",
    "tasuki/v1/partners.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=tasuki/v1");
    let files = protox::compile(PROTOS, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), prost::Message::encode_to_vec(&files))?;
    // Chunks and texts come out of the receive buffer without a copy.
    tonic_prost_build::configure().bytes(".").compile_fds(files)?;
    Ok(())
}
