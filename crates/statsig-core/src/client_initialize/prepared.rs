//! Encodes the parts of a response that are the same for every user.
//!
//! | prepared | once for | size |
//! | --- | --- | --- |
//! | config values of rules, default values and bandits' arms | a ruleset | their JSON, at most 32 MiB |
//! | hashed names, parameter stores | a ruleset and a hash algorithm | about 80 bytes a name and the stores' JSON, at most 32 MiB each |
//!
//! Text beyond a bound is encoded for each response.

use super::hashing::{HashAlgorithm, NameHasher};
use super::parameter_store::ClientParameterStore;
use crate::json::JsonRef;
use crate::ruleset::{HashedText, Input, NameIndex, Parameter, Ruleset, SharedText, Snippets, Text};
use crate::snapshot::Snapshot;

/// Most bytes of each prepared text.
const MAX_BYTES: usize = 32 << 20;

/// Returns the prepared text that contains no name.
pub(super) fn shared_text(snapshot: &Snapshot) -> &SharedText {
    snapshot.response_text().shared.get_or_init(|| shared(snapshot.ruleset(), MAX_BYTES))
}

/// Returns the prepared text that contains names under a hash algorithm.
pub(super) fn hashed_text(snapshot: &Snapshot, algorithm: HashAlgorithm) -> &HashedText {
    let slot = match algorithm {
        HashAlgorithm::None => 0,
        HashAlgorithm::Djb2 => 1,
        HashAlgorithm::Sha256 => 2,
    };
    snapshot.response_text().hashed[slot].get_or_init(|| hashed(snapshot.ruleset(), algorithm, MAX_BYTES))
}

fn shared(ruleset: &Ruleset, max_bytes: usize) -> SharedText {
    let mut values = Snippets::new(max_bytes);
    let mut add = |at: u32, value: JsonRef<'_>| {
        if !values.contains(at)
            && let Ok(json) = serde_json::to_string(&value)
        {
            values.add(at, &[&json]);
        }
    };
    let with_values = ruleset.configs.targets().chain(ruleset.layers.targets());
    for spec in with_values.filter_map(|at| ruleset.spec(at)) {
        add(spec.default_value, ruleset.value(spec.default_value));
        for rule in ruleset.rules.get(spec.rules()).unwrap_or_default() {
            add(rule.value, ruleset.value(rule.value));
        }
    }
    for cmab in &ruleset.cmabs {
        let groups = cmab.groups.iter().map(|group| group.value);
        groups.chain([cmab.default_value]).for_each(|at| add(at, ruleset.value(at)));
    }
    values.shrink();
    let section = |names: &NameIndex| {
        let mut specs: Box<[u32]> = names.targets().collect();
        specs.sort_unstable();
        specs
    };
    SharedText {
        values,
        sections: [section(&ruleset.gates), section(&ruleset.configs), section(&ruleset.layers)],
        needs_no_escapes: !ruleset.text.as_str().bytes().any(is_escaped),
    }
}

fn hashed(ruleset: &Ruleset, algorithm: HashAlgorithm, max_bytes: usize) -> HashedText {
    let mut prepared = HashedText::new(max_bytes);
    let mut add = |name: Text| {
        if prepared.name(name).is_none()
            && let Ok(json) = serde_json::to_string(&algorithm.hash(ruleset.str(name)))
        {
            prepared.add_name(name, &json);
        }
    };
    ruleset.specs.iter().for_each(|spec| add(spec.name));
    ruleset.cmabs.iter().for_each(|cmab| add(cmab.name));
    for condition in &ruleset.conditions {
        match &condition.input {
            Input::Gate { gate, .. } => add(gate.name),
            Input::AnyGate { gates, .. } => gates.iter().for_each(|gate| add(gate.name)),
            _ => {}
        }
    }
    for store in &ruleset.stores {
        add(store.name);
        for parameter in &store.parameters {
            match parameter.target {
                Parameter::Gate { gate, .. } => add(gate),
                Parameter::DynamicConfig { config, .. } => add(config),
                Parameter::Experiment { experiment, .. } => add(experiment),
                Parameter::Layer { layer, .. } => add(layer),
                Parameter::Static { .. } | Parameter::Unknown => {}
            }
        }
    }
    let names = NameHasher { ruleset, algorithm, prepared: None };
    let mut stores = Snippets::new(max_bytes);
    for (at, store) in (0..).zip(&ruleset.stores) {
        if let Ok(json) = serde_json::to_string(&ClientParameterStore { names, store }) {
            stores.add(at, &[&json]);
        }
    }
    prepared.stores = stores;
    prepared.shrink();
    prepared
}

/// Returns whether JSON text must escape a byte.
pub(super) fn is_escaped(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_bytes_that_serde_json_escapes() {
        for byte in 0..128_u8 {
            let text = char::from(byte).to_string();
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(is_escaped(byte), json != format!("\"{text}\""), "{byte}");
        }
        assert_eq!(serde_json::to_string("é\u{7f}\u{2028}😀").unwrap(), "\"é\u{7f}\u{2028}😀\"");
    }
}
