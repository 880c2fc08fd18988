//! What stands in files, and how long they are.
use crate::workspace::{Graph, root};
use std::{ffi::OsStr, fs, os::unix::ffi::OsStrExt, path::PathBuf, process::Command};

/// Lines of a source file without its tests.
const MAX_LINES: usize = 600;

/// Every file of the repository that isn't ignored, committed yet or not; relative to the root.
fn tracked() -> Vec<PathBuf> {
    let answer = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git lists the files to look at");
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let mut files: Vec<PathBuf> = answer
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| OsStr::from_bytes(path).into())
        .collect();
    files.sort();
    files.dedup();
    // Deleted, and the deletion not committed yet.
    files.retain(|path| root().join(path).is_file());
    assert!(files.len() > 50, "these can't be all files: {files:?}");
    files
}

#[test]
fn every_crate_has_the_lints_of_the_workspace() {
    for package in Graph::load().ours() {
        let manifest = fs::read_to_string(&package.manifest).unwrap();
        let mut lines = manifest.lines().map(str::trim);
        let has_lints = lines.any(|line| line == "[lints]")
            && lines.find(|line| !line.is_empty()) == Some("workspace = true");
        assert!(has_lints, "{}: add `[lints]` with `workspace = true`", package.name);
    }
}

/// Folders of people and of this checkout. Put together from pieces, or this file would name them.
fn machine_path(text: &str) -> Option<&str> {
    let root = root();
    let checkout = root.to_str().unwrap();
    // A short path would be found everywhere.
    if checkout.len() > 5
        && let Some(at) = text.find(checkout)
    {
        return Some(&text[at..at + checkout.len()]);
    }
    let super_user = concat!("/ro", "ot/");
    if let Some(at) = text.find(super_user) {
        return Some(&text[at..at + super_user.len()]);
    }
    for homes in [concat!("/ho", "me/"), concat!("/Us", "ers/")] {
        for (at, _) in text.match_indices(homes) {
            let after = &text[at + homes.len()..];
            let end = after.find(|c: char| !c.is_alphanumeric()).unwrap_or(after.len());
            // A made-up person of the tests and the docs.
            if end > 0 && &after[..end] != "ann" {
                return Some(&text[at..at + homes.len() + end]);
            }
        }
    }
    None
}

#[test]
fn machine_paths_are_recognised() {
    assert_eq!(machine_path("~/.ssh, /home/ann/x, $HOME/y, /homely"), None);
    let home = concat!("/ho", "me/eve");
    assert_eq!(machine_path(&format!("in {home}/x")), Some(home));
    assert!(machine_path(&format!("{}/Cargo.toml", root().display())).is_some());
}

#[test]
fn no_file_names_a_path_of_somebodys_machine() {
    for path in tracked() {
        let bytes = fs::read(root().join(&path)).unwrap();
        if let Some(found) = machine_path(&String::from_utf8_lossy(&bytes)) {
            panic!("{} names {found}, which exists on one machine only", path.display());
        }
    }
}

/// Lines before the module of tests at the file's end.
fn lines_without_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let is_tests = |at: &usize| {
        let attributes = lines[*at..].iter().take_while(|line| line.starts_with("#[")).count();
        let after = lines.get(at + attributes).unwrap_or(&"");
        lines[*at] == "#[cfg(test)]" && after.starts_with("mod ") && after.ends_with('{')
    };
    (0..lines.len()).rfind(is_tests).unwrap_or(lines.len())
}

#[test]
fn tests_at_the_end_of_a_file_are_not_counted() {
    assert_eq!(lines_without_tests("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert_eq!(lines_without_tests("a\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n}\n"), 1);
    assert_eq!(lines_without_tests("a\n#[cfg(test)]\nmod tests;\nb\n"), 4);
    assert_eq!(lines_without_tests(""), 0);
}

#[test]
fn source_files_stay_short() {
    for path in tracked() {
        let is_source = path.extension() == Some(OsStr::new("rs"))
            && path.components().any(|part| part.as_os_str() == "src");
        let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        if !is_source || stem == "tests" || stem.ends_with("_tests") {
            continue;
        }
        let lines = lines_without_tests(&fs::read_to_string(root().join(&path)).unwrap());
        assert!(
            lines <= MAX_LINES,
            "{} has {lines} lines without tests; {MAX_LINES} are the limit: find its second noun",
            path.display()
        );
    }
}
