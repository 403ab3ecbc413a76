//! What a caller may ask of a response.

use std::collections::HashSet;

use super::hashing::HashAlgorithm;

/// Which shape a response has (`docs/protocol/client-initialize.md#formats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Every entry spelled out; what every client SDK reads.
    #[default]
    V1,
    /// As [`Self::V1`], but entries refer to exposures by id, and `exposures` tells them once.
    V2,
    /// Short keys, defaults left out, exposures and values told once.
    InitV2,
}

impl ResponseFormat {
    /// The format that an SDK option names: `v1`, `v2` or `init_v2`. Anything else is [`Self::V1`].
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "v2" => Self::V2,
            "init_v2" => Self::InitV2,
            _ => Self::V1,
        }
    }
}

/// Who produced a response, as the client reads it from `sdkInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientSdkInfo {
    /// Name of the server SDK.
    pub sdk_type: String,
    /// Its version.
    pub sdk_version: String,
    /// Id of the process's session.
    pub session_id: String,
}

/// What goes into a client-initialize response, and in which form.
///
/// The default is everything that the project holds, names hashed with djb2, without local
/// overrides.
///
/// ```
/// use statsig_core::{ClientInitializeOptions, HashAlgorithm};
///
/// let options = ClientInitializeOptions::new()
///     .with_hash_algorithm(HashAlgorithm::Sha256)
///     .with_client_sdk_key("client-web")
///     .with_feature_gate_filter(["checkout"]);
/// assert!(!options.include_local_overrides);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClientInitializeOptions {
    /// How names are hashed; djb2 by default.
    pub hash_algorithm: HashAlgorithm,
    /// The client key that the response is for: its app decides what is in it. A key that the specs
    /// do not know gets everything.
    pub client_sdk_key: Option<String>,
    /// The app that the response is for; wins over that of the key. The empty text counts as none.
    pub target_app_id: Option<String>,
    /// Whether local overrides show. Without it they play no part at all, not even for gates that
    /// others ask.
    pub include_local_overrides: bool,
    /// Feature gates to keep, by plain name; `None` keeps all, an empty set none.
    pub feature_gate_filter: Option<HashSet<String>>,
    /// Experiments and contextual bandits to keep. Autotunes obey no filter.
    pub experiment_filter: Option<HashSet<String>>,
    /// Dynamic configs to keep.
    pub dynamic_config_filter: Option<HashSet<String>>,
    /// Layers to keep.
    pub layer_filter: Option<HashSet<String>>,
    /// Parameter stores to keep.
    pub param_store_filter: Option<HashSet<String>>,
    /// The shape of the response.
    pub response_format: ResponseFormat,
    /// Leaves `id_type` out of every entry.
    pub remove_id_type: bool,
    /// Leaves gates out that are off by default: no rule decided, the value is false, and no other
    /// gate took part.
    pub remove_default_value_gates: bool,
    /// Leaves experiments out that are part of a layer.
    pub remove_experiments_in_layers: bool,
    /// The `full_checksum` of the response that the client has: if nothing changed, the new one only
    /// says so. Setting it, even to the empty text, makes the response carry a `full_checksum` and
    /// sorts it by name; it is then put together in memory before anything is written. Of use in
    /// [`ResponseFormat::V1`] only.
    pub previous_response_hash: Option<String>,
    /// What `sdkInfo` says; an empty object by default.
    pub sdk_info: Option<ClientSdkInfo>,
}

/// A setter for each option.
macro_rules! setters {
    ($($(#[$doc:meta])* $setter:ident, $field:ident: $argument:ty => $value:expr;)*) => {
        impl ClientInitializeOptions {$(
            $(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $argument) -> Self {
                self.$field = $value;
                self
            }
        )*}
    };
}

fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Option<HashSet<String>> {
    Some(names.into_iter().map(Into::into).collect())
}

impl ClientInitializeOptions {
    /// The default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

setters! {
    /// Sets [`Self::hash_algorithm`].
    with_hash_algorithm, hash_algorithm: HashAlgorithm => hash_algorithm;
    /// Sets [`Self::client_sdk_key`].
    with_client_sdk_key, client_sdk_key: impl Into<String> => Some(client_sdk_key.into());
    /// Sets [`Self::target_app_id`].
    with_target_app_id, target_app_id: impl Into<String> => Some(target_app_id.into());
    /// Sets [`Self::include_local_overrides`].
    with_local_overrides, include_local_overrides: bool => include_local_overrides;
    /// Sets [`Self::feature_gate_filter`].
    with_feature_gate_filter, feature_gate_filter: impl IntoIterator<Item = impl Into<String>> => names(feature_gate_filter);
    /// Sets [`Self::experiment_filter`].
    with_experiment_filter, experiment_filter: impl IntoIterator<Item = impl Into<String>> => names(experiment_filter);
    /// Sets [`Self::dynamic_config_filter`].
    with_dynamic_config_filter, dynamic_config_filter: impl IntoIterator<Item = impl Into<String>> => names(dynamic_config_filter);
    /// Sets [`Self::layer_filter`].
    with_layer_filter, layer_filter: impl IntoIterator<Item = impl Into<String>> => names(layer_filter);
    /// Sets [`Self::param_store_filter`].
    with_param_store_filter, param_store_filter: impl IntoIterator<Item = impl Into<String>> => names(param_store_filter);
    /// Sets [`Self::response_format`].
    with_response_format, response_format: ResponseFormat => response_format;
    /// Sets [`Self::remove_id_type`].
    with_id_type_removed, remove_id_type: bool => remove_id_type;
    /// Sets [`Self::remove_default_value_gates`].
    with_default_value_gates_removed, remove_default_value_gates: bool => remove_default_value_gates;
    /// Sets [`Self::remove_experiments_in_layers`].
    with_experiments_in_layers_removed, remove_experiments_in_layers: bool => remove_experiments_in_layers;
    /// Sets [`Self::previous_response_hash`].
    with_previous_response_hash, previous_response_hash: impl Into<String> => Some(previous_response_hash.into());
    /// Sets [`Self::sdk_info`].
    with_sdk_info, sdk_info: ClientSdkInfo => Some(sdk_info);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_by_name() {
        for (name, format) in [
            ("v1", ResponseFormat::V1),
            ("v2", ResponseFormat::V2),
            ("init_v2", ResponseFormat::InitV2),
            ("", ResponseFormat::V1),
            ("v3", ResponseFormat::V1),
        ] {
            assert_eq!(ResponseFormat::from_name(name), format, "{name}");
        }
    }
}
