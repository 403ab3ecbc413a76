//! Names in Redis: what stands around the official keys.

/// Derives names within a namespace.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    namespace: Box<str>,
}

impl Names {
    pub(crate) fn new(namespace: &str) -> Self {
        Self { namespace: namespace.into() }
    }

    pub(crate) fn is_own(&self) -> bool {
        !self.namespace.is_empty()
    }

    /// Where a value is.
    pub(crate) fn value(&self, key: &str) -> String {
        format!("{}{key}", self.namespace)
    }

    /// Where it stands what is known about a value that is a bare string. In a cluster both are in
    /// one slot: either the key has a hash tag, or the whole of it becomes one.
    pub(crate) fn about(&self, key: &str) -> String {
        let value = self.value(key);
        if hash_tag(&value).is_some() { format!("{value}|meta") } else { format!("{{{value}}}|meta") }
    }

    /// Whether a cluster keeps [`about`](Self::about) in the slot of the value.
    pub(crate) fn is_cluster_safe(&self, key: &str) -> bool {
        let value = self.value(key);
        hash_tag(&value).is_some() || !value.contains('}')
    }

    /// Where changes of a value are announced.
    pub(crate) fn channel(&self, key: &str) -> String {
        format!("{}statsig:update|{key}", self.namespace)
    }
}

/// The part of a key that decides the slot, if it is not the whole.
fn hash_tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slot_for_a_value_and_what_is_known_about_it() {
        for (namespace, key, about) in [
            ("", "statsig|x", "{statsig|x}|meta"),
            ("{prod}:", "statsig|x", "{prod}:statsig|x|meta"),
            ("a{}:", "statsig|x", "{a{}:statsig|x}|meta"),
        ] {
            let names = Names::new(namespace);
            assert_eq!(names.about(key), about);
            assert_eq!(names.channel(key), format!("{namespace}statsig:update|{key}"));
            let slot = |key: &str| hash_tag(key).unwrap_or(key).to_owned();
            assert_eq!(slot(&names.value(key)) == slot(&names.about(key)), names.is_cluster_safe(key), "{about}");
        }
    }
}
