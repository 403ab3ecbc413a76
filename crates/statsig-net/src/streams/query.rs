//! Query of a request for a stream over HTTP/1.1.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use statsig_core::SpecVersion;

use super::options::StreamSpecsVersion;

/// Returns the query, with its question mark. It holds no key.
pub(super) fn query(held: &SpecVersion, version: StreamSpecsVersion) -> String {
    let version = match version {
        StreamSpecsVersion::V1 => 1,
        StreamSpecsVersion::V2 => 2,
    };
    let mut query = format!("?sinceTime={}&version={version}", held.time_ms);
    if let Some(checksum) = &held.checksum {
        query.push_str("&checksum=");
        query.extend(utf8_percent_encode(checksum, NON_ALPHANUMERIC));
    }
    query
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_names_what_is_held() {
        assert_eq!(query(&SpecVersion::default(), StreamSpecsVersion::V2), "?sinceTime=0&version=2");
        let held = SpecVersion::new(5, Some("a&b"));
        assert_eq!(query(&held, StreamSpecsVersion::V1), "?sinceTime=5&version=1&checksum=a%26b");
    }
}
