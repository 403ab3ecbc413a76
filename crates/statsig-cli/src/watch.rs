//! `statsig watch`: updates of the config specs, as they come.
//!
//! [`changes`] finds what differs between two documents, [`show`] prints it. `statsig-net` loads, checks
//! and follows them.

mod changes;
mod digest;
mod show;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use statsig_core::{PayloadFormat, Snapshot, SnapshotStore, SourceErrorKind, SpecOrigin};
use statsig_net::sources::FileSpecSource;
use statsig_net::{
    AttemptOutcome, InitializeDetails, RulesetTarget, SdkKey, SpecSources, SpecSync, SpecsUpdated, SyncHealth,
    SyncOptions,
};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use crate::failure::{Ending, Failure};
use crate::help;
use crate::input::file::InputFile;
use crate::input::remote::Remote;
use crate::input::source::Source;
use crate::input::specs::{max_bytes, text_of};
use crate::output::Output;
use crate::presentation::Presentation;
use crate::remote::secret::Secret;
use crate::remote::waiting::Waiting;
use crate::remote::{interrupted, run};
use crate::text::{self, Paint};
use crate::warnings::Warnings;
use changes::Inventory;
use statsig::SystemClock;

const EXAMPLES: &str = "\
Examples:
  STATSIG_SECRET_KEY=secret-... statsig watch
  statsig watch --redis redis://redis.internal --sdk-key secret-... --format json
  statsig watch --specs specs.json          # a file that is replaced now and then
  Wait until a project changes, for at most an hour:
    timeout 3600 statsig watch --updates 2 --quiet

Fields of a JSON line:
  received_at         when it came, in milliseconds since 1970
  time, previous_time   when the project last changed, by this document and by the one before (0 for the first)
  source, origin      Network, Adapter(DataStore) or Adapter(FileBased), and the address or file
  bytes, problems     size of the document; how many parts of it cannot be used
  compile_ms          how long it took to read and compile
  gates, configs, layers, parameter_stores, mappings, bandits, layer_assignments, id_lists, settings, malformed,
  unknown_parts       each with `total` and the names `added`, `removed` and `changed`; contents of ID lists are not
                      followed";

/// Updates that wait to be written; more hold up the next update.
const WAITING: usize = 64;
/// How often the state of the connection is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time for everything to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Follows the config specs, and prints each accepted update
///
/// One line for each update: when it came, when the project changed, its size, and every part that was added, removed
/// or changed: specs, config mappings, bandits, names of ID lists, settings such as the default environment. Servers are polled; Redis and files tell of changes at once. What is older than what is known, or cannot be used,
/// is no update. Goes on when the source fails, with a warning, until Ctrl-C.
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Watch {
    #[command(flatten)]
    presentation: Presentation,
    /// End after so many updates, the first one included
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    updates: Option<u64>,
    /// Seconds between two polls, at least 1
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    poll: u64,
    #[command(flatten)]
    source: Source,
}

impl Watch {
    /// Runs the command.
    pub(crate) fn run(self, warnings: Warnings) -> Result<Ending, Failure> {
        let followed = match Remote::of(&self.source)? {
            Some(remote) => Followed::remote(remote),
            None => Followed::file(self.source.file().unwrap_or(InputFile::new("--specs", Path::new("-"))))?,
        };
        run(self.follow(followed, warnings))
    }

    async fn follow(&self, followed: Followed, warnings: Warnings) -> Result<Ending, Failure> {
        let (sender, mut updates) = mpsc::channel::<SpecsUpdated>(WAITING);
        let mut options = SyncOptions::default();
        options.poll_interval = Duration::from_secs(self.poll);
        options.sdk_key = followed.key.as_ref().map(|key| SdkKey::new(key.expose()));
        // It is called on a thread that may wait.
        options.on_update = Some(Arc::new(move |updated| drop(sender.blocking_send(updated.clone()))));
        let store = Arc::new(SnapshotStore::new(Snapshot::empty(SpecOrigin::Uninitialized)));
        let runtime = tokio::runtime::Handle::current();
        let sync = SpecSync::new(
            options,
            RulesetTarget::new(store),
            followed.sources.clone(),
            Arc::new(SystemClock),
            &runtime,
        );

        let waiting = Waiting::start(format!("waiting for {}", followed.name), warnings.quiet);
        let mut printer = Printer::new(self.presentation);
        let mut watcher = Contact { followed: &followed, was_lost: false };
        let mut stop = std::pin::pin!(interrupted());
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut first = std::pin::pin!(sync.initialize());
        let mut started = false;
        let result = loop {
            tokio::select! {
                biased;
                () = &mut stop => break Ok(()),
                Some(updated) = updates.recv() => {
                    if let Err(failure) = waiting.aside(|| printer.print(&updated)) {
                        break Err(failure);
                    }
                    if self.updates.is_some_and(|most| printer.count >= most) {
                        break Ok(());
                    }
                }
                details = &mut first, if !started => {
                    started = true;
                    if let Err(failure) = waiting.aside(|| watcher.judge_start(&details, warnings)) {
                        break Err(failure);
                    }
                }
                _ = looks.tick(), if started => {
                    let health = sync.health();
                    if let Some(message) = watcher.look(&health) {
                        waiting.aside(|| warnings.warn(&message));
                    }
                    waiting.say(show::state(&health, printer.count, &followed.name));
                }
            }
        };
        // Whoever still wants to tell of an update must not wait for us.
        drop(updates);
        sync.shutdown(FAREWELL).await;
        result?;
        printer.output.finish()?;
        Ok(Ending::Clean)
    }
}

