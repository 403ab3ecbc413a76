//! Users: IDs, fields, environments, what is hidden.

use serde_json::{Value, json};
use statsig::{ClientInitializeOptions, Getters, HashAlgorithm, Statsig, StatsigUser, UnitId};
use statsig_testkit::specs::{ConditionBuilder, ConditionInput, DynamicConfigBuilder, GateBuilder, ProjectBuilder};

use super::support::{Logged, client, user};

/// Whether a condition holds for a user.
fn holds(condition: ConditionBuilder, user: &StatsigUser) -> bool {
    client(&ProjectBuilder::new().gate(GateBuilder::new("g").when(condition))).check_gate(user, "g")
}

/// The project's one config says which of some texts a field has.
fn probe(field: &str) -> ProjectBuilder {
    let mut config = DynamicConfigBuilder::new("probe", json!({"is": "none of them"}))
        .when(ConditionInput::user_field(field).equals(Value::Null), json!({"is": "missing"}));
    for text in ["own", "custom", "lower", "global", "private", ""] {
        config = config.when(ConditionInput::user_field(field).is_exactly_any_of([text]), json!({"is": text}));
    }
    ProjectBuilder::new().config(config)
}

fn probed(statsig: &Statsig, user: &StatsigUser) -> String {
    statsig.get_dynamic_config(user, "probe").get_string("is", "")
}

#[test]
fn a_user_without_ids_is_bucketed_as_the_empty_id() {
    let project =
        ProjectBuilder::new().config((0..20).fold(DynamicConfigBuilder::new("c", json!({})), |config, at| {
            let bucket = ConditionInput::bucket("s").less_than(at * 50 + 50);
            config.when(bucket, json!({"slice": at}))
        }));
    let statsig = client(&project);
    let slice = |user: &StatsigUser| statsig.get_dynamic_config(user, "c").get_i64("slice", -1);
    let without = slice(&StatsigUser::new());
    assert!(without >= 0);
    for empty in
        [user(""), StatsigUser::with_custom_ids([("companyID", "x")]), StatsigUser::builder().email("e").build()]
    {
        assert_eq!(slice(&empty), without, "{empty:?}");
    }
    let gate = client(&ProjectBuilder::new().gate(GateBuilder::on("g"))).get_feature_gate(&StatsigUser::new(), "g");
    assert_eq!((gate.value(), gate.details().reason().as_str()), (true, "Bootstrap:Recognized"));
}

/// An ID of any kind, its text, and its JSON.
fn ids() -> Vec<(UnitId, &'static str, Value)> {
    vec![
        ("u".into(), "u", json!("u")),
        (String::from("5").into(), "5", json!("5")),
        (5.into(), "5", json!(5)),
        (2.0.into(), "2", json!(2.0)),
        (2.5.into(), "2.5", json!(2.5)),
        ((-7_i64).into(), "-7", json!(-7)),
    ]
}

#[test]
fn ids_are_hashed_as_text_and_logged_as_they_are() {
    let project = ProjectBuilder::new()
        .gate(GateBuilder::new("by_user").rollout(50.0))
        .gate(GateBuilder::new("by_company").id_type("companyID").rollout(50.0));
    for (id, text, json) in ids() {
        let logged = Logged::new(&project);
        let statsig = &logged.statsig;
        let of_user = StatsigUser::with_user_id(id.clone());
        let of_company = StatsigUser::with_custom_ids([("companyID", id)]);
        assert_eq!(of_user.user_id().as_deref(), Some(text));
        assert_eq!(of_company.unit_id("companyID").as_deref(), Some(text));
        assert!(holds(ConditionInput::unit_id().is_exactly_any_of([text]), &of_user), "{text}");
        assert_eq!(statsig.check_gate(&of_user, "by_user"), statsig.check_gate(&user(text), "by_user"), "{text}");
        let same = StatsigUser::with_custom_ids([("companyID", text)]);
        assert_eq!(statsig.check_gate(&of_company, "by_company"), statsig.check_gate(&same, "by_company"), "{text}");
        // The first of each kind; the second is the same exposure.
        let events = logged.events();
        assert_eq!((events.len(), &events[0]["user"]["userID"]), (2, &json));
        assert_eq!(events[1]["user"]["customIDs"]["companyID"], json);
    }
}

#[test]
fn units_are_looked_up_by_id_type() {
    let user = StatsigUser::builder()
        .user_id("own")
        .custom_ids([("companyID", "exact"), ("companyid", "lower"), ("teamid", "team"), ("userID", "never")])
        .build();
    for (id_type, id) in [
        ("userID", "own"),
        ("userid", "own"),
        ("USERID", "own"),
        ("companyID", "exact"),
        ("companyid", "lower"),
        ("COMPANYID", "lower"),
        ("teamID", "team"),
        ("user_id", ""),
        ("otherID", ""),
    ] {
        assert_eq!(user.unit_id(id_type).unwrap_or_default(), id, "{id_type}");
        let condition = ConditionInput::unit_id().is_exactly_any_of([id]).id_type(id_type);
        assert!(holds(condition, &user), "{id_type}");
    }
}

