//! Short ways to write a manifest: the rest by struct update.
use quorate_contract::{Argument, ArgumentKind, Impact, Manifest, StrategyManifest};

/// A manifest without arguments, gates and programs.
pub fn manifest(name: &str, version: &str, summary: &str, impact: Impact) -> Manifest {
    Manifest {
        name: name.into(),
        version: version.into(),
        summary: summary.into(),
        arguments: Vec::new(),
        strategy: None,
        dc_parallel: false,
        impact,
        gates: Vec::new(),
        programs: Vec::new(),
        minimum_host: None,
    }
}

/// A manifest of a strategy without arguments, asked again only when the map of the cluster changes.
pub fn strategy_manifest(name: &str, version: &str, summary: &str) -> StrategyManifest {
    StrategyManifest {
        name: name.into(),
        version: version.into(),
        summary: summary.into(),
        arguments: Vec::new(),
        dynamic: false,
        minimum_host: None,
    }
}

/// An optional argument without a default, given once as `--NAME`.
pub fn argument(name: &str, kind: ArgumentKind, help: &str) -> Argument {
    Argument {
        name: name.into(),
        kind,
        required: false,
        default: None,
        help: help.into(),
        repeated: false,
        trailing: false,
        secret: false,
        conflicts: Vec::new(),
    }
}
