//! Writing events as JSON, piece by piece.

use serde::Serialize;

/// Appends a value. Writing to memory cannot fail, and what we write has text keys.
pub(super) fn write(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    let before = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(before);
        out.extend_from_slice(b"null");
    }
}

/// Appends `,"key":"value"` or, at the beginning of an object, without the comma. The key is written
/// as it is.
pub(super) fn member(out: &mut Vec<u8>, key: &str, value: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    write(out, value);
}
