//! Reading: first what is known about a value, then the value, if it is worth it.

use std::cmp::Ordering;
use std::sync::Arc;

use futures_util::future::{join_all, try_join};
use redis::{Cmd, FromRedisValue, cmd};
use statsig_adapters::{DataStoreError, EntryRequest, SpecVersion, StoreEntry, StoreFormat, StoreKey, StoreResponse};

use super::judge::{is_usable, stored_time, version_of};
use super::memory::Read;
use super::{Call, now_ms};
use crate::codec::{self, off_thread, too_large};
use crate::error::{Failure, malformed};
use crate::metrics::number;
use crate::op::Op;
use crate::options::Layout;
use crate::script::sha1;

/// What can be seen of a value without reading it.
#[derive(Debug, Clone)]
pub(super) struct Peek {
    layout: Layout,
    /// Length as stored.
    len: u64,
    /// The fields beside a payload.
    fields: Fields,
}

/// The fields that stand beside a payload in a hash.
#[derive(Debug, Clone, Default)]
struct Fields {
    lcut: Option<u64>,
    checksum: Option<String>,
    stored_at_ms: Option<u64>,
}

/// A value as stored.
pub(super) struct Stored {
    pub(super) bytes: Vec<u8>,
    fields: Fields,
    layout: Layout,
}

impl Stored {
    /// The time that stands beside it, if that can be used.
    pub(super) fn lcut(&self) -> Option<u64> {
        self.fields.lcut
    }
}

impl Fields {
    /// From the fields `lcut`, `checksum`, `meta` and `at`. Those of ours count only if `meta` says
    /// that they belong to the payload: other writers leave them as they are.
    fn new(fields: [Option<Vec<u8>>; 4]) -> Self {
        let [lcut, checksum, meta, at] = fields.map(|field| field.and_then(|field| String::from_utf8(field).ok()));
        let ours = lcut.is_some() && meta == lcut;
        Self {
            lcut: lcut.and_then(|lcut| stored_time(&lcut, now_ms())),
            checksum: checksum.filter(|checksum| ours && !checksum.is_empty()),
            stored_at_ms: at.filter(|_| ours).and_then(|at| at.parse().ok()),
        }
    }

    fn version(&self) -> Option<SpecVersion> {
        self.lcut.map(|lcut| SpecVersion::new(lcut, self.checksum.as_deref()))
    }
}

impl Peek {
    /// Returns whether the time that stands beside the payload is missing, no number, or from the future.
    pub(super) fn has_unusable_time(&self) -> bool {
        self.layout == Layout::Hash && self.fields.lcut.is_none()
    }

    /// Length as stored.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The version, where it can be told without the payload.
    pub(super) fn version(&self) -> Option<SpecVersion> {
        self.fields.version()
    }
}

