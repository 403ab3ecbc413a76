//! Where sticky assignments are kept.

use async_trait::async_trait;

use crate::sticky::{StickyValues, UserPersistedValues, storage_key};
use crate::user::StatsigUser;

/// Why a storage could not answer, with its source.
///
/// The text goes to logs: no secret, and no ID of a user.
pub type StorageError = Box<dyn std::error::Error + Send + Sync>;

/// Keeps the groups that users were given, so that they stay in them whatever the rules say later.
///
/// The application loads a user's values before it evaluates, and passes them along with the call;
/// evaluating never loads. What has to change is handed to the storage by the evaluation itself:
/// [`save`](PersistentStorage::save) when the user is assigned,
/// [`delete`](PersistentStorage::delete) when the assignment ends.
///
/// Keys are made by [`storage_key`]. Under each there is one value a config name: that of an
/// experiment or of a layer. Values are JSON objects in the form that all Statsig SDKs share, so
/// that a storage may be shared with them.
///
/// # Duties
///
/// * `save` and `delete` are called on the application's threads, in the middle of an evaluation,
///   with or without an async runtime around them. They must not block: no I/O, no waiting. A
///   storage that is not in memory puts the change in a queue of its own and writes it from there.
/// * Changes of one config under one key take effect in the order of the calls.
/// * A `load` that begins after `save` or `delete` has returned sees the change, at least through
///   the same storage: with a queue, it answers from what is queued, or waits for it.
/// * A change that cannot be kept is the storage's to report. The evaluation has gone on; the user
///   may get another group the next time.
/// * What can be kept must be bounded by the storage: there is one entry a user.
///
/// `testing::persistent_storage_contract` (feature `testing`) checks what can be checked of this.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::{Mutex, PoisonError};
/// use statsig_core::{PersistentStorage, StickyValues, StorageError, UserPersistedValues};
///
/// /// Keeps JSON text in memory, by key and config; a task elsewhere writes it out.
/// #[derive(Default)]
/// struct Session(Mutex<HashMap<(String, String), String>>);
///
/// #[async_trait::async_trait]
/// impl PersistentStorage for Session {
///     async fn load(&self, key: &str) -> Result<UserPersistedValues, StorageError> {
///         let texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         let own = texts.iter().filter(|((of, _), _)| of == key);
///         own.map(|((_, config), text)| Ok((config.clone(), serde_json::from_str(text)?))).collect()
///     }
///
///     fn save(&self, key: &str, config_name: &str, values: StickyValues) {
///         if let Ok(text) = serde_json::to_string(&values) {
///             let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///             texts.insert((key.to_owned(), config_name.to_owned()), text);
///         }
///     }
///
///     fn delete(&self, key: &str, config_name: &str) {
///         let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
///         texts.remove(&(key.to_owned(), config_name.to_owned()));
///     }
/// }
///
/// let session = Session::default();
/// session.save("u-1:userID", "button_color", StickyValues::default());
/// # let mut load = std::pin::pin!(async {
/// assert_eq!(session.load("u-1:userID").await?.len(), 1);
/// # Ok::<(), StorageError>(())
/// # });
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(matches!(std::future::Future::poll(load.as_mut(), &mut context), std::task::Poll::Ready(Ok(()))));
/// ```
#[async_trait]
pub trait PersistentStorage: Send + Sync {
    /// All values under a key; empty if there are none.
    ///
    /// # Errors
    /// When the storage cannot be read. To evaluate without values then would end the user's
    /// assignments.
    async fn load(&self, key: &str) -> Result<UserPersistedValues, StorageError>;

    /// Takes the value of one config, in the place of an earlier one. Returns at once.
    fn save(&self, key: &str, config_name: &str, values: StickyValues);

    /// Forgets the value of one config; most calls are for configs that have none. Returns at once.
    fn delete(&self, key: &str, config_name: &str);

    /// All values of a user under an id type; empty if there are none, or the user has no such ID.
    ///
    /// # Errors
    /// As [`PersistentStorage::load`].
    async fn load_for_user(&self, user: &StatsigUser, id_type: &str) -> Result<UserPersistedValues, StorageError> {
        match storage_key(user, id_type) {
            Some(key) => self.load(&key).await,
            None => Ok(UserPersistedValues::new()),
        }
    }
}
