//! The binary `quorate`: the command line over everything else. One file per verb.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod board;
mod cleanup;
mod clusters;
mod commands;
mod completions;
mod connect;
mod demo;
mod doctor;
mod error;
mod explain;
mod inventory;
mod jmx;
mod jobs;
mod launch;
mod logins;
mod names;
mod par;
mod plan;
mod plugin_args;
mod policy;
mod preflight;
mod program;
mod prompt;
mod reach;
mod resume;
mod run;
mod screen;
mod session;
mod shown;
mod signals;
mod targets;
mod topology;
mod turns;
mod variables;
mod watch;

use args::{
    Cli, CstarArgs, HostSpec, JobArgs, LimitArgs, NodetoolArgs, OrderArgs, ReachArgs, ShowArgs,
    SshArgs, VariablesArgs, Verb,
};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use error::CliError;
use program::{Program, as_called};
use quorate_journal::Place;
use quorate_ports::{Clock, CommandHost};
use session::SystemClock;
use std::{ffi::OsString, process::ExitCode, sync::Arc};
use watch::{complain, say};

fn main() -> ExitCode {
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("error: the runtime can't be started: {error}"));
            return ExitCode::from(error::Code::NotStarted as u8);
        }
    };
    let words: Vec<OsString> = std::env::args_os().collect();
    let is_json = wants_json(&words);
    Program::of(&words).remember();
    match runtime.block_on(run(words)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&as_called(&error.to_string()));
            if is_json {
                say(&error.json(SystemClock.now()));
            }
            ExitCode::from(error.code as u8)
        }
    }
}

/// Whether a program reads what is printed: it is told of errors where it reads, also of those in the
/// command line.
fn wants_json(words: &[OsString]) -> bool {
    let ours: Vec<_> = words.iter().skip(1).map_while(|word| word.to_str()).collect();
    let ours = ours.split(|word| *word == "--").next().unwrap_or_default();
    ours.contains(&"--output=json") || ours.windows(2).any(|pair| pair == ["--output", "json"])
}

/// A node that runs needs three descriptors; a shell's default of 1,024 ends at some 300 nodes.
fn raise_descriptor_limit() {
    // Where it can't be raised far enough for the nodes of a job, `logins::ready` says so.
    let _ = rlimit::increase_nofile_limit(1 << 20);
}

async fn run(words: Vec<OsString>) -> Result<u8, CliError> {
    let program = Program::of(&words);
    let words = par::line_first(program, program.spelled_out(words));
    let mut cli =
        Cli::command().name(program.name()).subcommand_required(true).arg_required_else_help(true);
    // Components are looked at only where a command, or the list of them, is asked for.
    let own: Vec<String> = cli.get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let asked = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    let whole = ["completions", "man"].contains(&asked);
    let plugins = match own.iter().any(|verb| verb == asked) && !whole {
        true => Vec::new(),
        false => commands::load_all().await?,
    };
    let mut plan = clap::Command::new("plan")
        .about("Says what a command would do: the waves, what limits them, the warnings; starts nothing")
        .subcommand_required(true)
        .subcommand_value_name("COMMAND");
    for plugin in &plugins {
        let subcommand = plugin_args::subcommand(plugin.manifest());
        plan = plan.subcommand(subcommand.clone());
        cli = cli.subcommand(subcommand);
        if plugin.manifest().name == par::COMPONENT {
            plan = plan.subcommand(par::subcommand(plugin.manifest()));
            cli = cli.subcommand(match program {
                Program::Cstarpar => par::cstarpar(plugin.manifest())
                    .override_usage("cstarpar COMMAND [OPTIONS] --seed-host <HOST>..."),
                _ => par::subcommand(plugin.manifest()),
            });
        }
    }
    cli = cli.subcommand(plan);
    let is_json = wants_json(&words);
    let tree = cli.clone();
    let matches = match cli.try_get_matches_from(words) {
        Ok(matches) => matches,
        Err(error) => {
            let code = if error.use_stderr() { error::Code::Usage as u8 } else { 0 };
            if is_json && error.use_stderr() {
                let text = error.render().to_string();
                let text = text.trim_start_matches("error: ").trim_end();
                say(&CliError::usage(text).json(SystemClock.now()));
            }
            // Nothing is left to do where even this can't be printed.
            let _ = error.print();
            return Ok(code);
        }
    };
    let named = |name: &str| {
        let name = if name == par::NAME { par::COMPONENT } else { name };
        plugins.iter().find(|plugin| plugin.manifest().name == name).cloned()
    };
    match matches.subcommand() {
        Some(("plan", matches)) => {
            if let Some((name, matches)) = matches.subcommand()
                && let Some(plugin) = named(name)
            {
                return plan::plan(read(name, plugin, matches).await?).await;
            }
        }
        Some((name, matches)) => {
            if let Some(plugin) = named(name) {
                return turns::launch(read(name, plugin, matches).await?).await;
            }
        }
        None => {}
    }
    match Cli::from_arg_matches(&matches).map_err(CliError::usage)?.verb {
        Verb::Demo(args) => demo::demo(args).await,
        Verb::Jobs { output } => jobs::list(output),
        Verb::Show { job, output } => jobs::show(&job, output),
        Verb::Logs(args) => jobs::logs(&args),
        Verb::Explain(args) => explain::explain(&args),
        Verb::Topology(args) => topology::topology(*args).await,
        Verb::Doctor(args) => doctor::doctor(*args).await,
        Verb::Continue(args) => resume::resume(args).await,
        Verb::CleanupJobs(args) => cleanup::cleanup(args).await,
        Verb::Completions(args) => completions::completions(args, tree),
        Verb::Man(args) => completions::man(&args, tree),
    }
}

/// What a person gave for a job of this command.
async fn read(
    name: &str,
    command: Arc<dyn CommandHost>,
    matches: &ArgMatches,
) -> Result<launch::Launch, CliError> {
    let limits = LimitArgs::from_arg_matches(matches).map_err(CliError::usage)?;
    let cstar = CstarArgs::from_arg_matches(matches).map_err(CliError::usage)?;
    cstar.notes().iter().for_each(|note| complain(&format!("quorate: {note}")));
    let command = match limits.plugin_limit.is_empty() {
        true => command,
        false => commands::load(&command.manifest().name, &limits.plugin_limit).await?,
    };
    let hosts = HostSpec::from_arg_matches(matches).map_err(CliError::usage)?;
    let given = ReachArgs::from_arg_matches(matches).map_err(CliError::usage)?;
    let nodetool = NodetoolArgs::from_arg_matches(matches).map_err(CliError::usage)?;
    let variables = VariablesArgs::from_arg_matches(matches).map_err(CliError::usage)?;
    let launch = launch::Launch {
        map: reach::HostMap::read(&hosts, &given)?,
        variables: variables::Variables::read(variables.hosts_variables.as_deref())?,
        hosts,
        reach: given,
        ssh: SshArgs::from_arg_matches(matches).map_err(CliError::usage)?,
        order: OrderArgs::from_arg_matches(matches).map_err(CliError::usage)?.spelled_out(),
        job: JobArgs::from_arg_matches(matches).map_err(CliError::usage)?,
        show: ShowArgs::from_arg_matches(matches).map_err(CliError::usage)?,
        arguments: plugin_args::values(command.manifest(), matches)?,
        summary: plugin_args::summary(command.manifest(), matches),
        limits,
        command,
        // The last: it may ask a person.
        call: jmx::call(&nodetool.call)?,
        nodetool,
        place: Place::Node,
        warnings: Vec::new(),
    };
    match name {
        par::NAME => par::here(launch, matches),
        _ => Ok(launch),
    }
}
