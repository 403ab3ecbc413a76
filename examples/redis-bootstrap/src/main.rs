//! Two processes and a Redis: one writes config specs, the other starts from them and follows.
//!
//! ```console
//! $ cargo run -p redis-bootstrap -- redis://127.0.0.1 write examples/specs/demo_project.json
//! $ cargo run -p redis-bootstrap -- redis://127.0.0.1 serve
//! ```
//!
//! `write` is what a proxy or a job does with what it got from Statsig. `serve` is any host of the
//! fleet: it talks to Redis alone, starts with what is there, and has each later write at once.

use std::error::Error;

use statsig::{Statsig, StatsigUser};
use statsig_core::{
    ChangeHint, DataStore, EntryRequest, EntryVersion, KeySchema, PutMode, StoreEntry, StoreFormat, StoreKeys,
    StorePath,
};
use statsig_store_redis::{RedisDataStore, RedisOptions};

/// Never sent anywhere: keys in Redis hold its hash.
const SDK_KEY: &str = "secret-of-the-example";

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
    let request = EntryRequest::new(StoreKeys::new(SDK_KEY).all_specs_keys());
    let Some(mut feed) = store.watch(&request.keys).await? else { return Err("the store does not notify".into()) };

    let mut client: Option<Statsig> = None;
    let mut known: Option<EntryVersion> = None;
    while let Some(hint) = feed.next().await {
        if hint == ChangeHint::Interrupted {
            println!("not following for now; going on with what is there");
            continue;
        }
        let Some(entry) = store.get_entry(&request.clone().unless_known(known.clone())).await? else { continue };
        known = entry.version;
        match &client {
            None => client = Some(Statsig::builder().bootstrap(&entry.bytes).build()?),
            Some(client) => drop(client.update_specs(entry.bytes)?),
        }
        if let Some(client) = &client {
            let user = StatsigUser::builder().user_id("u-2").custom("plan", "team").build();
            let lcut = known.as_ref().map_or(0, |known| known.lcut);
            println!("specs of {lcut}: dark_mode is {}", client.check_gate(&user, "dark_mode"));
        }
    }
    Ok(())
}
