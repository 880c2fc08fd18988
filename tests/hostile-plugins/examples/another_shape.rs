//! Claims the contract and exports another shape of it.
#![cfg(target_family = "wasm")]
#![allow(missing_docs)]

wit_bindgen::generate!({
    inline: r#"
        package quorate:plugin@0.1.0;
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
