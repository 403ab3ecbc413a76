//! Sets of characters.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, HirKind};

use super::PatternError;

/// A set of characters: a bit for each ASCII character, sorted ranges for the others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CharClass {
    ascii: u128,
    others: Box<[(char, char)]>,
}

impl CharClass {
    /// Reads what the crate `regex` calls a class, for instance `[a-z]`, `\w` or a single character.
    pub(super) fn parse(class: &str, ignore_case: bool) -> Result<Self, PatternError> {
        let invalid = || PatternError::Invalid("invalid character class".to_owned());
        let hir = ParserBuilder::new().case_insensitive(ignore_case).build().parse(class).map_err(|_| invalid())?;
        let ranges: Vec<(char, char)> = match hir.kind() {
            HirKind::Class(Class::Unicode(class)) => {
                class.ranges().iter().map(|range| (range.start(), range.end())).collect()
            }
            HirKind::Class(Class::Bytes(class)) if class.is_ascii() => {
                class.ranges().iter().map(|range| (range.start().into(), range.end().into())).collect()
            }
            HirKind::Literal(literal) => {
                let mut chars = std::str::from_utf8(&literal.0).map_err(|_| invalid())?.chars();
                match (chars.next(), chars.next()) {
                    (Some(one), None) => vec![(one, one)],
                    _ => return Err(invalid()),
                }
            }
            _ => return Err(invalid()),
        };
        Ok(Self::new(&ranges))
    }

    fn new(ranges: &[(char, char)]) -> Self {
        let mut ascii = 0;
        for &(first, last) in ranges.iter().filter(|(first, _)| first.is_ascii()) {
            for code in u32::from(first)..=u32::from(last).min(127) {
                ascii |= 1_u128 << code;
            }
        }
        let others = ranges.iter().copied().filter(|(_, last)| !last.is_ascii()).collect();
        Self { ascii, others }
    }

    #[inline]
    pub(super) fn contains(&self, one: char) -> bool {
        if one.is_ascii() {
            return self.ascii >> u32::from(one) & 1 == 1;
        }
        let after = self.others.partition_point(|&(first, _)| first <= one);
        after > 0 && self.others[after - 1].1 >= one
    }

    pub(super) fn memory_usage(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.others)
    }
}
