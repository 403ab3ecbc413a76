//! `statsig redis watch`: follows the changes of a store.

use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use serde::Serialize;
use statsig_core::{ChangeHint, Clock as _, DataStore, StoreKey};

use super::{Place, Store, places, redis};
use crate::failure::{Ending, Failure};
use crate::output::Output;
use crate::presentation::Presentation;
use crate::remote::waiting::Waiting;
use crate::remote::{interrupted, run};
use crate::text::wrap::Wrapped;
use crate::text::{self, Paint, iso_time};
use crate::warnings::Warnings;
use statsig::SystemClock;

/// Pause between two looks at the connection while it does not stand.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Follows a store, and prints each notice of a change
///
/// One line for each notice: which value was written, and the time of what it holds. `statsig watch --redis` says what
/// changed in the project. Goes on when Redis is lost, and says so, until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    presentation: Presentation,
    /// End after so many notices of a change
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    updates: Option<u64>,
    #[command(flatten)]
    store: Store,
}

/// A notice as JSON.
#[derive(Serialize)]
struct Row<'a> {
    at: i64,
    event: &'static str,
    path: Option<&'a str>,
    format: Option<&'static str>,
    schema: Option<&'static str>,
    time: Option<u64>,
}

impl Watch {
    /// Runs the command.
    pub(super) fn run(&self, warnings: Warnings) -> Result<Ending, Failure> {
        let places = places(&self.store.key()?);
        let store = self.store.place.open(|options| options)?;
        run(async {
            // So that a wrong address or password ends it.
            store.initialize().await.map_err(|error| redis::failed(&error))?;
            self.follow(&store, &places, warnings).await
        })
    }

    async fn follow(&self, store: &dyn DataStore, places: &[Place], warnings: Warnings) -> Result<Ending, Failure> {
        let keys: Vec<StoreKey> = places.iter().map(|place| place.key.clone()).collect();
        let feed = store.watch(&keys).await.map_err(|error| redis::failed(&error))?;
        let mut feed = feed.ok_or_else(|| Failure::input(anyhow!("Redis does not tell of changes")))?;
        let waiting = Waiting::start("subscribing", warnings.quiet);
        let mut stop = std::pin::pin!(interrupted());
        let mut output = Output::stdout();
        let mut changes = 0;
        while self.updates.is_none_or(|most| changes < most) {
            let hint = tokio::select! {
                biased;
                () = &mut stop => break,
                hint = feed.next() => hint,
            };
            let Some(hint) = hint else { break };
            let event = match &hint {
                ChangeHint::Subscribed => "subscribed",
                ChangeHint::Changed { .. } => "changed",
                ChangeHint::Interrupted => "interrupted",
                _ => continue,
            };
            waiting.say(if event == "interrupted" { "Redis is lost; trying again" } else { "following" });
            let place = match &hint {
                ChangeHint::Changed { key, .. } => places.iter().find(|place| place.key.name == *key),
                _ => None,
            };
            let time = if let ChangeHint::Changed { lcut, .. } = hint { lcut } else { None };
            changes += u64::from(event == "changed");
            let line = self.line(event, place, time, &output);
            waiting.aside(|| output.write(line.as_bytes()))?;
        }
        drop(waiting);
        output.finish()?;
        drop(feed);
        let _ = tokio::time::timeout(LOOK_EVERY, store.shutdown()).await;
        Ok(Ending::Clean)
    }

    fn line(&self, event: &'static str, place: Option<&Place>, time: Option<u64>, output: &Output) -> String {
        let at = SystemClock.now_ms();
        if self.presentation.is_json() {
            let row = Row {
                at,
                event,
                path: place.map(|place| place.path.as_str()),
                format: place.map(|place| place.key.format.as_str()),
                schema: place.map(|place| place.schema),
                time,
            };
            // Strings and numbers always serialize.
            return serde_json::to_string(&row).unwrap_or_default() + "\n";
        }
        let mut out = String::new();
        let paint = Paint { styled: output.styled() };
        let mut line = Wrapped::new(&mut out, paint, self.presentation.line_width(output), 0, 2);
        line.push(text::HEADING, &iso_time(u64::try_from(at).unwrap_or(0)));
        line.push(text::PLAIN, "  ");
        line.push(if event == "interrupted" { text::WARNING } else { text::PLAIN }, event);
        if let Some(place) = place {
            line.push(text::PLAIN, &format!("  {} {} {}", place.path, place.key.format.as_str(), place.schema));
        }
        if let Some(time) = time {
            line.push(text::PLAIN, &format!(", now of {}", iso_time(time)));
        }
        line.finish();
        out
    }
}
