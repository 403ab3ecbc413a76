//! Observers of reads of a layer's parameters.

use super::Layer;

/// An observer of each read of a layer's parameter, which is what exposes a user to a layer.
///
/// Called on the application's thread by the typed getters that return the parameter's own value:
/// must not block.
pub trait LayerObserver: Send + Sync {
    /// The application has read `parameter`, which exists and has the type that was asked for.
    fn parameter_read(&self, layer: &Layer, parameter: &str);
}
