//! Writes payloads to a data store.

use std::sync::Arc;

use statsig_core::{
    DataStore, DataStoreError, EntryRequest, Envelope, KeySchema, PayloadFormat, PutMode, PutOutcome, SpecUpdate,
    StoreEntry, StoreKey, StoreKeys, StorePath, TouchOutcome,
};

use crate::secret::SdkKey;
use crate::sources::is_usable;

/// Writes the config specs of one SDK key to a data store, under one or both key schemas.
///
/// Needs no client: a proxy writes what its feed has accepted. Payloads are written byte for byte. A newer entry is
/// never replaced, unless it cannot be used. Several schemas are written one after the other, all of them also if one
/// fails.
///
/// As a client's [`write_back`](crate::SpecSources::write_back), the writer gets every payload from an upstream source
/// that was applied, and none from a file or the application. While upstream sources have nothing new, the entry is
/// kept from expiring, and written again where it is missing. A store that
/// [is only read](DataStore::is_read_only) gets nothing.
///
/// ```
/// use std::sync::Arc;
/// use statsig_core::{Envelope, InMemoryDataStore, KeySchema, Reach, SpecOrigin, SpecUpdate, SpecVersion, StorePath};
/// use statsig_net::{SdkKey, StoreWriter};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), statsig_core::DataStoreError> {
/// let store = Arc::new(InMemoryDataStore::new());
/// let writer = StoreWriter::new(store, &SdkKey::new("secret-key"), KeySchema::Hashed).and_schema(KeySchema::Prefix);
/// let payload = br#"{"has_updates":true,"time":5,"feature_gates":[],"dynamic_configs":[]}"#;
/// let update = SpecUpdate::new(&payload[..], SpecOrigin::Network, Reach::Upstream, 1_700_000_000_000);
/// writer.write(&update, &Envelope::new(SpecVersion::new(5, None), StorePath::SpecsV1)).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct StoreWriter {
    store: Arc<dyn DataStore>,
    keys: StoreKeys,
    schemas: Vec<KeySchema>,
}

impl std::fmt::Debug for StoreWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreWriter").field("schemas", &self.schemas).finish_non_exhaustive()
    }
}

impl StoreWriter {
    /// Returns a writer under the keys of one schema.
    #[must_use]
    pub fn new(store: Arc<dyn DataStore>, key: &SdkKey, schema: KeySchema) -> Self {
        Self { store, keys: StoreKeys::new(key.expose()), schemas: vec![schema] }
    }

    /// Adds a schema.
    #[must_use]
    pub fn and_schema(mut self, schema: KeySchema) -> Self {
        if !self.schemas.contains(&schema) {
            self.schemas.push(schema);
        }
        self
    }

    /// Returns the store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn DataStore> {
        &self.store
    }

    /// Writes a payload; leaves a newer entry as it is. A delta is not written.
    ///
    /// # Errors
    /// The first failure of a schema.
    pub async fn write(&self, update: &SpecUpdate, envelope: &Envelope) -> Result<(), DataStoreError> {
        let entry = StoreEntry::new(update.payload.clone(), update.format.into(), envelope.version.clone());
        let entry = entry.with_stored_at_ms(Some(update.received_at_ms)).with_delta(update.delta_base.is_some());
        let mut failure = None;
        for key in self.keys_of(update.format, &envelope.path) {
            if let Err(error) = self.put(&key, &entry).await {
                failure.get_or_insert(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Keeps the entries of a format and path from expiring.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn touch(&self, format: PayloadFormat, path: &StorePath) -> Result<TouchOutcome, DataStoreError> {
        let keys: Vec<StoreKey> = self.keys_of(format, path).collect();
        self.store.touch(&keys).await
    }

    fn keys_of(&self, format: PayloadFormat, path: &StorePath) -> impl Iterator<Item = StoreKey> {
        self.schemas.iter().map(move |schema| self.keys.key(path, format.into(), *schema))
    }

    async fn put(&self, key: &StoreKey, entry: &StoreEntry) -> Result<(), DataStoreError> {
        let mut outcome = self.store.put_entry(&key.name, entry, PutMode::IfNewer).await?;
        if matches!(outcome, PutOutcome::SkippedOlder { .. }) && self.holds_unusable(key).await {
            tracing::warn!(version = ?entry.version, "replacing an entry of the data store that cannot be used");
            outcome = self.store.put_entry(&key.name, entry, PutMode::Force).await?;
        }
        tracing::debug!(?outcome, version = ?entry.version, "wrote config specs to the data store");
        Ok(())
    }

    /// Returns whether the value under a key is not config specs, whatever time is stored beside it.
    ///
    /// A store compares times; not every store looks at the payload, and none reads the binary form.
    async fn holds_unusable(&self, key: &StoreKey) -> bool {
        match self.store.get_entry(&EntryRequest::new([key.clone()])).await {
            Ok(Some(entry)) => !is_usable(entry, self.store.max_value_bytes()).await,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use statsig_core::{InMemoryDataStore, Reach, SpecOrigin, SpecVersion};

    use super::*;

    #[tokio::test]
    async fn each_schema_gets_the_payload_with_its_version() {
        let store = Arc::new(InMemoryDataStore::new());
        let key = SdkKey::new("secret-AbCdEfGhIjKlMnOpQrStUvWx");
        let payload = br#"{"has_updates":true,"time":5,"checksum":"a","feature_gates":[],"dynamic_configs":[]}"#;
        let update = SpecUpdate::new(&payload[..], SpecOrigin::Network, Reach::Upstream, 7);
        let envelope = Envelope::new(SpecVersion::new(5, Some("a")), StorePath::SpecsV1);
        let both = StoreWriter::new(store.clone(), &key, KeySchema::Hashed).and_schema(KeySchema::Prefix);
        both.write(&update, &envelope).await.unwrap();
        for schema in [KeySchema::Hashed, KeySchema::Prefix] {
            let key = StoreKeys::new(key.expose()).key(&StorePath::SpecsV1, PayloadFormat::Json.into(), schema);
            let entry = store.get_entry(&EntryRequest::new([key])).await.unwrap().unwrap();
            assert_eq!((&entry.bytes[..], entry.version), (&payload[..], Some(SpecVersion::new(5, Some("a")))));
        }
        assert_eq!(both.touch(PayloadFormat::Json, &StorePath::SpecsV1).await.unwrap(), TouchOutcome::Kept);
        // A delta is of no use to anyone else.
        let delta = SpecUpdate::new(&b"{}"[..], SpecOrigin::Network, Reach::Upstream, 7)
            .with_delta_base(Some(SpecVersion::new(5, None)));
        both.write(&delta, &Envelope::new(SpecVersion::new(9, None), StorePath::SpecsV2)).await.unwrap();
        assert_eq!(both.touch(PayloadFormat::Json, &StorePath::SpecsV2).await.unwrap(), TouchOutcome::Absent);
    }
}
