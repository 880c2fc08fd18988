//! Checks what a component says of itself.
use quorate_contract::{Argument, ArgumentKind, Manifest, StrategyManifest};
use quorate_ports::ComponentKind;
use serde::{Serialize, de::DeserializeOwned};

/// What a component of some kind says of itself.
pub(crate) trait Described: Clone + Send + Serialize + DeserializeOwned + 'static {
    /// The kind that says this.
    const KIND: ComponentKind;

    /// What is wrong with it, for people.
    fn check(&self) -> Result<(), String>;
}

/// Reads and checks the answer of `describe`.
///
/// # Errors
/// What is wrong with it, for people.
pub(crate) fn read<M: Described>(text: &str) -> Result<M, String> {
    let manifest: M = serde_json::from_str(text)
        .map_err(|error| format!("its describe answers no manifest: {error}"))?;
    manifest.check().map_err(|what| format!("its manifest is wrong: {what}"))?;
    Ok(manifest)
}

impl Described for Manifest {
    const KIND: ComponentKind = ComponentKind::Command;

    fn check(&self) -> Result<(), String> {
        check_who(Self::KIND, &self.name, &self.version, &self.summary)?;
        for text in self.programs.iter().chain(&self.strategy) {
            printable(text)?;
        }
        check_host(self.minimum_host.as_deref())?;
        check_arguments(&self.arguments)
    }
}

impl Described for StrategyManifest {
    const KIND: ComponentKind = ComponentKind::Strategy;

    fn check(&self) -> Result<(), String> {
        check_who(Self::KIND, &self.name, &self.version, &self.summary)?;
        check_host(self.minimum_host.as_deref())?;
        check_arguments(&self.arguments)?;
        match self.arguments.iter().find(|argument| argument.trailing) {
            Some(argument) => Err(format!(
                "the argument '{}' takes what follows --, which belongs to the command",
                argument.name
            )),
            None => Ok(()),
        }
    }
}

fn check_who(kind: ComponentKind, name: &str, version: &str, summary: &str) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("'{}' can't be the name of a {kind}", shown(name)));
    }
    numbers(version).ok_or_else(|| format!("its version '{}' isn't like 1.2.3", shown(version)))?;
    printable(version)?;
    printable(summary)
}

fn check_arguments(arguments: &[Argument]) -> Result<(), String> {
    for (place, argument) in arguments.iter().enumerate() {
        check_argument(argument, arguments)
            .map_err(|what| format!("the argument '{}' {what}", shown(&argument.name)))?;
        if arguments[..place].iter().any(|other| other.name == argument.name) {
            return Err(format!("there are two arguments '{}'", argument.name));
        }
    }
    if arguments.iter().filter(|argument| argument.trailing).count() > 1 {
        return Err("two arguments take what follows --".into());
    }
    Ok(())
}

fn check_host(minimum: Option<&str>) -> Result<(), String> {
    let Some(minimum) = minimum else { return Ok(()) };
    let host = env!("CARGO_PKG_VERSION");
    match (numbers(minimum), numbers(host)) {
        (None, _) => Err(format!("minimum-host '{}' isn't like 1.2.3", shown(minimum))),
        (Some(needed), Some(own)) if needed > own => {
            Err(format!("it needs quorate {minimum}, and this is {host}"))
        }
        _ => Ok(()),
    }
}

fn check_argument(argument: &Argument, all: &[Argument]) -> Result<(), String> {
    if !is_name(&argument.name) {
        return Err("has a name that can't be typed as an option".into());
    }
    printable(&argument.help)?;
    let given_without_name = argument.trailing && !argument.repeated;
    let flag = argument.kind == ArgumentKind::Flag;
    if given_without_name {
        return Err("is trailing, and with that has to be repeated".into());
    }
    if flag && (argument.required || argument.default.is_some() || argument.repeated) {
        return Err("is a flag, which is given or not and nothing else".into());
    }
    if argument.required && argument.default.is_some() {
        return Err("is required and has a default".into());
    }
    if argument.secret && argument.default.is_some() {
        return Err("is secret and has a default, which anybody could read".into());
    }
    if argument.kind == ArgumentKind::File && argument.default.is_some() {
        return Err("is a file and has a default; only the operator names files".into());
    }
    for other in &argument.conflicts {
        let known = all.iter().any(|argument| argument.name == *other);
        if !known || *other == argument.name {
            return Err(format!("conflicts with '{}', which is no other argument", shown(other)));
        }
    }
    Ok(())
}

