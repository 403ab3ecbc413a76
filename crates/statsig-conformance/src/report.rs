//! Counts of what agrees, and the first differences.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Longest text of a value in a printed difference, in characters.
const SHOWN: usize = 400;

/// How many fields of one category were compared, and how they came out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Fields that are the same.
    pub agreed: u64,
    /// Fields that differ where a documented exception says that they may.
    pub excepted: u64,
    /// All fields compared.
    pub total: u64,
}

impl Tally {
    /// Fields that differ and should not.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.total - self.agreed - self.excepted
    }
}

/// One field that differs and should not.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// What kind of field.
    pub category: String,
    /// Which set, record and field.
    pub place: String,
    /// What was recorded; nothing if the field should not be there.
    pub expected: Option<Value>,
    /// What was found; nothing if the field is missing.
    pub actual: Option<Value>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "[{}] {}", self.category, self.place)?;
        writeln!(f, "    expected {}", shown(self.expected.as_ref()))?;
        write!(f, "    actual   {}", shown(self.actual.as_ref()))
    }
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else {
        return "(absent)".to_owned();
    };
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The outcome of a comparison, or of several.
#[derive(Debug, Clone, Default)]
pub struct Report {
    categories: BTreeMap<String, Tally>,
    mismatches: Vec<Mismatch>,
    shown: BTreeMap<String, usize>,
    exceptions: BTreeMap<&'static str, u64>,
    extra_records: u64,
}

impl Report {
    /// How each category came out, by name.
    #[must_use]
    pub fn categories(&self) -> &BTreeMap<String, Tally> {
        &self.categories
    }

    /// The first differences of each category, in the order in which they were met.
    #[must_use]
    pub fn mismatches(&self) -> &[Mismatch] {
        &self.mismatches
    }

    /// How many fields each exception excused, by its name; exceptions without use are missing.
    #[must_use]
    pub fn exceptions(&self) -> &BTreeMap<&'static str, u64> {
        &self.exceptions
    }

    /// Records among the actual results that nobody asked for. They count as no difference.
    #[must_use]
    pub fn extra_records(&self) -> u64 {
        self.extra_records
    }

    /// All categories together.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.categories.values().fold(Tally::default(), |sum, tally| Tally {
            agreed: sum.agreed + tally.agreed,
            excepted: sum.excepted + tally.excepted,
            total: sum.total + tally.total,
        })
    }

    /// Whether something was compared and nothing differs that should not.
    #[must_use]
    pub fn is_agreement(&self) -> bool {
        let total = self.total();
        total.total > 0 && total.differing() == 0
    }

    /// Adds the counts and differences of another report; at most `limit` differences a category
    /// are kept.
    pub fn merge(&mut self, other: Self, limit: usize) {
        for (category, tally) in other.categories {
            let sum = self.categories.entry(category).or_default();
            sum.agreed += tally.agreed;
            sum.excepted += tally.excepted;
            sum.total += tally.total;
        }
        for (name, uses) in other.exceptions {
            *self.exceptions.entry(name).or_default() += uses;
        }
        self.extra_records += other.extra_records;
        for mismatch in other.mismatches {
            self.keep(limit, mismatch);
        }
    }

    pub(super) fn agree(&mut self, category: &str) {
        let tally = self.tally(category);
        tally.agreed += 1;
        tally.total += 1;
    }

    pub(super) fn excuse(&mut self, category: &str, exception: &'static str) {
        let tally = self.tally(category);
        tally.excepted += 1;
        tally.total += 1;
        *self.exceptions.entry(exception).or_default() += 1;
    }

    pub(super) fn differ(&mut self, limit: usize, mismatch: Mismatch) {
        self.tally(&mismatch.category).total += 1;
        self.keep(limit, mismatch);
    }

    pub(super) fn extra(&mut self, records: u64) {
        self.extra_records += records;
    }

    fn tally(&mut self, category: &str) -> &mut Tally {
        self.categories.entry(category.to_owned()).or_default()
    }

    fn keep(&mut self, limit: usize, mismatch: Mismatch) {
        let shown = self.shown.entry(mismatch.category.clone()).or_default();
        if *shown < limit {
            *shown += 1;
            self.mismatches.push(mismatch);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mismatch in &self.mismatches {
            writeln!(f, "{mismatch}")?;
        }
        for (category, tally) in &self.categories {
            write!(f, "{category:<44}{:>9} of {:>9}", tally.agreed, tally.total)?;
            if tally.excepted > 0 {
                write!(f, "   {} excepted", tally.excepted)?;
            }
            if tally.differing() > 0 {
                write!(f, "   <- {} differ", tally.differing())?;
            }
            writeln!(f)?;
        }
        let total = self.total();
        write!(
            f,
            "{} of {} agree, {} excepted, {} differ",
            total.agreed,
            total.total,
            total.excepted,
            total.differing()
        )?;
        if self.extra_records > 0 {
            write!(f, "; {} records that nobody asked for", self.extra_records)?;
        }
        Ok(())
    }
}
