//! Deflates the engine, which every program that has it carries along.

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::{env, io};

use flate2::Compression;
use flate2::write::DeflateEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    const ENGINE: &str = "engine/engine.js";
    println!("cargo::rerun-if-changed={ENGINE}");
    let out = PathBuf::from(env::var("OUT_DIR")?).join("engine.js.deflate");
    let mut encoder = DeflateEncoder::new(File::create(out)?, Compression::best());
    io::copy(&mut File::open(ENGINE)?, &mut encoder)?;
    encoder.finish()?;
    Ok(())
}