/// Lower-case letters, digits and dashes, beginning with a letter and not ending with a dash.
fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(allowed)
}

/// `1.2.3` as numbers; what follows a `-` or `+` doesn't count.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(|part| part.parse().ok());
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn printable(text: &str) -> Result<(), String> {
    if text.chars().any(char::is_control) || text.len() > 1_000 {
        return Err(format!("a text isn't one printable line: '{}'", shown(text)));
    }
    Ok(())
}

fn shown(text: &str) -> String {
    crate::ended::printable(text, 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn with(changes: Value) -> Result<Manifest, String> {
        let mut manifest = json!({
            "name": "restart", "version": "0.1.0", "summary": "s", "impact": "down",
            "arguments": [
                {"name": "a", "kind": "text", "help": "h"},
                {"name": "b", "kind": "text", "help": "h"},
            ],
        });
        for (key, value) in changes.as_object().unwrap() {
            match key.strip_prefix("a.") {
                Some(key) => manifest["arguments"][0][key] = value.clone(),
                None => manifest[key] = value.clone(),
            }
        }
        read(&manifest.to_string())
    }

    #[test]
    fn a_manifest_is_read() {
        assert_eq!(with(json!({})).unwrap().arguments.len(), 2);
        assert!(with(json!({"minimum-host": env!("CARGO_PKG_VERSION")})).is_ok());
        assert!(
            with(json!({"a.trailing": true, "a.repeated": true, "a.conflicts": ["b"]})).is_ok()
        );
    }

    #[test]
    fn a_wrong_manifest_is_refused_with_what_is_wrong() {
        for (changes, what) in [
            (json!({"name": "Re start"}), "name of a command"),
            (json!({"name": "-x"}), "name of a command"),
            (json!({"version": "1"}), "isn't like 1.2.3"),
            (json!({"summary": "a\u{1b}[2J"}), "printable line"),
            (json!({"minimum-host": "999.0.0"}), "needs quorate 999.0.0"),
            (json!({"new-key": 1}), "new-key"),
            (json!({"impact": "huge"}), "huge"),
            (json!({"a.name": "b"}), "two arguments 'b'"),
            (json!({"a.name": "--b"}), "typed as an option"),
            (json!({"a.trailing": true}), "has to be repeated"),
            (json!({"a.kind": "flag", "a.required": true}), "is a flag"),
            (json!({"a.required": true, "a.default": "x"}), "required and has a default"),
            (json!({"a.secret": true, "a.default": "x"}), "is secret"),
            (json!({"a.kind": "file", "a.default": "/etc/passwd"}), "is a file"),
            (json!({"a.conflicts": ["c"]}), "no other argument"),
        ] {
            let why = with(changes.clone()).unwrap_err();
            assert!(why.contains(what), "{changes}: {why}");
        }
        assert!(read::<Manifest>("hello").unwrap_err().contains("no manifest"));
    }

    #[test]
    fn a_manifest_of_a_strategy_is_checked_alike() {
        let with = |key: &str, value: Value| {
            let mut manifest = json!({
                "name": "rack", "version": "0.1.0", "summary": "s", "dynamic": true,
                "arguments": [{"name": "first", "kind": "text", "help": "h"}],
            });
            manifest[key] = value;
            read::<StrategyManifest>(&manifest.to_string())
        };
        assert!(with("summary", json!("One rack at a time")).unwrap().dynamic);
        let argument = |changes: Value| {
            let mut argument = json!({"name": "first", "kind": "text", "help": "h"});
            argument.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            json!([argument])
        };
        for (key, value, what) in [
            ("name", json!("Rack"), "name of a strategy"),
            ("version", json!("1"), "isn't like 1.2.3"),
            ("summary", json!("a\nb"), "printable line"),
            ("minimum-host", json!("999.0.0"), "needs quorate 999.0.0"),
            ("impact", json!("down"), "impact"),
            ("arguments", argument(json!({"kind": "flag", "required": true})), "is a flag"),
            (
                "arguments",
                argument(json!({"trailing": true, "repeated": true})),
                "belongs to the command",
            ),
        ] {
            let why = with(key, value).unwrap_err();
            assert!(why.contains(what), "{key}: {why}");
        }
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("0.10.0") > numbers("0.9.9"));
        assert_eq!(numbers("1.2.3-rc1"), Some([1, 2, 3]));
        assert_eq!(numbers("1.2"), None);
        assert_eq!(numbers("1.2.3.4"), None);
    }
}
