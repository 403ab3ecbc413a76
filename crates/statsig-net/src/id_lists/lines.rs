//! Reads the lines of a file: additions and removals of hashes.

use statsig_core::IdHash;

use super::set::{Change, IdSet, number};

/// Changes that are applied at once: bounds the memory of reading a large file.
const BLOCK: usize = 1 << 20;

/// Result of applying some bytes to a set.
#[derive(Debug)]
pub(super) struct Applied {
    /// The set after them.
    pub(super) set: IdSet,
    /// Number of bytes that were used: up to the end of the last whole line.
    pub(super) consumed: usize,
    /// Lines that add or remove a hash.
    pub(super) entries: usize,
    /// Lines that do neither.
    pub(super) ignored: usize,
    /// The first line that is not blank begins like HTML, XML or JSON.
    pub(super) is_markup: bool,
}

/// Applies the whole lines of some bytes to a set.
///
/// Lines end with `\n`, `\r\n` or `\r`. What follows the last end of a line is a line if the bytes reach the end of
/// the file, and otherwise waits for its rest. Lines that are no entries, comments for instance, are skipped. A hash
/// that is not of 8 bytes can never be looked up and is left out. A byte order mark is skipped.
pub(super) fn apply(set: &IdSet, bytes: &[u8], at_end: bool) -> Applied {
    let whole = bytes.iter().rposition(|byte| is_line_end(*byte)).map_or(0, |at| at + 1);
    // A last line that is cut within an entry waits for its rest, whatever the manifest says.
    let tail = bytes[whole..].trim_ascii();
    let is_cut = tail.len() < 1 + size_of::<IdHash>() && matches!(tail.first(), Some(b'+' | b'-'));
    let consumed = if at_end && !is_cut { bytes.len() } else { whole };
    let mut applied = Applied { set: set.clone(), consumed, entries: 0, ignored: 0, is_markup: false };
    let mut block = Vec::new();
    for line in bytes[..consumed].split(|byte| is_line_end(*byte)) {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
        if line.len() <= 1 {
            continue;
        }
        let (first, id) = (line[0], line[1..].trim_ascii());
        if applied.entries + applied.ignored == 0 {
            applied.is_markup = matches!(first, b'<' | b'{' | b'[');
        }
        match (first, IdHash::try_from(id)) {
            (b'+', Ok(id)) => block.push(Change { id: number(&id), add: true }),
            (b'-', Ok(id)) => block.push(Change { id: number(&id), add: false }),
            _ => {
                applied.ignored += 1;
                continue;
            }
        }
        applied.entries += 1;
        if block.len() == BLOCK {
            applied.set = applied.set.with(&block);
            block.clear();
        }
    }
    applied.set = applied.set.with(&block);
    applied
}

/// Returns whether bytes give the same set at once and in two parts, cut anywhere.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn agree(bytes: &[u8], cut: usize) -> bool {
    let whole = apply(&IdSet::default(), bytes, false);
    let first = apply(&IdSet::default(), &bytes[..cut.min(bytes.len())], false);
    let rest = apply(&first.set, &bytes[first.consumed..], false);
    let ids =
        bytes.split(|byte| is_line_end(*byte)).filter_map(|line| IdHash::try_from(line.get(1..)?.trim_ascii()).ok());
    whole.consumed <= bytes.len()
        && first.consumed + rest.consumed == whole.consumed
        && first.entries + rest.entries == whole.entries
        && rest.set.len() == whole.set.len()
        && ids.into_iter().all(|id| rest.set.contains(&id) == whole.set.contains(&id))
}

fn is_line_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(n: u32) -> String {
        format!("hash{n:04}")
    }

    fn members(set: &IdSet) -> Vec<u32> {
        (0..100).filter(|n| set.contains(&IdHash::try_from(id(*n).as_bytes()).unwrap())).collect()
    }

    #[test]
    fn lines_of_every_kind() {
        let one = id(1);
        let two = id(2);
        for (text, at_end, expected, left) in [
            (format!("+{one}\n+{two}\n"), false, vec![1, 2], 0),
            (format!("+{one}\r-{one}\r+{two}\r"), false, vec![2], 0),
            (format!("+{one}\r\n\r\n+{two}\r\n"), false, vec![1, 2], 0),
            (format!("  + {one} \n"), false, vec![1], 0),
            (format!("+{one}\n+{two}"), false, vec![1], 9),
            (format!("+{one}\n+{two}"), true, vec![1, 2], 0),
            (format!("+{one}\n*{two}\n+short\n+\n-\n\n+much-longer-{two}\n"), false, vec![1], 0),
            (String::new(), true, vec![], 0),
            (format!("+{one}"), false, vec![], 9),
            // Cut within its last entry: the rest may come.
            (format!("+{one}\n+{}", &two[..5]), true, vec![1], 6),
        ] {
            let read = apply(&IdSet::default(), text.as_bytes(), at_end);
            assert_eq!((members(&read.set), text.len() - read.consumed), (expected, left), "{text:?}");
        }
        assert_eq!(apply(&IdSet::default(), b"*12345678\n+1\n+\xff\n", true).ignored, 3);
        let marked = apply(&IdSet::default(), format!("\u{feff}+{one}\n# a comment\n").as_bytes(), false);
        assert_eq!((members(&marked.set), marked.entries, marked.ignored, marked.is_markup), (vec![1], 1, 1, false));
        assert!(apply(&IdSet::default(), b"\n\n  <html>\n", false).is_markup);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_alike_at_once_and_in_two_parts(
            lines in prop::collection::vec(prop_oneof![
                4 => (any::<bool>(), 0_u32..20).prop_map(|(add, n)| format!("{}{}", if add { '+' } else { '-' }, id(n))),
                1 => "[ -~]{0,12}",
            ], 0..30),
            noise in prop::collection::vec(any::<u8>(), 0..40),
            cut in 0.0..1.0,
        ) {
            let bytes = [lines.join("\n").as_bytes(), b"\r\n", &noise].concat();
            prop_assert!(agree(&bytes, (cut * bytes.len() as f64) as usize));
        }
    }

    #[test]
    fn replaying_from_anywhere_before_gives_the_same() {
        let log: String = (0..40).map(|n| format!("{}{}\n", if n % 3 == 2 { '-' } else { '+' }, id(n % 7))).collect();
        let whole = apply(&IdSet::default(), log.as_bytes(), true).set;
        for cut in 0..log.len() {
            let first = apply(&IdSet::default(), &log.as_bytes()[..cut], false);
            let rest = apply(&first.set, &log.as_bytes()[first.consumed..], true);
            assert_eq!(members(&rest.set), members(&whole));
            assert_eq!(members(&apply(&first.set, log.as_bytes(), true).set), members(&whole));
        }
    }
}
