//! All that a project says to one user, in the form that client SDKs are initialized with
//! (`docs/protocol/client-initialize.md`).
//!
//! A server that has the specs can hand a client its assignments together with the page, so that
//! the client need not ask for them. The same call answers "everything this user is in".
//!
//! In: an [`EvaluationContext`] and [`ClientInitializeOptions`]. Out: either a
//! [`ClientInitializeResponse`] that stays in memory, or JSON that is written entry by entry, each
//! evaluated when its turn comes. Both take the same walk and are written by the same code, so that
//! they are the same byte for byte.
//!
//! | module | what |
//! | --- | --- |
//! | `walk` | which entries there are, and their evaluation |
//! | `contents` | the response as a whole: its fields, in order |
//! | `response`, `streamed` | the two places where entries come from |
//! | `gate`, `config`, `layer`, `parameter_store`, `session_replay`, `user` | the parts |
//! | `hashing`, `target_app`, `tables`, `checksum` | what they need |

mod checksum;
mod config;
mod contents;
mod entry;
mod gate;
mod hashing;
mod layer;
mod names;
mod options;
mod parameter_store;
mod response;
mod session_replay;
mod streamed;
mod tables;
mod target_app;
mod user;
mod walk;

use std::cell::RefCell;
use std::io::{self, BufWriter, Write};

pub use config::{ClientConfig, ClientConfigKind};
pub use entry::ClientExposure;
pub use gate::ClientGate;
pub use hashing::{HashAlgorithm, HashedName, UnknownHashAlgorithm, djb2};
pub use layer::ClientLayer;
pub use options::{ClientInitializeOptions, ClientSdkInfo, ResponseFormat};
pub use parameter_store::ClientParameterStore;
pub use response::ClientInitializeResponse;

use contents::{Head, Whole};
use entry::Style;
use hashing::NameHasher;
use streamed::Streamed;
use target_app::TargetApp;
use user::UserEcho;
use walk::Walk;

use crate::evaluate::EvaluationContext;
use crate::snapshot::Snapshot;

/// What is worth knowing of a client-initialize response besides the response itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientInitializeSummary {
    /// False if the client has this response already, by its
    /// [`previous_response_hash`](ClientInitializeOptions::previous_response_hash).
    pub has_updates: bool,
    /// The client key is not among those that the specs know, so that nothing was left out on
    /// account of its app. Worth a warning: it may be a mistake, and shows the client other apps.
    pub unknown_client_key: bool,
    /// How many entries are missing because their gates form a cycle or nest too deep.
    pub left_out: usize,
}

/// How names are hashed. SHA-256 digests are taken once for all responses of a snapshot.
fn names_of(snapshot: &Snapshot, algorithm: HashAlgorithm) -> NameHasher<'_> {
    let digests = (algorithm == HashAlgorithm::Sha256).then(|| snapshot.name_digests());
    NameHasher { ruleset: snapshot.ruleset(), algorithm, digests }
}

impl<'a> EvaluationContext<'a> {
    /// Evaluates everything for the user, as a client is to be told it.
    ///
    /// Gates that several entries ask are evaluated once. Nothing is logged. Local overrides play no
    /// part unless the options say so. An entry whose gates form a cycle or nest too deep is left
    /// out; see [`ClientInitializeResponse::summary`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use statsig_core::{EvaluationSettings, FixedClock, Snapshot, SpecOrigin};
    /// use statsig_core::{ClientInitializeOptions, EvaluationContext, HashAlgorithm, StatsigUser};
    ///
    /// # let snapshot = Arc::new(Snapshot::empty(SpecOrigin::Bootstrap));
    /// # let (settings, clock) = (EvaluationSettings::new(), FixedClock(0));
    /// let user = StatsigUser::with_user_id("user-1");
    /// let context = EvaluationContext::new(&snapshot, &user, &settings, &clock);
    /// let options = ClientInitializeOptions::new().with_hash_algorithm(HashAlgorithm::None);
    ///
    /// let response = context.client_initialize_response(&options);
    /// for gate in response.feature_gates() {
    ///     println!("{}: {}", gate.name(), gate.value());
    /// }
    /// let json = serde_json::to_string(&response)?;
    /// # assert!(json.contains(r#""hash_used":"none","user":{"userID":"user-1"}"#));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn client_initialize_response(&self, options: &ClientInitializeOptions) -> ClientInitializeResponse {
        ClientInitializeResponse::new(self.for_client(options), options)
    }

    /// Writes the JSON of [`EvaluationContext::client_initialize_response`] while it evaluates.
    ///
    /// Holds one entry at a time, and allocates less than once an entry on average. `out` need not
    /// be buffered. With a
    /// [`previous_response_hash`](ClientInitializeOptions::previous_response_hash) the whole
    /// response is evaluated before the first byte is written.
    ///
    /// # Errors
    /// Those of `out`; what was written so far is then no complete JSON.
    pub fn write_client_initialize_response(
        &self,
        options: &ClientInitializeOptions,
        out: impl Write,
    ) -> io::Result<ClientInitializeSummary> {
        let mut out = BufWriter::new(out);
        if options.previous_response_hash.is_some() {
            let response = self.client_initialize_response(options);
            serde_json::to_writer(&mut out, &response)?;
            out.flush()?;
            return Ok(response.summary());
        }
        let context = self.for_client(options);
        let ruleset = context.snapshot.ruleset();
        let target = TargetApp::of(ruleset, options);
        let head = Head {
            style: Style {
                names: names_of(context.snapshot, options.hash_algorithm),
                format: options.response_format,
                without_id_type: options.remove_id_type,
            },
            echo: UserEcho {
                user: context.user,
                settings: context.settings,
                default_environment: ruleset.meta().default_environment.as_deref(),
            },
            sdk_info: options.sdk_info.as_ref(),
            checksum: None,
        };
        let walk = RefCell::new(Walk::new(context, options, &target));
        let streamed = Streamed { head, walk, seed: context.seed };
        serde_json::to_writer(&mut out, &Whole(&streamed))?;
        out.flush()?;
        let left_out = streamed.walk.borrow().left_out;
        Ok(ClientInitializeSummary { has_updates: true, unknown_client_key: target.unknown_key, left_out })
    }

    fn for_client(&self, options: &ClientInitializeOptions) -> Self {
        self.with_overrides(self.overrides.filter(|_| options.include_local_overrides))
    }
}