/// A source that is followed.
struct Followed {
    sources: SpecSources,
    key: Option<Secret>,
    name: String,
    remote: Option<Remote>,
}

impl Followed {
    fn remote(remote: Remote) -> Self {
        let (sources, key, name) = (remote.sources.clone(), remote.key.clone(), remote.name.to_owned());
        Self { sources, key: Some(key), name, remote: Some(remote) }
    }

    fn file(file: InputFile<'_>) -> Result<Self, Failure> {
        file.refuse_address()?;
        if file.path == Path::new("-") {
            return Err(Failure::usage(anyhow!("standard input cannot be watched")).with_hint("name a file"));
        }
        let source = FileSpecSource::new(file.path, Arc::new(SystemClock)).with_max_bytes(max_bytes());
        let stream = Arc::new(source.stream());
        let sources = SpecSources::new().then(Arc::new(source)).with_stream(stream);
        Ok(Self { sources, key: None, name: file.name(), remote: None })
    }

    fn clean(&self, message: &str) -> String {
        let message = text::clean(message);
        self.key.as_ref().map_or_else(|| message.clone(), |key| key.hide_in(&message))
    }
}

/// Warns when the source is lost and when it answers again.
struct Contact<'a> {
    followed: &'a Followed,
    was_lost: bool,
}

impl Contact<'_> {
    /// Ends what cannot succeed; warns of everything else.
    fn judge_start(&mut self, details: &InitializeDetails, warnings: Warnings) -> Result<(), Failure> {
        let hopeless = |outcome: &AttemptOutcome| {
            let refused = SourceErrorKind::Refused;
            matches!(outcome, AttemptOutcome::Failed { kind, .. } if *kind == refused || *kind == SourceErrorKind::Misconfigured)
        };
        let mut errors = details.attempts.iter().filter_map(|attempt| attempt.outcome.error());
        let Some(error) = errors.next() else { return Ok(()) };
        let error = self.followed.clean(error);
        if !details.is_config_spec_ready && details.attempts.iter().all(|attempt| hopeless(&attempt.outcome)) {
            let failure = Failure::input(anyhow!("no config specs from {}: {error}", self.followed.name));
            let hint = self.followed.remote.as_ref().map(|remote| remote.hint(SourceErrorKind::Refused));
            return Err(match hint {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            });
        }
        self.was_lost = !details.is_config_spec_ready;
        let then = if self.was_lost { "will ask again" } else { "went on to the next source" };
        warnings.warn(&format!("{}: {error}; {then}", self.followed.name));
        Ok(())
    }

    /// Returns a message if the source was lost or answers again.
    fn look(&mut self, health: &SyncHealth) -> Option<String> {
        let is_lost = health.failures > 0;
        if std::mem::replace(&mut self.was_lost, is_lost) == is_lost {
            return None;
        }
        let name = &self.followed.name;
        Some(match &health.last_error {
            Some(error) if is_lost => format!("{name}: {}; will ask again", self.followed.clean(error)),
            _ if is_lost => format!("{name} does not answer; will ask again"),
            _ => format!("{name} answers again"),
        })
    }
}

/// Prints updates.
struct Printer {
    output: Output,
    inventory: Inventory,
    presentation: Presentation,
    count: u64,
}

impl Printer {
    fn new(presentation: Presentation) -> Self {
        Self { output: Output::stdout(), inventory: Inventory::default(), presentation, count: 0 }
    }

    fn print(&mut self, updated: &SpecsUpdated) -> Result<(), Failure> {
        let document = &updated.update.payload;
        let has_problems = updated.problems > 0;
        let next = match updated.update.format {
            // It was applied, so it can be read.
            PayloadFormat::Protobuf => Inventory::of(&text_of(document).unwrap_or_default(), has_problems),
            _ => Inventory::of(document, has_problems),
        };
        let changes = next.since(&self.inventory);
        let line = if self.presentation.is_json() {
            show::json(updated, &changes)
        } else {
            let paint = Paint { styled: self.output.styled() };
            let width = self.presentation.line_width(&self.output);
            show::line(updated, &changes, self.count == 0, paint, width)
        };
        self.inventory = next;
        self.count += 1;
        self.output.write(line.as_bytes())
    }
}
