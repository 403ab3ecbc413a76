//! `statsig events`: events that wait in a Redis Stream.

mod held;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;
use statsig_core::Clock as _;
use statsig_net::EventSinkOptions;
use statsig_store_redis::streams::{DrainOptions, DrainStats, EventDrainer, EventStream, HeldBatches};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::failure::{Ending, Failure};
use crate::help;
use crate::output::Output;
use crate::presentation::Presentation;
use crate::remote::redis::{RedisPlace, failed, wrong_options};
use crate::remote::secret::Secret;
use crate::remote::statsig::Servers;
use crate::remote::waiting::Waiting;
use crate::remote::{interrupted, needed_sdk_key, run};
use crate::text::wrap::Wrapped;
use crate::text::{self, Paint, clean, count, iso_time};
use crate::warnings::Warnings;
use held::Stuck;
use statsig::SystemClock;

const EXAMPLES: &str = "\
Examples:
  export STATSIG_SECRET_KEY=secret-...
  statsig events forward --redis redis://redis.internal
  Empty the stream and end, as a job that runs now and then:
    statsig events forward --redis redis://redis.internal --until-empty --format json

Fields of a JSON line:
  at                  when it was written, in milliseconds since 1970
  delivered, delivered_events   batches that the server took, and the events in them
  known               batches that had been delivered before, and were not sent again
  unconfirmed         those of `delivered` whose server answered with success, but never confirmed that it has them
  dead, dead_events   batches that the server went on refusing, set aside in the stream
  split               batches that were too large, and were replaced by their halves
  claimed             batches taken over from another process that went away
  retries, errors     attempts to deliver that have to be repeated; commands to Redis that failed
  backlog             batches in the stream, or null if Redis does not tell";

/// How often counts are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Events that applications put into a Redis Stream
#[derive(Debug, Args)]
#[command(after_help = help::exit_codes(), after_long_help = help::after(EXAMPLES))]
pub(crate) struct Events {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Forward(Box<Forward>),
}

/// Takes batches of events out of a stream and delivers them to Statsig's servers
///
/// At least once: a batch leaves the stream when the server took it. Any number of these may run side by side; what one
/// leaves when it dies, another one takes over. Goes on when Redis or the server fail, until Ctrl-C, and prints counts
/// whenever something was delivered, and at the end. Ends with exit code 1 if the server went on refusing a batch.
#[derive(Debug, Args)]
struct Forward {
    /// The server secret key of the project [env: STATSIG_SECRET_KEY]
    #[arg(long, value_name = "KEY", value_parser = Secret::parse)]
    sdk_key: Option<Secret>,
    #[command(flatten)]
    servers: Servers,
    /// The whole address that takes events
    #[arg(long, value_name = "URL")]
    log_event_url: Option<String>,
    /// Number of streams that share the events, as those who fill them have it
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: u16,
    /// Seconds without a sign of life after which the batches of another process are taken over
    ///
    /// At least twice --deliver-timeout.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    claim_after: u64,
    /// Seconds for one attempt to deliver
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    deliver_timeout: u64,
    /// Seconds for which a batch is retried that the server refuses (400, 401, 403, 405, 501) before it is set aside
    ///
    /// Also for a single event that is too large (413). 0 sets it aside at once.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(0..=86_400))]
    refusal_window: u64,
    /// End once the stream is empty; waits for what other processes hold, or until that can be claimed
    #[arg(long)]
    until_empty: bool,
    /// With --until-empty, seconds to wait for a batch that another process holds and does not let go
    ///
    /// What a process holds that gives signs of life cannot be claimed. After that time the command ends with exit code 3
    /// and says who holds it. At least twice the time after which it could be claimed.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait_for_others: u64,
    #[command(flatten)]
    presentation: Presentation,
    /// Seconds between two lines of counts, at least
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    #[command(flatten)]
    place: RedisPlace,
}

/// Counts as JSON.
#[derive(Serialize)]
struct Row {
    at: i64,
    delivered: u64,
    delivered_events: u64,
    unconfirmed: u64,
    known: u64,
    dead: u64,
    dead_events: u64,
    split: u64,
    claimed: u64,
    retries: u64,
    errors: u64,
    backlog: Option<u64>,
}

impl Events {
    /// Runs the command.
    pub(crate) fn run(self, warnings: Warnings) -> Result<Ending, Failure> {
        match self.command {
            Command::Forward(command) => command.run(warnings),
        }
    }
}

impl Forward {
    fn run(&self, warnings: Warnings) -> Result<Ending, Failure> {
        let key = needed_sdk_key(self.sdk_key.as_ref())?;
        let redis = self.place.options()?;
        let network = self.servers.network(&key, self.log_event_url.as_deref())?;
        let sink = Arc::new(network.event_sink(EventSinkOptions::default()));
        let stream = EventStream::new(key.expose()).shards(self.shards);
        let options = DrainOptions::new()
            .claim_after(Duration::from_secs(self.claim_after))
            .deliver_timeout(Duration::from_secs(self.deliver_timeout))
            .refusal_window(Duration::from_secs(self.refusal_window));
        let drainer = EventDrainer::open(redis, stream, options, sink).map_err(wrong_options)?;
        run(self.forward(&drainer, warnings))
    }

