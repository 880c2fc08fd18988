//! Is a strategy that would run programs on nodes.
#![cfg(target_family = "wasm")]
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../wit/quorate-plugin.wit",
    inline: r#"
        package quorate:hostile;
        world hostile {
            include quorate:plugin/strategy@0.1.0;
            import quorate:plugin/shell@0.1.0;
        }
    "#,
    world: "quorate:hostile/hostile",
    generate_all,
});

struct Component;

impl exports::quorate::plugin::strategy_plugin::Guest for Component {
    fn describe() -> String {
        String::new()
    }
    fn propose(view: String) -> Result<String, String> {
        let request = quorate::plugin::types::ExecRequest {
            argv: vec!["reboot".into()],
            stdin: quorate::plugin::types::Input::None,
            env: Vec::new(),
            secret_env: Vec::new(),
            run_as: None,
            timeout_ms: None,
            on_lost: quorate::plugin::types::OnLost::Fail,
            extra: String::new(),
        };
        quorate::plugin::shell::exec(&request).map(|_| view).map_err(|error| error.to_string())
    }
}

export!(Component);
