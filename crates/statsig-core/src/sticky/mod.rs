//! Sticky assignments: what is kept of a result, so that it can be given again.
//!
//! In: values that an application has loaded from a
//! [`PersistentStorage`](crate::PersistentStorage). Out: values to be kept there. When which of
//! them counts is decided in [`crate::results`].

mod options;
mod values;
mod wire;

pub use options::{ExperimentEvaluationOptions, LayerEvaluationOptions};
pub use values::{StickyExposure, StickyValues, UserPersistedValues};

use crate::user::StatsigUser;

/// The key under which a storage keeps a user's values: `ID:ID_TYPE`, for instance `u-1:userID`.
///
/// The ID is the text that is hashed for that id type. `None` for a user without such an ID. Users
/// without an ID of their own share the key of the empty ID, if they have that one.
///
/// ```
/// use statsig_core::{StatsigUser, storage_key};
///
/// let user = StatsigUser::builder().user_id("u-1").custom_id("companyID", 42).build();
/// assert_eq!(storage_key(&user, "userID").as_deref(), Some("u-1:userID"));
/// assert_eq!(storage_key(&user, "companyID").as_deref(), Some("42:companyID"));
/// assert_eq!(storage_key(&user, "deviceID"), None);
/// ```
#[must_use]
pub fn storage_key(user: &StatsigUser, id_type: &str) -> Option<String> {
    let id_type = if id_type.eq_ignore_ascii_case("userID") { "userID" } else { id_type };
    user.unit_id(id_type).map(|id| format!("{id}:{id_type}"))
}
