//! Is built against a later version of the contract.
#![cfg(target_family = "wasm")]
#![allow(missing_docs)]

wit_bindgen::generate!({
    inline: r#"
        package quorate:plugin@0.2.0;
        interface command-plugin { describe: func() -> string; }
        world hostile { export command-plugin; }
    "#,
    generate_all,
});

struct Component;

impl exports::quorate::plugin::command_plugin::Guest for Component {
    fn describe() -> String {
        String::new()
    }
}

export!(Component);
