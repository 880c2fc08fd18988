//! The workspace as cargo sees it.
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every package of the dependency graph, ours and others'.
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
    ours: BTreeSet<String>,
}

/// One package.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) is_proc_macro: bool,
    /// Package ids of what it is built with: normal and build dependencies.
    needs: Vec<Need>,
}

struct Need {
    id: String,
    is_build: bool,
}

/// The platform that cargo builds for here; packages of other platforms may not be on this machine.
fn host_platform() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or("rustc".into());
    let answer = Command::new(rustc).arg("-vV").output().unwrap();
    let text = String::from_utf8(answer.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
}

impl Graph {
    /// Asks cargo. Dev-dependencies are left out: tests may use what they like.
    pub(crate) fn load() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
        let answer = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--offline", "--locked"])
            .args(["--filter-platform", &host_platform()])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(
            answer.status.success(),
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&answer.stderr)
        );
        Self::read(&serde_json::from_slice(&answer.stdout).unwrap())
    }

    fn read(metadata: &Value) -> Self {
        let list = |value: &Value| value.as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut packages = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let is_proc_macro = list(&package["targets"])
                .iter()
                .any(|target| list(&target["kind"]).contains(&"proc-macro".into()));
            let read = Package {
                name: text(&package["name"]),
                manifest: text(&package["manifest_path"]).into(),
                is_proc_macro,
                needs: Vec::new(),
            };
            packages.insert(text(&package["id"]), read);
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let mut needs = Vec::new();
            for need in list(&node["deps"]) {
                let kinds = list(&need["dep_kinds"]);
                let is_normal = kinds.iter().any(|kind| kind["kind"].is_null());
                let is_build = kinds.iter().any(|kind| kind["kind"] == "build");
                if is_normal || is_build {
                    needs.push(Need { id: text(&need["pkg"]), is_build: !is_normal });
                }
            }
            packages.get_mut(&text(&node["id"])).unwrap().needs = needs;
        }
        let ours = list(&metadata["workspace_members"]).iter().map(text).collect();
        Self { packages, ours }
    }

    /// Our own packages.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.ours.iter().map(|id| &self.packages[id])
    }

    /// One of our own packages.
    pub(crate) fn our(&self, name: &str) -> &Package {
        self.ours().find(|package| package.name == name).unwrap()
    }

    /// Names of those of our own packages that a package is built with.
    pub(crate) fn direct(&self, package: &Package) -> BTreeSet<&str> {
        let ours = package.needs.iter().filter(|need| self.ours.contains(&need.id));
        ours.map(|need| self.packages[&need.id].name.as_str()).collect()
    }

    /// Names of other people's packages that are linked into a package, directly or not. What runs at
    /// build time only (procedural macros, build scripts) is left out.
    pub(crate) fn linked<'a>(&'a self, package: &'a Package) -> BTreeSet<&'a str> {
        let mut linked = BTreeSet::new();
        let mut waiting = vec![package];
        while let Some(package) = waiting.pop() {
            for need in package.needs.iter().filter(|need| !need.is_build) {
                let needed = &self.packages[&need.id];
                let is_new = !needed.is_proc_macro && linked.insert(needed.name.as_str());
                if is_new {
                    waiting.push(needed);
                }
            }
        }
        linked.retain(|name| !self.ours().any(|package| package.name == *name));
        linked
    }
}
