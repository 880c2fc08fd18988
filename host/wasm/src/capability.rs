//! What a component may do, read from what it imports. No code of it runs for that.
use crate::{
    bindings::quorate::plugin::{cluster, flow, log, nodetool, script, shell, types},
    state::State,
    wasi,
};
use std::fmt;
use wasmtime::{
    Engine,
    component::{Component, HasSelf, Linker},
};

/// The version of `quorate:plugin` that this host serves.
const VERSION: &str = "0.1.0";
const PACKAGE: &str = "quorate:plugin";
const EXPORT: &str = "command-plugin";
/// Packages of WASI 0.2 that are stubs here; standard libraries import them unasked.
const WASI: [&str; 6] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

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
    /// Reads a component's type.
    ///
    /// # Errors
    /// The name of what this host doesn't serve, or that it isn't a command; for people.
    pub(crate) fn read(engine: &Engine, component: &Component) -> Result<Self, String> {
        let ty = component.component_type();
        let export = format!("{PACKAGE}/{EXPORT}@{VERSION}");
        let imports: Vec<&str> = ty.imports(engine).map(|(name, _)| name).collect();
        let interfaces = known(&imports)?;
        if !ty.exports(engine).any(|(name, _)| name == export) {
            let other = ty.exports(engine).map(|(name, _)| name).find(|name| name.contains(EXPORT));
            return Err(match other {
                Some(other) => format!(
                    "it exports {other}, and this host runs {export}: build it against version \
                     {VERSION} of the contract, or use a host of its version"
                ),
                None => format!("it is no command: it doesn't export {export}"),
            });
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
}
