//! The rules of the workspace as data: who may depend on whom, how many crates a tree may have.
//!
//! `docs/architecture.md` says why. A change here is a change of the architecture: widen a line only together with that
//! document.

/// Which workspace crates one workspace crate may depend on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrows {
    /// The depending crate.
    pub(crate) from: &'static str,
    /// The workspace crates that it may name as normal or build dependencies.
    pub(crate) to: &'static [&'static str],
}

/// Every arrow that may exist between workspace crates. A crate without a line here fails the check.
///
/// Development dependencies are free: they do not reach a user.
pub(crate) const ARROWS: &[Arrows] = &[
    Arrows { from: "statsig-adapters", to: &[] },
    Arrows { from: "statsig-core", to: &["statsig-adapters"] },
    Arrows { from: "statsig-background", to: &["statsig-adapters"] },
    // The three that do I/O meet only in the adapter traits, never each other.
    Arrows { from: "statsig-net", to: &["statsig-adapters", "statsig-background", "statsig-core"] },
    Arrows { from: "statsig-logger", to: &["statsig-adapters", "statsig-background", "statsig-core"] },
    Arrows { from: "statsig-store-redis", to: &["statsig-adapters", "statsig-background"] },
    Arrows {
        from: "statsig-oss",
        to: &[
            "statsig-adapters",
            "statsig-background",
            "statsig-core",
            "statsig-net",
            "statsig-logger",
            "statsig-store-redis",
        ],
    },
    Arrows {
        from: "statsig-forward-proxy",
        to: &["statsig-core", "statsig-net", "statsig-logger", "statsig-store-redis"],
    },
    Arrows {
        from: "statsig-cli",
        to: &[
            "statsig-oss",
            "statsig-background",
            "statsig-core",
            "statsig-net",
            "statsig-logger",
            "statsig-store-redis",
            "statsig-forward-proxy",
            // For `statsig conformance`, behind a feature that is off by default.
            "statsig-conformance",
        ],
    },
    Arrows { from: "statsig-testkit", to: &["statsig-adapters", "statsig-core"] },
    Arrows { from: "statsig-conformance", to: &["statsig-oss", "statsig-core", "statsig-testkit"] },
    Arrows { from: "xtask", to: &[] },
];

/// Folders whose packages may depend on any workspace crate, and on which none may depend.
pub(crate) const LEAF_FOLDERS: &[&str] = &["examples", "integration-tests"];

/// Folders in which files of different folders may import each other, until they are taken apart.
pub(crate) const ALLOWED_CIRCLES: &[&str] = &[];

/// Crates that must not be anywhere in a crate's tree, whatever its features.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forbidden {
    /// The workspace crate.
    pub(crate) tree_of: &'static str,
    /// What must not be in its tree.
    pub(crate) crates: &'static [&'static str],
    /// The rule behind it, for the error message.
    pub(crate) why: &'static str,
}

/// What each tree must be free of.
pub(crate) const FORBIDDEN: &[Forbidden] = &[
    Forbidden {
        tree_of: "statsig-core",
        crates: &["tokio", "reqwest", "hyper", "mio", "socket2", "redis"],
        why: "the core does no I/O and needs no runtime",
    },
    Forbidden {
        tree_of: "statsig-adapters",
        crates: &["statsig-core", "tokio", "serde_derive"],
        why: "an adapter compiles without the evaluator, a runtime or derive macros",
    },
    Forbidden {
        tree_of: "statsig-background",
        crates: &["statsig-core"],
        why: "background tasks know nothing of evaluation",
    },
    Forbidden { tree_of: "statsig-oss", crates: &["openssl-sys", "native-tls"], why: "TLS is rustls" },
    Forbidden {
        tree_of: "statsig-net",
        crates: &["openssl-sys", "native-tls", "aws-lc-sys"],
        why: "TLS is rustls with ring: one C compiler builds it",
    },
];

/// The features with which a tree is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeatureSet {
    /// The crate's default features.
    Default,
    /// `--no-default-features`.
    None,
    /// `--all-features`.
    All,
}

impl FeatureSet {
    /// What to call it in a message.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Default => "default features",
            Self::None => "no features",
            Self::All => "all features",
        }
    }
}

/// How many crates a tree may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    /// The workspace crate.
    pub(crate) tree_of: &'static str,
    /// With which features.
    pub(crate) features: FeatureSet,
    /// The largest allowed number of crates, the crate itself included.
    pub(crate) crates: usize,
}

/// The size of each tree that users of the libraries have to build.
pub(crate) const BUDGETS: &[Budget] = &[
    // What a data store or an event sink of a third party has to build; four of them are the macro of `async-trait`.
    Budget { tree_of: "statsig-adapters", features: FeatureSet::Default, crates: 12 },
    Budget { tree_of: "statsig-core", features: FeatureSet::Default, crates: 40 },
    Budget { tree_of: "statsig-core", features: FeatureSet::None, crates: 40 },
    // Of these the core is a third, HTTP and TLS another, and the tables of international host names a fifth.
    Budget { tree_of: "statsig-net", features: FeatureSet::Default, crates: 128 },
    // Network and logger on one runtime; about twenty are the tables by which URLs read host names.
    Budget { tree_of: "statsig-oss", features: FeatureSet::Default, crates: 130 },
    // Without features the facade is the evaluator over a bootstrap text: the core and a handful more.
    Budget { tree_of: "statsig-oss", features: FeatureSet::None, crates: 46 },
];
