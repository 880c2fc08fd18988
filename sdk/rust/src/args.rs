//! The command's arguments, read by type.
use crate::Failure;
use serde_json::Value;
use std::collections::BTreeMap;

/// The arguments by name. One that wasn't given and has no default is absent.
///
/// The host has checked the values against the manifest; a value of another type means that manifest
/// and code disagree, and is a [`Failure`] with the code `usage`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Args(BTreeMap<String, Value>);

impl Args {
    /// Takes what the host's context holds.
    pub fn new(arguments: BTreeMap<String, Value>) -> Self {
        Self(arguments)
    }

    /// A text, or a file's text.
    ///
    /// # Errors
    /// A value of another type.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Failure> {
        self.read(name, "text", Value::as_str)
    }

    /// Every text of a repeated argument; empty where none was given.
    ///
    /// # Errors
    /// A value of another type.
    pub fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let texts = self.read(name, "a list of texts", |value| {
            let all = value.as_array()?.iter();
            all.map(|one| Some(one.as_str()?.to_owned())).collect::<Option<Vec<_>>>()
        })?;
        Ok(texts.unwrap_or_default())
    }

    /// Whether a flag was given.
    ///
    /// # Errors
    /// A value of another type.
    pub fn flag(&self, name: &str) -> Result<bool, Failure> {
        Ok(self.read(name, "a flag", Value::as_bool)?.unwrap_or(false))
    }

    /// A whole number.
    ///
    /// # Errors
    /// A value of another type.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.read(name, "a whole number", Value::as_i64)
    }

    /// A duration in milliseconds.
    ///
    /// # Errors
    /// A value of another type.
    pub fn duration_ms(&self, name: &str) -> Result<Option<u64>, Failure> {
        self.read(name, "a duration", Value::as_u64)
    }

    fn read<'a, T>(
        &'a self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match read(value) {
                Some(value) => Ok(Some(value)),
                None => Err(Failure::usage(format!("the argument {name} isn't {what}"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn args(value: Value) -> Args {
        Args::new(serde_json::from_value(value).unwrap())
    }

    #[test]
    fn values_are_read_by_type_and_absent_ones_are_none() {
        let args = args(json!({"t": "x", "l": ["a", "b"], "f": true, "n": -3, "d": 1500}));
        assert_eq!(args.text("t"), Ok(Some("x")));
        assert_eq!(args.texts("l"), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(args.flag("f"), Ok(true));
        assert_eq!(args.integer("n"), Ok(Some(-3)));
        assert_eq!(args.duration_ms("d"), Ok(Some(1500)));
        assert_eq!(args.text("none"), Ok(None));
        assert_eq!(args.texts("none"), Ok(vec![]));
        assert_eq!(args.flag("none"), Ok(false));
    }

    #[test]
    fn a_value_of_another_type_names_the_argument() {
        let failure = args(json!({"d": "90s"})).duration_ms("d").unwrap_err();
        assert_eq!(failure, Failure::usage("the argument d isn't a duration"));
        assert!(args(json!({"l": ["a", 1]})).texts("l").is_err());
    }
}
