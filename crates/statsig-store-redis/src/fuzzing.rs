//! Entry points of the fuzz targets in `fuzz/`. Not part of the API.
//!
//! Each panics where a parser breaks its promise.

/// Follows the replies of a server, at once and in chunks: the same replies are accepted.
pub fn redis_replies(received: &[u8], chunk: usize, max_bytes: usize) {
    assert!(crate::link::replies_agree(received, chunk, max_bytes), "the chunks of a reply change what is accepted");
}
