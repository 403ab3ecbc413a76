//! Worked examples: a small project and what calls on it return, hash vectors, user agents,
//! countries.

use std::collections::BTreeMap;

use integration_tests::project::{Project, wire_user};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use statsig_conformance::equality::same;
use statsig_conformance::plan::{ParamRead, ParamType, Plan, PlanOptions};
use statsig_conformance::{Input, Kind, Kinds, RunError};

fn data<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read(integration_tests::data(name)).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn check(project: &Project) {
    assert!(project.questions() > 0);
    let wrong = project.wrong_answers().unwrap();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[derive(Deserialize)]
struct Examples {
    calls: Vec<Call>,
}

/// One call, and the fields of its result that matter.
#[derive(Deserialize)]
struct Call {
    example: u32,
    kind: Kind,
    name: String,
    user: Value,
    #[serde(default)]
    options: PlanOptions,
    param: Option<String>,
    #[serde(rename = "type")]
    param_type: Option<ParamType>,
    #[serde(default)]
    fallback: Value,
    expected: Map<String, Value>,
}

impl Call {
    /// Makes the call, and returns its record.
    fn record(&self, specs: &[u8]) -> Value {
        let mut plan = Plan { options: self.options.clone(), ..Plan::default() };
        let name = self.name.clone();
        match self.kind {
            Kind::Gate => plan.gates.push(name),
            Kind::DynamicConfig => plan.dynamic_configs.push(name),
            Kind::Experiment => plan.experiments.push(name),
            Kind::Layer => plan.layers.push(name),
            Kind::Param => {
                let read = ParamRead(self.param.clone().unwrap(), self.param_type.unwrap(), self.fallback.clone());
                plan.param_stores = BTreeMap::from([(name, vec![read])]);
            }
            kind => panic!("example {} is a {kind}", self.example),
        }
        let input =
            Input { specs: specs.to_vec(), users: vec![wire_user("user".to_owned(), &self.user).unwrap()], plan };
        let mut records = Vec::new();
        input
            .run(Kinds::from_iter([self.kind]), |record| {
                records.push(serde_json::to_value(record).unwrap());
                Ok::<_, RunError>(())
            })
            .unwrap();
        assert_eq!(records.len(), 1, "example {}", self.example);
        records.remove(0)
    }
}

#[test]
fn every_worked_example() {
    let specs = std::fs::read(integration_tests::data("worked_examples_specs.json")).unwrap();
    let examples: Examples = data("worked_examples.json");
    let mut wrong = Vec::new();
    for call in &examples.calls {
        assert!(!call.expected.is_empty());
        let record = call.record(&specs);
        for (field, expected) in &call.expected {
            let found = &record[field];
            if !same(expected, found) {
                wrong.push(format!(
                    "example {}: {} {} for {}: {field} should be {expected}, is {found}",
                    call.example, call.kind, call.name, call.user
                ));
            }
        }
    }
    assert!(examples.calls.len() >= 60);
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[derive(Deserialize)]
struct HashVectors {
    rollouts: Vec<Rollout>,
    user_buckets: Vec<UserBucket>,
    id_list_entries: Vec<IdListEntry>,
}

#[derive(Deserialize)]
struct Rollout {
    spec_salt: String,
    rule_salt: String,
    unit_id: String,
    hash: u64,
    bucket: u64,
}

#[derive(Deserialize)]
struct UserBucket {
    salt: String,
    unit_id: String,
    hash: u64,
    bucket: u64,
}

#[derive(Deserialize)]
struct IdListEntry {
    unit_id: String,
    entry: String,
}

#[test]
fn rollouts_hash_into_their_buckets() {
    let mut project = Project::new();
    for vector in data::<HashVectors>("hash_vectors.json").rollouts {
        assert_eq!(vector.hash % 10_000, vector.bucket);
        #[expect(clippy::cast_precision_loss, reason = "below 10 000")]
        let bucket = vector.bucket as f64;
        for (percentage, expected) in [((bucket + 0.5) / 100.0, true), ((bucket - 0.5) / 100.0, false)] {
            let rule = json!({
                "name": "R", "id": "R", "salt": vector.rule_salt, "passPercentage": percentage,
                "conditions": [], "returnValue": true, "idType": "userID"
            });
            project.rule(&vector.spec_salt, &rule, json!({"userID": vector.unit_id}), expected);
        }
    }
    check(&project);
}

#[test]
fn user_buckets_hash_into_their_buckets() {
    let mut project = Project::new();
    for vector in data::<HashVectors>("hash_vectors.json").user_buckets {
        assert_eq!(vector.hash % 1_000, vector.bucket);
        for (target, expected) in [(vector.bucket, true), (vector.bucket + 1, false)] {
            let condition = json!({
                "type": "user_bucket", "operator": "eq", "targetValue": target,
                "additionalValues": {"salt": vector.salt}, "idType": "userID"
            });
            project.condition(&condition, json!({"userID": vector.unit_id}), expected);
        }
    }
    check(&project);
}

#[test]
fn id_lists_are_found_by_hash() {
    let mut project = Project::new();
    let vectors: HashVectors = data("hash_vectors.json");
    for (index, vector) in vectors.id_list_entries.iter().enumerate() {
        let (with, without) = (format!("with_{index}"), format!("without_{index}"));
        project.id_list(&with, &format!("+{}\n", vector.entry));
        project.id_list(&without, &format!("+{0}\n-{0}\n", vector.entry));
        for (list, expected) in [(with, true), (without, false)] {
            let condition = json!({
                "type": "unit_id", "operator": "in_segment_list", "targetValue": list,
                "idType": "userID"
            });
            project.condition(&condition, json!({"userID": vector.unit_id}), expected);
        }
    }
    check(&project);
}

#[derive(Deserialize)]
struct Countries {
    addresses: Vec<Address>,
}

#[derive(Deserialize)]
struct Address {
    ip: String,
    country: Option<String>,
}

#[test]
fn countries_of_addresses() {
    let mut project = Project::new();
    for Address { ip, country } in data::<Countries>("countries.json").addresses {
        for (target, expected) in [(json!(country), true), (json!("ZZ"), false)] {
            let condition = json!({
                "type": "ip_based", "field": "country", "operator": "eq", "targetValue": target,
                "idType": "userID"
            });
            project.condition(&condition, json!({"userID": "u", "ip": ip}), expected);
        }
    }
    check(&project);
}

#[derive(Deserialize)]
struct UserAgents {
    agents: Vec<Map<String, Value>>,
}

#[test]
fn what_user_agents_say() {
    let mut project = Project::new();
    for agent in data::<UserAgents>("user_agents.json").agents {
        let user = json!({"userID": "u", "userAgent": agent["user_agent"]});
        for field in ["os_name", "os_version", "browser_name", "browser_version"] {
            for (target, expected) in [(&agent[field], true), (&json!("something else"), false)] {
                let condition = json!({
                    "type": "ua_based", "field": field, "operator": "eq", "targetValue": target,
                    "idType": "userID"
                });
                project.condition(&condition, user.clone(), expected);
            }
        }
    }
    check(&project);
}
