//! One buffer for all the strings of a ruleset, each stored once.

use super::text_table::TextTable;

/// A string in a [`TextPool`]: eight bytes instead of the sixteen of a `&str`, and no lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Text {
    start: u32,
    len: u32,
}

impl Text {
    /// The empty string, in every pool.
    pub(crate) const EMPTY: Self = Self { start: 0, len: 0 };
    /// Stands for "no string".
    const NONE: Self = Self { start: 0, len: u32::MAX };

    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// Rule IDs that every ruleset has, at the same place in each.
pub(crate) mod well_known {
    use super::{Text, TextPoolBuilder};

    const ALL: &str = "defaultdisabledoverrideprestartinlineTargetingRules";

    const fn at(start: u32, len: u32) -> Text {
        Text { start, len }
    }

    pub(crate) const DEFAULT: Text = at(0, 7);
    pub(crate) const DISABLED: Text = at(7, 8);
    pub(crate) const OVERRIDE: Text = at(15, 8);
    pub(crate) const PRESTART: Text = at(23, 8);
    pub(crate) const INLINE_TARGETING: Text = at(31, 20);

    /// Puts them in; must come before anything else.
    pub(super) fn intern_all(pool: &mut TextPoolBuilder) {
        for text in [DEFAULT, DISABLED, OVERRIDE, PRESTART, INLINE_TARGETING] {
            pool.intern(&ALL[text.start as usize..(text.start + text.len) as usize]);
        }
    }
}

/// An optional [`Text`] without the space of a discriminant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct MaybeText(Text);

impl MaybeText {
    pub(crate) const NONE: Self = Self(Text::NONE);

    pub(crate) fn get(self) -> Option<Text> {
        (self.0 != Text::NONE).then_some(self.0)
    }
}

impl From<Option<Text>> for MaybeText {
    fn from(text: Option<Text>) -> Self {
        Self(text.unwrap_or(Text::NONE))
    }
}

/// The finished buffer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TextPool {
    bytes: Box<str>,
}

impl TextPool {
    #[inline]
    pub(crate) fn get(&self, text: Text) -> &str {
        self.bytes.get(text.start as usize..(text.start + text.len) as usize).unwrap_or_default()
    }

    /// The text's bytes; saves looking for the borders of characters.
    #[inline]
    pub(crate) fn bytes(&self, text: Text) -> &[u8] {
        slice(self.bytes.as_bytes(), text)
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Returns all strings, one after the other.
    pub(crate) fn as_str(&self) -> &str {
        &self.bytes
    }
}

/// Builds a [`TextPool`].
pub(crate) struct TextPoolBuilder {
    bytes: String,
    known: TextTable<Text>,
}

impl Default for TextPoolBuilder {
    fn default() -> Self {
        let mut pool = Self { bytes: String::new(), known: TextTable::default() };
        well_known::intern_all(&mut pool);
        pool
    }
}

impl TextPoolBuilder {
    /// The text's place; equal strings get the same one.
    #[inline]
    pub(crate) fn intern(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::EMPTY;
        }
        let bytes = self.bytes.as_bytes();
        match self.known.find(text.as_bytes(), |known| slice(bytes, *known)) {
            Ok(known) => known,
            Err(vacant) => {
                let place = self.append(text);
                self.known.insert(vacant, text.as_bytes(), place);
                place
            }
        }
    }

    /// Adds a text that equals none that is interned, and will not be found again.
    pub(crate) fn append(&mut self, text: &str) -> Text {
        if text.is_empty() {
            return Text::EMPTY;
        }
        let place = Text { start: position(self.bytes.len()), len: position(text.len()) };
        self.bytes.push_str(text);
        place
    }

    pub(crate) fn intern_opt(&mut self, text: Option<&str>) -> MaybeText {
        text.map(|text| self.intern(text)).into()
    }

    pub(crate) fn get(&self, text: Text) -> &str {
        self.bytes.get(text.start as usize..(text.start + text.len) as usize).unwrap_or_default()
    }

    /// The text's bytes; saves looking for the borders of characters.
    #[inline]
    pub(crate) fn bytes(&self, text: Text) -> &[u8] {
        slice(self.bytes.as_bytes(), text)
    }

    pub(crate) fn finish(self) -> TextPool {
        TextPool { bytes: self.bytes.into_boxed_str() }
    }
}

fn slice(bytes: &[u8], text: Text) -> &[u8] {
    bytes.get(text.start as usize..(text.start + text.len) as usize).unwrap_or_default()
}

/// Positions are 32 bits wide; the loader refuses documents that could exceed that.
pub(crate) fn position(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_share_a_place() {
        let mut pool = TextPoolBuilder::default();
        let (a, b, c) = (pool.intern("alpha"), pool.intern("beta"), pool.intern("alpha"));
        assert_eq!(a, c);
        assert_ne!(a, b);
        assert_eq!(pool.intern(""), Text::EMPTY);
        let pool = pool.finish();
        assert_eq!((pool.get(a), pool.get(b), pool.get(Text::EMPTY)), ("alpha", "beta", ""));
        assert_eq!(
            (pool.get(well_known::OVERRIDE), pool.get(well_known::INLINE_TARGETING)),
            ("override", "inlineTargetingRules")
        );
    }

    #[test]
    fn an_absent_text_is_not_the_empty_one() {
        assert_eq!(MaybeText::NONE.get(), None);
        assert_eq!(MaybeText::from(Some(Text::EMPTY)).get(), Some(Text::EMPTY));
    }
}
