//! Bounds what a server may send before it is buffered.
//!
//! The `redis` crate buffers a reply until it is whole, however large the server says that it will be, and reads on
//! through data that is no reply at all. [`Bounded`] stands between it and the socket, follows the structure of the
//! replies (RESP2 and RESP3) without keeping their content, and fails the connection at the first byte that breaks
//! [`ReplyLimits`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longest line: headers, numbers, errors.
const LONGEST_LINE: usize = 64 << 10;
/// Most elements of one reply, nested ones included.
const MOST_ELEMENTS: u64 = 1 << 20;
/// Deepest nesting of one reply.
const DEEPEST: usize = 16;
/// Digits of a length that are kept.
const HEADER: usize = 24;

/// Most bytes of replies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReplyLimits {
    /// Of one value.
    pub(crate) value: usize,
    /// Of one reply with all its values.
    pub(crate) reply: usize,
}

impl ReplyLimits {
    /// Limits for values of so many bytes: replies of several values, as streams give them, are four times as large.
    pub(crate) fn for_values(max_bytes: usize) -> Self {
        Self { value: max_bytes, reply: max_bytes.saturating_mul(4).saturating_add(1 << 20) }
    }

    /// Limits for notices and the like.
    pub(crate) const NOTICES: Self = Self { value: 1 << 20, reply: 2 << 20 };
}

/// A socket whose replies are bounded.
pub(super) struct Bounded<S> {
    socket: S,
    replies: Replies,
}

impl<S> Bounded<S> {
    pub(super) fn new(socket: S, limits: ReplyLimits) -> Self {
        Self { socket, replies: Replies::new(limits) }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        let read = self.replies.follow(&buf.filled()[before..]);
        Poll::Ready(read.map_err(|violation| io::Error::new(io::ErrorKind::InvalidData, violation)))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Why a connection cannot be trusted. Repeats nothing of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("the server announced a value of {announced} bytes; {allowed} are allowed")]
    LargeValue { announced: u64, allowed: usize },
    #[error("the server sent a reply of more than {allowed} bytes")]
    LargeReply { allowed: usize },
    #[error("the server announced a reply of more than {MOST_ELEMENTS} elements, or nested too deeply")]
    LargeArray,
    #[error("the server sent more than it announced, or a line of more than {LONGEST_LINE} bytes")]
    Longer,
    #[error("the server does not speak the protocol of Redis")]
    NoReply,
}

/// Position within replies.
#[derive(Debug)]
struct Replies {
    limits: ReplyLimits,
    at: At,
    /// Elements that are still to come, of each aggregate around the position.
    open: Vec<u64>,
    /// Bytes and elements of the reply so far.
    bytes: usize,
    elements: u64,
}

#[derive(Debug, Clone, Copy)]
enum At {
    /// Before an element.
    Type,
    /// In a line: its type, its first bytes and its length. After `\r` the line has to end.
    Line { kind: u8, header: [u8; HEADER], len: usize, ending: bool },
    /// In a value, or in the line end after it: bytes to come.
    Value { left: u64, ending: u8 },
}

/// Whether the same replies are accepted at once and in chunks.
#[cfg(feature = "fuzzing")]
pub(crate) fn replies_agree(received: &[u8], chunk: usize, max_bytes: usize) -> bool {
    let limits = ReplyLimits::for_values(max_bytes);
    let whole = Replies::new(limits).follow(received).is_ok();
    let mut replies = Replies::new(limits);
    whole == received.chunks(chunk.max(1)).all(|chunk| replies.follow(chunk).is_ok())
}

impl Replies {
    fn new(limits: ReplyLimits) -> Self {
        Self { limits, at: At::Type, open: Vec::new(), bytes: 0, elements: 0 }
    }

    /// Follows what was received.
    fn follow(&mut self, mut received: &[u8]) -> Result<(), Violation> {
        while let Some((&byte, rest)) = received.split_first() {
            if let At::Value { left, ending } = &mut self.at
                && *left > 0
            {
                // Values are passed over, not looked at.
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(received.len());
                *left -= taken as u64;
                let _ = ending;
                self.count(taken)?;
                received = &received[taken..];
                continue;
            }
            self.count(1)?;
            received = rest;
            self.byte(byte)?;
        }
        Ok(())
    }

    fn count(&mut self, bytes: usize) -> Result<(), Violation> {
        self.bytes = self.bytes.saturating_add(bytes);
        let allowed = self.limits.reply;
        if self.bytes > allowed { Err(Violation::LargeReply { allowed }) } else { Ok(()) }
    }

    fn byte(&mut self, byte: u8) -> Result<(), Violation> {
        match &mut self.at {
            At::Type if b"+-:$*_,#!=(%~>|".contains(&byte) => {
                self.at = At::Line { kind: byte, header: [0; HEADER], len: 0, ending: false };
                Ok(())
            }
            At::Type => Err(Violation::NoReply),
            At::Line { kind, header, len, ending: true } => {
                let (kind, header, len) = (*kind, *header, *len);
                if byte == b'\n' { self.line(kind, header.get(..len)) } else { Err(Violation::NoReply) }
            }
            At::Line { ending, .. } if byte == b'\r' => {
                *ending = true;
                Ok(())
            }
            At::Line { header, len, .. } => {
                if let Some(place) = header.get_mut(*len) {
                    *place = byte;
                }
                *len += 1;
                if *len > LONGEST_LINE { Err(Violation::Longer) } else { Ok(()) }
            }
            At::Value { ending, .. } => match (*ending, byte) {
                (0, b'\r') => {
                    *ending = 1;
                    Ok(())
                }
                (1, b'\n') => {
                    self.element_ends();
                    Ok(())
                }
                _ => Err(Violation::Longer),
            },
        }
    }

