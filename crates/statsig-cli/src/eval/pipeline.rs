//! From a stream of users to a stream of results, on all cores, in order, in bounded memory.
//!
//! ```text
//! reader ──chunks──▶ workers (one a core) ──results──▶ writer (the calling thread)
//!    └──────────── a promise for each chunk, in order ────▲
//! ```
//!
//! The reader hands each chunk to the workers, and to the writer a promise of its result. The writer
//! keeps the promises' order, so that nothing has to be sorted. The number of promises is bounded:
//! when the writer is slow the reader waits, and no more than a few chunks are ever in memory.
//!
//! The threads are not joined. When the output is gone, a reader that waits for standard input must
//! not keep the command alive; at the end of the input they have ended.

use std::num::NonZero;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::anyhow;
use statsig::Statsig;

use super::answer::{Person, ask};
use super::notices::{Findings, Notices};
use super::progress::Progress;
use super::rows::Rows;
use super::table::label;
use crate::failure::Failure;
use crate::input::likeness::Likeness;
use crate::input::survey::Survey;
use crate::input::user::{Rejected, parse};
use crate::input::users::{Chunk, UserLines, no_users};
use crate::output::Output;
use crate::questions::Questions;
use crate::warnings::Warnings;

/// What the workers share.
pub(super) struct Evaluation {
    pub(super) statsig: Statsig,
    pub(super) questions: Questions,
    pub(super) rows: Rows,
    /// What messages call the source of users.
    pub(super) source: String,
    /// Skip lines that are no user.
    pub(super) keep_going: bool,
    /// The beginning of the source, by which its kind is recognised.
    pub(super) head: Vec<u8>,
}

/// What came of a chunk, or of all of them.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    pub(super) users: u64,
    pub(super) rows: u64,
    pub(super) rejected: u64,
}

/// The result of one chunk.
#[derive(Debug, Default)]
struct Part {
    text: Vec<u8>,
    users: u64,
    rows: u64,
    /// With their line numbers.
    rejected: Vec<(u64, Rejected)>,
    /// The first line is no user.
    starts_rejected: bool,
    /// Another line than the rejected one is a user, so that skipping lines leaves some.
    has_others: bool,
    findings: Findings,
}

/// A chunk on its way to a worker, and where its result is awaited.
type Job = (Chunk, Sender<Part>);

/// A result that will come, or the end of the input before its time.
type Promise = Result<Receiver<Part>, Failure>;

/// How many users are handled together, when each is asked this many questions.
pub(super) fn lines_per_chunk(questions: usize) -> usize {
    // Some thousand rows are enough to keep the threads from waiting for each other.
    (8192 / questions.max(1)).clamp(1, 512)
}

/// Evaluates all users, `first` before the others, and writes the results.
pub(super) fn run(
    evaluation: Arc<Evaluation>,
    first: Option<Chunk>,
    users: UserLines,
    output: &mut Output,
    progress: &Progress,
    warnings: Warnings,
) -> Result<Evaluated, Failure> {
    output.write(evaluation.rows.header().as_bytes())?;
    let mut sum = Evaluated::default();
    let mut notices = Notices::new(&evaluation.source);
    let mut is_first = true;
    for promise in start(&evaluation, first, users) {
        let part = promise?.recv().map_err(|_| {
            Failure::input(anyhow!("a worker thread panicked: please report this, with the specs if you can"))
        })?;
        if std::mem::take(&mut is_first)
            && part.starts_rejected
            && let Some(likeness) = Likeness::of_rejected_users(&evaluation.head)
        {
            return Err(no_users(&evaluation.source, likeness));
        }
        let separator = if sum.rows > 0 || part.rows == 0 { 0 } else { evaluation.rows.separator().len() };
        sum.users += part.users;
        sum.rows += part.rows;
        sum.rejected += part.rejected.len() as u64;
        let text = part.text.get(separator..).unwrap_or_default();
        if output.is_terminal() {
            progress.aside(|| output.write(text))?;
        } else {
            output.write(text)?;
        }
        progress.set_users(sum.users);
        for notice in notices.of(part.findings) {
            progress.aside(|| warnings.warn(&notice));
        }
        for (line, Rejected { column, message }) in part.rejected {
            let message = format!("{}:{line}:{column}: {message}", evaluation.source);
            if !evaluation.keep_going {
                let failure = Failure::input(anyhow!(message));
                return Err(if sum.users > 0 || part.has_others {
                    failure.with_hint("--keep-going skips lines that are no user")
                } else {
                    failure
                });
            }
            progress.aside(|| warnings.warn(&format!("skipped {message}")));
        }
    }
    output.write(evaluation.rows.footer().as_bytes())?;
    if sum.users == 0 && sum.rejected == 0 {
        warnings.warn(&format!("{} is empty: no users", evaluation.source));
    }
    Ok(sum)
}

/// Starts the threads; promises come in the order of the input.
fn start(evaluation: &Arc<Evaluation>, first: Option<Chunk>, users: UserLines) -> Receiver<Promise> {
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let (promises, promised) = mpsc::sync_channel(2 * workers);
    let (jobs, queue) = mpsc::channel();
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..workers {
        let (evaluation, queue) = (Arc::clone(evaluation), Arc::clone(&queue));
        thread::spawn(move || work(&evaluation, &queue));
    }
    thread::spawn(move || read(first, users, &jobs, &promises));
    promised
}

/// The reader: ends with the input, or when nobody waits for its promises any more.
fn read(first: Option<Chunk>, mut users: UserLines, jobs: &Sender<Job>, promises: &SyncSender<Promise>) {
    let mut next = Ok(first);
    loop {
        let chunk = match next {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return,
            Err(failure) => {
                // Without a writer there is nobody to tell.
                let _ = promises.send(Err(failure));
                return;
            }
        };
        let (result, promise) = mpsc::channel();
        if promises.send(Ok(promise)).is_err() || jobs.send((chunk, result)).is_err() {
            return;
        }
        next = users.next_chunk();
    }
}

/// A worker: ends when the reader has ended and the queue is empty.
fn work(evaluation: &Evaluation, queue: &Mutex<Receiver<Job>>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((chunk, result)) = job else { return };
        if result.send(evaluation.chunk(&chunk)).is_err() {
            return;
        }
    }
}

impl Evaluation {
    fn chunk(&self, chunk: &Chunk) -> Part {
        let mut part = Part::default();
        for (number, line) in chunk.lines() {
            match parse(line) {
                Ok(user) => {
                    let survey = Survey::of(line);
                    let user_id = user.user_id();
                    let user_id = survey.numeric_id.as_deref().or(user_id.as_deref());
                    let label = label(user_id, survey.custom_id.as_deref(), number);
                    let person = Person { line: number, label: &label, user_id, user: &user };
                    self.user(person, &mut part);
                    part.findings.add(number, survey);
                }
                Err(rejected) => {
                    part.starts_rejected |= part.users == 0 && part.rejected.is_empty();
                    part.rejected.push((number, rejected));
                    if !self.keep_going {
                        part.has_others = part.users > 0 || chunk.lines().any(|(_, line)| parse(line).is_ok());
                        break;
                    }
                }
            }
        }
        part
    }

    fn user(&self, person: Person<'_>, part: &mut Part) {
        for question in self.questions.iter() {
            part.text.extend_from_slice(self.rows.separator().as_bytes());
            ask(&self.statsig, person, question, |answer| self.rows.push(&mut part.text, answer));
            part.rows += 1;
        }
        part.users += 1;
    }
}
