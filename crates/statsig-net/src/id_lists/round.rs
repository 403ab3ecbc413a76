//! One round: the manifest, a plan, files, and one new table for many lists.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use statsig_core::{IdListEntry, IdListManifest, SourceError, SourceErrorKind};
use tokio::task::JoinSet;

use super::file::{self, FileEnd, FileRead};
use super::lists::List;
use super::options::IdListReport;
use super::sync::SyncInner;
use crate::secret::chain_of;

/// Rounds in a row in which a file is too short, or does not go on, before its list is read from its beginning.
const PATIENCE: u32 = 3;
/// Creation times that are later than this behind the clock, in milliseconds, are wrong.
const DAY_MS: i64 = 86_400_000;

/// Work of a round.
#[derive(Default)]
struct Plan {
    /// Lists that change without a file.
    settled: Vec<(Arc<str>, List)>,
    /// Files to read.
    reads: Vec<Task>,
    /// Names of lists that stay.
    names: HashSet<String>,
    report: IdListReport,
}

/// A file to read.
struct Task {
    entry: IdListEntry,
    list: List,
    /// Whether evaluations see the list already.
    is_visible: bool,
}

/// Runs a round.
pub(super) async fn run(inner: &Arc<SyncInner>) -> IdListReport {
    // What a round that was given up has left.
    inner.progress.publish().await;
    let manifest = match inner.source.manifest().await {
        Ok(manifest) => manifest,
        Err(error) => return IdListReport::without_manifest(chain_of(&error)),
    };
    let planned = tokio::task::spawn_blocking({
        let inner = Arc::clone(inner);
        move || plan(&inner, manifest)
    });
    let Ok(Plan { settled, reads, names, mut report }) = planned.await else {
        return IdListReport::without_manifest("the round was given up");
    };
    for (name, list) in settled {
        inner.progress.offer(name, list).await;
    }
    let mut reads = reads.into_iter();
    let mut tasks = JoinSet::new();
    loop {
        while tasks.len() < inner.options.parallel
            && let Some(task) = reads.next()
        {
            let inner = Arc::clone(inner);
            tasks.spawn(async move {
                let outcome = bring_up_to_date(&inner, &task).await;
                (task.entry.name, outcome)
            });
        }
        match tasks.join_next().await {
            None => break,
            Some(Ok((name, outcome))) => outcome.add_to(&mut report, &name),
            Some(Err(error)) => report.fail("a list", chain_of(&error)),
        }
    }
    inner.progress.publish().await;
    report.failed.sort();
    report.problems.sort();
    let removed = tokio::task::spawn_blocking({
        let lists = Arc::clone(&inner.lists);
        move || {
            let removed = lists.retain(|name| names.contains(name));
            lists.free_replaced();
            removed
        }
    });
    report.changed += removed.await.unwrap_or_default();
    report
}

/// Works out what a manifest means for each list.
fn plan(inner: &SyncInner, manifest: IdListManifest) -> Plan {
    let mut plan = Plan { report: IdListReport { success: true, ..IdListReport::default() }, ..Plan::default() };
    for name in &manifest.unreadable {
        plan.report.fail(name, "its entry in the manifest cannot be read".to_owned());
    }
    plan.names = manifest.entries.iter().map(|entry| &entry.name).chain(&manifest.unreadable).cloned().collect();
    let files: HashMap<&str, &str> = manifest.entries.iter().map(|entry| (&*entry.name, &*entry.file_id)).collect();
    inner.progress.retain_unfinished(|name, list| files.get(name).is_some_and(|file| **file == *list.file_id));
    let mut total = inner.lists.totals().read_bytes.saturating_add(inner.progress.unfinished_bytes());
    // Lists that are held, also those whose entries cannot be read now, have the first right to stay.
    let held = plan.names.iter().filter(|name| inner.lists.get(name).is_some()).count();
    let mut room = inner.options.max_lists.saturating_sub(held);
    let mut first_left_out = None;
    for entry in manifest.entries {
        let held = inner.lists.get(&entry.name);
        if entry.url.is_empty() || entry.file_id.is_empty() {
            continue;
        }
        if held.is_none() {
            if room == 0 {
                plan.report.left_out += 1;
                first_left_out.get_or_insert(entry.name);
                continue;
            }
            room -= 1;
        }
        let now = inner.now_ms();
        if is_in_future(entry.creation_time, now) {
            let problem = "its creation time is more than a day ahead of this machine's clock, and is ignored";
            plan.report.note(&entry.name, problem.to_owned());
        }
        plan_list(inner, &mut plan, entry, held.as_deref(), now, &mut total);
    }
    if let Some(name) = first_left_out {
        let (left_out, limit) = (plan.report.left_out, inner.options.max_lists);
        plan.report
            .fail(&name, format!("left out: the limit is {limit} ID lists, and the manifest has {left_out} more"));
        plan.report.failed_count += left_out - 1;
    }
    plan
}

