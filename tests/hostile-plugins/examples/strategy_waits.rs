//! Is a strategy that would wait, and with that hold up the job.
#![cfg(target_family = "wasm")]
#![allow(missing_docs)]

wit_bindgen::generate!({
    path: "../../wit/quorate-plugin.wit",
    inline: r#"
        package quorate:hostile;
        world hostile {
            include quorate:plugin/strategy@0.1.0;
            import quorate:plugin/flow@0.1.0;
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
        quorate::plugin::flow::sleep(1_000);
        Ok(view)
    }
}

export!(Component);
