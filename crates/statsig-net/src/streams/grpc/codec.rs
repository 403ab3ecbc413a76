//! Encodes requests and decodes responses.

use std::fmt;

use prost::Message;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use super::wire::{ConfigSpecRequest, ConfigSpecResponse};

/// Codec of both methods.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SpecsCodec;

impl Codec for SpecsCodec {
    type Encode = ConfigSpecRequest;
    type Decode = ConfigSpecResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for SpecsCodec {
    type Item = ConfigSpecRequest;
    type Error = Status;

    fn encode(&mut self, request: ConfigSpecRequest, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        request.encode(out).map_err(|error| Status::internal(error.to_string()))
    }
}

impl Decoder for SpecsCodec {
    type Item = ConfigSpecResponse;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<ConfigSpecResponse>, Status> {
        ConfigSpecResponse::decode(message).map(Some).map_err(|error| Status::from_error(Box::new(Unreadable(error))))
    }
}

/// A response that is not a message of the protocol; the source of a [`Status`], which has no code of its own for it.
#[derive(Debug)]
pub(super) struct Unreadable(prost::DecodeError);

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the response is not a message of the protocol: {}", self.0)
    }
}

impl std::error::Error for Unreadable {}
