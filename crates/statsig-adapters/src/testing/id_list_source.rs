//! The contract of [`IdListSource`].

use super::polling::{both, poll_times};
use crate::{IdListChunk, IdListEntry, IdListManifest, IdListSource};

/// Checks the duties of an [`IdListSource`] that has at least one list with a file and works.
///
/// Reads the manifest and each file: whole, from the middle, from its end, twice at once, and after
/// attempts cut short. The lists must not change meanwhile. Returns each entry with its file: the
/// caller, who knows what it put there, compares.
///
/// ```no_run
/// # use statsig_adapters::{IdListSource, testing::id_list_source_contract};
/// # async fn check(source: &dyn IdListSource) {
/// let files = id_list_source_contract(source).await;
/// assert!(files.iter().all(|(entry, file)| file.len() as u64 == entry.size));
/// # }
/// ```
///
/// # Panics
/// Where the source breaks its contract.
pub async fn id_list_source_contract(source: &dyn IdListSource) -> Vec<(IdListEntry, Vec<u8>)> {
    assert!(!source.name().is_empty(), "the source has no name");
    poll_times(source.manifest(), 1).await;
    let manifest = manifest(source).await;
    assert!(manifest.entries.iter().any(|entry| entry.size > 1), "the contract needs a list with a file");

    let mut files = Vec::new();
    for entry in manifest.entries.into_iter().filter(|entry| entry.size > 0) {
        poll_times(source.read(&entry, 0), 2).await;
        let whole = read(source, &entry, 0).await;
        assert_eq!(whole.start, 0, "`{}`: asked for the whole file, the source gives a part", entry.name);
        let file = whole.bytes;
        assert_eq!(file.len() as u64, entry.size, "`{}`: the file is not as long as the manifest says", entry.name);

        for start in [1, entry.size / 2, entry.size - 1, entry.size] {
            let part = read(source, &entry, start).await;
            let given = usize::try_from(part.start).ok().and_then(|start| file.get(start..));
            assert!(part.start == start || part.start == 0, "`{}`: asked for {start}, got {}", entry.name, part.start);
            assert!(
                Some(&*part.bytes) == given || (start == entry.size && part.bytes.is_empty()),
                "`{}`: the bytes from {start} are not those of the file",
                entry.name
            );
        }
        let middle = entry.size / 2;
        let part = read(source, &entry, middle).await;
        assert_eq!(pieces(source, &entry, middle).await, part, "`{}`: its pieces are not what it reads", entry.name);
        both(async { assert_eq!(read(source, &entry, 0).await.bytes, file, "one of two reads at once") }, async {
            assert_eq!(read(source, &entry, 0).await.bytes, file, "the other of two reads at once")
        })
        .await;
        files.push((entry, file));
    }
    files
}

async fn manifest(source: &dyn IdListSource) -> IdListManifest {
    match source.manifest().await {
        Ok(manifest) => manifest,
        Err(error) => panic!("the manifest: {error:?}"),
    }
}

async fn read(source: &dyn IdListSource, entry: &IdListEntry, start: u64) -> IdListChunk {
    match source.read(entry, start).await {
        Ok(chunk) => chunk,
        Err(error) => panic!("`{}` from {start}: {error:?}", entry.name),
    }
}

/// All pieces of a file from a place on, joined.
async fn pieces(source: &dyn IdListSource, entry: &IdListEntry, start: u64) -> IdListChunk {
    let name = &entry.name;
    let mut reader = match source.open(entry, start).await {
        Ok(reader) => reader,
        Err(error) => panic!("`{name}` opened at {start}: {error:?}"),
    };
    let mut whole: Option<IdListChunk> = None;
    loop {
        match (reader.next().await, &mut whole) {
            (Ok(Some(piece)), None) => whole = Some(piece),
            (Ok(Some(piece)), Some(whole)) => {
                assert_eq!(piece.start, whole.start + whole.bytes.len() as u64, "`{name}`: a piece is out of place");
                whole.bytes.extend(piece.bytes);
            }
            (Ok(None), _) => return whole.unwrap_or_else(|| IdListChunk::new(start, Vec::new())),
            (Err(error), _) => panic!("`{name}` from {start}, piece by piece: {error:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceError;
    use crate::testing::polling::run;

    #[derive(Clone, Copy, PartialEq)]
    enum Fault {
        None,
        NoRanges,
        MisplacedPart,
        Short,
    }

    struct Memory(Fault);

    #[async_trait::async_trait]
    impl IdListSource for Memory {
        fn name(&self) -> &str {
            "memory"
        }
        async fn manifest(&self) -> Result<IdListManifest, SourceError> {
            let lists = [IdListEntry::new("a", "a", "1", 20), IdListEntry::new("empty", "", "2", 0)];
            Ok(IdListManifest::new(lists.to_vec()))
        }
        async fn read(&self, _: &IdListEntry, start: u64) -> Result<IdListChunk, SourceError> {
            let file = b"+12345678\n-12345678\n";
            let start = start as usize;
            Ok(match self.0 {
                Fault::None => IdListChunk::new(start as u64, file[start..].to_vec()),
                Fault::NoRanges => IdListChunk::new(0, file.to_vec()),
                Fault::MisplacedPart => IdListChunk::new(start as u64, file.to_vec()),
                Fault::Short => IdListChunk::new(start as u64, file[start..].iter().take(5).copied().collect()),
            })
        }
    }

    #[test]
    fn sound_sources_pass() {
        for fault in [Fault::None, Fault::NoRanges] {
            let files = run(id_list_source_contract(&Memory(fault)));
            assert_eq!(files.len(), 1);
        }
    }

    #[test]
    #[should_panic(expected = "not those of the file")]
    fn a_whole_file_in_place_of_a_part_fails() {
        run(id_list_source_contract(&Memory(Fault::MisplacedPart)));
    }

    #[test]
    #[should_panic(expected = "not as long as")]
    fn a_short_file_fails() {
        run(id_list_source_contract(&Memory(Fault::Short)));
    }
}
