//! The text of a script. It is made whenever it is read, so that no engine keeps it.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::DeflateDecoder;

/// The engine: `src/embedded.ts` of the project, by `scripts/engine-bundle.mjs`, deflated by `build.rs`.
const ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.js.deflate"));

#[derive(Debug, Clone)]
pub(crate) enum Source {
    Engine,
    /// What the tests run in its place.
    #[cfg(test)]
    Text(std::sync::Arc<str>),
}

impl Source {
    pub fn text(&self) -> io::Result<Cow<'_, str>> {
        match self {
            Self::Engine => {
                let mut text = String::new();
                DeflateDecoder::new(ENGINE).read_to_string(&mut text)?;
                Ok(text.into())
            }
            #[cfg(test)]
            Self::Text(text) => Ok(Cow::Borrowed(text)),
        }
    }
}
