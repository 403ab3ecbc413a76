//! What an ID list of ten million costs: memory, time to read it, to add to it, to look something up.
//!
//! `cargo bench -p statsig-net --bench id_list_memory [MILLIONS]`
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::use_debug, reason = "a program that measures")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;
use statsig_core::{
    IdHash, IdListChunk, IdListEntry, IdListLookup, IdListManifest, IdListSource, SourceError, id_hash,
};
use statsig_net::id_lists::{IdListOptions, IdListSync, IdLists};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The first lines of an endless file.
struct Lines {
    lines: std::sync::atomic::AtomicU64,
}

const LINE: u64 = 10;

#[async_trait::async_trait]
impl IdListSource for Lines {
    fn name(&self) -> &str {
        "lines"
    }
    async fn manifest(&self) -> Result<IdListManifest, SourceError> {
        let size = self.lines.load(std::sync::atomic::Ordering::Relaxed) * LINE;
        Ok(IdListManifest::new(vec![IdListEntry::new("large", "memory:", "f", size)]))
    }
    async fn read(&self, entry: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
        let mut bytes = Vec::with_capacity((entry.size - start) as usize);
        for line in start / LINE..entry.size / LINE {
            bytes.push(b'+');
            bytes.extend_from_slice(&id(line));
            bytes.push(b'\n');
        }
        Ok(IdListChunk::new(start, bytes))
    }
}

fn id(line: u64) -> IdHash {
    id_hash(&format!("user-{line}"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let millions: u64 = std::env::args().filter_map(|arg| arg.parse().ok()).next().unwrap_or(10);
    let count = millions * 1_000_000;
    let source = Arc::new(Lines { lines: count.into() });
    let lists = Arc::new(IdLists::new());
    let mut options = IdListOptions::default();
    options.interval = Duration::from_secs(86_400);
    let before = MEMORY.current_usage();
    let sync = IdListSync::start(options, Arc::clone(&lists), source.clone(), &tokio::runtime::Handle::current());

    let begun = Instant::now();
    assert!(sync.sync_now().await.success);
    let took = begun.elapsed();
    let held = MEMORY.current_usage() - before;
    println!(
        "{count} IDs: {:.2} bytes each, read in {took:.2?}, of which the file takes {} MB",
        held as f64 / count as f64,
        count * LINE / 1_000_000
    );

    for more in [1_000, 100_000] {
        source.lines.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
        let begun = Instant::now();
        assert!(sync.sync_now().await.success);
        println!("{more} more: {:.2?}", begun.elapsed());
    }

    let asked: Vec<IdHash> = (0..1_000_000).map(|n| id(n * 7_919 % (2 * count))).collect();
    let begun = Instant::now();
    let found = asked.iter().filter(|id| lists.contains("large", black_box(id))).count();
    println!("look-up: {:.0?} each, {found} of {} found", begun.elapsed() / asked.len() as u32, asked.len());
}
