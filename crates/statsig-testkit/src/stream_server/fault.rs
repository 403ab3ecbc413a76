//! Ways to misbehave.

/// Fault of a streaming server, in place of proper service of one request.
///
/// Faults that name no time take effect after the first message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamFault {
    /// Accepts the connection and closes it.
    Kill,
    /// Accepts the connection, sends nothing and keeps it.
    Hang,
    /// Answers the connection with bytes of no protocol.
    GarbageConnection,
    /// Refuses the request with an HTTP status and, if given, `Retry-After` in seconds. Not for gRPC.
    Refuse(u16, Option<u32>),
    /// Sends the head of the response and no message.
    Silence,
    /// Publishes specs between the request and the first message.
    PublishFirst(Vec<u8>),
    /// Stops to read and write, and keeps the connection: the half-open connection behind a dead router.
    Freeze,
    /// Ends with a status of gRPC, a close code of WebSocket or, for server-sent events, the end of the body.
    EndWith(u16),
    /// Announces that the connection closes: GOAWAY of HTTP/2 or the message `goaway`. Without effect on server-sent
    /// events.
    GoAway,
    /// Announces that the connection closes, and closes it with an error of HTTP/2.
    AbruptGoAway,
    /// Sends a message that cannot be read.
    Garbage,
    /// Sends a message of so many bytes.
    Oversize(usize),
    /// Sends half a message and closes the connection.
    Cut,
    /// Ends with trailers that hold broken Base64. gRPC only.
    MalformedTrailers,
    /// Sends a message as it is: a text frame of WebSocket, or lines of server-sent events.
    Raw(String),
    /// Sends a binary frame as it is. WebSocket only.
    RawBinary(Vec<u8>),
}

impl StreamFault {
    /// Returns whether the fault concerns the connection, before any request.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Kill | Self::Hang | Self::GarbageConnection)
    }
}
