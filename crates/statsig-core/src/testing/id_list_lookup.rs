//! The contract of [`IdListLookup`].

use std::thread;

use crate::hooks::{IdHash, IdListLookup, id_hash};

/// Checks the duties of an [`IdListLookup`] that nobody changes meanwhile.
///
/// `members`: lists, each with the text of an ID that is in it; an ID that begins with `contract` must be in none
/// of them. A list that is not known has no members, others have theirs, and all threads are told the same.
///
/// ```
/// use statsig_core::{InMemoryIdLists, testing::id_list_lookup_contract};
///
/// let mut lists = InMemoryIdLists::new();
/// lists.insert("vip", "ada");
/// id_list_lookup_contract(&lists, &[("vip", "ada")]);
/// ```
///
/// # Panics
/// Where the lookup breaks its contract.
pub fn id_list_lookup_contract(lookup: &dyn IdListLookup, members: &[(&str, &str)]) {
    let strangers: [IdHash; 3] = [id_hash("contract stranger"), id_hash("contract \u{fc}"), *b"########"];
    let check = || {
        for (list, id) in members {
            assert!(lookup.contains(list, &id_hash(id)), "`{id}` is not in `{list}`");
            for stranger in &strangers {
                assert!(!lookup.contains(list, stranger), "`{list}` has members that nobody put there");
            }
        }
        for unknown in ["", "contract unknown", "contract \"ü\"\n"] {
            let ids = members.iter().map(|(_, id)| id_hash(id)).chain(strangers);
            for id in ids {
                assert!(!lookup.contains(unknown, &id), "a list that is not known has members");
            }
        }
    };
    check();
    thread::scope(|scope| {
        let checks: Vec<_> = (0..4).map(|_| scope.spawn(check)).collect();
        for checked in checks {
            assert!(checked.join().is_ok(), "another thread is told something else");
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hooks::InMemoryIdLists;

    #[test]
    fn lists_in_memory_keep_the_contract() {
        let mut lists = InMemoryIdLists::new();
        id_list_lookup_contract(&lists, &[]);
        lists.insert("a", "ada");
        lists.insert("b", "bob");
        id_list_lookup_contract(&lists, &[("a", "ada"), ("b", "bob")]);
    }

    struct Everybody;

    impl IdListLookup for Everybody {
        fn contains(&self, _: &str, _: &IdHash) -> bool {
            true
        }
    }

    #[test]
    #[should_panic(expected = "not known has members")]
    fn lists_that_nobody_knows_have_no_members() {
        id_list_lookup_contract(&Everybody, &[]);
    }
}
