//! Who may do what: users, passwords, TLS, replicas.

use statsig_core::{ChangeHint, DataStore, DataStoreErrorKind, EntryRequest, PutMode, PutOutcome, StoreHealth};
use statsig_store_redis::{RedisDataStore, RedisOptions};
use statsig_testkit::redis_server::{RedisServer, wait_until};

use crate::rights::granted;
use crate::{key, open, options, payload, soon};

pub(crate) const PASSWORD: &str = "p@ss:w/o#r%d {x} é";

pub(crate) fn secured() -> RedisServer {
    RedisServer::start_secured(&[("requirepass", "root")], "default", "root").unwrap()
}

/// Makes a user with these rights, and no others.
pub(crate) fn user(server: &RedisServer, rights: &[String]) {
    let password = format!(">{PASSWORD}");
    let words = ["ACL", "SETUSER", "statsig", "reset", "on", &password];
    let rights = rights.iter().map(String::as_str);
    server.command(&words.into_iter().chain(rights).collect::<Vec<_>>()).unwrap();
}

#[tokio::test]
async fn without_the_right_to_announce_a_payload_is_stored_all_the_same() {
    let server = secured();
    let mut rights = granted("writer", "");
    rights.retain(|right| right != "&statsig:update|*");
    user(&server, &rights);
    let store = RedisDataStore::open(options(&server).username("statsig").password(PASSWORD)).unwrap();
    let key = key("secret-1");
    assert_eq!(store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap(), PutOutcome::Written);
    assert_eq!(store.stats().unannounced, 1);
    assert!(store.get_entry(&EntryRequest::new([key])).await.unwrap().is_some());
}

#[tokio::test]
async fn a_wrong_password_is_said_and_a_right_one_heals() {
    let server = secured();
    user(&server, &granted("writer", ""));
    let file = server.dir().join("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let store = RedisDataStore::open(options(&server).username("statsig").password_file(&file)).unwrap();
    let error = store.initialize().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::Denied, false), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(matches!(store.health().await, StoreHealth::Down { .. }));
    let mut feed = store.watch(&[key("secret-1")]).await.unwrap().unwrap();
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    store.initialize().await.unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));

    std::fs::remove_file(&file).unwrap();
    let error = RedisDataStore::open(options(&server).username("statsig").password_file(&file)).unwrap();
    assert!(error.initialize().await.unwrap_err().to_string().contains("cannot read"));
    for url in [format!("redis://statsig:hunter2@127.0.0.1:{}", server.port()), server.url()] {
        let store = RedisDataStore::open(RedisOptions::single(&url).unwrap()).unwrap();
        let error = store.initialize().await.unwrap_err();
        assert_eq!(error.kind(), DataStoreErrorKind::Denied, "{error}");
    }
}

