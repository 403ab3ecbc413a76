//! Options of a client.

mod bootstrap;
#[cfg(feature = "logger")]
mod logging;
#[cfg(feature = "net")]
mod network;
#[cfg(feature = "net")]
mod network_setters;
mod spelling;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use statsig_core::{
    ClientSdkInfo, Clock, CompileLimits, EvaluationSettings, IdListLookup, LocalOverrides, OverrideAdapter,
    PersistentStorage, Ruleset, Snapshot, SnapshotStore, SpecOrigin,
};

#[cfg(any(feature = "net", feature = "logger"))]
use statsig_core::Observer;
#[cfg(any(feature = "net", feature = "logger"))]
use tokio::runtime::Handle;
use uuid::Uuid;

#[cfg(feature = "logger")]
use self::logging::LoggingOptions;
#[cfg(feature = "net")]
pub use self::network::DataSource;
#[cfg(feature = "net")]
use self::network::NetworkChoices;
pub(crate) use self::spelling::Spelling;
#[cfg(any(feature = "net", feature = "logger"))]
use crate::callbacks::WatchedObserver;
use crate::client::{Background, Inner, Overrides, Statsig};
#[cfg(feature = "logger")]
use crate::error::Misconfiguration;
use crate::error::{Error, Obstacles, chain_of};
use crate::logging::Logging;
use crate::subscriptions::{ClientEvent, Subscriptions};
#[cfg(any(feature = "net", feature = "logger"))]
use crate::{process::Process, runtime::BackgroundRuntime};

