//! The contract of the trait, in every topology and layout.

use statsig_core::testing::data_store_contract;
use statsig_core::{DataStore, DataStoreErrorKind};
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
async fn kept_in_a_namespace_for_ever_by_a_local_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("redis");
    let server = RedisServer::start_with(&[("unixsocket", socket.to_str().unwrap())]).unwrap();
    let local = RedisOptions::single(&format!("unix://{}?db=3", socket.display())).unwrap().read_only(false);
    let store = RedisDataStore::open(local.namespace("p{rod}:").ttl(None)).unwrap();
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
    let servers = RedisSentinel::start_secured("one", "two").unwrap();
    let urls = servers.urls();
    let urls = || urls.iter().map(String::as_str);
    let options = RedisOptions::sentinel(urls(), RedisSentinel::MASTER).unwrap().read_only(false).password("one");
    let store = RedisDataStore::open(options.clone().sentinel_login(None, "two")).unwrap();
    soon("the contract", data_store_contract(&store)).await;
    // The one password does not open the other door.
    for options in [options.clone(), options.sentinel_login(None, "two").password("two")] {
        let error = RedisDataStore::open(options).unwrap().initialize().await.unwrap_err();
        assert_eq!(error.kind(), DataStoreErrorKind::Denied, "{error}");
    }
    let options = RedisOptions::sentinel(urls(), "unknown").unwrap().sentinel_login(None, "two");
    let error = RedisDataStore::open(options).unwrap().initialize().await.unwrap_err();
    assert!(error.to_string().contains("no master `unknown`"), "{error}");
}