#[tokio::test]
async fn a_replica_is_read_but_not_written() {
    let master = RedisServer::start().unwrap();
    let of = format!("127.0.0.1 {}", master.port());
    let replica = RedisServer::start_with(&[("replicaof", &of)]).unwrap();
    wait_until("the replica is in sync", || {
        replica.command(&["INFO", "replication"]).unwrap().text().contains("master_link_status:up")
    })
    .unwrap();
    let (key, store) = (key("secret-1"), open(&replica));
    let mut feed = store.watch(std::slice::from_ref(&key)).await.unwrap().unwrap();
    assert_eq!(soon("the subscription", feed.next()).await, Some(ChangeHint::Subscribed));
    let error = store.put_entry(&key.name, &payload(1), PutMode::IfNewer).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::ReadOnly, true), "{error}");
    assert!(matches!(store.health().await, StoreHealth::Degraded { .. }));
    open(&master).put_entry(&key.name, &payload(2), PutMode::IfNewer).await.unwrap();
    let hint = ChangeHint::Changed { key: key.name.clone(), lcut: Some(2) };
    assert_eq!(soon("a notice through the replica", feed.next()).await, Some(hint));
    assert!(store.get_entry(&EntryRequest::new([key])).await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_for_reading_does_not_write() {
    let server = RedisServer::start().unwrap();
    let store = RedisDataStore::open(RedisOptions::single(&server.url()).unwrap()).unwrap();
    let key = key("secret-1");
    for error in [
        store.put_entry(&key.name, &payload(1), PutMode::Force).await.unwrap_err(),
        store.set(&key.name, "x", None).await.unwrap_err(),
        store.append(&key.name, 0, b"x").await.unwrap_err(),
        store.touch(std::slice::from_ref(&key)).await.unwrap_err(),
    ] {
        assert_eq!((error.kind(), error.is_retryable()), (DataStoreErrorKind::ReadOnly, false), "{error}");
    }
    assert_eq!(server.command(&["DBSIZE"]).unwrap().text(), "0");
    assert_eq!(store.stats().errors, 4);
}

#[cfg(feature = "tls")]
mod tls {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    use statsig_store_redis::TlsOptions;

    use super::*;

    /// An authority, and what it signed.
    struct Authority(CertifiedIssuer<'static, KeyPair>);

    impl Authority {
        fn new() -> Self {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, "authority");
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
        }

        fn pem(&self) -> String {
            self.0.pem()
        }

        /// A certificate and its key.
        fn sign(&self, name: &str) -> (String, String) {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
        }
    }

    /// Configuration of servers with TLS, for clients with certificates of the authority.
    struct Files(tempfile::TempDir);

    impl Files {
        fn new(authority: &Authority) -> Self {
            let (certificate, key) = authority.sign("127.0.0.1");
            let files = Self(tempfile::tempdir().unwrap());
            for (name, text) in [("ca", authority.pem()), ("crt", certificate), ("key", key)] {
                std::fs::write(files.path(name), text).unwrap();
            }
            files
        }

        fn path(&self, name: &str) -> String {
            self.0.path().join(name).to_str().unwrap().to_owned()
        }

        fn configuration(&self, port: u16) -> Vec<(&'static str, String)> {
            vec![
                ("tls-port", port.to_string()),
                ("tls-cert-file", self.path("crt")),
                ("tls-key-file", self.path("key")),
                ("tls-ca-cert-file", self.path("ca")),
                ("tls-auth-clients", "yes".to_owned()),
            ]
        }
    }

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    fn words<'a>(configuration: &'a [(&'static str, String)]) -> Vec<(&'a str, &'a str)> {
        configuration.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// A server, and its port for TLS.
    fn start(files: &Files) -> (RedisServer, u16) {
        for _ in 0..5 {
            let port = free_port();
            if let Ok(server) = RedisServer::start_with(&words(&files.configuration(port))) {
                return (server, port);
            }
        }
        panic!("a server with TLS does not start: is redis-server built with TLS?");
    }

    #[cfg(feature = "cluster")]
    #[tokio::test]
    async fn a_cluster_with_tls_and_users() {
        let authority = Authority::new();
        let files = Files::new(&authority);
        let ports = [free_port(), free_port(), free_port()];
        let configurations = ports.map(|port| {
            let mut configuration = files.configuration(port);
            configuration.push(("tls-cluster", "yes".to_owned()));
            configuration
        });
        let configurations: Vec<_> = configurations.iter().map(|it| words(it)).collect();
        let cluster = statsig_testkit::redis_server::RedisCluster::start_with(&configurations).unwrap();
        for node in cluster.nodes() {
            user(node, &[granted("writer", ""), vec!["+cluster|slots".to_owned()]].concat());
        }
        let (certificate, key) = authority.sign("client");
        let tls = TlsOptions::new().authorities(authority.pem()).client_certificate(certificate, key);
        let urls = ports.map(|port| format!("rediss://127.0.0.1:{port}"));
        let options = RedisOptions::cluster(urls.iter().map(String::as_str)).unwrap().read_only(false).tls(tls);
        let store = RedisDataStore::open(options.username("statsig").password(PASSWORD)).unwrap();
        soon("the contract", statsig_core::testing::data_store_contract(&store)).await;
    }

    #[tokio::test]
    async fn own_authority_and_client_certificate() {
        let authority = Authority::new();
        let files = Files::new(&authority);
        let (server, port) = start(&files);
        let url = format!("rediss://127.0.0.1:{port}");
        let (certificate, client_key) = authority.sign("client");
        let tls = TlsOptions::new().authorities(authority.pem()).client_certificate(certificate, client_key);
        let options = RedisOptions::single(&url).unwrap().read_only(false);
        let store = RedisDataStore::open(options.clone().tls(tls.clone())).unwrap();
        soon("the contract", statsig_core::testing::data_store_contract(&store)).await;

        // Everything but the right papers is refused.
        let stranger = Authority::new();
        let (certificate, client_key) = stranger.sign("client");
        for (tls, what) in [
            (TlsOptions::new().authorities(authority.pem()), "no certificate"),
            (TlsOptions::new().authorities(stranger.pem()), "another authority"),
            (
                TlsOptions::new().authorities(authority.pem()).client_certificate(certificate, client_key),
                "the certificate of a stranger",
            ),
        ] {
            let store = RedisDataStore::open(options.clone().tls(tls)).unwrap();
            let error = store.initialize().await.unwrap_err();
            assert!(
                matches!(error.kind(), DataStoreErrorKind::Unavailable | DataStoreErrorKind::Other),
                "{what}: {error}"
            );
        }
        // TLS to a port without it, and a name that the certificate does not have.
        let plain = RedisOptions::single(&server.url()).unwrap().connect_timeout(std::time::Duration::from_millis(500));
        assert!(RedisDataStore::open(plain.tls(tls.clone())).unwrap().initialize().await.is_err());
        let other_name = RedisOptions::single(&format!("rediss://localhost:{port}")).unwrap();
        assert!(RedisDataStore::open(other_name.tls(tls)).unwrap().initialize().await.is_err());
    }

    #[test]
    fn unreadable_papers_are_found_when_opening() {
        for tls in [
            TlsOptions::new().authorities("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
            TlsOptions::new().client_certificate("", "no key"),
        ] {
            let error =
                RedisDataStore::open(RedisOptions::single("rediss://h").unwrap().tls(tls)).map(drop).unwrap_err();
            assert!(error.to_string().contains("`tls`"), "{error}");
        }
    }
}
