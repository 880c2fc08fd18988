//! Asks for the cluster while it describes itself.
#![cfg(target_family = "wasm")]
use quorate_sdk::guest::bindings::{
    self,
    exports::quorate::plugin::command_plugin::{Error, Failure, Guest, Outcome},
};

struct Component;

impl Guest for Component {
    fn describe() -> String {
        format!("{:?}", bindings::quorate::plugin::cluster::topology())
    }
    fn plan(_: String) -> Result<String, Error> {
        Ok("{}".into())
    }
    fn run(_: String, _: String) -> Result<Outcome, Failure> {
        Ok(Outcome::Done(String::new()))
    }
}

bindings::export!(Component with_types_in bindings);
