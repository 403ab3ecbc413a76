//! Finding and opening the files of a set.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use serde::de::DeserializeOwned;

use super::Error;
use super::plan::{Plan, User};

/// One set of a corpus: a folder with specs, users, a plan, and recorded results.
///
/// Each part may lie there plain or with `.gz` added to its name; the plain one wins.
#[derive(Debug, Clone)]
pub struct SpecSet {
    dir: PathBuf,
    name: String,
}

impl SpecSet {
    /// Names the set in a folder. Nothing is opened yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        let name = dir
            .file_name()
            .map_or_else(|| dir.to_string_lossy().into_owned(), |name| name.to_string_lossy().into_owned());
        Self { dir, name }
    }

    /// Lists the sets of a corpus folder, by name: every subfolder that has recorded results.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the folder cannot be listed.
    pub fn all_in(corpus: &Path) -> Result<Vec<Self>, Error> {
        let unreadable = |source| Error::Io { path: corpus.to_owned(), source };
        let mut sets = Vec::new();
        for entry in std::fs::read_dir(corpus).map_err(unreadable)? {
            let set = Self::new(entry.map_err(unreadable)?.path());
            if set.exists() {
                sets.push(set);
            }
        }
        sets.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(sets)
    }

    /// The name of the set: that of its folder.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder of the set.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Tells whether the folder holds a set: recorded results, at least.
    #[must_use]
    pub fn exists(&self) -> bool {
        self.find("expected.jsonl").is_some()
    }

    /// The size of the recorded results on disk, in bytes: a measure of how long a set will take.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.find("expected.jsonl").and_then(|path| path.metadata().ok()).map_or(0, |metadata| metadata.len())
    }

    /// Reads the config specs in the current form, as the bytes that a server would send.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPart`] or [`Error::Io`].
    pub fn specs(&self) -> Result<Vec<u8>, Error> {
        self.read("specs.json")
    }

    /// Reads the same config specs in the older form, for the sets that have them.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPart`] or [`Error::Io`].
    pub fn specs_v1(&self) -> Result<Vec<u8>, Error> {
        self.read("specs_v1.json")
    }

    /// Reads the plan.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPart`], [`Error::Io`], or [`Error::Document`] if it is no plan.
    pub fn plan(&self) -> Result<Plan, Error> {
        self.parse("plan.json")
    }

    /// Reads the users, in the order of the file.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPart`], [`Error::Io`], or [`Error::Document`] if it is no list of users.
    pub fn users(&self) -> Result<Vec<User>, Error> {
        self.parse("users.json")
    }

    /// Opens the recorded results, one record a line.
    ///
    /// # Errors
    ///
    /// [`Error::MissingPart`] or [`Error::Io`].
    pub fn expected(&self) -> Result<Box<dyn BufRead + Send>, Error> {
        open(&self.require("expected.jsonl")?)
    }

    fn find(&self, part: &str) -> Option<PathBuf> {
        [part.to_owned(), format!("{part}.gz")].into_iter().map(|name| self.dir.join(name)).find(|path| path.is_file())
    }

    fn require(&self, part: &'static str) -> Result<PathBuf, Error> {
        self.find(part).ok_or_else(|| Error::MissingPart { dir: self.dir.clone(), part })
    }

    fn read(&self, part: &'static str) -> Result<Vec<u8>, Error> {
        let path = self.require(part)?;
        let mut bytes = Vec::new();
        match open(&path)?.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    fn parse<T: DeserializeOwned>(&self, part: &'static str) -> Result<T, Error> {
        let path = self.require(part)?;
        serde_json::from_slice(&self.read(part)?).map_err(|source| Error::Document { path, part, source })
    }
}

/// Opens a file for reading by lines; one whose name ends in `.gz` is decompressed on the way.
///
/// # Errors
///
/// [`Error::Io`] if it cannot be opened. Damage to a compressed file shows while reading.
pub fn open(path: &Path) -> Result<Box<dyn BufRead + Send>, Error> {
    let file = File::open(path).map_err(|source| Error::Io { path: path.to_owned(), source })?;
    let compressed = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if compressed {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(file)))
    } else {
        Box::new(BufReader::with_capacity(1 << 16, file))
    })
}
