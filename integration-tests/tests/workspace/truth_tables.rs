//! What every operator answers for awkward values: `data/truth_tables.json`.

use integration_tests::project::Project;
use serde::Deserialize;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Tables {
    matrices: Vec<Matrix>,
    cases: Vec<Case>,
}

/// A table with a column for each value, and a row for each operator and target.
#[derive(Deserialize)]
struct Matrix {
    columns: Vec<Column>,
    rows: Vec<Row>,
}

#[derive(Deserialize)]
struct Column {
    label: String,
    /// Absent: the user lacks the field.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
}

#[derive(Deserialize)]
struct Row {
    operator: String,
    target: Value,
    true_for: Vec<String>,
}

#[derive(Deserialize)]
struct Case {
    table: String,
    operator: String,
    target: Value,
    value: Value,
    expected: bool,
}

/// Keeps `null` apart from nothing.
fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}

fn tables() -> Tables {
    let text = std::fs::read(integration_tests::data("truth_tables.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn on_field(operator: &str, target: &Value) -> Value {
    json!({
        "type": "user_field", "field": "x", "operator": operator, "targetValue": target,
        "idType": "userID"
    })
}

fn user_with(value: Option<&Value>) -> Value {
    let custom: Map<String, Value> = value.map(|value| ("x".to_owned(), value.clone())).into_iter().collect();
    json!({"userID": "u", "custom": custom})
}

fn check(project: &Project, least: usize) {
    assert!(project.questions() >= least, "the table is cut short");
    let wrong = project.wrong_answers().unwrap();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn operators_on_awkward_values() {
    let mut project = Project::new();
    for matrix in tables().matrices {
        let known = |label: &String| matrix.columns.iter().any(|column| column.label == *label);
        for row in &matrix.rows {
            assert!(row.true_for.iter().all(known), "unknown column in {}", row.operator);
            let condition = on_field(&row.operator, &row.target);
            for column in &matrix.columns {
                let expected = row.true_for.contains(&column.label);
                project.condition(&condition, user_with(column.value.as_ref()), expected);
            }
        }
    }
    check(&project, 377);
}

fn check_cases(table: &str, least: usize) {
    let mut project = Project::new();
    for case in tables().cases.iter().filter(|case| case.table == table) {
        let condition = on_field(&case.operator, &case.target);
        project.condition(&condition, user_with(Some(&case.value)), case.expected);
    }
    check(&project, least);
}

#[test]
fn times_in_every_notation() {
    check_cases("times", 26);
}

#[test]
fn text_that_is_almost_a_number_a_version_or_a_pattern() {
    check_cases("text", 19);
}
