//! Any bytes are read as a user or refused; a user that was read survives being written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use statsig_core::StatsigUser;

fuzz_target!(|text: &[u8]| {
    let Ok(user) = serde_json::from_slice::<StatsigUser>(text) else { return };
    let written = serde_json::to_string(&user).expect("a user can always be written");
    let again: StatsigUser = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again, user);
    let _ = format!("{user:?}");
    let _ = (user.user_id(), user.unit_id("userID"), user.unit_id("companyID"), user.custom("level"));
    let stripped = serde_json::to_value(user.without_private_attributes()).expect("a user can always be written");
    assert!(stripped.get("privateAttributes").is_none());
});