    async fn forward(&self, drainer: &EventDrainer, warnings: Warnings) -> Result<Ending, Failure> {
        // So that a wrong address or password ends it; later failures do not.
        let backlog = drainer.backlog().await.map_err(|error| failed(&error))?;
        let waiting = Waiting::start(format!("{} in the stream", batches(backlog)), warnings.quiet);
        let mut output = Output::stdout();
        let held = AtomicU64::new(0);
        let mut work = std::pin::pin!(self.work(drainer, &held));
        let mut told_held = false;
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut told, mut since, mut warned) = (DrainStats::default(), 0, DrainStats::default());
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                _ = looks.tick() => {
                    let stats = drainer.stats();
                    waiting.say(summary(&stats, None));
                    if (stats.errors > 0) != (warned.errors > 0) {
                        waiting.aside(|| warnings.warn("Redis does not do what it should; trying again"));
                    }
                    if (stats.retries > 0) != (warned.retries > 0) {
                        waiting.aside(|| warnings.warn("the server does not take events now; trying again"));
                    }
                    warned = stats;
                    let held = held.load(Ordering::Relaxed);
                    if held > 0 && !told_held {
                        told_held = true;
                        let text = format!("{} held by another process; waiting for it, or to claim them", batches(held));
                        waiting.aside(|| warnings.warn(&text));
                    }
                    since += 1;
                    if since >= self.every && progress(&stats) != progress(&told) {
                        (told, since) = (stats, 0);
                        let line = self.line(&stats, drainer.backlog().await.ok(), &output);
                        waiting.aside(|| output.write(line.as_bytes()))?;
                    }
                }
            }
        };
        drop(waiting);
        let stats = drainer.stats();
        let line = self.line(&stats, drainer.backlog().await.ok(), &output);
        output.write(line.as_bytes())?;
        output.finish()?;
        result?;
        Ok(if stats.dead > 0 { Ending::Findings } else { Ending::Clean })
    }

    async fn work(&self, drainer: &EventDrainer, held: &AtomicU64) -> Result<(), Failure> {
        if !self.until_empty {
            drainer.run(interrupted()).await;
            return Ok(());
        }
        tokio::select! {
            emptied = self.emptied(drainer, held) => emptied,
            // What was taken and not delivered stays in the stream.
            () = interrupted() => Err(Failure::input(anyhow!("interrupted before the stream was empty"))),
        }
    }

    /// Drains until nothing is left, also of what a process that died held: that can be claimed after a while.
    /// Gives up on what one that lives does not let go.
    async fn emptied(&self, drainer: &EventDrainer, held: &AtomicU64) -> Result<(), Failure> {
        let claimable = self.claim_after.max(2 * self.deliver_timeout);
        let wait = Duration::from_secs(self.wait_for_others.max(2 * claimable));
        let mut stuck = Stuck::default();
        loop {
            drainer.drain().await.map_err(|error| failed(&error))?;
            let left = drainer.backlog().await.map_err(|error| failed(&error))?;
            if left == 0 {
                return Ok(());
            }
            held.store(left, Ordering::Relaxed);
            let holders = drainer.held().await.map_err(|error| failed(&error))?;
            let holders = stuck.longer_than(wait, &holders);
            if !holders.is_empty() {
                return Err(given_up(&holders, wait));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    fn line(&self, stats: &DrainStats, backlog: Option<u64>, output: &Output) -> String {
        let at = SystemClock.now_ms();
        if !self.presentation.is_json() {
            let mut out = String::new();
            let paint = Paint { styled: output.styled() };
            let mut line = Wrapped::new(&mut out, paint, self.presentation.line_width(output), 0, 2);
            line.push(text::HEADING, &iso_time(u64::try_from(at).unwrap_or(0)));
            line.push(text::PLAIN, &format!("  {}", summary(stats, backlog)));
            line.finish();
            return out;
        }
        let row = Row {
            at,
            delivered: stats.delivered,
            delivered_events: stats.delivered_events,
            unconfirmed: stats.unconfirmed,
            known: stats.known,
            dead: stats.dead,
            dead_events: stats.dead_events,
            split: stats.split,
            claimed: stats.claimed,
            retries: stats.retries,
            errors: stats.errors,
            backlog,
        };
        // Numbers always serialize.
        serde_json::to_string(&row).unwrap_or_default() + "\n"
    }
}

/// That others hold what they do not deliver.
fn given_up(holders: &[HeldBatches], wait: Duration) -> Failure {
    let each =
        holders.iter().map(|held| format!("{} by the consumer {}", batches(held.batches), clean(&held.consumer)));
    let each = each.collect::<Vec<_>>().join(", ");
    Failure::input(anyhow!("the stream is not empty: held for {} seconds or more: {each}", wait.as_secs()))
        .with_hint("see to that process: it gives signs of life, and delivers nothing. What it leaves can be claimed")
}

/// What makes a new line of counts worth it.
fn progress(stats: &DrainStats) -> (u64, u64, u64, u64) {
    (stats.delivered, stats.dead, stats.split, stats.known)
}

fn batches(number: u64) -> String {
    if number == 1 { "1 batch".to_owned() } else { format!("{} batches", crate::text::grouped(number)) }
}

fn summary(stats: &DrainStats, backlog: Option<u64>) -> String {
    let mut text = format!("delivered {} ({})", batches(stats.delivered), count(stats.delivered_events, "event"));
    for (number, what) in [
        (stats.unconfirmed, "unconfirmed"),
        (stats.dead, "refused for good"),
        (stats.split, "cut in two"),
        (stats.known, "delivered before"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {} {what}", batches(number)));
        }
    }
    if stats.retries > 0 {
        text.push_str(&format!(", {} to repeat", count(stats.retries, "attempt")));
    }
    if let Some(backlog) = backlog {
        text.push_str(&format!("; {} left", batches(backlog)));
    }
    text
}
