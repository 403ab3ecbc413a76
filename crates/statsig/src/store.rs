//! Everything to implement or use a [`DataStore`], the storage of payloads that processes share.
//!
//! Pass an implementation to [`StatsigBuilder::data_store`](crate::StatsigBuilder::data_store). Its method attribute
//! is [`macro@async_trait`].

pub use async_trait::async_trait;
pub use statsig_adapters::{
    AppendOutcome, Bytes, ChangeFeed, ChangeHint, DataStore, DataStoreError, DataStoreErrorKind, EntryRequest,
    InMemoryDataStore, KeySchema, PutMode, PutOutcome, SpecVersion, StoreEntry, StoreFormat, StoreHealth, StoreKey,
    StoreKeys, StorePath, StoreResponse, TouchOutcome,
};
