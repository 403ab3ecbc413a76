//! The change feed of a data store, as a stream of specs.

use std::sync::Arc;

use async_trait::async_trait;
use statsig_core::{
    ChangeFeed, ChangeHint, DataStore, Reach, SourceError, SourceErrorKind, SpecFetch, SpecOrigin, SpecRequest,
    SpecStream, SpecSubscription, SpecVersion, StreamEvent,
};

use super::{Reader, error_of, origin};

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

    fn origin(&self) -> SpecOrigin {
        origin()
    }

    fn reach(&self) -> Reach {
        Reach::Shared
    }

    async fn subscribe(&self, request: &SpecRequest) -> Result<Box<dyn SpecSubscription>, SourceError> {
        self.reader.prepare().await?;
        let feed = self.reader.store.watch(&self.reader.keys).await.map_err(error_of)?;
        let Some(feed) = feed else {
            // No subscription will ever come about.
            return Err(SourceError::new(SourceErrorKind::Misconfigured, "the data store does not tell of changes"));
        };
        let reader = Arc::clone(&self.reader);
        Ok(Box::new(Subscription { reader, feed, held: request.version.clone(), unread: false }))
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
    /// Version that the subscriber holds.
    held: Option<SpecVersion>,
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
        let read = self.reader.read(self.held.as_ref()).await;
        self.unread = false;
        match read {
            Ok(SpecFetch::Updated(update)) => {
                self.held = update.version.clone().or_else(|| self.held.take());
                Ok(Some(StreamEvent::Specs(update)))
            }
            Ok(SpecFetch::Behind) => Ok(Some(StreamEvent::NoUpdate { time_ms: 0 })),
            Ok(_) => Ok(Some(StreamEvent::NoUpdate { time_ms: self.held.as_ref().map_or(0, |held| held.time_ms) })),
            Err(error) if error.kind() == SourceErrorKind::Empty => Ok(Some(StreamEvent::NoUpdate { time_ms: 0 })),
            Err(error) => Err(error),
        }
    }
}
