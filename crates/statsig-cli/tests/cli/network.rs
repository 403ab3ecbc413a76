//! Config specs from Statsig's servers: here, a fake of them on loopback.

use std::process::Stdio;

use statsig_testkit::server::{Endpoint, FakeStatsig, Fault};

use crate::{NOW, Ran, SPECS, USERS, file, root, run, statsig};

const KEY: &str = "secret-AbCdEfGhIjKlMnOpQrStUvWxYz";

fn server() -> FakeStatsig {
    let server = FakeStatsig::start().unwrap();
    server.publish_specs(std::fs::read(root().join(SPECS)).unwrap());
    server
}

/// Runs the command with the key in the environment, and makes sure that it does not show it.
fn run_with_key<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ran {
    let mut command = statsig(arguments);
    let ran: Ran = command.env("STATSIG_SECRET_KEY", KEY).stdin(Stdio::null()).output().unwrap().into();
    assert!(!ran.stdout.contains("AbCdEfGh") && !ran.stderr.contains("AbCdEfGh"), "{} {}", ran.stdout, ran.stderr);
    ran
}

#[test]
fn the_server_and_the_file_give_the_same() {
    let server = server();
    let api = server.url();
    let what = ["--users", USERS, "--all", "--format", "jsonl", "--now", NOW];
    let expected = run(["eval", "--specs", SPECS].into_iter().chain(what)).clean();
    assert!(expected.lines().count() > 50);
    let of_variable = run_with_key(["eval", "--api", &api].into_iter().chain(what)).clean();
    let of_argument = run(["eval", "--sdk-key", KEY, "--api", &api].into_iter().chain(what)).clean();
    assert!(of_variable == expected && of_argument == expected);
    let requests = server.requests_to(Endpoint::SpecsV2);
    assert_eq!(requests.len(), 2, "one question each");
    assert!(requests.iter().all(|request| request.header("statsig-api-key") == Some(KEY)));

    let explain = ["--user", "{\"userID\": \"u-1\"}", "gate", "new_editor", "--now", NOW];
    assert_eq!(
        run_with_key(["explain", "--api", &api].into_iter().chain(explain)).clean(),
        run(["explain", "--specs", SPECS].into_iter().chain(explain)).clean()
    );
    let report: serde_json::Value =
        serde_json::from_str(&run_with_key(["specs", "--api", &api, "--format", "json"]).clean()).unwrap();
    assert_eq!(report["file"], format!("{api}/v2"));
    assert_eq!(report["largest"][0]["name"], "button_color_v3");
}

#[test]
fn a_proxy_of_the_environment_is_used_and_left_out_where_it_says_so() {
    let proxy = server();
    let what = ["--user", "{}", "--gate", "dark_mode", "--api", "http://no-such-host.invalid", "--no-fallback"];
    let with = |variables: &[(&str, &str)]| -> Ran {
        let mut command = statsig(["eval", "--quiet"].into_iter().chain(what));
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
            command.env_remove(variable);
        }
        command
            .env("STATSIG_SECRET_KEY", KEY)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    };
    let url = proxy.url();
    for name in ["http_proxy", "ALL_PROXY"] {
        assert!(with(&[(name, &url)]).clean().contains("dark_mode"), "{name}");
    }
    let asked = proxy.requests_to(Endpoint::SpecsV2);
    assert!(asked.len() == 2 && asked[0].target.starts_with("http://no-such-host.invalid/v2/"), "{}", asked[0].target);
    let ran = with(&[("http_proxy", &url), ("NO_PROXY", "no-such-host.invalid")]);
    assert!(ran.code == Some(3) && ran.stderr.contains("cannot connect to no-such-host.invalid"), "{}", ran.stderr);
    assert_eq!(proxy.requests_to(Endpoint::SpecsV2).len(), 2);
}

#[test]
fn a_file_counts_more_than_the_variable() {
    let ran = run_with_key(["eval", "--specs", SPECS, "--user", "{}", "--gate", "dark_mode"]);
    assert!(ran.clean().contains("dark_mode"));
}

/// A project with a gate that is open for who is in the list `vip`, and not in `banned`.
pub(crate) fn with_lists() -> String {
    let condition = |operator: &str, list: &str| serde_json::json!({"type": "unit_id", "operator": operator, "targetValue": list, "idType": "userID"});
    serde_json::json!({
        "has_updates": true, "time": 1_000, "dynamic_configs": {}, "layer_configs": {},
        "id_lists": {"vip": true, "banned": true},
        "condition_map": {"in": condition("in_segment_list", "vip"), "out": condition("not_in_segment_list", "banned")},
        "feature_gates": {"g": {"type": "feature_gate", "entity": "feature_gate", "salt": "s", "enabled": true,
            "defaultValue": false, "idType": "userID", "rules": [{"name": "r", "id": "r", "salt": "r", "passPercentage": 100,
            "conditions": ["in", "out"], "returnValue": true, "idType": "userID"}]}},
    })
    .to_string()
}

/// The line of an ID in the file of a list.
pub(crate) fn line(id: &str) -> String {
    format!("+{}\n", std::str::from_utf8(&statsig_core::id_hash(id)).unwrap())
}

/// What the gate says of three users, as `true false false`.
pub(crate) fn values(ran: &Ran) -> String {
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.map(|row| row["value"].to_string()).collect::<Vec<_>>().join(" ")
}

pub(crate) const THREE_USERS: [&str; 9] = [
    "--user",
    r#"{"userID":"a"}"#,
    "--user",
    r#"{"userID":"b"}"#,
    "--user",
    r#"{"userID":"c"}"#,
    "--gate",
    "g",
    "--format=jsonl",
];

