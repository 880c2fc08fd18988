//! Imports an interface that no version of this contract has.
#![cfg(target_family = "wasm")]
#![allow(missing_docs)]

wit_bindgen::generate!({
    inline: r#"
        package quorate:plugin@0.1.0;
        interface oracle { ask: func() -> string; }
        interface command-plugin { describe: func() -> string; }
        world hostile { import oracle; export command-plugin; }
    "#,
    generate_all,
});

struct Component;

impl exports::quorate::plugin::command_plugin::Guest for Component {
    fn describe() -> String {
        quorate::plugin::oracle::ask()
    }
}

export!(Component);
