//! JSON as it may arrive: with duplicate keys, out-of-range numbers, any depth.

use std::fmt;

/// A piece of JSON text under construction.
///
/// Unlike `serde_json::Value` it can say what only a hostile sender says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// Text that is written as it is: numbers, literals, anything.
    Raw(String),
    /// A string.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// An object; keys may repeat.
    Object(Vec<(String, Node)>),
}

impl Node {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Text that is written as it is.
    pub fn raw(text: impl Into<String>) -> Self {
        Self::Raw(text.into())
    }

    /// An object.
    pub fn object<K: Into<String>>(members: impl IntoIterator<Item = (K, Node)>) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The last member of that name, if it is an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        match self {
            Self::Object(members) => members.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Raw(value.to_string())
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw(text) => f.write_str(text),
            Self::Text(text) => write!(f, "{}", serde_json::Value::from(text.as_str())),
            Self::List(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if at > 0 { "," } else { "" })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (key, value)) in members.iter().enumerate() {
                    write!(f, "{}{}:{value}", if at > 0 { "," } else { "" }, serde_json::Value::from(key.as_str()))?;
                }
                f.write_str("}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_json_with_all_its_liberties() {
        let node = Node::object([
            ("a", Node::List(vec![Node::raw("1e400"), Node::text("\"\n"), true.into()])),
            ("a", Node::Object(Vec::new())),
        ]);
        assert_eq!(node.to_string(), r#"{"a":[1e400,"\"\n",true],"a":{}}"#);
        assert_eq!(node.get("a"), Some(&Node::Object(Vec::new())));
        assert_eq!(node.get("b"), None);
    }
}
