//! Where results go: standard output, or a file.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anstream::{AutoStream, ColorChoice};
use anyhow::Context;

use crate::failure::Failure;

/// Standard output or a file; errors name it.
pub(crate) struct Output {
    sink: Box<dyn Write>,
    name: String,
    styled: bool,
    is_terminal: bool,
}

impl Output {
    /// Opens a file, which is created or emptied; standard output without a path, or with `-`.
    pub(crate) fn open(path: Option<&PathBuf>) -> Result<Self, Failure> {
        match path {
            Some(path) if path != Path::new("-") => Self::file(path),
            _ => Ok(Self::stdout()),
        }
    }

    /// Standard output.
    pub(crate) fn stdout() -> Self {
        let stdout = io::stdout();
        let styled = AutoStream::choice(&stdout) != ColorChoice::Never;
        let is_terminal = stdout.is_terminal();
        // Old consoles need escape sequences translated; without colour nothing has to be looked at.
        let sink: Box<dyn Write> = if styled { Box::new(AutoStream::auto(stdout)) } else { Box::new(stdout) };
        Self { sink, name: "standard output".to_owned(), styled, is_terminal }
    }

    fn file(path: &Path) -> Result<Self, Failure> {
        let file = File::create(path)
            .with_context(|| format!("cannot create {}: does its folder exist, may it be written?", path.display()))
            .map_err(Failure::output)?;
        Ok(Self { sink: Box::new(file), name: path.display().to_string(), styled: false, is_terminal: false })
    }

    /// Whether colours are welcome.
    pub(crate) fn styled(&self) -> bool {
        self.styled
    }

    /// Whether a person is watching.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes a piece; hand over large ones, nothing is buffered here.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.sink.write_all(bytes);
        self.check(written)
    }

    /// Makes sure that everything has arrived.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.sink.flush();
        self.check(flushed)
    }

    /// What to say about an error of writing.
    pub(crate) fn failure(&self, error: io::Error) -> Failure {
        Failure::output(anyhow::Error::from(error).context(format!("cannot write to {}", self.name)))
    }

    fn check(&self, result: io::Result<()>) -> Result<(), Failure> {
        result.map_err(|error| self.failure(error))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sink.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
