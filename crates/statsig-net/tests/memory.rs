//! Memory bounds. A binary of its own, because the peak that it measures is that of the whole process.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use peak_alloc::PeakAlloc;
use statsig_core::{IdListChunk, IdListEntry, IdListManifest, IdListSource, SourceError};
use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists};
use tokio::runtime::Handle;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// A source of empty lists.
#[derive(Default)]
struct EmptyLists {
    entries: Mutex<Vec<IdListEntry>>,
}

#[async_trait::async_trait]
impl IdListSource for EmptyLists {
    fn name(&self) -> &str {
        "empty lists"
    }
    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        Ok(IdListManifest::new(self.entries.lock().unwrap().clone()))
    }
    async fn read(&self, _: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        Ok(IdListChunk::new(start, Vec::new()))
    }
}

#[tokio::test]
async fn many_lists_take_memory_in_proportion_and_are_bounded() {
    const MANY: usize = 40_000;
    let source = Arc::new(EmptyLists::default());
    let entries = |creation: i64| -> Vec<IdListEntry> {
        let entry = |n| IdListEntry::new(format!("l{n:05}"), "m:", "f", 0).with_creation_time(creation);
        (0..MANY).map(entry).collect()
    };
    *source.entries.lock().unwrap() = entries(1);
    let lists = Arc::new(IdLists::new());
    let sync = IdListSync::start(IdListOptions::default(), Arc::clone(&lists), source.clone(), &Handle::current());
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    for creation in 1..=3 {
        *source.entries.lock().unwrap() = entries(creation);
        let report = sync.sync_now().await;
        assert_eq!((lists.len(), report.left_out, report.failed_count), (10_000, 30_000, 30_000));
        assert_eq!(report.failed.len(), 1, "one line for all of them");
    }
    let error = sync.health().error.unwrap();
    assert!(error.contains("l10000") && error.contains("10000 ID lists"), "{error}");
    let taken = ALLOCATED.peak_usage() - before;
    assert!(taken < 100 << 20, "{taken} bytes at the peak");
    // Lists that are held stay; others come when there is room.
    let kept: Vec<IdListEntry> = entries(3).into_iter().skip(9_999).collect();
    *source.entries.lock().unwrap() = kept;
    sync.sync_now().await;
    assert_eq!((lists.len(), lists.status()[0].name.as_str()), (10_000, "l09999"));
}
