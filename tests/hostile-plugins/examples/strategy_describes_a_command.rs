//! Is a strategy with the manifest of a command.
#![cfg(target_family = "wasm")]
use quorate_sdk::guest::strategy_bindings::{
    self, exports::quorate::plugin::strategy_plugin::Guest,
};

struct Component;

impl Guest for Component {
    fn describe() -> String {
        quorate_sdk::guest::describe(&hostile_plugins::manifest("poses"))
    }
    fn propose(_: String) -> Result<String, String> {
        Ok(r#"{"groups": []}"#.into())
    }
}

strategy_bindings::export!(Component with_types_in strategy_bindings);
