//! `par`: a command that runs on this machine, once for each node, as cstarpar runs it. It is the component of `run`; where its
//! actions run is the job's affair.
use crate::{
    connect::transport_error,
    error::CliError,
    launch::Launch,
    plugin_args::{self, quoted, shown},
    program::Program,
    session::Session,
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use quorate_contract::Manifest;
use quorate_journal::Place;
use quorate_ports::Transport;
use quorate_transport::{Local, Ssh};
use serde_json::Value;
use std::{ffi::OsString, sync::Arc};

/// What is typed.
pub(crate) const NAME: &str = "par";
/// The command whose component it is.
pub(crate) const COMPONENT: &str = "run";

/// The one word of cstarpar: a whole command line.
const LINE: &str = "line";
const LOCAL_NODETOOL: &str = "local-nodetool";

/// Words that tell of a node that goes and comes back.
const GOES: [&str; 3] = ["reboot", "restart", "shutdown"];

/// The subcommand, from what `run` takes. Its command stands behind its flags, so that each of them takes one word.
pub(crate) fn subcommand(run: &Manifest) -> Command {
    let one = |arg: Arg| arg.num_args(1);
    cstarpar(run).mut_arg("seed_host", one).mut_arg("host", one)
}

/// The same as cstarpar has it: several hosts may stand behind one flag, and the command before them.
pub(crate) fn cstarpar(run: &Manifest) -> Command {
    let line = Arg::new(LINE)
        .index(1)
        .value_name("COMMAND")
        .conflicts_with_all(["command", "script", "argv"])
        .help_heading("Command")
        .help("A command line in one word, split as a shell would and run without one: 'ssh {} reboot'");
    let nodetool = Arg::new(LOCAL_NODETOOL)
        .long(LOCAL_NODETOOL)
        .action(ArgAction::SetTrue)
        .help_heading("Nodetool")
        .help("Run nodetool here as well, with -h and the node's address: no node is logged in to");
    plugin_args::subcommand(&manifest(run))
        .arg(line)
        .mut_arg("argv", |arg| arg.index(2))
        .arg(nodetool)
}

/// What `run` says of itself, in this command's words.
fn manifest(run: &Manifest) -> Manifest {
    let mut manifest = run.clone();
    manifest.name = NAME.into();
    manifest.summary = "Run a command here, on this machine, once for each node".into();
    for argument in &mut manifest.arguments {
        let help = match argument.name.as_str() {
            "command" => {
                "A command line for sh -c, which finds the node in $NODE_ADDRESS, $NODE_DC, …"
            }
            "script" => "A script to run here, the words after -- are its arguments",
            "argv" => "A program and its arguments, run as they are but for {}, the node's address",
            _ => continue,
        };
        argument.help = help.into();
    }
    manifest
}

/// Makes what was read as for `run` a job whose actions run here.
///
/// # Errors
/// A command line that can't be split; a directory that can't be named.
pub(crate) fn here(mut launch: Launch, matches: &ArgMatches) -> Result<Launch, CliError> {
    let run = launch.command.manifest();
    launch.summary = match matches.get_one::<String>(LINE) {
        Some(line) => {
            launch.arguments.insert("argv".into(), split(line)?);
            shown(&[NAME.into(), quoted(line)])
        }
        None => plugin_args::summary(&manifest(run), matches),
    };
    let nodetool = matches.get_flag(LOCAL_NODETOOL);
    if nodetool && launch.ssh.sudo.is_some() {
        return Err(CliError::usage(
            "--sudo is for what runs on nodes; with --local-nodetool nothing does",
        ));
    }
    launch.call.from_here = nodetool;
    let directory = std::env::current_dir().map_err(|error| {
        CliError::usage(format!(
            "the directory that commands would start in can't be named: {error}"
        ))
    })?;
    let directory = directory.into_os_string().into_string().map_err(|path| {
        CliError::usage(format!("commands can't start in {}: it isn't UTF-8", path.display()))
    })?;
    launch.place = Place::Here { directory, nodetool };
    if launch.order.gate.is_empty() && goes(&launch.arguments) {
        launch.warnings.push(
            "the command seems to take nodes down and back, and whether they went isn't looked at: \
             --gate new-process waits until each has another process"
                .into(),
        );
    }
    Ok(launch)
}

/// quorate's own command line with the command's line in front, where it stands elsewhere in cstarpar's: after two dashes, or behind
/// the hosts, of which `--seed-host A B 'COMMAND LINE'` would take it for one. No host has a blank in its name.
pub(crate) fn line_first(program: Program, mut words: Vec<OsString>) -> Vec<OsString> {
    let is = |at: usize, word: &str| words.get(at).is_some_and(|given| given == word);
    let verb = match (is(1, NAME), is(1, "plan") && is(2, NAME)) {
        (true, _) => 1,
        (_, true) => 2,
        _ => return words,
    };
    let end = words.iter().position(|word| word == "--");
    if let Some(end) = end.filter(|end| program == Program::Cstarpar && end + 2 == words.len()) {
        // First, so that no option takes it.
        let line = words.remove(end + 1);
        words.truncate(end);
        words.insert(verb + 1, line);
        return words;
    }
    let mut hosts = false;
    for at in verb + 1..end.unwrap_or(words.len()) {
        let word = words[at].to_string_lossy();
        if word.starts_with('-') {
            hosts = word == "--seed-host" || word == "--host";
        } else if hosts && word.contains(char::is_whitespace) {
            let line = words.remove(at);
            words.insert(verb + 1, line);
            break;
        }
    }
    words
}

/// The words of the command's line.
fn split(line: &str) -> Result<Value, CliError> {
    let words = shlex::split(line).ok_or_else(|| {
        CliError::usage(format!("{}: a quote is opened and not closed", quoted(line)))
    })?;
    match words.is_empty() {
        true => Err(CliError::usage("the command line is empty")),
        false => Ok(Value::Array(words.into_iter().map(Value::String).collect())),
    }
}

fn goes(arguments: &std::collections::BTreeMap<String, Value>) -> bool {
    let text =
        |value: &Value| GOES.iter().any(|word| value.as_str().is_some_and(|t| t.contains(word)));
    arguments.values().any(|value| match value {
        Value::Array(words) => words.iter().any(text),
        value => text(value),
    })
}

/// What a job's actions and queries go through.
///
/// # Errors
/// A home directory that can't keep the state of actions.
pub(crate) fn through(
    ssh: &Arc<Ssh>,
    place: &Place,
    session: &Session,
) -> Result<Arc<dyn Transport>, CliError> {
    let Place::Here { directory, nodetool } = place else { return Ok(ssh.clone()) };
    let logins = (!nodetool).then(|| ssh.clone());
    let local = Local::new(session.home.root().to_owned(), directory.into(), logins);
    Ok(Arc::new(local.map_err(|error| transport_error(&error))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_as_cstarpar_splits_it() {
        let of = |line: &str| split(line).unwrap();
        let expected = serde_json::json!(["ssh", "{}", "echo a  b", "$HOME", "it's", ""]);
        assert_eq!(of("ssh {}  'echo a  b' $HOME \"it's\" ''"), expected);
        assert!(split("ssh {} 'oops").unwrap_err().to_string().contains("not closed"));
        assert!(split("  ").unwrap_err().to_string().contains("empty"));
    }

    #[test]
    fn a_line_behind_the_hosts_is_none_of_them() {
        let of = |program, text: &[&str]| {
            let given = text.iter().map(OsString::from).collect();
            let made: Vec<_> = line_first(program, program.spelled_out(given))
                .iter()
                .map(|w| w.to_str().unwrap().to_owned())
                .collect();
            made.join("|")
        };
        let ours = |text: &[&str]| of(Program::Quorate, text);
        assert_eq!(
            ours(&["q", "par", "--seed-host", "a", "b", "x {}", "-v"]),
            "q|par|x {}|--seed-host|a|b|-v"
        );
        assert_eq!(ours(&["q", "plan", "par", "--host", "a", "x {}"]), "q|plan|par|x {}|--host|a");
        for kept in [
            &["q", "par", "x {}", "--seed-host", "a"][..],
            &["q", "par", "--seed-host", "a", "--command", "x {}"],
            &["q", "par", "--seed-host", "a", "--", "x y"],
            &["q", "run", "--seed-host", "a", "x y"],
            &["q"],
        ] {
            assert_eq!(ours(kept), kept.join("|"));
        }
        let cstarpar = |text: &[&str]| of(Program::Cstarpar, text);
        assert_eq!(cstarpar(&["c", "--seed-host", "a", "b", "--", "x"]), "c|par|x|--seed-host|a|b");
        assert_eq!(cstarpar(&["c", "--help"]), "c|par|--help");
        assert_eq!(cstarpar(&["c"]), "c|par");
    }

    #[test]
    fn what_takes_nodes_down_is_recognised_by_its_words() {
        let of = |name: &str, value: Value| goes(&[(name.to_owned(), value)].into());
        assert!(of("argv", serde_json::json!(["ssh", "{}", "sudo reboot"])));
        assert!(of("command", "aws ec2 reboot-instances --instance-ids $(id_of {})".into()));
        assert!(!of("argv", serde_json::json!(["ping", "{}"])));
    }
}
