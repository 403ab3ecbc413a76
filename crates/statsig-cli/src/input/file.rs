//! A file argument: an option, and the path that it was given.

use std::path::{Path, PathBuf};

use anyhow::anyhow;

use super::name_of;
use crate::failure::Failure;
use crate::mask::looks_like_key;

/// A path of the command line, with the option that names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InputFile<'a> {
    /// The option as it is written, or the placeholder of an argument.
    pub(crate) option: &'static str,
    /// The path; `-` is standard input.
    pub(crate) path: &'a Path,
}

/// The identity of a file, by whatever name it is reached.
#[derive(Debug, PartialEq, Eq)]
enum FileIdentity {
    /// Device and inode of a regular file.
    #[cfg(unix)]
    Inode(u64, u64),
    /// The path without links, of a file that may not exist yet.
    Path(PathBuf),
}

impl<'a> InputFile<'a> {
    /// Names a file argument.
    pub(crate) fn new(option: &'static str, path: &'a Path) -> Self {
        Self { option, path }
    }

    /// Refuses addresses and keys, which people paste where a file is expected. Neither is repeated.
    pub(crate) fn refuse_address(self) -> Result<(), Failure> {
        let text = self.path.to_string_lossy();
        let option = self.option;
        if let Some(place) = address_of(&text) {
            let failure = Failure::usage(anyhow!("{option} takes a file, not an address ({place}…)"));
            return Err(failure.with_hint(advice(option, &text)));
        }
        if looks_like_key(&text) && !self.path.exists() {
            let failure = Failure::usage(anyhow!("{option} takes a file, not an SDK key"));
            return Err(if cfg!(feature = "net") {
                failure.with_hint("give the key with --sdk-key KEY, or set STATSIG_SECRET_KEY")
            } else {
                failure
            });
        }
        Ok(())
    }

    /// Returns whether both are the same regular file: by path, symbolic link or hard link.
    pub(crate) fn is_same(self, out: &Path) -> bool {
        let own = if self.path == Path::new("-") { identity_of_stream("/dev/stdin") } else { identity(self.path) };
        own.is_some() && own == identity(out)
    }

    /// Returns whether standard output goes into this file.
    pub(crate) fn is_standard_output(self) -> bool {
        let own = if self.path == Path::new("-") { identity_of_stream("/dev/stdin") } else { identity(self.path) };
        own.is_some() && own == identity_of_stream("/dev/stdout")
    }

    /// The name in messages.
    pub(crate) fn name(self) -> String {
        name_of(self.path)
    }
}

/// Identity of what a path leads to; `None` for pipes, devices and folders.
fn identity(path: &Path) -> Option<FileIdentity> {
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => None,
        #[cfg(unix)]
        Ok(metadata) => {
            use std::os::unix::fs::MetadataExt;
            Some(FileIdentity::Inode(metadata.dev(), metadata.ino()))
        }
        #[cfg(not(unix))]
        Ok(_) => path.canonicalize().ok().map(FileIdentity::Path),
        Err(_) => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            Some(FileIdentity::Path(folder.canonicalize().ok()?.join(path.file_name()?)))
        }
    }
}

/// Identity of the file that a standard stream was redirected to or from.
fn identity_of_stream(device: &str) -> Option<FileIdentity> {
    let device = Path::new(device);
    if cfg!(unix) && device.exists() { identity(device) } else { None }
}

/// Scheme and host of an address; `None` for a path.
fn address_of(text: &str) -> Option<String> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A password may hold a slash, so that the host is not where it seems to be.
        let host = if rest.contains('@') { "" } else { authority };
        return is_scheme.then(|| format!("{}://{host}", scheme.to_ascii_lowercase()));
    }
    // The address of specs without its scheme.
    let (host, _) = text.split_once("/download_config_specs/").or_else(|| text.split_once("/get_id_lists"))?;
    let host = host.split('/').next().filter(|host| host.contains('.') && !host.starts_with('.'))?;
    Some(host.to_owned())
}

fn advice(option: &str, text: &str) -> String {
    let scheme = text.split_once("://").map_or("https", |(scheme, _)| scheme).to_ascii_lowercase();
    match (option, scheme.as_str()) {
        (_, "file") => "give the path alone, without `file://`".to_owned(),
        ("--specs" | "FILE", "redis" | "rediss" | "unix") if cfg!(feature = "redis") => {
            "for config specs in Redis give --redis URL with --sdk-key KEY".to_owned()
        }
        ("--specs" | "FILE", "http" | "https") if cfg!(feature = "net") => {
            "--specs is a file: for Statsig's servers give --sdk-key KEY (or set STATSIG_SECRET_KEY), for a proxy also \
             --api URL"
                .to_owned()
        }
        ("--out" | "--dir", _) => "write to a file, and copy it to where it belongs".to_owned(),
        ("--users" | "--specs" | "FILE", "http" | "https") => {
            format!("download it first, or pipe it: curl -f URL | statsig … {}", standard_input(option))
        }
        ("--users" | "--specs" | "FILE", _) => {
            format!("copy it to a file first, or pipe it: … | statsig … {}", standard_input(option))
        }
        _ => "copy it to a file first".to_owned(),
    }
}

/// The arguments that make the command read standard input.
fn standard_input(option: &str) -> String {
    if option.starts_with("--") { format!("{option} -") } else { "-".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_paths() {
        for (text, place) in [
            ("https://api.example.com/v2/download_config_specs/secret-abc.json", Some("https://api.example.com")),
            ("HTTPS://h?k=secret-abc", Some("https://h")),
            ("redis://:hunter/2@h:1", Some("redis://")),
            ("s3://bucket/users.jsonl", Some("s3://bucket")),
            ("file:///tmp/specs.json", Some("file://")),
            ("api.example.com/v2/download_config_specs/secret-abc.json", Some("api.example.com")),
            ("./dump/download_config_specs/specs.json", None),
            ("a:/b", None),
            ("specs.json", None),
            ("-", None),
        ] {
            assert_eq!(address_of(text).as_deref(), place, "{text}");
            let refused = InputFile::new("--specs", Path::new(text)).refuse_address();
            assert_eq!(refused.is_err(), place.is_some(), "{text}");
            if let Err(failure) = refused {
                let text = format!("{failure} {}", failure.hint().unwrap());
                assert!(!text.contains("secret-") && !text.contains("hunter"), "{text}");
            }
        }
        assert!(InputFile::new("--users", Path::new("secret-abcdefgh")).refuse_address().is_err());
    }

    #[test]
    fn files_are_the_same_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "x").unwrap();
        std::fs::hard_link(&path, folder.path().join("hard")).unwrap();
        std::fs::write(folder.path().join("other"), "x").unwrap();
        let input = InputFile::new("--users", &path);
        let mut same = vec![folder.path().join("a"), folder.path().join(".").join("a")];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(&path, folder.path().join("soft")).unwrap();
            same.extend([folder.path().join("soft"), folder.path().join("hard")]);
        }
        for path in same {
            assert!(input.is_same(&path), "{}", path.display());
        }
        assert!(!input.is_same(&folder.path().join("other")) && !input.is_same(&folder.path().join("new")));
        let new = folder.path().join("new");
        assert!(InputFile::new("--users", &new).is_same(&folder.path().join(".").join("new")));
        assert!(!InputFile::new("--users", Path::new("/dev/null")).is_same(Path::new("/dev/null")));
    }
}
