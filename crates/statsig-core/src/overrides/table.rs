//! Overrides by kind, name and ID.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use smol_str::SmolStr;

use crate::hooks::ExperimentOverride;
use crate::json::Json;
use crate::user::StatsigUser;
use crate::value::TextBuffer;

/// All overrides. Cloning shares the tables; whoever changes one copies it first.
#[derive(Clone, Default)]
pub(super) struct Tables {
    pub(super) gates: Arc<Table<bool>>,
    pub(super) dynamic_configs: Arc<Table<Json>>,
    pub(super) experiments: Arc<Table<ExperimentOverride>>,
    pub(super) layers: Arc<Table<Json>>,
    pub(super) parameter_stores: Arc<Table<Json>>,
}

/// An override with its kind.
pub(super) enum Entry {
    Gate(bool),
    DynamicConfig(Json),
    Experiment(ExperimentOverride),
    Layer(Json),
    ParameterStore(Json),
}

/// Which table an override is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Gate,
    DynamicConfig,
    Experiment,
    Layer,
    ParameterStore,
}

impl Entry {
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Gate(_) => Kind::Gate,
            Self::DynamicConfig(_) => Kind::DynamicConfig,
            Self::Experiment(_) => Kind::Experiment,
            Self::Layer(_) => Kind::Layer,
            Self::ParameterStore(_) => Kind::ParameterStore,
        }
    }
}

/// Who may end an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Any removal does.
    Nobody,
    /// Only the scope of this number does.
    Scope(u64),
}

impl Tables {
    pub(super) fn is_empty(&self) -> bool {
        self.gates.len()
            + self.dynamic_configs.len()
            + self.experiments.len()
            + self.layers.len()
            + self.parameter_stores.len()
            == 0
    }

    pub(super) fn set(&mut self, owner: Owner, name: &str, entry: Entry, id: Option<&str>) {
        match entry {
            Entry::Gate(value) => Arc::make_mut(&mut self.gates).set(owner, name, value, id),
            Entry::DynamicConfig(value) => Arc::make_mut(&mut self.dynamic_configs).set(owner, name, value, id),
            Entry::Experiment(value) => Arc::make_mut(&mut self.experiments).set(owner, name, value, id),
            Entry::Layer(value) => Arc::make_mut(&mut self.layers).set(owner, name, value, id),
            Entry::ParameterStore(value) => Arc::make_mut(&mut self.parameter_stores).set(owner, name, value, id),
        }
    }

    /// Takes away what `owner` has set in one place.
    pub(super) fn end(&mut self, owner: Owner, kind: Kind, name: &str, id: Option<&str>) {
        match kind {
            Kind::Gate => Arc::make_mut(&mut self.gates).end(owner, name, id),
            Kind::DynamicConfig => Arc::make_mut(&mut self.dynamic_configs).end(owner, name, id),
            Kind::Experiment => Arc::make_mut(&mut self.experiments).end(owner, name, id),
            Kind::Layer => Arc::make_mut(&mut self.layers).end(owner, name, id),
            Kind::ParameterStore => Arc::make_mut(&mut self.parameter_stores).end(owner, name, id),
        }
    }

    pub(super) fn remove_all(&mut self) {
        Arc::make_mut(&mut self.gates).remove_all();
        Arc::make_mut(&mut self.dynamic_configs).remove_all();
        Arc::make_mut(&mut self.experiments).remove_all();
        Arc::make_mut(&mut self.layers).remove_all();
        Arc::make_mut(&mut self.parameter_stores).remove_all();
    }
}

/// Overrides of one kind, by name.
#[derive(Clone)]
pub(super) struct Table<V> {
    names: HashMap<SmolStr, Arc<Slots<V>>, RandomState>,
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self { names: HashMap::default() }
    }
}

/// Overrides of one name.
#[derive(Clone)]
struct Slots<V> {
    everyone: Slot<V>,
    by_id: HashMap<SmolStr, Slot<V>, RandomState>,
}

/// The values set in one place, one an owner, oldest first except that [`Owner::Nobody`]'s is at
/// the front. The last one counts.
#[derive(Clone)]
struct Slot<V> {
    values: Vec<(Owner, V)>,
}

impl<V> Slot<V> {
    const EMPTY: Self = Self { values: Vec::new() };

    fn value(&self) -> Option<&V> {
        self.values.last().map(|(_, value)| value)
    }

    fn set(&mut self, owner: Owner, value: V) {
        self.end(owner);
        let at = if owner == Owner::Nobody { 0 } else { self.values.len() };
        self.values.insert(at, (owner, value));
    }

    fn end(&mut self, owner: Owner) {
        self.values.retain(|(of, _)| *of != owner);
    }
}

impl<V> Slots<V> {
    fn new() -> Self {
        Self { everyone: Slot::EMPTY, by_id: HashMap::default() }
    }

    /// Ends what `owner` has set for one ID or everyone.
    fn end(&mut self, owner: Owner, id: Option<&str>) {
        match id {
            None => self.everyone.end(owner),
            Some(id) => {
                if let Some(slot) = self.by_id.get_mut(id) {
                    slot.end(owner);
                }
            }
        }
    }

    /// Ends what `owner` has set for anyone.
    fn end_all(&mut self, owner: Owner) {
        self.everyone.end(owner);
        self.by_id.values_mut().for_each(|slot| slot.end(owner));
    }

    /// Forgets IDs without a value; whether any value is left.
    fn tidy(&mut self) -> bool {
        self.by_id.retain(|_, slot| !slot.values.is_empty());
        !(self.by_id.is_empty() && self.everyone.values.is_empty())
    }
}

impl<V> Table<V> {
    /// Number of names.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// What counts for a user: for its user ID, for one of its custom IDs, for everyone.
    pub(super) fn find(&self, name: &str, user: &StatsigUser) -> Option<&V> {
        let slots = self.names.get(name)?;
        if !slots.by_id.is_empty() {
            let of_id = user.ids().find_map(|id| {
                let mut buffer = TextBuffer::new();
                id.text(&mut buffer).and_then(|id| slots.by_id.get(id)).and_then(Slot::value)
            });
            if of_id.is_some() {
                return of_id;
            }
        }
        slots.everyone.value()
    }
}

impl<V: Clone> Table<V> {
    fn set(&mut self, owner: Owner, name: &str, value: V, id: Option<&str>) {
        let slots = Arc::make_mut(self.names.entry(name.into()).or_insert_with(|| Arc::new(Slots::new())));
        let slot = match id {
            None => &mut slots.everyone,
            Some(id) => slots.by_id.entry(id.into()).or_insert(Slot::EMPTY),
        };
        slot.set(owner, value);
    }

    fn end(&mut self, owner: Owner, name: &str, id: Option<&str>) {
        self.edit(name, |slots| slots.end(owner, id));
    }

    /// Removes the override for an ID; without one, all of that name.
    pub(super) fn remove(&mut self, name: &str, id: Option<&str>) {
        self.edit(name, |slots| match id {
            None => slots.end_all(Owner::Nobody),
            Some(_) => slots.end(Owner::Nobody, id),
        });
    }

    fn remove_all(&mut self) {
        self.names.retain(|_, slots| {
            let slots = Arc::make_mut(slots);
            slots.end_all(Owner::Nobody);
            slots.tidy()
        });
    }

    fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Slots<V>)) {
        let Some(slots) = self.names.get_mut(name) else { return };
        let slots = Arc::make_mut(slots);
        edit(slots);
        if !slots.tidy() {
            self.names.remove(name);
        }
    }
}
