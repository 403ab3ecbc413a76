//! Fifty clients as an application builds them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Map, json};
use statsig::redis::{RedisDataStore, RedisOptions};
use statsig::{SpecOrigin, Statsig, StatsigUser};
use statsig_testkit::redis_server::{RedisServer, wait_until};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

pub(crate) const CLIENTS: usize = 50;
pub(crate) const SDK_KEY: &str = "secret-of-the-fleet";
/// Fails a test that waits in vain.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Gates beside the one that is looked at, so that the project has some size.
const GATES: usize = 120;

/// A project as of a time, which one of its rules tells by its name.
pub(crate) fn specs(time: u64) -> Vec<u8> {
    let gate = |rule: String| {
        json!({"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true, "defaultValue": false,
            "idType": "userID", "rules": [{"name": "r", "id": rule, "salt": "r", "passPercentage": 100,
            "conditions": ["all"], "returnValue": true, "idType": "userID"}]})
    };
    let others = (0..GATES).map(|number| (format!("gate_{number}"), gate(format!("rule_{number}"))));
    let gates: Map<_, _> = others.chain([("which".to_owned(), gate(format!("rule_of_{time}")))]).collect();
    json!({"has_updates": true, "time": time, "checksum": format!("of {time}"), "feature_gates": gates,
        "dynamic_configs": {}, "layer_configs": {},
        "condition_map": {"all": {"type": "public", "idType": "userID"}}})
    .to_string()
    .into_bytes()
}

/// What a client says when specs come into force: who, the time of the specs, and that before.
type Update = (usize, u64, u64, Instant);

pub(crate) struct Fleet {
    clients: Vec<Statsig>,
    updates: UnboundedReceiver<Update>,
}

impl Fleet {
    /// Starts all clients from what is in Redis, and waits until they follow it.
    pub(crate) async fn start(server: &RedisServer, time: u64) -> Self {
        // Whoever asks Statsig's servers is refused.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (sender, updates) = unbounded_channel();
        let clients: Vec<_> = (0..CLIENTS).map(|who| client(who, server, nobody.port(), sender.clone())).collect();
        for details in join_all(clients.iter().map(Statsig::initialize)).await {
            assert_eq!((details.specs_time, details.init_success), (time, true));
            assert_eq!(details.source, SpecOrigin::Adapter("DataStore".into()));
        }
        let mut fleet = Self { clients, updates };
        fleet.all_have(time).await;
        fleet.all_serve(time).await;
        wait_until("all clients follow", || subscribers(server) >= CLIENTS).unwrap();
        fleet
    }

    /// Waits until specs of a time are in force at every client, and nothing else was meanwhile.
    /// Returns when each got there.
    pub(crate) async fn all_have(&mut self, time: u64) -> Vec<Instant> {
        let mut times = vec![None; CLIENTS];
        while times.iter().any(Option::is_none) {
            let update = tokio::time::timeout(PATIENCE, self.updates.recv()).await;
            let (who, has, before, at) = update.unwrap().unwrap();
            assert!(has == time && before < has, "client {who} went from {before} to {has}");
            assert!(times[who].replace(at).is_none(), "client {who} took {time} twice");
        }
        times.into_iter().flatten().collect()
    }

    /// Checks what evaluations of every client say.
    pub(crate) async fn all_serve(&self, time: u64) {
        let user = StatsigUser::with_user_id("u-1");
        for client in &self.clients {
            assert_eq!(client.wait_for_specs(time - 1, PATIENCE).await, Some(time));
            let gate = client.get_feature_gate(&user, "which");
            assert_eq!((gate.value(), gate.rule_id()), (true, format!("rule_of_{time}").as_str()));
            assert_eq!(gate.details().reason(), "Adapter(DataStore):Recognized");
        }
    }

    /// Lets every client ask its sources now.
    pub(crate) async fn sync_all(&self) {
        for report in join_all(self.clients.iter().map(Statsig::sync_now)).await {
            assert!(report.is_some());
        }
    }

    pub(crate) async fn end(mut self) {
        for report in join_all(self.clients.iter().map(|client| client.shutdown(PATIENCE))).await {
            assert_eq!(report.events.delivered, 0);
        }
        assert!(self.updates.try_recv().is_err(), "nothing else came into force");
    }
}

/// A client whose only source that answers is Redis.
fn client(who: usize, server: &RedisServer, dead_port: u16, updates: UnboundedSender<Update>) -> Statsig {
    let store = RedisDataStore::open(RedisOptions::single(&server.url()).unwrap()).unwrap();
    Statsig::builder()
        .sdk_key(SDK_KEY)
        .api(format!("http://127.0.0.1:{dead_port}/v1"))
        .data_store(Arc::new(store))
        .disable_all_logging(true)
        // Polls are the safety net; here only notices count.
        .specs_sync_interval(Duration::from_secs(3_600))
        .init_timeout(PATIENCE)
        .rules_updated_callback(move |updated| {
            let _ = updates.send((who, updated.time, updated.previous_time, Instant::now()));
        })
        .build()
        .unwrap()
}

/// Number of subscriptions to changes of the specs.
fn subscribers(server: &RedisServer) -> usize {
    let channels = server.command(&["PUBSUB", "CHANNELS", "statsig:update|*"]).unwrap().text();
    let words: Vec<&str> = ["PUBSUB", "NUMSUB"].into_iter().chain(channels.lines()).collect();
    let numbers = server.command(&words).unwrap().text();
    numbers.lines().filter_map(|line| line.parse().ok()).max().unwrap_or(0)
}
