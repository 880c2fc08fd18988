//! What a component may do, read from what it imports. No code of it runs for that.
use crate::{
    bindings::quorate::plugin::{cluster, flow, log, nodetool, script, shell, types},
    state::State,
    wasi,
};
use quorate_ports::ComponentKind;
use std::fmt;
use wasmtime::{
    Engine,
    component::{Component, HasSelf, Linker},
};

/// The version of `quorate:plugin` that this host serves.
const VERSION: &str = "0.1.0";
const PACKAGE: &str = "quorate:plugin";
/// Packages of WASI 0.2 that are stubs here; standard libraries import them unasked.
const WASI: [&str; 6] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// The one of them that a strategy doesn't get: nothing that computes an order names sockets.
const SOCKETS: &str = "wasi:sockets";

/// A permission beyond what every command has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Capability {
    /// Run nodetool on nodes.
    Nodetool,
    /// Run programs on nodes.
    Shell,
    /// Run scripts on nodes.
    Script,
}

impl Capability {
    /// The interface that stands for it, as `--grant` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nodetool => "nodetool",
            Self::Shell => "shell",
            Self::Script => "script",
        }
    }
}

/// What the person who installs it reads.
impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nodetool => "run nodetool on your nodes",
            Self::Shell => "run commands on your nodes",
            Self::Script => "run any script on your nodes",
        })
    }
}

/// An interface of the contract that a component imports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interface {
    Types,
    Log,
    Flow,
    Cluster,
    Granted(Capability),
}

/// What a component imports, all of it known to this host.
#[derive(Debug)]
pub(crate) struct Imports(Vec<Interface>);

impl Imports {
    /// Reads the type of a component that is to be used as this.
    ///
    /// # Errors
    /// That it is something else, or the name of what this host doesn't serve to it; for people.
    pub(crate) fn read(
        kind: ComponentKind,
        engine: &Engine,
        component: &Component,
    ) -> Result<Self, String> {
        let ty = component.component_type();
        let exports: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
        let imports: Vec<&str> = ty.imports(engine).map(|(name, _)| name).collect();
        // First, for what it is says more than what it wants.
        check_exports(kind, &exports)?;
        let interfaces = known(&imports)?;
        if kind == ComponentKind::Strategy {
            check_strategy(&imports)?;
        }
        Ok(Self(interfaces))
    }