// As in `statsig-background`, which a client without features does not depend on.
/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Builds a [`Statsig`] client; made by [`Statsig::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct StatsigBuilder {
    /// What is wrong with options that were given as text.
    pub(crate) problems: Vec<String>,
    /// Names under which options were set.
    pub(crate) spelling: Spelling,
    bootstrap: Option<Vec<u8>>,
    settings: EvaluationSettings,
    limits: CompileLimits,
    clock: Arc<dyn Clock>,
    id_lists: Option<Arc<dyn IdListLookup>>,
    overrides: Option<Arc<dyn OverrideAdapter>>,
    persistent_storage: Option<Arc<dyn PersistentStorage>>,
    sdk_info: ClientSdkInfo,
    subscriptions: Arc<Subscriptions>,
    record: bool,
    disable_network: bool,
    #[cfg(any(feature = "net", feature = "logger"))]
    runtime: Option<Handle>,
    #[cfg(any(feature = "net", feature = "logger"))]
    observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "net")]
    network: NetworkChoices,
    #[cfg(feature = "logger")]
    logging: LoggingOptions,
}

impl Default for StatsigBuilder {
    fn default() -> Self {
        Self {
            problems: Vec::new(),
            spelling: Spelling::default(),
            bootstrap: None,
            settings: EvaluationSettings::new(),
            limits: CompileLimits::default(),
            clock: Arc::new(SystemClock),
            id_lists: None,
            overrides: None,
            persistent_storage: None,
            sdk_info: ClientSdkInfo {
                sdk_type: "rust-server-oss".to_owned(),
                sdk_version: env!("CARGO_PKG_VERSION").to_owned(),
                session_id: Uuid::new_v4().to_string(),
            },
            subscriptions: Arc::default(),
            record: false,
            disable_network: false,
            #[cfg(any(feature = "net", feature = "logger"))]
            runtime: None,
            #[cfg(any(feature = "net", feature = "logger"))]
            observer: None,
            #[cfg(feature = "net")]
            network: NetworkChoices::default(),
            #[cfg(feature = "logger")]
            logging: LoggingOptions::default(),
        }
    }
}

impl std::fmt::Debug for StatsigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatsigBuilder")
            .field("bootstrap_bytes", &self.bootstrap.as_ref().map(Vec::len))
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Statsig {
    /// Starts building a client.
    pub fn builder() -> StatsigBuilder {
        StatsigBuilder::default()
    }
}

impl StatsigBuilder {
    /// The config specs to start with: the text of a document of the v2 or v1 form, as Statsig's servers send it; not
    /// the path of a file.
    pub fn bootstrap(mut self, specs: impl AsRef<[u8]>) -> Self {
        self.bootstrap = Some(specs.as_ref().to_vec());
        self.spelling.in_code("bootstrap", "bootstrap");
        self
    }

    /// The environment tier of users that bring none of their own, for instance `staging`.
    pub fn environment(mut self, tier: impl AsRef<str>) -> Self {
        self.settings = self.settings.with_environment(tier);
        self
    }

    /// Custom fields that every user has, unless it has its own of the same name.
    pub fn global_custom_fields<K: AsRef<str>, V: Into<Value>>(
        mut self,
        fields: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.settings = self.settings.with_global_custom_fields(fields);
        self
    }

    /// Whether a user's IP address may tell the country (default: yes).
    pub fn ip_country(mut self, enabled: bool) -> Self {
        self.settings = self.settings.with_ip_country(enabled);
        self
    }

    /// Whether a user agent may tell browser and operating system (default: yes).
    pub fn user_agent(mut self, enabled: bool) -> Self {
        self.settings = self.settings.with_user_agent(enabled);
        self
    }

    /// Knows who is in which ID list; without it all lists are empty.
    pub fn id_lists(mut self, id_lists: Arc<dyn IdListLookup>) -> Self {
        self.id_lists = Some(id_lists);
        self
    }

    /// Answers before the rules do, instead of the client's own
    /// [local overrides](Statsig::local_overrides).
    pub fn override_adapter(mut self, overrides: Arc<dyn OverrideAdapter>) -> Self {
        self.overrides = Some(overrides);
        self
    }

    /// Keeps sticky assignments: which group of an experiment a user was put in.
    pub fn persistent_storage(mut self, storage: Arc<dyn PersistentStorage>) -> Self {
        self.persistent_storage = Some(storage);
        self
    }

    /// What the SDK calls itself, for bindings that have a name of their own (default:
    /// `rust-server-oss` and the version of this crate).
    pub fn sdk(mut self, sdk_type: impl Into<String>, sdk_version: impl Into<String>) -> Self {
        self.sdk_info.sdk_type = sdk_type.into();
        self.sdk_info.sdk_version = sdk_version.into();
        self
    }

    /// Tells the time (default: [`SystemClock`]).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Bounds on what config specs may cost (default: 512 MiB).
    pub fn compile_limits(mut self, limits: CompileLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Whether results carry the gates that took part in them (default: no, which is faster).
    pub fn record_secondary_exposures(mut self, record: bool) -> Self {
        self.record = record;
        self
    }

    /// Calls back with every gate, dynamic config, experiment and layer that is evaluated, on the thread
    /// that does so: a [subscription](Statsig::subscribe) that is there from the beginning and stays.
    pub fn evaluation_callback(self, callback: impl Fn(&ClientEvent<'_>) + Send + Sync + 'static) -> Self {
        self.subscriptions.set_evaluation_callback(Arc::new(callback));
        self
    }

    /// Local mode: evaluates as always, and neither fetches nor sends anything; events are not even
    /// kept (default: off). Only in this mode may a client have no config specs at all: every check gives its
    /// default then, unless there is an override. In files and in the environment: `local_mode`.
    pub fn disable_network(mut self, disable: bool) -> Self {
        self.disable_network = disable;
        self
    }

    /// The tokio runtime for background work, with timers and, for the network, I/O enabled. It should
    /// outlive the client: when it ends, nothing is fetched or delivered any more. Default: the one in which
    /// `build` is called; outside of any, a thread of the client's own.
    #[cfg(any(feature = "net", feature = "logger"))]
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Receives metrics and errors of the client (default: they only show in logs and in
    /// [`Statsig::health`]).
    #[cfg(any(feature = "net", feature = "logger"))]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        let log = Arc::clone(self.subscriptions.log());
        self.observer = Some(Arc::new(WatchedObserver { observer, log }));
        self
    }

    /// Checks the options, compiles the bootstrap document, and returns the client. Asks no network.
    ///
    /// Takes time in proportion to the document: some milliseconds for a megabyte.
    ///
    /// # Errors
    /// When options are missing, out of their bounds (`docs/options.md`) or contradict each other, all problems at
    /// once, by the names under which the options were set; when there is no source of config specs, except in
    /// [local mode](Self::disable_network); when a bootstrap document that is the only source cannot be used. Beside
    /// other sources, such a document is a warning. Parts of the specs that cannot be used are no error: see
    /// [`Statsig::problems`].
    pub fn build(mut self) -> Result<Statsig, Error> {
        let mut obstacles = Obstacles::default();
        obstacles.problems.append(&mut self.problems);
        #[cfg(feature = "logger")]
        self.logging.check(&self.spelling, &mut obstacles.problems);
        let specs = Arc::new(SnapshotStore::new(self.first_snapshot(&mut obstacles)));
        let (logging, background) = self.background(&specs, obstacles)?;
        Ok(self.finish(specs, logging, background))
    }

    /// A client that has nothing and does nothing.
    pub(crate) fn inert(self) -> Statsig {
        let specs = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        self.finish(specs, Logging::default(), Background::default())
    }

    /// What the bootstrap document comes to.
    fn first_snapshot(&self, obstacles: &mut Obstacles) -> Snapshot {
        let received_at_ms = self.clock.unix_ms();
        let empty = Snapshot::empty(SpecOrigin::Uninitialized);
        let beside_others = self.has_other_sources();
        let name = self.spelling.name("bootstrap");
        if let Some(problem) = self.bootstrap.as_deref().and_then(bootstrap::problem_of_bootstrap) {
            obstacles.problems.push(format!("{name} {problem}"));
            return empty;
        }
        // Beside other sources it is one of them: in force at once only where it is the first to be asked.
        // `initialize` reports what became of it.
        if beside_others && !self.bootstrap_comes_first() {
            return empty;
        }
        match self.bootstrap.as_ref().map(|document| Ruleset::compile_with(document, &self.limits)) {
            None if beside_others || self.disable_network => {}
            None => obstacles.problems.push(self.nothing_to_start_with().to_owned()),
            Some(Err(error)) if beside_others => {
                let error = chain_of(&error);
                tracing::warn!(error, "cannot use the bootstrap document; the other sources are next");
            }
            Some(Err(error)) => obstacles.note(error.into()),
            Some(Ok(ruleset)) if self.is_for_another_key(&ruleset) => {
                let problem = format!("{name} holds config specs that were made for another SDK key");
                if beside_others {
                    tracing::warn!(problem, "cannot use the bootstrap document; the other sources are next");
                } else {
                    obstacles.problems.push(problem);
                }
            }
            Some(Ok(ruleset)) => return Snapshot::new(ruleset, SpecOrigin::Bootstrap, received_at_ms),
        }
        empty
    }

    #[cfg(not(any(feature = "net", feature = "logger")))]
    fn background(&mut self, _: &Arc<SnapshotStore>, obstacles: Obstacles) -> Result<(Logging, Background), Error> {
        obstacles.check()?;
        Ok((Logging::default(), Background::default()))
    }

    /// Everything that goes on in the background, unless something stands in the way.
    #[cfg(any(feature = "net", feature = "logger"))]
    fn background(
        &mut self,
        specs: &Arc<SnapshotStore>,
        #[cfg_attr(not(feature = "net"), allow(unused_mut, reason = "only the network finds more of them"))]
        mut obstacles: Obstacles,
    ) -> Result<(Logging, Background), Error> {
        #[cfg(feature = "net")]
        let around = network::Surroundings {
            clock: &self.clock,
            bootstrap: self.bootstrap.as_deref(),
            local_mode: self.disable_network,
            spelling: &self.spelling,
            limits: self.limits,
            observer: self.observer.as_ref(),
        };
        #[cfg(feature = "net")]
        let (network, sources) = {
            self.network.check(&around, &mut obstacles.problems);
            let network = self.network.network(&mut self.sdk_info, &around);
            let network = network.map_err(|error| obstacles.note(Error::Network(error))).ok().flatten();
            let sources = self.network.sources(network.as_ref(), &around, &mut obstacles.problems);
            if let Some(network) = &network {
                self.network.check_vendor(network, &around, &mut obstacles.problems);
                #[cfg(feature = "logger")]
                self.logging.check_vendor(network, &self.spelling, &mut obstacles.problems);
            }
            if obstacles.problems.is_empty() && self.has_other_sources() {
                obstacles.problems.extend(network::no_source(&sources, &around));
            }
            (network, sources)
        };
        obstacles.check()?;
        #[cfg(feature = "net")]
        let needs_network = self.has_other_sources();
        #[cfg(not(feature = "net"))]
        let needs_network = false;
        #[cfg(feature = "logger")]
        {
            self.logging.local_mode(self.disable_network);
            #[cfg(feature = "net")]
            let key = self.network.key.as_ref().map(statsig_net::SdkKey::expose);
            #[cfg(not(feature = "net"))]
            let key = None;
            if let Err(problem) = self.logging.open(key) {
                return Err(Error::Misconfigured(Misconfiguration::new(vec![problem])));
            }
            #[cfg(feature = "net")]
            if let Some(network) = &network {
                self.logging.send_to(network, specs);
            }
            self.logging.observed_by(self.observer.clone());
        }
        #[cfg(feature = "logger")]
        let needs_logger = self.logging.is_on();
        #[cfg(not(feature = "logger"))]
        let needs_logger = false;
        if !needs_network && !needs_logger {
            return Ok((Logging::default(), Background::default()));
        }
        let runtime = BackgroundRuntime::choose(self.runtime.take()).map_err(Error::Runtime)?;
        let process = Process::this();
        #[cfg(feature = "logger")]
        let logging = std::mem::take(&mut self.logging).start(
            &self.sdk_info,
            &self.settings,
            &self.clock,
            (&runtime, &process),
        )?;
        #[cfg(not(feature = "logger"))]
        let logging = Logging::default();
        logging.specs_changed(specs);
        #[cfg(feature = "net")]
        let listener = self.specs_listener(&logging, specs);
        #[cfg(feature = "net")]
        let networking = needs_network.then(|| {
            let choices = std::mem::take(&mut self.network);
            choices.start(network.as_ref(), sources, &around, specs, listener, runtime.handle())
        });
        let background = Background {
            #[cfg(feature = "net")]
            networking,
            runtime: Some(runtime),
            process: Some(process),
            ended: tokio::sync::OnceCell::new(),
        };
        Ok((logging, background))
    }

    /// Returns what is called with specs that became current.
    #[cfg(feature = "net")]
    fn specs_listener(&self, logging: &Logging, specs: &Arc<SnapshotStore>) -> statsig_net::SpecsListener {
        let (settings_changed, told) = (logging.listener(specs), Arc::clone(&self.subscriptions));
        self.network.listener(move |updated| {
            settings_changed();
            told.tell(ClientEvent::SpecsUpdated(&updated.update));
        })
    }

    fn finish(self, specs: Arc<SnapshotStore>, logging: Logging, background: Background) -> Statsig {
        #[cfg(feature = "net")]
        let acceptor = match &background.networking {
            Some(networking) => networking.acceptor().clone(),
            None => {
                let listener = self.specs_listener(&logging, &specs);
                self.network.acceptor(&specs, self.limits, &self.clock, self.observer.as_ref(), listener)
            }
        };
        #[cfg(feature = "net")]
        let id_lists = self.id_lists.or_else(|| background.networking.as_ref()?.lookup());
        #[cfg(not(feature = "net"))]
        let id_lists = self.id_lists;
        Statsig::new(Inner {
            specs,
            settings: self.settings,
            #[cfg(not(feature = "net"))]
            limits: self.limits,
            clock: self.clock,
            id_lists,
            overrides: self.overrides.map_or_else(|| Overrides::Local(LocalOverrides::new()), Overrides::Adapter),
            persistent_storage: self.persistent_storage,
            sdk_info: self.sdk_info,
            record: self.record,
            subscriptions: self.subscriptions,
            warned_of_no_ids: AtomicBool::new(false),
            logging,
            background,
            #[cfg(feature = "net")]
            acceptor,
        })
    }

    /// Whether specs may come from elsewhere than the bootstrap document.
    #[cfg(feature = "net")]
    fn has_other_sources(&self) -> bool {
        self.network.has_sources(self.disable_network)
    }

    #[cfg(feature = "net")]
    fn bootstrap_comes_first(&self) -> bool {
        self.network.bootstrap_comes_first()
    }

    #[cfg(not(feature = "net"))]
    #[allow(clippy::unused_self, reason = "as with the network")]
    fn bootstrap_comes_first(&self) -> bool {
        true
    }

    #[cfg(feature = "net")]
    fn is_for_another_key(&self, ruleset: &Ruleset) -> bool {
        let made_for = ruleset.meta().hashed_sdk_key_used.as_ref();
        made_for.zip(self.network.key.as_ref()).is_some_and(|(made_for, key)| !key.is_named_by(made_for))
    }

    #[cfg(not(feature = "net"))]
    #[allow(clippy::unused_self, reason = "as with the network")]
    fn is_for_another_key(&self, _: &Ruleset) -> bool {
        false
    }

    #[cfg(not(feature = "net"))]
    #[allow(clippy::unused_self, reason = "as with the network")]
    fn has_other_sources(&self) -> bool {
        false
    }

    #[allow(clippy::unused_self, reason = "reads as part of the checks")]
    fn nothing_to_start_with(&self) -> &'static str {
        if cfg!(feature = "net") {
            "no config specs: give `sdk_key` the project's server secret key, or `bootstrap` the JSON of a project, or switch \
             `local_mode` (`disable_network`) on"
        } else {
            "no config specs: give `bootstrap` the JSON of a project, or switch `local_mode` (`disable_network`) on"
        }
    }
}
