//! The studies that come with the program: the readable files of `docs/studies/`, compiled in.

/// A study that is run by its name.
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// All of them; the first is run when none is named.
pub(crate) const STUDIES: &[BuiltIn] = &[
    BuiltIn {
        name: "quick",
        text: include_str!("../../studies/quick.toml"),
    },
    BuiltIn {
        name: "omniglot",
        text: include_str!("../../studies/omniglot.toml"),
    },
    BuiltIn {
        name: "stability",
        text: include_str!("../../studies/stability.toml"),
    },
    BuiltIn {
        name: "seeds",
        text: include_str!("../../studies/seeds.toml"),
    },
    BuiltIn {
        name: "factors",
        text: include_str!("../../studies/factors.toml"),
    },
    BuiltIn {
        name: "domains",
        text: include_str!("../../studies/domains.toml"),
    },
    BuiltIn {
        name: "emoji",
        text: include_str!("../../studies/emoji.toml"),
    },
    BuiltIn {
        name: "replace",
        text: include_str!("../../studies/replace.toml"),
    },
    BuiltIn {
        name: "textbook",
        text: include_str!("../../studies/textbook.toml"),
    },
    BuiltIn {
        name: "promises",
        text: include_str!("../../studies/promises.toml"),
    },
    BuiltIn {
        name: "sinusoid",
        text: include_str!("../../studies/sinusoid.toml"),
    },
    BuiltIn {
        name: "sinusoid-factors",
        text: include_str!("../../studies/sinusoid-factors.toml"),
    },
    BuiltIn {
        name: "navigation",
        text: include_str!("../../studies/navigation.toml"),
    },
    BuiltIn {
        name: "bandits",
        text: include_str!("../../studies/bandits.toml"),
    },
    BuiltIn {
        name: "navigation-factors",
        text: include_str!("../../studies/navigation-factors.toml"),
    },
];
