//! The relay of `nostr-relay-builder`, as it comes, on LMDB: `rust-nostr-relay FOLDER PORT [--auth] [--events-per-minute N]`.
//! Prints its address once it listens; port 0 is any that is free.

use nostr_lmdb::NostrLMDB;
use nostr_relay_builder::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().ok_or("FOLDER is missing")?;
    let port: u16 = args.next().ok_or("PORT is missing")?.parse()?;
    let mut builder = RelayBuilder::default().database(NostrLMDB::open(folder)?);
    if port != 0 {
        builder = builder.port(port);
    }
    while let Some(flag) = args.next() {
        builder = match flag.as_str() {
            "--auth" => builder.nip42(RelayBuilderNip42::default()),
            "--events-per-minute" => builder.rate_limit(RateLimit {
                notes_per_minute: args.next().ok_or("N is missing")?.parse()?,
                ..RateLimit::default()
            }),
            _ => return Err(format!("unknown: {flag}").into()),
        };
    }
    let relay = LocalRelay::new(builder);
    relay.run().await?;
    // With its port at the end.
    println!("{}", relay.url().await.to_string().trim_end_matches('/'));
    std::future::pending().await
}
