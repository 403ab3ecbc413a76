//! From the bytes of a file to additions and removals.

use statsig_core::IdHash;

use super::set::{Change, IdSet, number};

/// Changes that are applied at once: bounds the memory of reading a large file.
const BLOCK: usize = 1 << 20;

/// What reading some bytes came to.
#[derive(Debug)]
pub(super) struct Read {
    /// The set after them.
    pub(super) set: IdSet,
    /// How many of the bytes were used: up to the end of the last whole line.
    pub(super) consumed: usize,
    /// Lines that are no addition and no removal of a hash.
    pub(super) ignored: usize,
}

/// Applies the whole lines of some bytes to a set.
///
/// Lines end with `\n`, `\r\n` or `\r`. What follows the last end of a line is a line if the bytes
/// reach the end of the file, and otherwise waits for its rest. A hash that is not of 8 bytes can
/// never be asked for and is left out.
pub(super) fn apply(set: &IdSet, bytes: &[u8], at_end: bool) -> Read {
    let whole = bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')).map_or(0, |at| at + 1);
    let consumed = if at_end { bytes.len() } else { whole };
    let mut read = Read { set: set.clone(), consumed, ignored: 0 };
    let mut block = Vec::new();
    for line in bytes[..consumed].split(|byte| matches!(byte, b'\n' | b'\r')) {
        let line = line.trim_ascii();
        if line.len() <= 1 {
            continue;
        }
        let (first, id) = (line[0], line[1..].trim_ascii());
        match (first, IdHash::try_from(id)) {
            (b'+', Ok(id)) => block.push(Change { id: number(&id), add: true }),
            (b'-', Ok(id)) => block.push(Change { id: number(&id), add: false }),
            _ => read.ignored += 1,
        }
        if block.len() == BLOCK {
            read.set = read.set.with(&block);
            block.clear();
        }
    }
    read.set = read.set.with(&block);
    read
}

#[cfg(test)]
mod tests {
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
        ] {
            let read = apply(&IdSet::default(), text.as_bytes(), at_end);
            assert_eq!((members(&read.set), text.len() - read.consumed), (expected, left), "{text:?}");
        }
        assert_eq!(apply(&IdSet::default(), b"*12345678\n+1\n+\xff\n", true).ignored, 3);
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
