//! Byte order marks before text.

/// Returns the bytes after a UTF-8 byte order mark, or all of them if there is none.
///
/// For every place that reads JSON or other text: editors and scripts on Windows write the mark, and RFC 8259 lets
/// readers ignore it.
#[must_use]
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}
