//! Lists of names, written without being collected.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// A list of names that can be walked again and again; none at all is written as an empty one.
pub(super) struct Names<F>(pub(super) F);

impl<'r, I: Iterator<Item = &'r str>, F: Fn() -> Option<I>> Serialize for Names<F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for name in self.0().into_iter().flatten() {
            list.serialize_element(name)?;
        }
        list.end()
    }
}