    /// Follows a whole line.
    fn line(&mut self, kind: u8, header: Option<&[u8]>) -> Result<(), Violation> {
        if b"+-:_,#(".contains(&kind) {
            self.element_ends();
            return Ok(());
        }
        let text = header.and_then(|header| std::str::from_utf8(header).ok()).ok_or(Violation::NoReply)?;
        let length: i64 = text.trim().parse().map_err(|_| Violation::NoReply)?;
        // -1 is an absent value.
        let Ok(length) = u64::try_from(length) else {
            self.element_ends();
            return Ok(());
        };
        if b"$!=".contains(&kind) {
            let allowed = self.limits.value;
            if length > allowed as u64 {
                return Err(Violation::LargeValue { announced: length, allowed });
            }
            self.at = At::Value { left: length, ending: 0 };
            return Ok(());
        }
        // A map has two elements for each pair; attributes stand before the element that they describe.
        let elements = match kind {
            b'%' => length.saturating_mul(2),
            b'|' => length.saturating_mul(2).saturating_add(1),
            _ => length,
        };
        self.elements = self.elements.saturating_add(elements);
        if self.elements > MOST_ELEMENTS || self.open.len() >= DEEPEST {
            return Err(Violation::LargeArray);
        }
        if elements == 0 {
            self.element_ends();
        } else {
            self.open.push(elements);
            self.at = At::Type;
        }
        Ok(())
    }

    fn element_ends(&mut self) {
        self.at = At::Type;
        while let Some(left) = self.open.last_mut() {
            *left -= 1;
            if *left > 0 {
                return;
            }
            self.open.pop();
        }
        (self.bytes, self.elements) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ReplyLimits = ReplyLimits { value: 100, reply: 400 };

    fn follow(replies: &[u8], chunk: usize) -> Result<bool, Violation> {
        let mut position = Replies::new(LIMITS);
        replies.chunks(chunk).try_for_each(|chunk| position.follow(chunk))?;
        Ok(matches!(position.at, At::Type) && position.open.is_empty())
    }

    #[test]
    fn replies_are_followed_however_they_arrive() {
        let replies =
            b"+OK\r\n-ERR no\r\n:5\r\n$5\r\nh\r\nlo\r\n$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n*1\r\n:1\r\n$1\r\nx\r\n\
            %1\r\n+a\r\n~2\r\n_\r\n#t\r\n,1.5\r\n(12345678901234567890123456789012345\r\n=7\r\ntxt:abc\r\n!3\r\nERR\r\n\
            >2\r\n+message\r\n+x\r\n|1\r\n+ttl\r\n:3\r\n+value\r\n";
        for chunk in 1..replies.len() {
            assert_eq!(follow(replies, chunk), Ok(true), "{chunk}");
        }
        assert_eq!(follow(b"*2\r\n:1\r\n", 3), Ok(false));
        // Each reply has a limit of its own.
        assert_eq!(
            follow(&b"$90\r\n".iter().chain(&[b'x'; 90]).chain(b"\r\n").copied().collect::<Vec<_>>().repeat(50), 64),
            Ok(true)
        );
    }

    #[test]
    fn what_is_too_large_or_no_reply_ends_at_once() {
        let large = |announced| Err(Violation::LargeValue { announced, allowed: 100 });
        let many =
            [b"*9\r\n".to_vec(), [b"$60\r\n".to_vec(), vec![b'x'; 60], b"\r\n".to_vec()].concat().repeat(8)].concat();
        let deep = b"*1\r\n".repeat(17);
        for (replies, expected) in [
            (&b"$101\r\n"[..], large(101)),
            (b"$2000000000\r\n", large(2_000_000_000)),
            (b"*1\r\n$2000000000\r\n", large(2_000_000_000)),
            (b"$2\r\nabc", Err(Violation::Longer)),
            (b"$2\r\nab\rc", Err(Violation::Longer)),
            (b"*1000000000\r\n", Err(Violation::LargeArray)),
            (b"%600000\r\n", Err(Violation::LargeArray)),
            (&deep, Err(Violation::LargeArray)),
            (&many, Err(Violation::LargeReply { allowed: 400 })),
            (b"HTTP/1.1 400 Bad Request\r\n", Err(Violation::NoReply)),
            (b"$abc\r\n", Err(Violation::NoReply)),
            (b"$?\r\n", Err(Violation::NoReply)),
            (b"+a\rb", Err(Violation::NoReply)),
            (b"$99999999999999999999999999999\r\n", Err(Violation::NoReply)),
        ] {
            for chunk in [1, 2, 7, 4096] {
                assert_eq!(follow(replies, chunk), expected, "{}", String::from_utf8_lossy(replies));
            }
        }
        let limits = ReplyLimits::for_values(1 << 20);
        assert_eq!(
            Replies::new(limits).follow(&[&b"+"[..], &vec![b'x'; LONGEST_LINE + 1]].concat()),
            Err(Violation::Longer)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_followed_alike_in_any_pieces(bytes in "[-+:$*%~>_#0-9a-c\r\n]{0,60}", chunk in 1_usize..9) {
            let bytes = bytes.as_bytes();
            assert_eq!(follow(bytes, chunk), follow(bytes, 4096));
        }

        #[test]
        fn noise_never_panics(bytes: Vec<u8>, chunk in 1_usize..9) {
            let _ = follow(&bytes, chunk);
        }
    }
}