impl Call<'_> {
    /// Reads a value, for the methods that know nothing of entries.
    pub(super) async fn read_value(&self, key: &str) -> Result<StoreResponse<Vec<u8>>, DataStoreError> {
        let Some(stored) = self.fetch(key).await? else {
            self.counters.misses.add(1);
            return Ok(StoreResponse::new(None));
        };
        self.counters.hits.add(1);
        let bytes = self.decoded(key, stored.bytes).await?;
        Ok(StoreResponse { result: Some(bytes), time: stored.fields.lcut })
    }

    /// Finds the newest entry that can be used, and reads it if it is news.
    ///
    /// One that cannot be used hides no other: it is given only if there is no other, so that the caller learns of it.
    pub(super) async fn newest(&self, request: &EntryRequest) -> Result<Option<StoreEntry>, DataStoreError> {
        let peeks = join_all(request.keys.iter().map(|key| self.peek(&key.name))).await;
        let mut candidates = Vec::new();
        let mut unusable = None;
        let mut failure = None;
        for (key, peek) in request.keys.iter().zip(peeks) {
            let candidate = match peek {
                Ok(Some(peek)) => self.candidate(key, peek).await,
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match candidate {
                Ok(Some(candidate)) if candidate.is_unusable() => {
                    unusable.get_or_insert(candidate);
                }
                Ok(Some(candidate)) => candidates.push(candidate),
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if candidates.is_empty() && unusable.is_none() && failure.is_none() {
            for (key, entry) in self.node_entries(&request.keys).await? {
                let candidate =
                    Candidate { key, version: entry.version.clone(), entry: Some(entry), was_unusable: false };
                if candidate.is_unusable() {
                    unusable.get_or_insert(candidate);
                } else {
                    candidates.push(candidate)
                }
            }
        }
        while let Some(best) = best_of(&candidates, request.now_ms) {
            let candidate = candidates.remove(best);
            match self.read_candidate(&candidate, request).await? {
                Found::News(entry) => return Ok(Some(*entry)),
                Found::NoNews => {
                    self.counters.unchanged.add(1);
                    return Ok(None);
                }
                // Another one is the newest then.
                Found::Gone => {}
                Found::Unusable(entry) => {
                    self.warn_unusable(candidate.key);
                    unusable.get_or_insert(Candidate { entry: Some(*entry), version: None, ..candidate });
                }
            }
        }
        if let Some(failure) = failure {
            self.counters.misses.add(1);
            return Err(failure);
        }
        let Some(Candidate { key, entry, .. }) = unusable else {
            self.counters.misses.add(1);
            return Ok(None);
        };
        self.counters.hits.add(1);
        match entry {
            Some(entry) => Ok(Some(entry)),
            None => self.entry(key).await,
        }
    }

    /// Reads a candidate if it is news, as far as it tells.
    async fn read_candidate(&self, candidate: &Candidate<'_>, request: &EntryRequest) -> Result<Found, DataStoreError> {
        let (key, known) = (candidate.key, request.known.as_ref());
        let is_news = |version: Option<&SpecVersion>| {
            known.zip(version).is_none_or(|(known, version)| version.is_news_at(known, self.now_of(request)))
        };
        if !is_news(candidate.version.as_ref()) {
            self.measure_age(key, candidate.version.as_ref());
            return Ok(Found::NoNews);
        }
        let entry = match &candidate.entry {
            Some(entry) => Some(entry.clone()),
            None => self.entry(key).await?,
        };
        let Some(entry) = entry else { return Ok(Found::Gone) };
        if entry.version.is_none() && !is_usable(&entry.bytes, key.format) {
            return Ok(Found::Unusable(Box::new(entry)));
        }
        self.measure_age(key, entry.version.as_ref());
        // The payload may say more than what stood beside it.
        if !is_news(entry.version.as_ref()) {
            return Ok(Found::NoNews);
        }
        self.counters.hits.add(1);
        if self.metrics.is_on() {
            self.measure_entry(key, &entry, known.is_some());
        }
        Ok(Found::News(Box::new(entry)))
    }

    fn now_of(&self, request: &EntryRequest) -> Option<u64> {
        request.now_ms.or_else(|| Some(now_ms()))
    }

    fn warn_unusable(&self, key: &StoreKey) {
        if self.counters.unusable.add(1) == 1 {
            tracing::warn!(
                key = digest(key),
                format = key.format.as_str(),
                "Redis: passed over an entry that is not config specs; the next good write replaces it"
            );
        }
    }

    /// Tells of a payload that was read; of the way it took here, if it followed another one.
    fn measure_entry(&self, key: &StoreKey, entry: &StoreEntry, follows: bool) {
        let (lcut, digest) = (entry.version.as_ref().map(|version| version.time_ms), digest(key));
        let [key_tag, format] = tags(key, &digest);
        if let Some(lcut) = lcut {
            self.metrics.gauge("redis.entry_lcut_ms", lcut, &[key_tag, format]);
        }
        let via = if self.memory.take_notice(&key.name, lcut.unwrap_or(0)) { "pubsub" } else { "poll" };
        if let Some(at) = entry.stored_at_ms.filter(|_| follows) {
            let took = number(now_ms().saturating_sub(at));
            self.metrics.distribution("redis.propagation", took, &[key_tag, format, ("via", via)]);
        }
    }

    /// Tells how old a payload is that is there, news or not.
    fn measure_age(&self, key: &StoreKey, version: Option<&SpecVersion>) {
        if let Some(version) = version.filter(|_| self.metrics.is_on()) {
            let age = now_ms().saturating_sub(version.time_ms) / 1_000;
            self.metrics.gauge("redis.entry_age_seconds", age, &tags(key, &digest(key)));
        }
    }

    /// The version of a value, and the value if it had to be read for that.
    async fn candidate<'k>(&self, key: &'k StoreKey, peek: Peek) -> Result<Option<Candidate<'k>>, DataStoreError> {
        let beside = |version| Candidate { key, version, entry: None, was_unusable: false };
        let version = match peek.version() {
            Some(version) if version.checksum.is_some() => Some(version),
            // Somebody wrote it who stores no checksum. Reading it once told.
            version => match self.memory.version(&key.name, peek.fields.lcut, peek.len) {
                Some(None) => return Ok(Some(Candidate { was_unusable: true, ..beside(None) })),
                Some(read) => read,
                None => version,
            },
        };
        if version.is_some() {
            return Ok(Some(beside(version)));
        }
        if key.format == StoreFormat::StatsigBr && peek.layout == Layout::Hash {
            return Ok(Some(beside(None)));
        }
        let entry = self.entry(key).await?;
        Ok(entry.map(|entry| Candidate { entry: Some(entry.clone()), ..beside(entry.version) }))
    }

    /// Reads an entry.
    async fn entry(&self, key: &StoreKey) -> Result<Option<StoreEntry>, DataStoreError> {
        let Some(stored) = self.fetch(&key.name).await? else { return Ok(None) };
        let (fields, len, layout) = (stored.fields, stored.bytes.len() as u64, stored.layout);
        let (bytes, beside) = match key.format {
            StoreFormat::StatsigBr if layout == Layout::String => {
                let about = self.about(&key.name, &stored.bytes).await?;
                (stored.bytes, about)
            }
            StoreFormat::PlainText => {
                let text = self.decoded(&key.name, stored.bytes).await?;
                (codec::unzipped(text, self.max_value_bytes).await?, fields.version())
            }
            _ => (stored.bytes, fields.version()),
        };
        let format = key.format;
        let is_ours = fields.lcut.is_some() && fields.checksum.is_some();
        let (bytes, version) = if format == StoreFormat::PlainText && is_ours {
            // We wrote it, and what stands beside it belongs to it.
            (bytes, beside)
        } else {
            let judge = move || {
                let version = version_of(&bytes, format, beside);
                (bytes, version)
            };
            off_thread(len as usize, judge).await?
        };
        if version.is_some() || !is_usable(&bytes, format) {
            self.memory.set_read(&key.name, Read { lcut: fields.lcut, len, version: version.clone() });
        }
        let entry = StoreEntry::new(bytes, format, SpecVersion::default()).with_version(version);
        Ok(Some(entry.with_key(Arc::clone(&key.name)).with_stored_at_ms(fields.stored_at_ms)))
    }

    /// What stands beside a bare string, if it belongs to it.
    async fn about(&self, key: &str, bytes: &[u8]) -> Result<Option<SpecVersion>, DataStoreError> {
        let mut command = cmd("HMGET");
        command.arg(self.names.about(key)).arg(&["sha1", "lcut", "checksum"]);
        let known: [Option<String>; 3] = self.query(Op::Get, &command).await?;
        let [Some(digest), Some(lcut), checksum] = known else { return Ok(None) };
        let lcut = stored_time(&lcut, now_ms()).filter(|_| digest == sha1(bytes));
        Ok(lcut.map(|lcut| SpecVersion::new(lcut, checksum.as_deref())))
    }

    /// Looks at a value without reading it; `None` if it is absent or empty.
    pub(super) async fn peek(&self, key: &str) -> Result<Option<Peek>, DataStoreError> {
        let name = self.names.value(key);
        for layout in self.layouts(key) {
            if let Some(peek) = self.unless_wrong_type(key, layout, self.peek_in(&name, layout).await)? {
                return Ok(Some(peek).filter(|peek| peek.len > 0));
            }
        }
        Err(malformed("the key holds neither a hash nor a string"))
    }

    async fn peek_in(&self, name: &str, layout: Layout) -> Result<Peek, Failure> {
        match layout {
            Layout::Hash => {
                let (len, fields) = (field(name, "HSTRLEN", &["config"]), about_payload(name, &[]));
                let (len, fields) = try_join(self.ask(Op::Peek, &len), self.ask(Op::Peek, &fields)).await?;
                Ok(Peek { layout, len, fields: Fields::new(fields) })
            }
            Layout::String => {
                let len = self.ask(Op::Peek, &field(name, "STRLEN", &[])).await?;
                Ok(Peek { layout, len, fields: Fields::default() })
            }
        }
    }

    /// Reads a value as it is stored; `None` if it is absent or empty.
    pub(super) async fn fetch(&self, key: &str) -> Result<Option<Stored>, DataStoreError> {
        let name = self.names.value(key);
        for layout in self.layouts(key) {
            if let Some(found) = self.unless_wrong_type(key, layout, self.fetch_in(&name, layout).await)? {
                let stored = found?;
                if let Some(stored) = &stored {
                    self.counters.bytes_read.add(stored.bytes.len() as u64);
                    self.measure_payload("read", key, stored.bytes.len());
                }
                return Ok(stored);
            }
        }
        Err(malformed("the key holds neither a hash nor a string"))
    }

    /// A value that is too large is not even read. (One that grows at this moment is, once.)
    async fn fetch_in(&self, name: &str, layout: Layout) -> Result<Result<Option<Stored>, DataStoreError>, Failure> {
        let len: usize = match layout {
            Layout::Hash => self.ask(Op::Peek, &field(name, "HSTRLEN", &["config"])).await?,
            Layout::String => self.ask(Op::Peek, &field(name, "STRLEN", &[])).await?,
        };
        if len == 0 {
            return Ok(Ok(None));
        }
        if len > self.max_value_bytes {
            return Ok(Err(too_large(self.max_value_bytes)));
        }
        let (bytes, fields) = match layout {
            Layout::Hash => {
                let [config, rest @ ..]: [Option<Vec<u8>>; 5] =
                    self.ask(Op::Get, &about_payload(name, &["config"])).await?;
                (config, Fields::new(rest))
            }
            Layout::String => (self.ask(Op::Get, &field(name, "GET", &[])).await?, Fields::default()),
        };
        Ok(match bytes {
            Some(bytes) if bytes.len() > self.max_value_bytes => Err(too_large(self.max_value_bytes)),
            Some(bytes) if !bytes.is_empty() => Ok(Some(Stored { bytes, fields, layout })),
            _ => Ok(None),
        })
    }

    pub(super) fn measure_payload(&self, direction: &str, key: &str, len: usize) {
        let format = if is_brotli(key) { StoreFormat::StatsigBr } else { StoreFormat::PlainText };
        let tags = [("direction", direction), ("format", format.as_str())];
        self.metrics.distribution("redis.payload_bytes", number(len as u64), &tags);
    }

    /// The layout that a key had last, and then the other.
    fn layouts(&self, key: &str) -> [Layout; 2] {
        match self.memory.layout(key).unwrap_or(self.layout_of_new(key)) {
            Layout::Hash => [Layout::Hash, Layout::String],
            Layout::String => [Layout::String, Layout::Hash],
        }
    }

    /// What was found in a layout; `None` if the key has the other.
    fn unless_wrong_type<T>(
        &self,
        key: &str,
        layout: Layout,
        found: Result<T, Failure>,
    ) -> Result<Option<T>, DataStoreError> {
        match found {
            Ok(found) => {
                if self.memory.layout(key).unwrap_or(self.layout_of_new(key)) != layout {
                    self.memory.set_layout(key, layout);
                }
                Ok(Some(found))
            }
            Err(failure) if failure.code() == Some("WRONGTYPE") => Ok(None),
            Err(failure) => Err(failure.into_error(Op::Get)),
        }
    }

    async fn ask<T: FromRedisValue>(&self, op: Op, command: &Cmd) -> Result<T, Failure> {
        self.link.attempt(op, command, self.deadline).await
    }

    /// The payload of a stored value. Only our own namespace has compressed ones.
    pub(super) async fn decoded(&self, key: &str, stored: Vec<u8>) -> Result<Vec<u8>, DataStoreError> {
        if self.names.is_own() && !is_brotli(key) {
            codec::decode(stored, self.max_value_bytes).await
        } else {
            Ok(stored)
        }
    }
}