#[test]
fn fields_are_looked_up_in_order() {
    // Where the value of `appVersion` stands, from the first place that counts to the last.
    let all = || {
        StatsigUser::builder()
            .app_version("own")
            .customs([("appVersion", "custom"), ("appversion", "lower")])
            .private_attribute("appVersion", "private")
    };
    let no_custom = [("other", "x")];
    let globals = [("appVersion", "global")];
    let table = [
        (all().build(), true, "own"),
        (all().app_version("").build(), true, "custom"),
        (all().app_version("").customs([("appversion", "lower")]).build(), true, "lower"),
        (all().app_version("").customs(no_custom).build(), true, "global"),
        (all().app_version("").customs(no_custom).build(), false, "private"),
        (StatsigUser::builder().customs([("APPVERSION", "custom")]).build(), false, "missing"),
        // What is there ends the search, even if it says nothing.
        (all().app_version("").customs([("appVersion", Value::Null)]).build(), true, "missing"),
        (all().app_version("").customs([("appVersion", "")]).build(), true, ""),
    ];
    for (user, with_globals, expected) in table {
        let builder = Statsig::builder().bootstrap(probe("appVersion").build());
        let builder = if with_globals { builder.global_custom_fields(globals) } else { builder };
        assert_eq!(probed(&builder.build().unwrap(), &user), expected, "{user:?}");
    }
}

#[test]
fn other_names_of_fields_come_last() {
    for (field, user, expected) in [
        ("user_id", user("own"), "own"),
        ("app_version", StatsigUser::builder().app_version("own").build(), "own"),
        ("user_agent", StatsigUser::builder().user_agent("own").build(), "own"),
        ("USER_ID", user("own"), "own"),
        ("user_id", StatsigUser::builder().user_id("own").custom("user_id", "custom").build(), "custom"),
        ("user_id", StatsigUser::builder().user_id("own").private_attribute("user_id", "private").build(), "private"),
        ("user_id", user(""), ""),
        // Not among them: other SDKs do not look there either.
        ("ip_address", StatsigUser::builder().ip("own").build(), "missing"),
        ("ipaddress", StatsigUser::builder().ip("own").build(), "missing"),
        ("ip_address", StatsigUser::builder().ip("own").custom("ip_address", "custom").build(), "custom"),
    ] {
        assert_eq!(probed(&client(&probe(field)), &user), expected, "{field} of {user:?}");
    }
}

