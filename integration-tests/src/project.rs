//! Small projects for table-driven tests: one gate for each question, one user for each value.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use statsig_conformance::plan::{Plan, User};
use statsig_conformance::record::Record;
use statsig_conformance::{Error, Input, Kind, Kinds, RunError};

/// A project in the making, and the users to ask it about.
///
/// Every question is a gate that is on exactly if the answer is yes. Asking the same question twice
/// adds one gate; so does asking for the same user twice.
#[derive(Debug, Default)]
pub struct Project {
    conditions: Map<String, Value>,
    gates: Map<String, Value>,
    /// Each user's text, and the user.
    users: Vec<(String, Value)>,
    questions: Vec<Question>,
    id_lists: BTreeMap<String, String>,
}

/// Whether a gate is on for a user.
#[derive(Debug)]
struct Question {
    gate: String,
    user: usize,
    expected: bool,
}

impl Project {
    /// An empty project.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an ID list by the lines of its file.
    pub fn id_list(&mut self, name: &str, lines: &str) {
        self.id_lists.insert(name.to_owned(), lines.to_owned());
    }

    /// Asks whether a condition holds for a user.
    pub fn condition(&mut self, condition: &Value, user: Value, expected: bool) {
        let name = condition.to_string();
        let rule = json!({
            "name": "R", "id": "R", "passPercentage": 100, "conditions": [&name],
            "returnValue": true, "idType": "userID"
        });
        self.conditions.insert(name.clone(), condition.clone());
        self.gate(name, "salt", &rule, user, expected);
    }

    /// Asks whether a rule without conditions passes for a user.
    pub fn rule(&mut self, spec_salt: &str, rule: &Value, user: Value, expected: bool) {
        self.gate(format!("{spec_salt} {rule}"), spec_salt, rule, user, expected);
    }

    fn gate(&mut self, gate: String, salt: &str, rule: &Value, user: Value, expected: bool) {
        let spec = json!({
            "type": "feature_gate", "entity": "feature_gate", "salt": salt, "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [rule]
        });
        self.gates.insert(gate.clone(), spec);
        // Compared as text: 1 and 1.0 are different users, 0.0 and -0.0 too.
        let text = user.to_string();
        let known = self.users.iter().position(|(known, _)| *known == text);
        let user = known.unwrap_or_else(|| {
            self.users.push((text, user));
            self.users.len() - 1
        });
        self.questions.push(Question { gate, user, expected });
    }

    /// Evaluates all gates, and describes each question that got the wrong answer.
    ///
    /// # Errors
    ///
    /// Any [`RunError`].
    pub fn wrong_answers(&self) -> Result<Vec<String>, RunError> {
        let specs = json!({
            "has_updates": true, "time": 1_700_000_000_000_u64, "dynamic_configs": {},
            "layer_configs": {}, "experiment_to_layer": {},
            "feature_gates": self.gates, "condition_map": self.conditions
        });
        let input = Input {
            specs: specs.to_string().into_bytes(),
            users: self
                .users
                .iter()
                .enumerate()
                .map(|(index, (_, user))| wire_user(index.to_string(), user))
                .collect::<Result<_, _>>()?,
            plan: Plan {
                gates: self.gates.keys().cloned().collect(),
                id_lists: self.id_lists.clone(),
                ..Plan::default()
            },
        };
        let mut answers = BTreeMap::new();
        input.run(Kinds::from_iter([Kind::Gate]), |record| {
            if let Record::Gate(gate) = record {
                let evaluated = &gate.evaluated;
                let key = (evaluated.name.clone(), evaluated.user.clone());
                answers.insert(key, (gate.value, evaluated.reason.clone()));
            }
            Ok::<_, RunError>(())
        })?;
        Ok(self
            .questions
            .iter()
            .filter_map(|question| {
                let user = question.user.to_string();
                let answer = answers.get(&(question.gate.clone(), user));
                let right = answer
                    .is_some_and(|(value, reason)| *value == question.expected && reason.starts_with("Recognized"));
                (!right).then(|| {
                    let (user, _) = &self.users[question.user];
                    let Question { gate, expected, .. } = question;
                    format!("{gate}\n  for {user}: expected {expected}, found {answer:?}")
                })
            })
            .collect())
    }

    /// How many questions were asked.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.questions.len()
    }
}

/// A user as the runner takes it.
///
/// # Errors
///
/// None that a JSON value can cause; the text of a value is always JSON.
pub fn wire_user(id: String, user: &Value) -> Result<User, RunError> {
    let user = RawValue::from_string(user.to_string())
        .map_err(|source| RunError::Set(Error::Document { path: id.clone().into(), part: "user", source }))?;
    Ok(User { id, user })
}
