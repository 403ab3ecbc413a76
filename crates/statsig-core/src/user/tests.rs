use serde_json::json;

use super::StatsigUser;

#[test]
fn json_round_trip_keeps_kinds() {
    let wire = json!({
        "userID": 7, "customIDs": {"companyID": "c", "n": 1.5}, "email": "e", "ip": "1.2.3.4", "userAgent": "ua",
        "country": "NZ", "locale": "en", "appVersion": "1.2", "custom": {"a": [1, "x"], "o": {"k": null}},
        "privateAttributes": {"secret": true}, "statsigEnvironment": {"tier": "staging"},
    });
    let user: StatsigUser = serde_json::from_value(wire.clone()).unwrap();
    assert_eq!(serde_json::to_value(&user).unwrap(), wire);
    assert_eq!(user.unit_id("USERID").as_deref(), Some("7"));
    assert_eq!(user.unit_id("CompanyID"), None);
    assert_eq!(user.unit_id("companyID").as_deref(), Some("c"));
}

#[test]
fn aliases_are_read() {
    let user: StatsigUser = serde_json::from_str(
        r#"{"user_id":"u","custom_ids":{"x":"y"},"app_version":"1","user_agent":"a","unknown":[1]}"#,
    )
    .unwrap();
    assert_eq!(user, StatsigUser::builder().user_id("u").custom_id("x", "y").app_version("1").user_agent("a").build());
}

#[test]
fn private_attributes_are_hidden_and_can_be_stripped() {
    let user = StatsigUser::builder().user_id("u").private_attribute("salary", "one-hundred").build();
    let shown = format!("{user:?}");
    assert!(shown.contains("salary") && !shown.contains("one-hundred"), "{shown}");
    assert_eq!(user.without_private_attributes(), StatsigUser::with_user_id("u"));
}

#[test]
fn setters_replace() {
    let user = StatsigUser::builder().custom("a", 1).custom("b", 2).custom("a", 3).build();
    assert_eq!((user.custom("a"), user.custom("b"), user.custom("c")), (Some(json!(3)), Some(json!(2)), None));
    let other = user.to_builder().customs([("z", 1)]).build();
    assert_eq!((other.custom("a"), other.custom("z")), (None, Some(json!(1))));
}

#[test]
fn numeric_ids_are_hashed_by_their_decimal_text() {
    for (user, text) in [
        (StatsigUser::with_user_id(12), "12"),
        (StatsigUser::with_user_id(2.0), "2"),
        (StatsigUser::with_user_id(2.5), "2.5"),
        (StatsigUser::with_user_id(u64::MAX), "18446744073709552000"),
        (StatsigUser::with_custom_ids([("userID", "not this one")]), ""),
    ] {
        assert_eq!(user.user_id().unwrap_or_default(), text);
    }
}

#[test]
fn fields_are_read_as_text() {
    let user = StatsigUser::builder()
        .email("e")
        .ip("1.2.3.4")
        .user_agent("ua")
        .country("NZ")
        .locale("en")
        .app_version("1.2")
        .private_attribute("secret", 1)
        .environment_tier("staging")
        .build();
    let texts = [user.email(), user.ip(), user.user_agent(), user.country(), user.locale(), user.app_version()];
    assert_eq!(texts.map(Option::unwrap), ["e", "1.2.3.4", "ua", "NZ", "en", "1.2"]);
    assert_eq!((user.private_attribute("secret"), user.private_attribute("Secret")), (Some(json!(1)), None));
    assert_eq!((user.environment("tier").as_deref(), user.environment("region")), (Some("staging"), None));
    let numeric: StatsigUser = serde_json::from_value(json!({"email": 5, "ip": null, "appVersion": {}})).unwrap();
    assert_eq!((numeric.email().as_deref(), numeric.ip(), numeric.app_version()), (Some("5"), None, None));
    assert_eq!(StatsigUser::new().user_id(), None);
}
