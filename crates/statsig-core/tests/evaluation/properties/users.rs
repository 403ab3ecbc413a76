//! Users: what is read is written again, and what is private is not shown.

use proptest::prelude::*;
use serde_json::{Value, json};
use statsig_core::{EvaluationSettings, StatsigUser};
use statsig_testkit::generate::{Choices, user};

use super::support::any_user;

proptest! {
    #[test]
    fn a_user_survives_json(user in any_user()) {
        let text = serde_json::to_string(&user).unwrap();
        let again: StatsigUser = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&again, &user);
        prop_assert_eq!(serde_json::to_string(&again).unwrap(), text);
        prop_assert_eq!(user.to_builder().build(), user);
    }

    #[test]
    fn what_is_read_is_what_is_written(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut text: Value = serde_json::from_str(&user(&Choices::new(&bytes)).to_string()).unwrap();
        let read: StatsigUser = serde_json::from_value(text.clone()).unwrap();
        // Aliases are written by their own name; what is null is not written.
        let members = text.as_object_mut().unwrap();
        if let Some(id) = members.remove("userId").or_else(|| members.remove("user_id")) {
            members.insert("userID".to_owned(), id);
        }
        members.retain(|_, value| !value.is_null());
        prop_assert_eq!(serde_json::to_value(&read).unwrap(), text);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}", key in "userID|custom|ip|customIDs|x", value in "\\PC{0,20}") {
        let _ = serde_json::from_str::<StatsigUser>(&text);
        let _ = serde_json::from_str::<StatsigUser>(&format!("{{\"{key}\":{value}}}"));
    }

    #[test]
    fn private_values_are_never_shown(
        user in any_user(), secret in "[A-Z]{12}", number in 1_000_000_000_000_u64.., nested in 0..3_usize,
    ) {
        let value = match nested {
            0 => json!(secret),
            1 => json!([secret, { "a": secret }]),
            _ => json!({ "inner": { secret.clone(): [secret] } }),
        };
        let builder = user.to_builder().private_attribute("plan", value).private_attribute("salary", number);
        for shown in [format!("{builder:?}"), format!("{builder:#?}"), format!("{:?}", builder.clone().build())] {
            prop_assert!(!shown.contains(&secret) && !shown.contains(&number.to_string()), "{}", shown);
            prop_assert!(shown.contains("plan") && shown.contains("salary"), "{}", shown);
        }
        let stripped = builder.build().without_private_attributes();
        prop_assert!(!serde_json::to_string(&stripped).unwrap().contains(&secret));
    }

    #[test]
    fn values_of_global_custom_fields_are_never_shown(secret in "[A-Z]{12}", tier in "[0-9]{12}") {
        let settings = EvaluationSettings::new()
            .with_global_custom_fields([("region", json!([secret]))])
            .with_environment(&tier);
        for shown in [format!("{settings:?}"), format!("{settings:#?}")] {
            prop_assert!(!shown.contains(&secret) && shown.contains("region"), "{}", shown);
        }
    }
}
