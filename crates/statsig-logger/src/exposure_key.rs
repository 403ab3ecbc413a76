//! What makes two exposures the same.

use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::quality::FixedState;

/// Any number: keys only need to be the same within one process.
const SEED: u64 = 0x7365_656e_2062_7574;

/// Hashes a name, a rule ID or a user for an [`ExposureKey`].
///
/// The same in every process of one build. Callers do it once for each spec, rule and user, not
/// once for each check.
#[must_use]
pub fn exposure_hash<T: Hash + ?Sized>(part: &T) -> u64 {
    FixedState::with_seed(SEED).hash_one(part)
}

/// Kind of an exposure, as far as it tells exposures apart.
///
/// Dynamic configs and experiments log the same event, so they share a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExposureKind {
    /// A gate.
    Gate,
    /// A dynamic config or an experiment.
    Config,
    /// A parameter of a layer.
    Layer,
}

/// The parts that tell exposures apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExposureParts {
    /// Kind of the exposure.
    pub kind: ExposureKind,
    /// Hash of the name that was asked for.
    pub spec: u64,
    /// Hash of the rule ID that is logged.
    pub rule: u64,
    /// Hash of the user's identifiers.
    pub user: u64,
    /// Gate: its value. Config: whether the rule passed, or whether the user is in the experiment.
    /// Layer: hash of the parameter's name.
    pub extra: u64,
}

/// Identity of an exposure in 64 bits: the same for exposures that need logging only once.
///
/// A hash, not an encryption: different exposures have the same key with a probability of 2⁻⁶⁴.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExposureKey(u64);

impl ExposureKey {
    /// The key of an exposure. Five words are mixed; nothing is allocated.
    #[must_use]
    pub fn new(parts: &ExposureParts) -> Self {
        let mut hasher = FixedState::with_seed(SEED).build_hasher();
        hasher.write_u64(parts.kind as u64);
        hasher.write_u64(parts.spec);
        hasher.write_u64(parts.rule);
        hasher.write_u64(parts.user);
        hasher.write_u64(parts.extra);
        Self(hasher.finish())
    }

    /// The key of a rule of a spec, whoever the user.
    #[must_use]
    pub(crate) fn of_rule(parts: &ExposureParts) -> Self {
        Self::new(&ExposureParts { user: 0, extra: 0, ..*parts })
    }

    /// A key from its bits, which should be spread evenly.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits of the key.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_part_counts() {
        let parts = ExposureParts { kind: ExposureKind::Gate, spec: 1, rule: 2, user: 3, extra: 0 };
        let all = [
            parts,
            ExposureParts { kind: ExposureKind::Config, ..parts },
            ExposureParts { kind: ExposureKind::Layer, ..parts },
            ExposureParts { spec: 2, rule: 1, ..parts },
            ExposureParts { rule: 3, user: 2, ..parts },
            ExposureParts { user: 0, extra: 3, ..parts },
            ExposureParts { extra: 1, ..parts },
        ];
        let keys: HashSet<ExposureKey> = all.iter().map(ExposureKey::new).collect();
        assert_eq!(keys.len(), all.len());
        assert_eq!(ExposureKey::new(&parts), ExposureKey::new(&parts.clone()));
        assert_eq!(ExposureKey::of_rule(&parts), ExposureKey::of_rule(&ExposureParts { user: 9, extra: 9, ..parts }));
    }

    #[test]
    fn low_and_high_bits_are_both_spread() {
        let of = |user| ExposureParts { kind: ExposureKind::Gate, spec: 1, rule: 2, user, extra: 1 };
        for shift in [0, 48] {
            let mut counts = [0_u32; 16];
            for user in 0..16_000 {
                counts[(ExposureKey::new(&of(user)).bits() >> shift) as usize & 15] += 1;
            }
            assert!(counts.iter().all(|&count| (850..1_150).contains(&count)), "{counts:?}");
        }
    }
}
