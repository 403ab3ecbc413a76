//! The change feed of a data store, as a stream of specs.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{
    ChangeFeed, ChangeHint, DataStore, SourceError, SourceErrorKind, SpecCursor, SpecFetch, SpecSourceKind, SpecStream,
    SpecSubscription, StreamEvent,
};

use super::super::version_of;
use super::{Reader, error_of, kind};

/// Tells what is stored in a data store, as it happens.
///
/// For stores with a change feed; on others, subscriptions are refused. Changes are hints: the entry
/// is read from the store each time.
#[derive(Clone)]
pub struct DataStoreSpecStream {
    pub(super) reader: Arc<Reader>,
}

impl std::fmt::Debug for DataStoreSpecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataStoreSpecStream").finish_non_exhaustive()
    }
}

#[async_trait]
impl SpecStream for DataStoreSpecStream {
    fn name(&self) -> &str {
        "data-store-feed"
    }

    fn kind(&self) -> SpecSourceKind {
        kind()
    }

    async fn subscribe(&self, cursor: &SpecCursor) -> Result<Box<dyn SpecSubscription>, SourceError> {
        self.reader.prepare().await?;
        let feed = self.reader.store.watch(&self.reader.keys).await.map_err(error_of)?;
        let Some(feed) = feed else {
            // No subscription will ever come about.
            return Err(SourceError::new(SourceErrorKind::Misconfigured, "the data store does not tell of changes"));
        };
        let reader = Arc::clone(&self.reader);
        Ok(Box::new(Subscription { reader, feed, cursor: cursor.clone(), unread: false }))
    }

    fn is_quiet(&self) -> bool {
        true
    }

    fn data_stores(&self) -> Vec<Arc<dyn DataStore>> {
        vec![Arc::clone(&self.reader.store)]
    }
}

struct Subscription {
    reader: Arc<Reader>,
    feed: Box<dyn ChangeFeed>,
    cursor: SpecCursor,
    /// There was a hint, and the store was not read since: a wait may have been given up.
    unread: bool,
}

#[async_trait]
impl SpecSubscription for Subscription {
    async fn next(&mut self) -> Result<Option<StreamEvent>, SourceError> {
        if !self.unread {
            match self.feed.next().await {
                Some(ChangeHint::Subscribed | ChangeHint::Changed { .. }) => self.unread = true,
                Some(_) => {
                    let reason = "the data store's change feed was interrupted";
                    return Err(SourceError::new(SourceErrorKind::Unreachable, reason));
                }
                None => return Ok(None),
            }
        }
        let read = self.reader.read(&self.cursor).await;
        self.unread = false;
        match read {
            Ok(SpecFetch::Updated(update)) => {
                if let Some(version) = version_of(&update.document, update.format) {
                    self.cursor = SpecCursor::new(version.lcut, version.checksum.as_deref());
                }
                Ok(Some(StreamEvent::Specs(update)))
            }
            Ok(SpecFetch::Behind) => Ok(Some(StreamEvent::NoUpdate { time: 0 })),
            Ok(_) => Ok(Some(StreamEvent::NoUpdate { time: self.cursor.time })),
            Err(error) if error.kind() == SourceErrorKind::Empty => Ok(Some(StreamEvent::NoUpdate { time: 0 })),
            Err(error) => Err(error),
        }
    }
}
