//! How big a tree may be.

use crate::architecture::Budget;

/// The problem, if a tree of `count` crates does not fit the budget.
pub(crate) fn over_budget(budget: &Budget, count: usize) -> Option<String> {
    (count > budget.crates).then(|| {
        let features = budget.features.label();
        format!(
            "{} with {features} has {count} crates in its tree, {} more than its budget of {}",
            budget.tree_of,
            count - budget.crates,
            budget.crates
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::FeatureSet;

    #[test]
    fn a_tree_may_fill_its_budget_but_not_more() {
        let budget = Budget { tree_of: "core", features: FeatureSet::None, crates: 3 };
        assert_eq!(over_budget(&budget, 3), None);
        assert_eq!(
            over_budget(&budget, 5).as_deref(),
            Some("core with no features has 5 crates in its tree, 2 more than its budget of 3")
        );
    }
}
