//! Lists that stand in the store as a whole: `id_list::{name}`, the members and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use statsig_core::{
    IdListChunk, IdListEntry, IdListManifest, KeySchema, SourceError, SourceErrorKind, StoreFormat, StoreKey, StorePath,
};

use super::StoredIdLists;

/// In place of the address of a file: that the list is in the store, under a name of this schema. (The
/// name itself may hold a part of the SDK key.)
const WHOLE: [(&str, KeySchema); 2] =
    [("data-store:hashed", KeySchema::Hashed), ("data-store:prefix", KeySchema::Prefix)];

/// Which lists of the stored manifest stand there as a whole.
#[derive(Default)]
pub(super) struct WholeLists(Mutex<BTreeMap<String, Known>>);

/// What was found out about a list.
#[derive(Clone)]
struct Known {
    /// What the stored manifest said at that time.
    announced: IdListEntry,
    /// What is given out in its place: the same for a file.
    given: IdListEntry,
}

impl WholeLists {
    /// What is given out for an entry that has not changed since.
    fn of(&self, announced: &IdListEntry) -> Option<IdListEntry> {
        let known = self.lock();
        known.get(&announced.name).filter(|known| known.announced == *announced).map(|known| known.given.clone())
    }

    fn keep(&self, announced: IdListEntry, given: IdListEntry) {
        self.lock().insert(announced.name.clone(), Known { announced, given });
    }

    fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a whole list is, if an entry stands for one.
pub(super) fn place(entry: &IdListEntry) -> Option<KeySchema> {
    WHOLE.iter().find(|(url, _)| *url == entry.url).map(|(_, schema)| *schema)
}

/// Reads a manifest in any form that a store may have: an object as servers send it, an object of entries
/// without `fileID`, or an array of names. Lists without a file are named in `unreadable`.
pub(super) fn parse(json: &[u8]) -> Result<IdListManifest, serde_json::Error> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let mut manifest = IdListManifest::default();
    if json.trim_ascii_start().first() == Some(&b'[') {
        manifest.unreadable = serde_json::from_slice(json)?;
    } else {
        let error = match IdListManifest::parse(json) {
            Ok(manifest) => return Ok(manifest),
            Err(error) => error,
        };
        match serde_json::from_slice::<BTreeMap<String, BTreeMap<String, IgnoredAny>>>(json) {
            Ok(entries) if entries.values().all(is_entry) => {
                manifest.unreadable = entries.into_keys().collect();
            }
            _ => return Err(error),
        }
    }
    manifest.unreadable.sort();
    manifest.unreadable.dedup();
    Ok(manifest)
}

/// Returns whether an entry that names no file has a field of an entry: some writers leave lists as a whole.
fn is_entry(fields: &BTreeMap<String, IgnoredAny>) -> bool {
    ["size", "url", "creationTime"].iter().any(|field| fields.contains_key(*field))
}

impl StoredIdLists {
    /// A stored manifest with whole lists in the place of files that the store does not have.
    pub(super) async fn with_wholes(
        &self,
        stored: IdListManifest,
        schema: KeySchema,
    ) -> Result<IdListManifest, SourceError> {
        let mut manifest = IdListManifest::default();
        for entry in stored.entries {
            let given = match self.wholes.of(&entry) {
                // The file may have come meanwhile; as long as it has not, that costs little to ask.
                Some(given) if given == entry || !self.has_file(&entry).await? => given,
                _ => self.look_for(&entry, schema).await?,
            };
            manifest.entries.push(given);
        }
        for name in stored.unreadable {
            // Nothing tells whether it changed: it is looked at each time.
            match self.whole(&IdListEntry::new(name.as_str(), "", "", 0), schema).await? {
                Some(given) => manifest.entries.push(given),
                None => manifest.unreadable.push(name),
            }
        }
        if manifest.entries.is_empty() && !manifest.unreadable.is_empty() {
            let reason = "the manifest in the data store has no list that can be found";
            return Err(SourceError::new(SourceErrorKind::Invalid, reason));
        }
        manifest.entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(manifest)
    }

    /// What to give out for an entry of a stored manifest. A file is better than a whole list: it goes on
    /// where the server's does.
    async fn look_for(&self, entry: &IdListEntry, schema: KeySchema) -> Result<IdListEntry, SourceError> {
        // First for what is seldom there, and costs little then.
        let Some(whole) = self.whole(entry, schema).await? else { return Ok(entry.clone()) };
        // Also one that is short yet: it grows after the manifest says so, and a whole list beside it may have
        // been left there long ago.
        let given = if self.has_file(entry).await? { entry.clone() } else { whole };
        self.wholes.keep(entry.clone(), given.clone());
        Ok(given)
    }

    /// Whether there is a raw file, however long.
    async fn has_file(&self, entry: &IdListEntry) -> Result<bool, SourceError> {
        if entry.url.is_empty() || entry.file_id.is_empty() {
            return Ok(false);
        }
        let found = self.get(&StoreKey::id_list_file(&entry.url, &entry.file_id).name).await;
        found.map(|file| file.is_some()).map_err(|error| SourceError::new(SourceErrorKind::Unreachable, error))
    }

    /// An entry for a list that stands in the store as a whole.
    async fn whole(&self, entry: &IdListEntry, schema: KeySchema) -> Result<Option<IdListEntry>, SourceError> {
        let url = WHOLE.iter().find(|(_, of)| *of == schema).map_or("", |(url, _)| url);
        Ok(self.content(&entry.name, schema).await?.map(|content| {
            let digest: String = Sha256::digest(&content).iter().map(|byte| format!("{byte:02x}")).collect();
            IdListEntry::new(entry.name.as_str(), url, digest, content.len() as u64)
                .with_creation_time(entry.creation_time)
        }))
    }

    async fn content(&self, list: &str, schema: KeySchema) -> Result<Option<Vec<u8>>, SourceError> {
        let key = self.keys.key(&StorePath::IdList(list.into()), StoreFormat::PlainText, schema);
        let found = self.get(&key.name).await;
        found.map_err(|error| SourceError::new(SourceErrorKind::Unreachable, error))
    }

    /// The bytes of a whole list. If it changed since it was announced, no more than were announced, and
    /// the next manifest says what it is now.
    pub(super) async fn read_whole(
        &self,
        entry: &IdListEntry,
        schema: KeySchema,
        start: u64,
    ) -> Result<IdListChunk, SourceError> {
        let mut content = self.content(&entry.name, schema).await?.unwrap_or_default();
        if content.len() as u64 != entry.size {
            self.wholes.forget(&entry.name);
        }
        if content.is_empty() {
            return Err(SourceError::new(SourceErrorKind::Empty, "the data store lacks the list"));
        }
        content.truncate(usize::try_from(entry.size).unwrap_or(usize::MAX));
        let from = usize::try_from(start).unwrap_or(usize::MAX).min(content.len());
        Ok(IdListChunk::new(start, content.split_off(from)))
    }
}
