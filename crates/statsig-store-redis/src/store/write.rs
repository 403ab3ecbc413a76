//! Writing: one script call each, so that nobody comes between looking and storing.

use std::cmp::Ordering;

use statsig_adapters::MAX_TIME_AHEAD_MS;
use statsig_adapters::{
    AppendOutcome, DataStoreError, DataStoreErrorKind, PutMode, PutOutcome, SpecVersion, StoreEntry, StoreFormat,
    StoreKey, TouchOutcome,
};

use super::judge::{self, LARGEST_LCUT};
use super::memory::Read;
use super::read::is_brotli;
use super::{Call, now_ms};
use crate::codec::{self, off_thread, too_large};
use crate::error::malformed;
use crate::op::Op;
use crate::options::Layout;
use crate::script::sha1;

/// Larger payloads are sent only after a look at what is there.
const LOOK_FIRST: usize = 16 << 10;
/// Rounds with somebody else who writes the same key without telling a time.
const ROUNDS: usize = 4;

impl Call<'_> {
    /// Stores an entry, unless a newer one is there.
    pub(super) async fn put_payload(
        &self,
        key: &str,
        entry: &StoreEntry,
        mode: PutMode,
    ) -> Result<PutOutcome, DataStoreError> {
        self.may_write(key)?;
        if entry.is_delta {
            return Ok(PutOutcome::SkippedDelta);
        }
        let Some(version) = entry.version.as_ref().filter(|version| (1..=LARGEST_LCUT).contains(&version.time_ms))
        else {
            return Err(DataStoreError::new(
                DataStoreErrorKind::Invalid,
                "Redis: a payload without a usable time cannot be stored",
            ));
        };
        if mode == PutMode::IfNewer
            && entry.bytes.len() > LOOK_FIRST
            && let Some((there, len)) = self.peek(key).await?.and_then(|peek| Some((peek.version()?, peek.len())))
        {
            // A greater time of another writer counts only with a payload that can be used, which one reading tells.
            let counts = || {
                let read = self.memory.version(key, Some(there.time_ms), len);
                there.checksum.is_some() || read.is_some_and(|read| read.is_some())
            };
            if there.cmp_time(version, Some(now_ms())) == Ordering::Greater && counts() {
                self.counters.skipped_older.add(1);
                return Ok(PutOutcome::SkippedOlder { stored_lcut: Some(there.time_ms) });
            }
            if there.checksum.is_some() && there == *version {
                self.expire(key).await?;
                self.counters.refreshed.add(1);
                return Ok(PutOutcome::Refreshed);
            }
        }
        self.put_bytes(key, entry.format, &entry.bytes, version, mode).await
    }

    /// Stores a value whatever is there, for the methods that know nothing of entries.
    pub(super) async fn set_value(&self, key: &str, value: &[u8]) -> Result<(), DataStoreError> {
        self.may_write(key)?;
        let owned = value.to_vec();
        let version =
            if is_brotli(key) { None } else { off_thread(value.len(), move || SpecVersion::of_json(&owned)).await? };
        let version = version.filter(|version| version.time_ms <= LARGEST_LCUT).unwrap_or_default();
        let format = if is_brotli(key) { StoreFormat::StatsigBr } else { StoreFormat::PlainText };
        self.put_bytes(key, format, value, &version, PutMode::Force).await.map(drop)
    }

    async fn put_bytes(
        &self,
        key: &str,
        format: StoreFormat,
        payload: &[u8],
        version: &SpecVersion,
        mode: PutMode,
    ) -> Result<PutOutcome, DataStoreError> {
        if payload.len() > self.max_value_bytes {
            return Err(too_large(self.max_value_bytes));
        }
        let (value, about, channel) = (self.names.value(key), self.names.about(key), self.names.channel(key));
        let compress = !is_brotli(key) && (self.compress || self.names.is_own() && codec::is_compressed(payload));
        let (stored, codec) = codec::encode(payload, compress).await?;
        let (lcut, ttl, now) = (version.time_ms.to_string(), self.ttl_seconds().to_string(), now_ms().to_string());
        let checksum = version.checksum.as_deref().unwrap_or_default();
        let limit = now_ms().saturating_add(MAX_TIME_AHEAD_MS).to_string();
        let mut assumed = (String::new(), String::new(), String::new());
        for _ in 0..ROUNDS {
            let arguments: [&[u8]; 15] = [
                if mode == PutMode::Force { b"force" } else { b"newer" },
                lcut.as_bytes(),
                checksum.as_bytes(),
                &stored,
                ttl.as_bytes(),
                channel.as_bytes(),
                now.as_bytes(),
                self.writer.as_bytes(),
                if format == StoreFormat::StatsigBr { b"pb" } else { b"json" },
                codec.as_bytes(),
                if self.layout_of_new(key) == Layout::String { b"string" } else { b"hash" },
                assumed.0.as_bytes(),
                assumed.1.as_bytes(),
                assumed.2.as_bytes(),
                limit.as_bytes(),
            ];
            let (what, before, digest): (u8, String, String) =
                self.run(&self.put, Op::Put, &[&value, &about], &arguments).await?;
            match what {
                0 => {
                    self.counters.skipped_older.add(1);
                    return Ok(PutOutcome::SkippedOlder { stored_lcut: before.parse().ok() });
                }
                1 | 4 => {
                    if what == 4 {
                        self.metrics.increment("redis.unannounced_count", 1, &[]);
                        if self.counters.unannounced.add(1) == 1 {
                            tracing::warn!("Redis: a change was stored but may not be announced; readers have to poll");
                        }
                    }
                    self.measure_payload("written", key, stored.len());
                    self.counters.written.add(1);
                    self.counters.bytes_written.add(stored.len() as u64);
                    return Ok(PutOutcome::Written);
                }
                2 => {
                    self.counters.refreshed.add(1);
                    return Ok(PutOutcome::Refreshed);
                }
                3 => assumed = self.assume(key, format, &before, digest).await?,
                5 => return Err(malformed("the key holds neither a hash nor a string")),
                _ => return Err(malformed("an unusual answer of the script")),
            }
        }
        Err(contended())
    }

    /// Reads a payload whose time has to be found out, or whose stored time counts only if it can be used.
    ///
    /// `beside` is the time that stands beside it, if any.
    async fn assume(
        &self,
        key: &str,
        format: StoreFormat,
        beside: &str,
        digest: String,
    ) -> Result<(String, String, String), DataStoreError> {
        let version = match self.fetch(key).await? {
            Some(stored) => {
                // Another value by now: the next round begins again.
                if sha1(&stored.bytes) != digest {
                    return Ok(Default::default());
                }
                let (lcut, len) = (stored.lcut(), stored.bytes.len() as u64);
                let beside = beside.parse().ok().map(|lcut| SpecVersion::new(lcut, None));
                let payload = self.decoded(key, stored.bytes).await?;
                let payload = codec::unzipped(payload, self.max_value_bytes).await?;
                let judged = off_thread(payload.len(), move || judge::version_of(&payload, format, beside)).await?;
                self.memory.set_read(key, Read { lcut, len, version: judged.clone() });
                judged
            }
            None => None,
        };
        Ok(match version {
            Some(version) => {
                (digest, version.time_ms.to_string(), version.checksum.as_deref().unwrap_or_default().to_owned())
            }
            None => (digest, String::new(), String::new()),
        })
    }

    /// Removes a value, or only one that is older than a time. One from the future is older than everything.
    pub(super) async fn remove_value(
        &self,
        key: &str,
        format: StoreFormat,
        older_than: Option<u64>,
    ) -> Result<bool, DataStoreError> {
        self.may_write(key)?;
        let (value, about) = (self.names.value(key), self.names.about(key));
        let limit = older_than.map_or_else(String::new, |lcut| lcut.to_string());
        let future = now_ms().saturating_add(MAX_TIME_AHEAD_MS).to_string();
        let mut assumed = (String::new(), String::new(), String::new());
        for _ in 0..ROUNDS {
            let arguments: [&[u8]; 4] =
                [limit.as_bytes(), assumed.0.as_bytes(), assumed.1.as_bytes(), future.as_bytes()];
            let (what, digest): (u8, String) =
                self.run(&self.remove, Op::Remove, &[&value, &about], &arguments).await?;
            match what {
                3 => assumed = self.assume(key, format, "", digest).await?,
                what => return Ok(what == 1),
            }
        }
        Err(contended())
    }

    /// Appends to a value of a known length.
    pub(super) async fn append_value(&self, key: &str, at: u64, tail: &[u8]) -> Result<AppendOutcome, DataStoreError> {
        self.may_write(key)?;
        if at.saturating_add(tail.len() as u64) > self.max_value_bytes as u64 {
            return Err(too_large(self.max_value_bytes));
        }
        let (value, channel) = (self.names.value(key), self.names.channel(key));
        let (at, ttl) = (at.to_string(), self.ttl_seconds().to_string());
        let arguments: [&[u8]; 5] = [at.as_bytes(), tail, ttl.as_bytes(), channel.as_bytes(), self.writer.as_bytes()];
        let (what, len): (u8, u64) = self.run(&self.append, Op::Append, &[&value], &arguments).await?;
        match what {
            1 => {
                self.counters.written.add(1);
                self.counters.bytes_written.add(tail.len() as u64);
                self.measure_payload("written", key, tail.len());
                Ok(AppendOutcome::Appended)
            }
            0 => Ok(AppendOutcome::LengthDiffers { len }),
            _ => Err(malformed("the key holds neither a hash nor a string")),
        }
    }

    /// Keeps values longer, those that were not touched in the last eighth of their time. Whether they
    /// are there is asked every time.
    pub(super) async fn touch_values(&self, keys: &[StoreKey]) -> Result<TouchOutcome, DataStoreError> {
        let mut outcome = TouchOutcome::Kept;
        for key in keys {
            self.may_write(&key.name)?;
            if !self.ttl.is_some_and(|ttl| self.memory.take_touch(&key.name, ttl / 8)) {
                let peek = self.peek(&key.name).await?;
                if peek.is_none_or(|peek| is_specs(&key.name) && peek.has_unusable_time()) {
                    outcome = TouchOutcome::Absent;
                }
                continue;
            }
            match self.expire(&key.name).await {
                Ok(true) => {
                    self.counters.touched.add(1);
                }
                Ok(false) => {
                    self.memory.forget_touch(&key.name);
                    outcome = TouchOutcome::Absent;
                }
                Err(error) => {
                    self.memory.forget_touch(&key.name);
                    return Err(error);
                }
            }
        }
        Ok(outcome)
    }

    /// Begins the time to live of a value again; returns whether there is one that may be kept.
    ///
    /// A value whose time orders nothing may not: whoever has a better one may store it in its place.
    async fn expire(&self, key: &str) -> Result<bool, DataStoreError> {
        let (value, about) = (self.names.value(key), self.names.about(key));
        let ttl = self.ttl_seconds().to_string();
        let future = if is_specs(key) { now_ms().saturating_add(MAX_TIME_AHEAD_MS).to_string() } else { String::new() };
        let arguments: [&[u8]; 2] = [ttl.as_bytes(), future.as_bytes()];
        Ok(self.run::<u8>(&self.touch, Op::Touch, &[&value, &about], &arguments).await? == 1)
    }
}

/// Returns whether a key is for config specs: entries of ID lists have no time.
fn is_specs(key: &str) -> bool {
    key.contains("/download_config_specs|")
}

/// That somebody was faster in every round.
fn contended() -> DataStoreError {
    DataStoreError::new(DataStoreErrorKind::Unavailable, "Redis: others keep writing the same key")
}
