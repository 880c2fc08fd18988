//! What `run` does.
use quorate_sdk::{
    Args, Argument, ArgumentKind, Failure, Host, Impact, Manifest, Node, Outcome, PlanContext,
    PlanDocument, Script, Shell, argument,
};

/// What `run` says of itself.
pub fn manifest() -> Manifest {
    Manifest {
        arguments: vec![
            Argument {
                conflicts: vec!["script".into()],
                ..argument("command", ArgumentKind::Text, "A command line for sh -c")
            },
            argument(
                "script",
                ArgumentKind::File,
                "A local script; its text is sent to every node, the words after -- are its arguments",
            ),
            argument(
                "interpreter",
                ArgumentKind::Text,
                "What runs the script, where its own first line shouldn't decide",
            ),
            Argument {
                repeated: true,
                trailing: true,
                ..argument(
                    "argv",
                    ArgumentKind::Text,
                    "A program and its arguments, run as they are",
                )
            },
        ],
        programs: vec!["sh".into()],
        ..quorate_sdk::manifest(
            "run",
            env!("CARGO_PKG_VERSION"),
            "Run a command or a script on every node",
            Impact::Down,
        )
    }
}

/// What there is to run.
#[derive(Debug, PartialEq)]
enum Job<'a> {
    Argv(Vec<String>),
    Script { text: &'a str, interpreter: &'a str, args: Vec<String> },
}

fn job(args: &Args) -> Result<Job<'_>, Failure> {
    let command = args.text("command")?;
    let script = args.text("script")?;
    let interpreter = args.text("interpreter")?;
    let argv = args.texts("argv")?;
    if interpreter.is_some() && script.is_none() {
        return Err(Failure::usage("--interpreter needs --script"));
    }
    match (command, script) {
        (Some(_), Some(_)) => Err(Failure::usage("give either --command or --script, not both")),
        (Some(_), None) if !argv.is_empty() => {
            Err(Failure::usage("give either --command or a program after --, not both"))
        }
        (Some(command), None) if command.trim().is_empty() => {
            Err(Failure::usage("--command is empty"))
        }
        (Some(command), None) => Ok(Job::Argv(vec!["sh".into(), "-c".into(), command.into()])),
        (None, Some(text)) if text.trim().is_empty() => Err(Failure::usage("the script is empty")),
        (None, Some(text)) => {
            Ok(Job::Script { text, interpreter: interpreter.unwrap_or_default(), args: argv })
        }
        (None, None) if argv.is_empty() => Err(Failure::usage(
            "nothing to run: give --command 'COMMAND LINE', --script FILE, or -- PROGRAM ARGUMENTS",
        )),
        (None, None) => Ok(Job::Argv(argv)),
    }
}

/// Refuses arguments that make no sense while nothing is touched yet; else one stage.
///
/// # Errors
/// With what is wrong with the arguments.
pub fn plan(context: &PlanContext) -> Result<PlanDocument, Failure> {
    job(&Args::new(context.arguments.clone()))?;
    Ok(PlanDocument::default())
}

/// Runs it on one node.
///
/// # Errors
/// Code `exit` where it ended otherwise than with status 0, and whatever keeps it from running.
pub fn run<H: Host + Shell + Script>(node: &Node<H>, args: &Args) -> Result<Outcome, Failure> {
    let call = match job(args)? {
        Job::Argv(argv) => node.shell(argv),
        Job::Script { text, interpreter, args } => node.script(text, interpreter, args),
    };
    // The node's limit is the program's: past it, its processes are ended and not left behind.
    let call = call.timeout_ms(node.context().timeout_ms);
    // The words of the command line are in the job already, and may hold what shouldn't be repeated.
    let finished = call.titled("run").finish()?;
    match finished.succeeded() {
        true => Ok(Outcome::done(finished.exit.to_string())),
        false => Err(Failure::new("exit", finished.describe())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_sdk::{
        CallError,
        testing::{Reply, Scripted, args, exit, ok},
    };
    use serde_json::json;

    fn plan_of(args: serde_json::Value) -> Result<PlanDocument, Failure> {
        plan(&PlanContext {
            cluster: "test".into(),
            arguments: serde_json::from_value(args).unwrap(),
        })
    }

    #[test]
    fn a_command_line_goes_to_sh() {
        let host = Scripted::new([("shell sh -c uptime; id", ok())]);
        let end = run(&host.node("UN"), &args([("command", json!("uptime; id"))]));
        assert_eq!(end, Ok(Outcome::done("exit status 0")));
        host.assert_finished();
    }

    #[test]
    fn a_program_runs_as_it_is() {
        let host = Scripted::new([("shell echo $HOME a b", ok())]);
        let end = run(&host.node("UN"), &args([("argv", json!(["echo", "$HOME", "a b"]))]));
        assert_eq!(end, Ok(Outcome::done("exit status 0")));
    }

    #[test]
    fn a_script_gets_its_interpreter_and_arguments() {
        let host = Scripted::new([("script [python3] a b", ok())]);
        let given = args([
            ("script", json!("print(1)")),
            ("interpreter", json!("python3")),
            ("argv", json!(["a", "b"])),
        ]);
        run(&host.node("DN"), &given).unwrap();
        host.assert_finished();
    }

    #[test]
    fn another_exit_fails_with_the_last_line_of_stderr() {
        let host = Scripted::new([("shell false", exit(3, "one\nno such file\n"))]);
        let end = run(&host.node("UN"), &args([("argv", json!(["false"]))]));
        assert_eq!(end, Err(Failure::new("exit", "exit status 3: no such file")));
    }

    #[test]
    fn an_action_that_is_lost_fails_with_its_own_code() {
        let lost = Reply::Error(CallError::Lost("the node rebooted".into()));
        let host = Scripted::new([("shell true", lost)]);
        let failure = run(&host.node("UN"), &args([("argv", json!(["true"]))])).unwrap_err();
        assert_eq!(failure.code, "lost");
        assert!(failure.message.ends_with("the node rebooted"), "{failure}");
    }

    #[test]
    fn the_limit_of_the_node_is_the_limit_of_the_program() {
        let host = Scripted::new([("shell true", ok())]);
        let node = host.node("UN");
        let mut context = node.context().clone();
        context.timeout_ms = Some(5_000);
        let node = Node::new(host.clone(), node.facts().clone(), context);
        run(&node, &args([("argv", json!(["true"]))])).unwrap();
        assert_eq!(host.requests()[0].timeout_ms, Some(5_000));
    }

    #[test]
    fn exactly_one_thing_is_run_and_anything_else_is_refused_when_planning() {
        for wrong in [
            json!({}),
            json!({"command": " "}),
            json!({"script": ""}),
            json!({"command": "a", "argv": ["b"]}),
            json!({"command": "a", "script": "b"}),
            json!({"command": "a", "interpreter": "sh"}),
        ] {
            let failure = plan_of(wrong.clone()).unwrap_err();
            assert_eq!(failure.code, "usage", "{wrong}");
        }
        assert_eq!(plan_of(json!({"command": "a"})), Ok(PlanDocument::default()));
    }
}
