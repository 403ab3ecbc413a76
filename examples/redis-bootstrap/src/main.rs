//! Two processes and a Redis: one writes config specs, the other starts from them and follows.
//!
//! ```console
//! $ cargo run -p redis-bootstrap -- redis://127.0.0.1 write examples/specs/demo_project.json
//! $ cargo run -p redis-bootstrap -- redis://127.0.0.1 serve
//! ```
//!
//! `write` is what a proxy or a job does with what it got from Statsig. `serve` is any host of the
//! fleet on a bad day: Statsig is out of reach, so it starts with what is in Redis, and has each later
//! write at once.

use std::error::Error;
use std::sync::Arc;

use statsig::redis::{RedisDataStore, RedisOptions};
use statsig::{Statsig, StatsigUser};
use statsig_core::{DataStore, KeySchema, PutMode, StoreEntry, StoreFormat, StoreKeys, StorePath};
use tokio::sync::mpsc::unbounded_channel;

/// Never sent anywhere: keys in Redis hold its hash.
const SDK_KEY: &str = "secret-of-the-example";
/// In place of Statsig's servers: nobody listens there.
const OUT_OF_REACH: &str = "http://127.0.0.1:9/v1";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [redis, "write", file] => write(redis, file).await,
        [redis, "serve"] => serve(redis).await,
        _ => Err("usage: redis-bootstrap REDIS_URL write FILE | redis-bootstrap REDIS_URL serve".into()),
    }
}

/// Stores a document, unless a newer one is there.
async fn write(redis: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let store = RedisDataStore::open(RedisOptions::single(redis)?.read_only(false))?;
    let key = StoreKeys::new(SDK_KEY).key(&StorePath::SpecsV2, StoreFormat::PlainText, KeySchema::Hashed);
    let entry = StoreEntry::json(std::fs::read(file)?);
    println!("{:?}", store.put_entry(&key.name, &entry, PutMode::IfNewer).await?);
    Ok(())
}

/// Starts from what is in Redis, and has every change when it happens.
async fn serve(redis: &str) -> Result<(), Box<dyn Error>> {
    let store = RedisDataStore::open(RedisOptions::single(redis)?)?;
    let (updates, mut updated) = unbounded_channel();
    let client = Statsig::builder()
        .sdk_key(SDK_KEY)
        .api(OUT_OF_REACH)
        .data_store(Arc::new(store))
        .disable_all_logging(true)
        .rules_updated_callback(move |specs| {
            // Only fails once nobody listens any more.
            let _ = updates.send(specs.time);
        })
        .build()?;
    let details = client.initialize().await;
    if !details.is_config_spec_ready {
        return Err(format!("no specs: {:?}", details.attempts).into());
    }
    println!("started from {:?}", details.source);

    let user = StatsigUser::builder().user_id("u-2").custom("plan", "team").build();
    while let Some(time) = updated.recv().await {
        println!("specs of {time}: dark_mode is {}", client.check_gate(&user, "dark_mode"));
    }
    Ok(())
}
