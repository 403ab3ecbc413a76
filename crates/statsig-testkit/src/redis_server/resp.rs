//! One command on a connection of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Time for the server to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// An answer of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing is there.
    Nil,
    /// A number.
    Number(i64),
    /// A text or bytes.
    Bytes(Vec<u8>),
    /// Several answers.
    Many(Vec<Reply>),
}

impl Reply {
    /// The answer as text, parts in lines of their own.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Nil => String::new(),
            Self::Number(number) => number.to_string(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Many(parts) => parts.iter().map(Self::text).collect::<Vec<_>>().join("\n"),
        }
    }
}

/// Logs in where needed, sends a command, and reads the answer.
pub(super) fn call<A: AsRef<[u8]>>(port: u16, login: Option<&(String, String)>, words: &[A]) -> io::Result<Reply> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    if let Some((user, password)) = login {
        send(reader.get_mut(), &["AUTH", user, password])?;
        receive(&mut reader)?;
    }
    send(reader.get_mut(), words)?;
    receive(&mut reader)
}

fn send<A: AsRef<[u8]>>(stream: &mut TcpStream, words: &[A]) -> io::Result<()> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        out.extend(format!("${}\r\n", word.len()).into_bytes());
        out.extend(word);
        out.extend(b"\r\n");
    }
    stream.write_all(&out)
}

fn receive(reader: &mut BufReader<TcpStream>) -> io::Result<Reply> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let Some(kind) = line.chars().next() else {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
    };
    let rest = &line[1..];
    let number = || rest.parse::<i64>().map_err(|_| io::Error::other(format!("an answer that is none: {line}")));
    match kind {
        '+' => Ok(Reply::Bytes(rest.as_bytes().to_vec())),
        '-' => Err(io::Error::other(rest.to_owned())),
        ':' => Ok(Reply::Number(number()?)),
        '$' => match usize::try_from(number()?) {
            Err(_) => Ok(Reply::Nil),
            Ok(length) => {
                let mut bytes = vec![0; length + 2];
                reader.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Reply::Bytes(bytes))
            }
        },
        '*' => match usize::try_from(number()?) {
            Err(_) => Ok(Reply::Nil),
            Ok(length) => (0..length).map(|_| receive(reader)).collect::<io::Result<_>>().map(Reply::Many),
        },
        _ => Err(io::Error::other(format!("an answer of an unknown kind: {line}"))),
    }
}