#[test]
fn values_of_any_kind_are_cast_where_they_are_compared() {
    let field = || ConditionInput::user_field("f");
    for (value, holding, not_holding) in [
        (json!("7"), field().greater_than(6), field().greater_than(7)),
        (json!("x"), field().is_any_of(["X"]), field().greater_than(0)),
        (json!(7), field().is_any_of(["7"]), field().is_any_of(["7.0"])),
        (json!(true), field().is_any_of(["true"]), field().is_any_of(["1"])),
        (json!(false), field().is_any_of(["false"]), field().equals("False")),
        (json!(["a", 1]), field().is_any_of([r#"["a",1]"#]), field().is_any_of(["a"])),
        (json!(["a", 1]), field().array_contains_any(["1"]), field().array_contains_any(["b"])),
        (json!({"a": 1}), field().is_none_of([r#"{"a":1}"#]), field().contains_any(["a"])),
        (json!({"a": 1}), field().equals(json!({"a": 1})), field().equals(json!({"a": 2}))),
        (Value::Null, field().equals(Value::Null), field().is_any_of(["null"])),
    ] {
        for user in [
            StatsigUser::builder().custom("f", value.clone()).build(),
            StatsigUser::builder().private_attribute("f", value.clone()).build(),
        ] {
            assert!(holds(holding.clone(), &user), "{holding:?} of {user:?}");
            assert!(!holds(not_holding.clone(), &user), "{not_holding:?} of {user:?}");
        }
    }
}

#[test]
fn environments_by_field_the_users_own_first() {
    let tier = |user: &StatsigUser, option: Option<&str>, default: Option<&str>| {
        let config = ["own", "option", "default"]
            .into_iter()
            .fold(DynamicConfigBuilder::new("probe", json!({"is": "none"})), |config, tier| {
                config.when(ConditionInput::environment_tier().is_any_of([tier]), json!({"is": tier}))
            });
        let project = ProjectBuilder::new().config(config);
        let project = default.map_or(project.clone(), |tier| project.default_environment(tier));
        let builder = Statsig::builder().bootstrap(project.build());
        let builder = option.into_iter().fold(builder, |builder, tier| builder.environment(tier));
        probed(&builder.build().unwrap(), user)
    };
    let own = StatsigUser::builder().environment_tier("own").build();
    let other_field = StatsigUser::builder().statsig_environment([("region", "eu")]).build();
    for (user, option, default, expected) in [
        (&own, Some("option"), Some("default"), "own"),
        (&user("u"), Some("option"), Some("default"), "option"),
        (&user("u"), None, Some("default"), "default"),
        (&user("u"), None, None, "none"),
        // Of an environment without a tier, the tier still comes from elsewhere.
        (&other_field, Some("option"), Some("default"), "option"),
        (&other_field, None, Some("default"), "default"),
    ] {
        assert_eq!(tier(user, option, default), expected, "{user:?} {option:?} {default:?}");
    }
}

#[test]
fn what_events_say_of_a_user() {
    let project = ProjectBuilder::new().gate(GateBuilder::on("g"));
    let logged = Logged::with(&project, |builder| {
        builder.environment("staging").global_custom_fields([("region", "eu"), ("plan", "global")])
    });
    let user = StatsigUser::builder()
        .user_id("ada")
        .custom("plan", "pro")
        .private_attribute("secret", "s3cr3t")
        .statsig_environment([("tier", "own"), ("cluster", "c1")])
        .build();
    let _ = logged.statsig.check_gate(&user, "g");
    let _ = logged.statsig.check_gate(&StatsigUser::with_user_id("bob"), "g");
    let events = logged.events();
    // A user without a tier of its own carries the one that was in force.
    assert_eq!(events[1]["user"]["statsigEnvironment"], json!({"tier": "staging"}));
    let ada = &events[0]["user"];
    assert_eq!(ada["statsigEnvironment"], json!({"tier": "own", "cluster": "c1"}), "logged whole");
    assert_eq!(ada["custom"], json!({"plan": "pro", "region": "eu"}), "the user's own field wins");
    assert!(!json!(events).to_string().contains("s3cr3t"));
    assert!(!json!(events).to_string().contains("privateAttributes"));
}

#[test]
fn private_attributes_decide_and_stay_here() {
    let condition = ConditionInput::user_field("secret").is_any_of(["s3cr3t"]);
    let statsig = client(&ProjectBuilder::new().gate(GateBuilder::new("g").when(condition)));
    let private = StatsigUser::builder().user_id("ada").private_attribute("secret", "s3cr3t").build();
    assert!(statsig.check_gate(&private, "g"));
    assert!(!statsig.check_gate(&private.without_private_attributes(), "g"));
    let options = ClientInitializeOptions::new().with_hash_algorithm(HashAlgorithm::None);
    let response = |user: &StatsigUser| -> Value {
        serde_json::from_str(&statsig.get_client_initialize_response_as_string(user, &options)).unwrap()
    };
    let with = response(&private);
    assert_eq!(with["feature_gates"]["g"]["value"], true);
    assert!(!with.to_string().contains("s3cr3t"));
    assert!(with.get("pa_hash").is_some(), "clients tell by it that they changed");
    assert!(response(&user("ada")).get("pa_hash").is_none_or(Value::is_null));
}

#[test]
fn users_are_values() {
    let ada = StatsigUser::builder().user_id("ada").custom("a", 1).build();
    assert_eq!(ada, StatsigUser::builder().custom("a", 1).user_id("ada").build());
    for other in [
        ada.to_builder().custom("a", 2).build(),
        ada.to_builder().email("e").build(),
        ada.to_builder().private_attribute("p", 1).build(),
        ada.to_builder().environment_tier("t").build(),
        user("ada"),
    ] {
        assert_ne!(ada, other);
    }
    // A copy that is changed leaves the first as it was.
    let copy = ada.clone().to_builder().user_id("bob").email("b@x.example").build();
    assert_eq!((ada.user_id().as_deref(), ada.email()), (Some("ada"), None));
    assert_eq!((copy.user_id().as_deref(), copy.custom("a")), (Some("bob"), Some(json!(1))));
}

/// Every field is set, read, and used by a condition.
#[test]
fn every_field_has_a_setter_and_a_getter() {
    let user = StatsigUser::builder()
        .user_id("id")
        .email("e@x.example")
        .ip("1.2.3.4")
        .user_agent("agent")
        .country("NZ")
        .locale("en_NZ")
        .app_version("1.2")
        .build();
    for (field, text) in [
        ("userID", user.user_id()),
        ("email", user.email()),
        ("ip", user.ip()),
        ("userAgent", user.user_agent()),
        ("country", user.country()),
        ("locale", user.locale()),
        ("appVersion", user.app_version()),
    ] {
        let text = text.unwrap();
        assert!(holds(ConditionInput::user_field(field).is_exactly_any_of([text.as_str()]), &user), "{field} {text}");
    }
}
