//! Client-initialize responses: all that a project says to one user, as client SDKs are initialized with it
//! (`docs/protocol/client-initialize.md`).
//!
//! A server that has the specs can send a client its assignments with the page. The same call answers "everything this
//! user is in".
//!
//! In: an [`EvaluationContext`] and [`ClientInitializeOptions`]. Out: either a [`ClientInitializeResponse`] that stays in
//! memory, or JSON text, written entry by entry as each is evaluated. Text that is the same for every user is encoded once
//! for a ruleset and hash algorithm, and copied. Both take the same walk and have the same layout, so that they are the
//! same byte for byte.
//!
//! | module | content |
//! | --- | --- |
//! | `walk` | the entries and their evaluation |
//! | `contents` | the fields of the response and their order |
//! | `response`, `streamed` | the two places where entries come from |
//! | `object_writer`, `json_writer` | the two ways in which fields are written |
//! | `prepared` | text that is encoded once |
//! | `gate`, `config`, `layer`, `parameter_store`, `session_replay`, `user` | the parts |
//! | `hashing`, `target_app`, `tables`, `checksum` | tools of these |

mod checksum;
mod config;
mod contents;
mod entry;
mod gate;
mod hashing;
mod json_writer;
mod layer;
mod names;
mod object_writer;
mod options;
mod parameter_store;
mod prepared;
mod response;
mod session_replay;
mod streamed;
mod tables;
mod target_app;
mod user;
mod walk;

use std::cell::RefCell;
use std::io::{self, Write};

pub use config::{ClientConfig, ClientConfigKind};
pub use entry::ClientExposure;
pub use gate::ClientGate;
pub use hashing::{HashAlgorithm, HashedName, UnknownHashAlgorithm, djb2};
pub use layer::ClientLayer;
pub use options::{ClientInitializeOptions, ClientSdkInfo, ResponseFormat};
pub use parameter_store::ClientParameterStore;
pub use response::ClientInitializeResponse;

use contents::{Head, write_response};
use entry::Style;
use hashing::NameHasher;
use json_writer::{Chunked, JsonWriter, Output};
use prepared::{hashed_text, shared_text};
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

/// Returns the hasher of a snapshot's names, with the hashes that are prepared.
fn names_of(snapshot: &Snapshot, algorithm: HashAlgorithm) -> NameHasher<'_> {
    let prepared = (algorithm != HashAlgorithm::None).then(|| hashed_text(snapshot, algorithm));
    NameHasher { ruleset: snapshot.ruleset(), algorithm, prepared }
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
        ClientInitializeResponse::new(self.for_client(options), options, options.sdk_info.as_ref())
    }

    /// Writes the JSON of [`EvaluationContext::client_initialize_response`] while it evaluates.
    ///
    /// `out` need not be buffered: it gets pieces of some 16 KiB. To have the text in memory,
    /// [`append_client_initialize_response`](Self::append_client_initialize_response) is cheaper; the costs are
    /// described there. With a [`previous_response_hash`](ClientInitializeOptions::previous_response_hash) the whole
    /// response is evaluated before the first byte is written.
    ///
    /// # Errors
    /// Those of `out`; what was written so far is then no complete JSON.
    pub fn write_client_initialize_response(
        &self,
        options: &ClientInitializeOptions,
        out: impl Write,
    ) -> io::Result<ClientInitializeSummary> {
        let mut out = Chunked::new(out);
        let summary = self.write_to(options, options.sdk_info.as_ref(), &mut out)?;
        out.finish()?;
        Ok(summary)
    }

    /// Appends the JSON of [`EvaluationContext::client_initialize_response`] to a buffer. `sdk_info` is used if the
    /// options contain none.
    ///
    /// # Cost
    /// The first response for a ruleset encodes its config values to JSON, and the first for a hash algorithm also its
    /// hashed names and parameter stores; later ones copy that text. It stays in memory as long as the ruleset: about the
    /// size of the config values in the payload and 80 bytes a name and algorithm, at most 32 MiB for the values, the
    /// names of each algorithm, and the parameter stores of each algorithm. What exceeds that is encoded for each
    /// response.
    ///
    /// Beyond that, a response costs the evaluation of each entry, and at most ten allocations in
    /// [`ResponseFormat::V1`] if the buffer has room and no layer merges parameters.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use statsig_core::{EvaluationSettings, FixedClock, Snapshot, SpecOrigin};
    /// use statsig_core::{ClientInitializeOptions, EvaluationContext, StatsigUser};
    ///
    /// # let snapshot = Arc::new(Snapshot::empty(SpecOrigin::Bootstrap));
    /// # let (settings, clock) = (EvaluationSettings::new(), FixedClock(0));
    /// let options = ClientInitializeOptions::new();
    /// let mut json = Vec::new();
    /// for user in ["user-1", "user-2"].map(StatsigUser::with_user_id) {
    ///     json.clear();
    ///     let context = EvaluationContext::new(&snapshot, &user, &settings, &clock);
    ///     context.append_client_initialize_response(&options, None, &mut json);
    ///     assert!(json.starts_with(b"{\"feature_gates\":"));
    /// }
    /// ```
    pub fn append_client_initialize_response(
        &self,
        options: &ClientInitializeOptions,
        sdk_info: Option<&ClientSdkInfo>,
        out: &mut Vec<u8>,
    ) -> ClientInitializeSummary {
        match self.write_to(options, options.sdk_info.as_ref().or(sdk_info), out) {
            Ok(summary) => summary,
            // A buffer accepts everything, and a response has nothing that JSON cannot represent.
            Err(_) => ClientInitializeSummary { has_updates: false, unknown_client_key: false, left_out: 0 },
        }
    }

    fn write_to<O: Output>(
        &self,
        options: &ClientInitializeOptions,
        sdk_info: Option<&ClientSdkInfo>,
        out: &mut O,
    ) -> io::Result<ClientInitializeSummary> {
        if options.previous_response_hash.is_some() {
            let response = ClientInitializeResponse::new(self.for_client(options), options, sdk_info);
            response.write_json(out)?;
            return Ok(response.summary());
        }
        let context = self.for_client(options);
        let ruleset = context.snapshot.ruleset();
        let target = TargetApp::of(ruleset, options);
        let style = Style {
            names: names_of(context.snapshot, options.hash_algorithm),
            format: options.response_format,
            without_id_type: options.remove_id_type,
        };
        let echo = UserEcho {
            user: context.user,
            settings: context.settings,
            default_environment: ruleset.meta().default_environment.as_deref(),
        };
        let drawn = if ruleset.session_replay.is_some() { context.random_fraction() } else { 0.0 };
        let streamed = Streamed {
            head: Head { style, echo, sdk_info, checksum: None },
            walk: RefCell::new(Walk::new(context, options, &target)),
            drawn,
        };
        let (shared, hashed) = (shared_text(context.snapshot), hashed_text(context.snapshot, options.hash_algorithm));
        JsonWriter::new(out, style, shared, hashed).object(|object| write_response(&streamed, object))?;
        let left_out = streamed.walk.borrow().left_out;
        Ok(ClientInitializeSummary { has_updates: true, unknown_client_key: target.unknown_key, left_out })
    }

    fn for_client(&self, options: &ClientInitializeOptions) -> Self {
        self.with_overrides(self.overrides.filter(|_| options.include_local_overrides))
    }
}
