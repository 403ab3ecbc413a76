//! Messages of gRPC, declared apart from those of the library under test.

/// Request for config specs.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Request {
    #[prost(string, tag = "1")]
    pub(super) sdk_key: String,
    #[prost(int32, optional, tag = "3")]
    pub(super) version: Option<i32>,
    #[prost(uint64, optional, tag = "12")]
    pub(super) since_time: Option<u64>,
    #[prost(string, repeated, tag = "100")]
    pub(super) accept_formats: Vec<String>,
    #[prost(string, optional, tag = "101")]
    pub(super) checksum: Option<String>,
}

/// Config specs.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(string, tag = "1")]
    pub(super) spec: String,
    #[prost(uint64, tag = "2")]
    pub(super) last_updated: u64,
    #[prost(bytes = "vec", tag = "100")]
    pub(super) payload: Vec<u8>,
    #[prost(string, tag = "101")]
    pub(super) format: String,
}
