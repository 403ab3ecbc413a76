//! Users: IDs as they are given, and fields that nothing reads.

use serde_json::Value;

use crate::{SPECS, file, run, run_with};

const EVAL: [&str; 7] = ["eval", "--specs", SPECS, "--gate", "dark_mode", "--format", "jsonl"];

fn eval(users: &str) -> crate::Ran {
    run_with(EVAL.into_iter().chain(["--users", "-"]), users)
}

#[test]
fn user_ids_are_printed_as_they_are_given() {
    let given = ["1234567890123456789", "1234567890123456788", "1.0", "1e3", "-7", "9007199254740993", "007"];
    let users: Vec<String> = given
        .iter()
        // A number cannot begin with zeros; this one is a text.
        .map(|id| if *id == "007" { "{\"userID\": \"007\"}".to_owned() } else { format!("{{\"userID\": {id}}}") })
        .collect();
    let ran = eval(&users.join("\n"));
    assert_eq!(ran.code, Some(0));
    let rows = ran.stdout.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
    assert_eq!(rows.map(|row| row["user_id"].as_str().unwrap().to_owned()).collect::<Vec<_>>(), given);
    // One warning for all of them.
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("warning: standard input:1: an ID is a number above 2^53"), "{}", ran.stderr);
    let table =
        run_with(["eval", "--specs", SPECS, "--gate", "dark_mode", "--users", "-", "--width", "140"], &users[0]);
    assert!(table.stdout.contains("\n1234567890123456789  gate"), "{}", table.stdout);
    let explained = run(["explain", "--specs", SPECS, "--user", &users[0], "gate", "dark_mode"]);
    assert!(explained.stderr.starts_with("warning: --user: an ID is a number above 2^53"), "{}", explained.stderr);
    assert_eq!(eval("{\"userID\": 9007199254740992}\n{\"userID\": \"1234567890123456789\"}").stderr, "");
}

#[test]
fn fields_that_nothing_reads_are_reported_once() {
    let users = file(
        "users.jsonl",
        concat!(
            "{\"userID\": \"u-1\", \"email\": \"a@b.example\", \"customIDs\": {\"a\": \"b\"}, \"custom\": {\"id\": 1}}\n",
            "{\"UserID\": \"u-2\", \"plan\": \"pro\"}\n\n",
            "{\"UserID\": \"u-3\", \"user\": {\"userID\": \"u-3\"}}\n",
            "{\"userID\": \"u-4\", \"traits\": {\"plan\": \"pro\"}, \"stableID\": \"s\"}\n",
        ),
    );
    let ran = run(EVAL.into_iter().chain(["--users", &users]));
    assert_eq!((ran.code, ran.stdout.lines().count()), (Some(0), 4));
    let expected = [
        format!("warning: {users}:2: `UserID` is no field of a user; did you mean `userID`?"),
        format!("warning: {users}:2: `plan` is no field of a user; fields of your own belong into `custom`"),
        format!(
            "warning: {users}:4: `user` is no field of a user; the user seems to be inside it: jq -c '.user // .' takes it out"
        ),
        format!("warning: {users}:5: `traits` is no field of a user; did you mean `custom`?"),
        format!(
            "warning: {users}:5: `stableID` is no field of a user; other IDs than the user ID belong into `customIDs`: {{\"customIDs\": {{\"stableID\": …}}}}"
        ),
    ];
    assert_eq!(ran.stderr.lines().collect::<Vec<_>>(), expected);
    let quiet = run(EVAL.into_iter().chain(["--users", &users, "--quiet"]));
    assert_eq!((quiet.code, quiet.stderr.as_str()), (Some(0), ""));
    let explained = run(["explain", "--specs", SPECS, "--user", "{\"Email\": \"x\"}", "gate", "dark_mode"]);
    assert_eq!(explained.stderr, "warning: --user: `Email` is no field of a user; did you mean `email`?\n");
    // All names that are read.
    let good = concat!(
        "{\"userId\": \"u\", \"custom_ids\": {}, \"email\": \"e\", \"ip\": \"1.2.3.4\", \"user_agent\": \"x\", \"country\": \"US\"}\n",
        "{\"user_id\": \"u\", \"locale\": \"en\", \"app_version\": \"1\", \"private_attributes\": {}, \"statsig_environment\": {}}\n",
    );
    eval(good).clean();
}

#[test]
fn any_number_of_unread_fields_gives_few_warnings() {
    let users: String = (0..3_000).map(|at| format!("{{\"userID\": \"u\", \"field {at}\": 1}}\n")).collect();
    let ran = eval(&users);
    assert_eq!((ran.code, ran.stdout.lines().count(), ran.stderr.lines().count()), (Some(0), 3_000, 21));
}
