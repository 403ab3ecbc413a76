//! Reading: first what is known about a value, then the value, if it is worth it.

use futures_util::future::{join_all, try_join};
use redis::{Cmd, FromRedisValue, cmd};
use statsig_core::{DataStoreError, EntryRequest, EntryVersion, StoreEntry, StoreFormat, StoreKey, StoreResponse};

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

impl Fields {
    /// From the fields `lcut`, `checksum`, `meta` and `at`. Those of ours count only if `meta` says
    /// that they belong to the payload: other writers leave them as they are.
    fn new(fields: [Option<Vec<u8>>; 4]) -> Self {
        let [lcut, checksum, meta, at] = fields.map(|field| field.and_then(|field| String::from_utf8(field).ok()));
        let ours = lcut.is_some() && meta == lcut;
        Self {
            lcut: lcut.and_then(|lcut| lcut.parse().ok()).filter(|&lcut| lcut > 0),
            checksum: checksum.filter(|checksum| ours && !checksum.is_empty()),
            stored_at_ms: at.filter(|_| ours).and_then(|at| at.parse().ok()),
        }
    }

    fn version(&self) -> Option<EntryVersion> {
        self.lcut.map(|lcut| EntryVersion::new(lcut, self.checksum.clone()))
    }
}

impl Peek {
    /// The version, where it can be told without the payload.
    pub(super) fn version(&self) -> Option<EntryVersion> {
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

    /// Finds the newest entry, and reads it if it is news.
    pub(super) async fn newest(&self, request: &EntryRequest) -> Result<Option<StoreEntry>, DataStoreError> {
        let peeks = join_all(request.keys.iter().map(|key| self.peek(&key.name))).await;
        let mut best: Option<(&StoreKey, Option<EntryVersion>, Option<StoreEntry>)> = None;
        let mut failure = None;
        for (key, peek) in request.keys.iter().zip(peeks) {
            let candidate = match peek {
                Ok(Some(peek)) => self.candidate(key, peek).await,
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match candidate {
                Ok(Some((version, entry))) => {
                    if best.as_ref().is_none_or(|(key, best, _)| is_better(version.as_ref(), best.as_ref(), key)) {
                        best = Some((key, version, entry));
                    }
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let Some((key, version, entry)) = best else {
            self.counters.misses.add(1);
            return failure.map_or(Ok(None), Err);
        };
        let known = request.known.as_ref();
        if known.zip(version.as_ref()).is_some_and(|(known, version)| !version.is_news_to(known)) {
            self.counters.unchanged.add(1);
            self.measure_age(key, version.as_ref());
            return Ok(None);
        }
        let entry = match entry {
            Some(entry) => Some(entry),
            None => self.entry(key).await?,
        };
        self.measure_age(key, entry.as_ref().and_then(|entry| entry.version.as_ref()));
        // The payload may say more than what stood beside it.
        let news = |entry: &StoreEntry| {
            known.zip(entry.version.as_ref()).is_none_or(|(known, version)| version.is_news_to(known))
        };
        let entry = entry.filter(news);
        if entry.is_some() { &self.counters.hits } else { &self.counters.unchanged }.add(1);
        if let Some(entry) = entry.as_ref().filter(|_| self.metrics.is_on()) {
            self.measure_entry(key, entry, known.is_some());
        }
        Ok(entry)
    }

    /// Tells of a payload that was read; of the way it took here, if it followed another one.
    fn measure_entry(&self, key: &StoreKey, entry: &StoreEntry, follows: bool) {
        let (lcut, digest) = (entry.version.as_ref().map(|version| version.lcut), digest(key));
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
    fn measure_age(&self, key: &StoreKey, version: Option<&EntryVersion>) {
        if let Some(version) = version.filter(|_| self.metrics.is_on()) {
            let age = now_ms().saturating_sub(version.lcut) / 1_000;
            self.metrics.gauge("redis.entry_age_seconds", age, &tags(key, &digest(key)));
        }
    }

    /// The version of a value, and the value if it had to be read for that.
    async fn candidate(
        &self,
        key: &StoreKey,
        peek: Peek,
    ) -> Result<Option<(Option<EntryVersion>, Option<StoreEntry>)>, DataStoreError> {
        let version = match peek.version() {
            Some(version) if version.checksum.is_some() => Some(version),
            // Somebody wrote it who stores no checksum. Reading it once told.
            version => self.memory.version(&key.name, peek.fields.lcut, peek.len).or(version),
        };
        if version.is_some() {
            return Ok(Some((version, None)));
        }
        if key.format == StoreFormat::StatsigBr && peek.layout == Layout::Hash {
            return Ok(Some((None, None)));
        }
        Ok(self.entry(key).await?.map(|entry| (entry.version.clone(), Some(entry))))
    }

    /// Reads an entry.
    async fn entry(&self, key: &StoreKey) -> Result<Option<StoreEntry>, DataStoreError> {
        let Some(stored) = self.fetch(&key.name).await? else { return Ok(None) };
        let (fields, len, layout) = (stored.fields, stored.bytes.len() as u64, stored.layout);
        let mut entry = match key.format {
            StoreFormat::PlainText if fields.checksum.is_none() => {
                let bytes = self.decoded(&key.name, stored.bytes).await?;
                off_thread(bytes.len(), move || StoreEntry::json(bytes)).await?
            }
            StoreFormat::PlainText => {
                let bytes = self.decoded(&key.name, stored.bytes).await?;
                StoreEntry::new(bytes, key.format, EntryVersion::default()).with_version(None)
            }
            _ if layout == Layout::String => {
                let about = self.about(&key.name, &stored.bytes).await?;
                StoreEntry::new(stored.bytes, key.format, EntryVersion::default()).with_version(about)
            }
            _ => StoreEntry::new(stored.bytes, key.format, EntryVersion::default()).with_version(None),
        };
        if entry.version.is_none() {
            entry.version = fields.version();
        }
        if let Some(version) = &entry.version {
            self.memory.set_read(&key.name, Read { lcut: fields.lcut, len, version: version.clone() });
        }
        Ok(Some(entry.with_stored_at_ms(fields.stored_at_ms)))
    }

    /// What stands beside a bare string, if it belongs to it.
    async fn about(&self, key: &str, bytes: &[u8]) -> Result<Option<EntryVersion>, DataStoreError> {
        let mut command = cmd("HMGET");
        command.arg(self.names.about(key)).arg(&["sha1", "lcut", "checksum"]);
        let known: [Option<String>; 3] = self.query(Op::Get, &command).await?;
        let [Some(digest), Some(lcut), checksum] = known else { return Ok(None) };
        Ok(lcut.parse().ok().filter(|_| digest == sha1(bytes)).map(|lcut| EntryVersion::new(lcut, checksum)))
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

/// Whether a later version beats the best so far, under its key. What is unknown counts as newest
/// where it came first, unless it is text: a text without a time is no payload.
fn is_better(version: Option<&EntryVersion>, best: Option<&EntryVersion>, best_key: &StoreKey) -> bool {
    match (version, best) {
        (Some(version), Some(best)) => version.lcut > best.lcut,
        _ => best.is_none() && best_key.format == StoreFormat::PlainText,
    }
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
