//! Writes results to standard output or to a file.

mod replace;

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anyhow::{Context, anyhow};

use crate::failure::Failure;
use crate::input::file::InputFile;
use crate::input::name_of;
use replace::Replacement;

/// Standard output or a file; errors name it.
pub(crate) struct Output {
    sink: Sink,
    name: String,
    styled: bool,
    is_terminal: bool,
}

enum Sink {
    /// Standard output, a pipe, a device.
    Stream(Box<dyn Write>),
    /// A file that takes the place of another one at the end.
    File(Replacement),
}

/// Refuses an output that is one of the inputs, which it would destroy while they are read.
pub(crate) fn refuse_inputs<'a>(
    path: Option<&PathBuf>,
    inputs: impl IntoIterator<Item = InputFile<'a>>,
) -> Result<(), Failure> {
    let out = path.map(PathBuf::as_path).filter(|path| !is_standard_output(path));
    for input in inputs {
        match out {
            Some(out) if input.is_same(out) => {
                return Err(Failure::usage(anyhow!(
                    "--out {} and {} {} are the same file; nothing was written",
                    name_of(out),
                    input.option,
                    input.name()
                )));
            }
            None if input.is_standard_output() => {
                return Err(Failure::usage(anyhow!(
                    "standard output goes into {}, which {} reads; nothing was written",
                    input.name(),
                    input.option
                )));
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_standard_output(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}

impl Output {
    /// Opens a file; standard output without a path, or with `-`.
    ///
    /// A regular file appears, or is replaced, with [`Self::finish`]. Pipes and devices are written to as they are.
    pub(crate) fn open(path: Option<&PathBuf>) -> Result<Self, Failure> {
        match path {
            Some(path) if !is_standard_output(path) => Self::file(path),
            _ => Ok(Self::stdout()),
        }
    }

    /// Returns standard output.
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let styled = AutoStream::choice(&stdout) != ColorChoice::Never;
        let is_terminal = stdout.is_terminal();
        // Old consoles need escape sequences translated; without colour nothing has to be looked at.
        let sink: Box<dyn Write> = if styled { Box::new(AutoStream::auto(stdout)) } else { Box::new(stdout) };
        Self { sink: Sink::Stream(sink), name: "standard output".to_owned(), styled, is_terminal }
    }

    fn file(path: &Path) -> Result<Self, Failure> {
        InputFile::new("--out", path).refuse_address()?;
        let opened = if replace::is_replaced(path) {
            Replacement::create(path).map(Sink::File)
        } else {
            File::create(path).map(|file| Sink::Stream(Box::new(file)))
        };
        let sink = opened
            .with_context(|| format!("cannot create {}: does its folder exist, may it be written?", path.display()))
            .map_err(Failure::output)?;
        Ok(Self { sink, name: path.display().to_string(), styled: false, is_terminal: false })
    }

    /// Returns whether colours are welcome.
    pub(crate) fn styled(&self) -> bool {
        self.styled
    }

    /// Returns whether a person is watching.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Columns of the terminal; `None` if it is none.
    pub(crate) fn terminal_width(&self) -> Option<usize> {
        let terminal = self.is_terminal.then(terminal_size::terminal_size).flatten();
        terminal.map(|(width, _)| usize::from(width.0))
    }

    /// Writes a piece; hand over large ones, nothing is buffered here.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.write_all(bytes);
        written.map_err(|error| self.failure(error))
    }

    /// Writes out everything, and puts a file in its place.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.flush();
        flushed.map_err(|error| self.failure(error))?;
        match self.sink {
            Sink::Stream(_) => Ok(()),
            Sink::File(replacement) => {
                replacement.finish().with_context(|| format!("cannot write to {}", self.name)).map_err(Failure::output)
            }
        }
    }

    /// Describes an error of writing.
    pub(crate) fn failure(&self, error: io::Error) -> Failure {
        Failure::output(anyhow::Error::from(error).context(format!("cannot write to {}", self.name)))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Stream(stream) => stream.write(bytes),
            Sink::File(replacement) => replacement.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Stream(stream) => stream.flush(),
            Sink::File(replacement) => replacement.flush(),
        }
    }
}