#[test]
fn id_lists_come_from_the_server_too() {
    let server = FakeStatsig::start().unwrap();
    let api = server.url();
    server.publish_specs(with_lists());
    server.publish_id_list("vip", "f1", 1, line("a") + &line("b"));
    server.publish_id_list("banned", "f2", 1, line("b"));
    server.publish_id_list("other", "f3", 1, line("c"));
    let eval = |more: &[&str]| {
        let source = ["eval", "--api", &api, "--no-fallback"];
        run_with_key(source.into_iter().chain(THREE_USERS).chain(more.iter().copied()))
    };
    let ran = eval(&[]);
    assert_eq!((values(&ran).as_str(), ran.clean().lines().count()), ("true false false", 3));
    assert_eq!(server.requests_to(Endpoint::IdListFile).len(), 2, "only those that the rules look into");
    let explained =
        run_with_key(["explain", "--api", &api, "--no-fallback", "--user", r#"{"userID":"a"}"#, "gate", "g"]).clean();
    assert!(explained.contains("true"), "{explained}");

    // One of the command line takes the place of the server's.
    let vip = file("vip_c.txt", line("c"));
    let given = format!("vip={vip}");
    let ran =
        run_with_key(["eval", "--api", &api, "--no-fallback", "--id-list", &given].into_iter().chain(THREE_USERS));
    assert_eq!(values(&ran), "false false true");

    // Rows that depend on a list would be wrong.
    server.fail_once(Endpoint::IdListFile, Fault::Status(500, KEY.into()));
    let ran = eval(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("error: no ID list "), "{}", ran.stderr);
    assert!(ran.stderr.contains("--allow-missing-id-lists"), "{}", ran.stderr);
    server.fail_always(Endpoint::IdLists, Some(Fault::Status(403, KEY.into())));
    let ran = eval(&["--quiet"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""));
    assert!(ran.stderr.contains("error: no ID lists from the server: "), "{}", ran.stderr);
    let explain = ["explain", "--api", &api, "--no-fallback", "--user", r#"{"userID":"a"}"#, "gate", "g"];
    assert_eq!(run_with_key(explain).code, Some(3));
    // Unless it is said that they may be missing.
    let ran = eval(&["--allow-missing-id-lists"]);
    assert!(ran.stderr.contains("warning: no ID lists from the server: ") && ran.code == Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("treated as empty: 2 ID lists (banned, vip)"), "{}", ran.stderr);
    assert_eq!(values(&ran), "false false false");
    // A list that the server does not have is empty for SDKs, too.
    server.fail_always(Endpoint::IdLists, None);
    let only_vip = FakeStatsig::start().unwrap();
    only_vip.publish_specs(with_lists());
    only_vip.publish_id_list("vip", "f1", 1, line("a"));
    let ran = run_with_key(["eval", "--api", &only_vip.url(), "--no-fallback"].into_iter().chain(THREE_USERS));
    assert_eq!((ran.code, values(&ran).as_str()), (Some(0), "true false false"), "{}", ran.stderr);
    assert!(ran.stderr.contains("treated as empty: 1 ID list (banned)"), "{}", ran.stderr);
}

#[test]
fn failures_say_what_to_do_and_no_key() {
    let server = server();
    let api = server.url();
    for (fault, message, hint) in [
        (Fault::Status(401, format!("no such key: {KEY}")), " answers 401", "is it a server secret key"),
        (Fault::Status(500, String::new()), " answers 500", "check the network"),
        (Fault::Close, "broke off", "check the network"),
        (Fault::Body(br#"{"has_updates": false}"#.to_vec()), "only word that nothing is new", "does --api name"),
    ] {
        server.fail_always(Endpoint::SpecsV2, Some(fault));
        let ran = run_with_key(["specs", "--api", &api, "--no-fallback"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{}", ran.stderr);
        assert!(ran.stderr.starts_with("error: no config specs from the server: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(&format!("hint: {hint}")), "{}", ran.stderr);
    }
    server.fail_always(Endpoint::SpecsV2, Some(Fault::Body(b"{\"time\": 1}".to_vec())));
    let ran = run_with_key(["specs", "--api", &api, "--no-fallback"]);
    assert_eq!(ran.code, Some(3));
    assert!(
        ran.stderr.contains(&format!("error: {api}/v2: not config specs but another JSON object")),
        "{}",
        ran.stderr
    );
    server.stop();
    let ran = run_with_key(["specs", "--api", &api, "--no-fallback"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("cannot connect to 127.0.0.1"), "{}", ran.stderr);
}

#[test]
fn what_does_not_go_together_is_said() {
    let user = ["--user", "{}", "--gate", "dark_mode"];
    for (arguments, message) in [
        (&["eval"][..], "hint: give --specs FILE, "),
        (&["eval", "--api", "http://127.0.0.1:9"], "hint: set STATSIG_SECRET_KEY, or give --sdk-key KEY"),
        (&["eval", "--specs", SPECS, "--sdk-key", KEY], "cannot be used with"),
        (&["eval", "--specs", SPECS, "--api", "http://127.0.0.1:9"], "--specs and --api cannot be used together"),
        (&["eval", "--sdk-key", KEY, "--api", "ftp://h"], "is not an HTTP address"),
        (&["eval", "--sdk-key", "secret-AbCdEfGh\u{1}x", "--api", "http://h"], "characters that a header cannot carry"),
    ] {
        let ran = run(arguments.iter().copied().chain(user));
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(message) && !ran.stderr.contains("AbCdEfGh"), "{}", ran.stderr);
    }
}
