//! The contract of the trait, in every topology and layout.

use statsig_core::testing::data_store_contract;
use statsig_store_redis::{Layout, RedisDataStore, RedisOptions};
#[cfg(feature = "cluster")]
use statsig_testkit::redis_server::RedisCluster;
use statsig_testkit::redis_server::{RedisSentinel, RedisServer};

use crate::{options, soon};

#[tokio::test]
async fn kept_in_hashes() {
    let server = RedisServer::start().unwrap();
    let store = RedisDataStore::open(options(&server)).unwrap();
    soon("the contract", data_store_contract(&store)).await;
}

#[tokio::test]
async fn kept_in_strings() {
    let server = RedisServer::start().unwrap();
    let store = RedisDataStore::open(options(&server).layout(Layout::String)).unwrap();
    soon("the contract", data_store_contract(&store)).await;
}

#[tokio::test]
async fn kept_in_a_namespace_for_ever() {
    let server = RedisServer::start().unwrap();
    let store = RedisDataStore::open(options(&server).namespace("p{rod}:").ttl(None).db(3)).unwrap();
    soon("the contract", data_store_contract(&store)).await;
    let keys = server.command(&["KEYS", "*"]).unwrap();
    assert_eq!(keys.text(), "", "database 0 stays empty");
}

#[cfg(feature = "zstd")]
#[tokio::test]
async fn kept_in_compressed_values() {
    let server = RedisServer::start().unwrap();
    for layout in [Layout::Hash, Layout::String] {
        let options = options(&server).namespace(format!("{layout:?}:")).compress(true).layout(layout);
        soon("the contract", data_store_contract(&RedisDataStore::open(options).unwrap())).await;
    }
}

#[cfg(feature = "cluster")]
#[tokio::test]
async fn kept_in_a_cluster() {
    let cluster = RedisCluster::start(3).unwrap();
    let urls = cluster.urls();
    for layout in [Layout::Hash, Layout::String] {
        let options = RedisOptions::cluster(urls.iter().map(String::as_str)).unwrap().read_only(false).layout(layout);
        let options = options.namespace(format!("{layout:?}:"));
        soon("the contract", data_store_contract(&RedisDataStore::open(options).unwrap())).await;
    }
}

#[tokio::test]
async fn kept_with_sentinels() {
    let servers = RedisSentinel::start().unwrap();
    let urls = servers.urls();
    let options = RedisOptions::sentinel(urls.iter().map(String::as_str), RedisSentinel::MASTER).unwrap();
    soon("the contract", data_store_contract(&RedisDataStore::open(options.read_only(false)).unwrap())).await;
}