/// Works out what an entry means for its list.
fn plan_list(inner: &SyncInner, plan: &mut Plan, entry: IdListEntry, held: Option<&List>, now: i64, total: &mut u64) {
    if held.is_some_and(|held| is_older(entry.creation_time, held.creation_time, now)) {
        // An older generation is announced: some server lags behind.
        return;
    }
    let name: Arc<str> = entry.name.as_str().into();
    let same = held.filter(|held| *held.file_id == *entry.file_id);
    // A file that was not read to its end goes on where it was left.
    let unfinished = inner.progress.unfinished(&entry.name, &entry.file_id).filter(|list| list.read_bytes < entry.size);
    let is_visible = same.is_some() && unfinished.is_none();
    let counted = unfinished.as_ref().or(held).map_or(0, |list| list.read_bytes);
    let mut list = unfinished.or_else(|| same.cloned()).unwrap_or_else(|| List::new(&entry));
    let renewed = std::mem::replace(&mut list.creation_time, entry.creation_time) != entry.creation_time;
    let mut is_visible = is_visible;
    if entry.size < list.read_bytes {
        list.shrunk += 1;
        if list.shrunk < PATIENCE {
            plan.settled.push((name, list));
            return;
        }
        (list, is_visible) = (List::new(&entry), false);
    } else {
        list.shrunk = 0;
    }
    if entry.size <= list.read_bytes {
        if same.is_none() || renewed || same.is_some_and(|held| held.shrunk > 0) {
            plan.report.changed += usize::from(same.is_none());
            plan.settled.push((name, list));
        }
        return;
    }
    let limit = inner.options.max_total_bytes;
    let wanted = total.saturating_sub(counted).saturating_add(entry.size);
    if wanted > limit {
        plan.report.fail(&entry.name, format!("it would exceed the limit of {limit} bytes for all ID lists"));
        return;
    }
    *total = wanted;
    plan.reads.push(Task { entry, list, is_visible });
}

/// Returns whether an announced creation time is before that of the list held. Times in the future order nothing.
fn is_older(announced: i64, held: i64, now: i64) -> bool {
    announced < held && !is_in_future(held, now) && !is_in_future(announced, now)
}

/// Returns whether a creation time is more than a day ahead of the clock.
fn is_in_future(time: i64, now: i64) -> bool {
    time > now.saturating_add(DAY_MS)
}

/// Result for one list.
enum Outcome {
    Unchanged,
    Changed { ignored: usize },
    Failed { reason: String, unfinished: bool },
}

impl Outcome {
    fn failed(reason: impl Into<String>) -> Self {
        Self::Failed { reason: reason.into(), unfinished: false }
    }

    fn add_to(self, report: &mut IdListReport, name: &str) {
        match self {
            Self::Unchanged => {}
            Self::Changed { ignored } => {
                report.changed += 1;
                if ignored > 0 {
                    report.note(name, format!("{ignored} lines of what was read are no entries, and were skipped"));
                }
            }
            Self::Failed { reason, unfinished } => {
                report.unfinished += usize::from(unfinished);
                report.fail(name, reason);
            }
        }
    }
}

/// Reads what is new of one list. A list that cannot be continued is read from its beginning, once for each length
/// that is announced.
async fn bring_up_to_date(inner: &Arc<SyncInner>, task: &Task) -> Outcome {
    let Task { entry, list, is_visible } = task;
    let known = list.read_bytes;
    let read = file::read(&*inner.source, entry, list.clone(), *is_visible, &inner.progress).await;
    let (in_part, reason) = match read.end {
        FileEnd::Nothing if known > 0 => {
            let mut list = list.clone();
            list.stalled = list.stalled.saturating_add(1);
            if list.stalled < PATIENCE || list.restarted_at == entry.size {
                inner.progress.keep(&entry.name, &list, *is_visible).await;
                return Outcome::Unchanged;
            }
            (true, format!("the source has nothing behind byte {known}"))
        }
        FileEnd::Unusable { in_part, reason } => (in_part, reason),
        _ => return settle(inner, entry, read, *is_visible).await,
    };
    if !in_part || list.restarted_at == entry.size {
        return Outcome::failed(reason);
    }
    tracing::debug!(list = entry.name, reason, "reading an ID list from its beginning");
    let mut again = List::new(entry);
    again.restarted_at = entry.size;
    let read = file::read(&*inner.source, entry, again, false, &inner.progress).await;
    if let FileEnd::Unusable { .. } | FileEnd::Nothing = read.end {
        // Not again before the file has changed.
        let mut list = list.clone();
        list.restarted_at = entry.size;
        inner.progress.keep(&entry.name, &list, *is_visible).await;
        return Outcome::failed(reason);
    }
    settle(inner, entry, read, false).await
}

/// Keeps what was read of a list.
async fn settle(inner: &Arc<SyncInner>, entry: &IdListEntry, read: FileRead, is_visible: bool) -> Outcome {
    let FileRead { list, progressed, ignored, end } = read;
    match end {
        FileEnd::Complete => {
            inner.progress.offer(entry.name.as_str().into(), list).await;
            Outcome::Changed { ignored }
        }
        FileEnd::Nothing => Outcome::failed(chain_of(&SourceError::new(SourceErrorKind::Empty, "the file is empty"))),
        FileEnd::Unusable { reason, .. } => Outcome::failed(reason),
        FileEnd::Failed(error) if progressed => {
            inner.progress.keep(&entry.name, &list, is_visible).await;
            let (read, size) = (list.read_bytes, entry.size);
            let reason = format!("{}; {read} of {size} bytes are read, and the next round goes on", chain_of(&error));
            Outcome::Failed { reason, unfinished: true }
        }
        FileEnd::Failed(error) => Outcome::failed(chain_of(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_the_future_order_nothing() {
        let now = 1_790_000_000_000;
        let (micros, last) = (now * 1_000, i64::MAX);
        for (announced, held, older) in [
            (1, 2, true),
            (2, 2, false),
            (3, 2, false),
            (now, now + DAY_MS, true),
            (now, now + DAY_MS + 1, false),
            (now, micros, false),
            (now, last, false),
            (micros, last, false),
            (micros, now, false),
        ] {
            assert_eq!(is_older(announced, held, now), older, "{announced} {held}");
        }
        assert!(!is_in_future(i64::MAX, i64::MAX));
    }
}