/// What stands for a key in tags.
fn digest(key: &StoreKey) -> String {
    let mut digest = sha1(key.name.as_bytes());
    digest.truncate(8);
    digest
}

fn tags<'t>(key: &'t StoreKey, digest: &'t str) -> [(&'t str, &'t str); 2] {
    [("key", digest), ("format", key.format.as_str())]
}

/// Whether a key is for payloads that are compressed already.
pub(super) fn is_brotli(key: &str) -> bool {
    key.contains("|statsig-br|")
}

/// An entry that may be the newest.
struct Candidate<'k> {
    key: &'k StoreKey,
    /// Its version, as far as it is known.
    version: Option<SpecVersion>,
    /// The entry, if it had to be read.
    entry: Option<StoreEntry>,
    /// It was read before, and could not be used.
    was_unusable: bool,
}

impl Candidate<'_> {
    fn is_unusable(&self) -> bool {
        self.was_unusable || self.version.is_none() && self.key.format == StoreFormat::PlainText
    }
}

/// What became of a candidate.
enum Found {
    News(Box<StoreEntry>),
    NoNews,
    /// It is not there any more.
    Gone,
    Unusable(Box<StoreEntry>),
}

/// Returns the index of the newest candidate, the first of equals. One of an unknown version counts as newest where it
/// comes first.
fn best_of(candidates: &[Candidate<'_>], now: Option<u64>) -> Option<usize> {
    let now = now.unwrap_or_else(now_ms);
    let mut best: Option<usize> = None;
    for (at, candidate) in candidates.iter().enumerate() {
        let is_better = match best.and_then(|best| candidates.get(best)) {
            None => true,
            Some(best) => candidate
                .version
                .as_ref()
                .zip(best.version.as_ref())
                .is_some_and(|(version, best)| version.cmp_time(best, Some(now)) == Ordering::Greater),
        };
        if is_better {
            best = Some(at);
        }
    }
    best
}

/// A command on one key.
fn field(name: &str, command: &str, arguments: &[&str]) -> Cmd {
    let mut command = cmd(command);
    command.arg(name).arg(arguments);
    command
}

/// Some fields of a hash, and those that describe its payload.
fn about_payload(name: &str, first: &[&str]) -> Cmd {
    let mut command = field(name, "HMGET", first);
    command.arg(&["lcut", "checksum", "meta", "at"]);
    command
}
