//! Makes requests that make no sense, and logs the answers.
use quorate_sdk::{Args, Failure, Host, Manifest, Node, Outcome};

fn manifest() -> Manifest {
    hostile_plugins::manifest("asks-wrongly")
}

#[cfg(target_family = "wasm")]
fn run<H: Host>(node: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    use quorate_sdk::guest::bindings::quorate::plugin::{cluster, nodetool, shell, types};
    let request = || types::ExecRequest {
        argv: vec!["true".into()],
        stdin: types::Input::None,
        env: Vec::new(),
        secret_env: Vec::new(),
        run_as: None,
        timeout_ms: None,
        on_lost: types::OnLost::Fail,
        extra: String::new(),
    };
    let answers = [
        cluster::wait("{\"condition\": \"full-moon\"}", None).err(),
        shell::exec(&types::ExecRequest { argv: Vec::new(), ..request() }).err(),
        shell::exec(&types::ExecRequest {
            stdin: types::Input::Secret("password".into()),
            ..request()
        })
        .err(),
        shell::exec(&types::ExecRequest { extra: "{\"nice\": 1}".into(), ..request() }).err(),
        nodetool::run(&[], None, "").err(),
    ];
    for answer in answers {
        node.info(&format!("{answer:?}"));
    }
    Ok(Outcome::skipped("asked"))
}

#[cfg(not(target_family = "wasm"))]
fn run<H: Host>(_: &Node<H>, _: &Args) -> Result<Outcome, Failure> {
    Ok(Outcome::skipped("there is nobody to ask"))
}

quorate_sdk::export_command!(manifest: manifest, run: run);