    /// The permissions among them, in order and each once.
    pub(crate) fn capabilities(&self) -> Vec<Capability> {
        let mut all: Vec<Capability> = self
            .0
            .iter()
            .filter_map(|interface| match interface {
                Interface::Granted(capability) => Some(*capability),
                _ => None,
            })
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// A linker that holds WASI's stubs and these interfaces, and nothing else.
    pub(crate) fn linker(&self, engine: &Engine) -> wasmtime::Result<Linker<State>> {
        let mut linker = Linker::new(engine);
        wasi::add_to_linker(&mut linker)?;
        for interface in &self.0 {
            let linker = &mut linker;
            match interface {
                Interface::Types => types::add_to_linker::<_, HasSelf<State>>(linker, |s| s),
                Interface::Log => log::add_to_linker::<_, HasSelf<State>>(linker, |s| s),
                Interface::Flow => flow::add_to_linker::<_, HasSelf<State>>(linker, |s| s),
                Interface::Cluster => cluster::add_to_linker::<_, HasSelf<State>>(linker, |s| s),
                Interface::Granted(Capability::Nodetool) => {
                    nodetool::add_to_linker::<_, HasSelf<State>>(linker, |s| s)
                }
                Interface::Granted(Capability::Shell) => {
                    shell::add_to_linker::<_, HasSelf<State>>(linker, |s| s)
                }
                Interface::Granted(Capability::Script) => {
                    script::add_to_linker::<_, HasSelf<State>>(linker, |s| s)
                }
            }?;
        }
        Ok(linker)
    }
}

fn check_exports(kind: ComponentKind, exports: &[&str]) -> Result<(), String> {
    let interface = |kind: ComponentKind| match kind {
        ComponentKind::Command => "command-plugin",
        ComponentKind::Strategy => "strategy-plugin",
    };
    let exported = |kind| {
        let prefix = format!("{PACKAGE}/{}@", interface(kind));
        exports.iter().find(|name| name.starts_with(&prefix))
    };
    let wanted = format!("{PACKAGE}/{}@{VERSION}", interface(kind));
    if exports.contains(&wanted.as_str()) {
        return Ok(());
    }
    if let Some(other) = exported(kind) {
        return Err(format!(
            "it exports {other}, and this host runs {wanted}: build it against version {VERSION} \
             of the contract, or use a host of its version"
        ));
    }
    let another = match kind {
        ComponentKind::Command => ComponentKind::Strategy,
        ComponentKind::Strategy => ComponentKind::Command,
    };
    Err(match exported(another) {
        Some(other) => format!("it is a {another} and no {kind}: it exports {other}"),
        None => format!("it is no {kind}: it doesn't export {wanted}"),
    })
}

fn known(imports: &[&str]) -> Result<Vec<Interface>, String> {
    let mut interfaces = Vec::new();
    for &import in imports {
        let (name, version) = import.split_once('@').unwrap_or((import, ""));
        let (package, interface) = name.split_once('/').unwrap_or((name, ""));
        if WASI.contains(&package) && version.starts_with("0.2.") {
            continue;
        }
        if package != PACKAGE {
            return Err(format!("it imports {import}, which this host doesn't offer"));
        }
        if version != VERSION {
            return Err(format!(
                "it imports {import}, and this host serves version {VERSION} of {PACKAGE}: build it \
                 against that version, or use a host of its version"
            ));
        }
        interfaces.push(match interface {
            "types" => Interface::Types,
            "log" => Interface::Log,
            "flow" => Interface::Flow,
            "cluster" => Interface::Cluster,
            "nodetool" => Interface::Granted(Capability::Nodetool),
            "shell" => Interface::Granted(Capability::Shell),
            "script" => Interface::Granted(Capability::Script),
            _ => return Err(format!("it imports {import}, which this host doesn't offer")),
        });
    }
    Ok(interfaces)
}

/// Looks for what a strategy may not have among imports that this host serves.
fn check_strategy(imports: &[&str]) -> Result<(), String> {
    let log = format!("{PACKAGE}/log@{VERSION}");
    let types = format!("{PACKAGE}/types@{VERSION}");
    let refused = |import: &&&str| match import.split_once('/') {
        Some((PACKAGE, _)) => **import != log,
        Some((SOCKETS, _)) => true,
        _ => false,
    };
    let refused: Vec<&&str> = imports.iter().filter(refused).collect();
    // Shapes come along with what uses them, which is what to name.
    match refused.iter().find(|import| ***import != types).or(refused.first()) {
        None => Ok(()),
        Some(import) => Err(format!(
            "it imports {import}, and a strategy may import {log} alone: it only proposes an order"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read_by_name_and_version() {
        let imports = [
            "wasi:cli/environment@0.2.6",
            "quorate:plugin/types@0.1.0",
            "quorate:plugin/script@0.1.0",
            "quorate:plugin/nodetool@0.1.0",
        ];
        let imports = Imports(known(&imports).unwrap());
        assert_eq!(imports.capabilities(), [Capability::Nodetool, Capability::Script]);
    }

    #[test]
    fn everything_else_is_refused_by_its_name() {
        for refused in [
            "quorate:plugin/secrets@0.1.0",
            "quorate:plugin/shell@0.2.0",
            "quorate:plugin/shell",
            "quorate:pluginx/shell@0.1.0",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:cli/environment@0.3.0",
            "wasi:cli-more/x@0.2.0",
            "exec",
        ] {
            let why = known(&[refused]).unwrap_err();
            assert!(why.contains(refused), "{why}");
        }
    }

    #[test]
    fn a_strategy_gets_lines_and_stubs_and_nothing_else() {
        let harmless = [
            "wasi:cli/environment@0.2.6",
            "wasi:clocks/wall-clock@0.2.6",
            "quorate:plugin/log@0.1.0",
        ];
        assert_eq!(check_strategy(&harmless), Ok(()));
        for served in ["types", "flow", "cluster", "nodetool", "shell", "script"] {
            let import = format!("quorate:plugin/{served}@0.1.0");
            assert!(known(&[&import]).is_ok());
            let types = "quorate:plugin/types@0.1.0";
            let why = check_strategy(&[harmless[2], types, &import]).unwrap_err();
            assert!(why.contains(&import) && why.contains("a strategy may import"), "{why}");
        }
        let sockets = "wasi:sockets/tcp@0.2.6";
        assert_eq!(known(&[sockets]), Ok(vec![]));
        assert!(check_strategy(&[sockets]).unwrap_err().contains(sockets));
    }

    #[test]
    fn what_is_exported_says_what_it_is() {
        let (command, strategy) =
            ("quorate:plugin/command-plugin@0.1.0", "quorate:plugin/strategy-plugin@0.1.0");
        let check = |kind, exports: &[&str]| check_exports(kind, exports);
        assert_eq!(check(ComponentKind::Strategy, &[strategy]), Ok(()));
        assert_eq!(check(ComponentKind::Command, &[strategy, command]), Ok(()));
        let why = check(ComponentKind::Strategy, &[command]).unwrap_err();
        assert!(why.contains("it is a command and no strategy") && why.contains(command), "{why}");
        let why = check(ComponentKind::Command, &[strategy]).unwrap_err();
        assert!(why.contains("it is a strategy and no command") && why.contains(strategy), "{why}");
        let newer = "quorate:plugin/strategy-plugin@0.2.0";
        let why = check(ComponentKind::Strategy, &[newer]).unwrap_err();
        assert!(why.contains(newer) && why.contains("use a host of its version"), "{why}");
        let why = check(ComponentKind::Strategy, &["oracle"]).unwrap_err();
        assert!(why.contains("it is no strategy") && why.contains(strategy), "{why}");
    }
}
