//! What commands are for.

/// What a command is for: how long it may take, and what errors and metrics call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// Asking whether the server is there.
    Ping,
    /// Looking at a value without reading it.
    Peek,
    /// Reading a value.
    Get,
    /// Storing a payload or a value.
    Put,
    /// Letting a value grow.
    Append,
    Remove,
    /// Keeping a value longer.
    Touch,
    /// Adding a batch to a stream.
    #[cfg(feature = "streams")]
    Add,
    /// Taking batches out of a stream, which may wait for some.
    #[cfg(feature = "streams")]
    Take,
    /// Taking over what another drainer left.
    #[cfg(feature = "streams")]
    Claim,
    /// A sign of life about a batch.
    #[cfg(feature = "streams")]
    Hold,
    /// Asking whether a batch is known.
    #[cfg(feature = "streams")]
    LookUp,
    /// Taking a batch out for good.
    #[cfg(feature = "streams")]
    Settle,
    /// Putting the halves of a batch in its place.
    #[cfg(feature = "streams")]
    Split,
    /// Counting what is in a stream.
    #[cfg(feature = "streams")]
    Count,
    /// Making or leaving the group of a stream.
    #[cfg(feature = "streams")]
    Group,
}

impl Op {
    /// Whether it has the time limit of writes.
    pub(crate) fn is_write(self) -> bool {
        match self {
            Self::Ping | Self::Peek | Self::Get => false,
            #[cfg(feature = "streams")]
            Self::Take | Self::Claim | Self::LookUp | Self::Count => false,
            _ => true,
        }
    }

    /// The tag of measurements.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Peek => "peek",
            Self::Get => "get",
            Self::Put => "put",
            Self::Append => "append",
            Self::Remove => "remove",
            Self::Touch => "touch",
            #[cfg(feature = "streams")]
            Self::Add => "add",
            #[cfg(feature = "streams")]
            Self::Take => "take",
            #[cfg(feature = "streams")]
            Self::Claim => "claim",
            #[cfg(feature = "streams")]
            Self::Hold => "hold",
            #[cfg(feature = "streams")]
            Self::LookUp => "look_up",
            #[cfg(feature = "streams")]
            Self::Settle => "settle",
            #[cfg(feature = "streams")]
            Self::Split => "split",
            #[cfg(feature = "streams")]
            Self::Count => "count",
            #[cfg(feature = "streams")]
            Self::Group => "group",
        }
    }

    /// What cannot be done, in an error.
    pub(crate) fn during(self) -> &'static str {
        match self {
            Self::Ping => "reach the server",
            Self::Peek | Self::Get => "read",
            Self::Put => "write",
            Self::Append => "append",
            Self::Remove => "remove",
            Self::Touch => "touch",
            #[cfg(feature = "streams")]
            Self::Add => "add a batch of events",
            #[cfg(feature = "streams")]
            Self::Take => "read events",
            #[cfg(feature = "streams")]
            Self::Claim => "claim events",
            #[cfg(feature = "streams")]
            Self::Hold => "keep hold of a batch of events",
            #[cfg(feature = "streams")]
            Self::LookUp => "look up a batch of events",
            #[cfg(feature = "streams")]
            Self::Settle => "settle a batch of events",
            #[cfg(feature = "streams")]
            Self::Split => "cut a batch of events in two",
            #[cfg(feature = "streams")]
            Self::Count => "count batches of events",
            #[cfg(feature = "streams")]
            Self::Group => "make the group",
        }
    }
}
