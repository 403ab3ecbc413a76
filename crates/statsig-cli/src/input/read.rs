//! Reads config specs from wherever the command line says they are.

#[cfg(feature = "net")]
use super::remote::Remote;
use super::source::{Source, no_source};
use super::specs::Document;
use crate::failure::Failure;
use crate::warnings::Warnings;

impl Source {
    /// Gets the document.
    pub(crate) fn read(&self, warnings: Warnings) -> Result<Document, Failure> {
        #[cfg(feature = "net")]
        if let Some(remote) = Remote::of(self)? {
            return remote.read(warnings);
        }
        let _ = warnings;
        self.file().map_or_else(|| Err(no_source()), Document::of_file)
    }
}
