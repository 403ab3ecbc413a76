//! Messages of the service `statsig_forward_proxy.StatsigForwardProxy`.
//!
//! Declared by hand, so that no compiler of protocol definitions is needed. Text of config specs is [`Bytes`]: on the
//! wire, `string` and `bytes` are the same, and neither a copy nor a check of several megabytes is made here.

use bytes::Bytes;

/// Path of the method that answers once. Its name begins with a lower-case letter.
pub const GET_CONFIG_SPEC: &str = "/statsig_forward_proxy.StatsigForwardProxy/getConfigSpec";
/// Path of the method that streams.
pub const STREAM_CONFIG_SPEC: &str = "/statsig_forward_proxy.StatsigForwardProxy/StreamConfigSpec";
/// Name of the initial metadata that holds the name of the proxy's host.
pub const HOSTNAME_METADATA: &str = "x-sfp-hostname";

/// Formats of [`ConfigSpecResponse::payload`].
pub mod format {
    /// JSON text.
    pub const JSON: &str = "json";
    /// JSON text compressed with Zstandard.
    pub const JSON_ZSTD: &str = "json+zstd";
    /// The vendor's binary form.
    pub const STATSIG_BR: &str = "statsig-br";
}

/// Request for config specs.
///
/// Fields from 100 on are additions that the official proxy ignores.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigSpecRequest {
    /// SDK key.
    #[prost(string, tag = "1")]
    pub sdk_key: String,
    /// Form of the specs; absent means version 1.
    #[prost(enumeration = "ApiVersion", optional, tag = "3")]
    pub version: Option<i32>,
    /// Historic; never set.
    #[prost(string, optional, tag = "4")]
    pub zstd_dict_id: Option<String>,
    /// Time of the specs held, in milliseconds since 1970; 0 for none.
    #[prost(uint64, optional, tag = "12")]
    pub since_time: Option<u64>,
    /// Formats that the client reads as [`ConfigSpecResponse::payload`].
    #[prost(string, repeated, tag = "100")]
    pub accept_formats: Vec<String>,
    /// Checksum of the specs held.
    #[prost(string, optional, tag = "101")]
    pub checksum: Option<String>,
}

/// Form of config specs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub enum ApiVersion {
    /// Not given: version 1.
    NoVersion = 0,
    /// Lists of specs with inline conditions.
    V1 = 1,
    /// Maps of specs and a map of conditions.
    V2 = 2,
}

/// Config specs, or the note that there is nothing newer.
///
/// Fields from 100 on are additions that the official SDKs ignore.
#[derive(Clone, PartialEq, prost::Message)]
pub struct ConfigSpecResponse {
    /// JSON text of the specs, or `{"has_updates":false}`.
    #[prost(bytes = "bytes", tag = "1")]
    pub spec: Bytes,
    /// Time of the specs that the proxy holds, in milliseconds since 1970.
    #[prost(uint64, tag = "2")]
    pub last_updated: u64,
    /// Historic; a message that sets it cannot be read.
    #[prost(string, optional, tag = "3")]
    pub zstd_dict_id: Option<String>,
    /// Specs in a [format](mod@format) that the request accepts, in place of `spec`.
    #[prost(bytes = "bytes", tag = "100")]
    pub payload: Bytes,
    /// Format of `payload`.
    #[prost(string, tag = "101")]
    pub format: String,
    /// Checksum of the specs.
    #[prost(string, tag = "102")]
    pub checksum: String,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn field_numbers_are_those_of_the_protocol() {
        let request = ConfigSpecRequest {
            sdk_key: "k".into(),
            version: Some(ApiVersion::V2.into()),
            zstd_dict_id: None,
            since_time: Some(0),
            accept_formats: vec!["json".into()],
            checksum: Some("c".into()),
        };
        assert_eq!(request.encode_to_vec(), b"\x0a\x01k\x18\x02\x60\x00\xa2\x06\x04json\xaa\x06\x01c");
        let response = ConfigSpecResponse {
            spec: "{}".into(),
            last_updated: 5,
            zstd_dict_id: None,
            payload: "p".into(),
            format: "f".into(),
            checksum: "c".into(),
        };
        assert_eq!(response.encode_to_vec(), b"\x0a\x02{}\x10\x05\xa2\x06\x01p\xaa\x06\x01f\xb2\x06\x01c");
    }

    #[test]
    fn unknown_fields_are_ignored() {
        let response = ConfigSpecResponse::decode(&b"\x0a\x02{}\x10\x05\xfa\x3e\x01x"[..]).unwrap();
        assert_eq!((&*response.spec, response.last_updated), (&b"{}"[..], 5));
    }
}
