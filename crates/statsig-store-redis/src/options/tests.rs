use super::*;

#[test]
fn all_problems_are_listed_at_once() {
    let options = RedisOptions::cluster(["redis://h:1/3"]).unwrap().read_timeout(Duration::ZERO).compress(true);
    let error = options.check().unwrap_err();
    assert!(error.problems.len() >= 3, "{error}");
    let shown = error.to_string();
    for part in ["`read_timeout` is zero", "needs a `namespace`", "no databases"] {
        assert!(shown.contains(part), "{shown}");
    }
}

#[test]
fn secrets_are_not_shown() {
    for url in ["redis://user:hunter2@host:1", "http://user:hunter2@host", "redis://user:hunter2@host:port"] {
        let shown = match RedisOptions::single(url) {
            Ok(options) => format!("{options:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let options = RedisOptions::single("redis://h").unwrap().password("hunter2").namespace("n:");
    assert!(!format!("{options:?}").contains("hunter2"));
    assert_eq!(options.check(), Ok(()));
}

#[test]
fn unusable_urls() {
    assert!(RedisOptions::cluster([]).is_err());
    assert!(RedisOptions::single("").is_err());
    assert!(RedisOptions::host("", 1).is_err());
    let insecure = RedisOptions::single("rediss://h:1/#insecure").unwrap();
    assert!(insecure.check().unwrap_err().to_string().contains("insecure"));
}

#[test]
fn a_store_shows_no_address_and_no_login() {
    let options = RedisOptions::single("redis://user:hunter2@redis.internal").unwrap();
    let shown = format!("{:?}", crate::RedisDataStore::open(options).unwrap());
    assert!(!shown.contains("hunter2") && !shown.contains("internal"), "{shown}");
}
