//! A command's own arguments: from its manifest to the command line, and back as values.
use crate::{
    args::{
        CstarArgs, HostSpec, JobArgs, LimitArgs, NodetoolArgs, OrderArgs, ReachArgs, ShowArgs,
        SshArgs, VariablesArgs, duration,
    },
    error::CliError,
};
use clap::{Arg, ArgAction, ArgMatches, Args, Command};
use quorate_contract::{Argument, ArgumentKind, Manifest};
use serde_json::Value;
use std::{collections::BTreeMap, fs};

/// The subcommand of a command.
pub(crate) fn subcommand(manifest: &Manifest) -> Command {
    let mut command = Command::new(manifest.name.clone()).version(manifest.version.clone());
    command = ReachArgs::augment_args(HostSpec::augment_args(command));
    for argument in &manifest.arguments {
        command = command.arg(arg(argument).help_heading("Command"));
    }
    command = VariablesArgs::augment_args(command);
    command = OrderArgs::augment_args(command);
    command = SshArgs::augment_args(command);
    command = NodetoolArgs::augment_args(command);
    command = LimitArgs::augment_args(command);
    command = CstarArgs::augment_args(command);
    command = JobArgs::augment_args(command);
    // The documentation of an argument group would else become the command's own.
    ShowArgs::augment_args(command).about(manifest.summary.clone()).long_about(None)
}

fn arg(argument: &Argument) -> Arg {
    let mut arg = Arg::new(argument.name.clone())
        .help(argument.help.clone())
        .required(argument.required)
        .conflicts_with_all(&argument.conflicts);
    if !argument.trailing {
        arg = arg.long(argument.name.clone());
    }
    if let Some(default) = &argument.default {
        arg = arg.default_value(default.clone());
    }
    match argument.kind {
        ArgumentKind::Flag => return arg.action(ArgAction::SetTrue),
        ArgumentKind::Text => arg = arg.value_name("TEXT"),
        ArgumentKind::File => arg = arg.value_name("FILE"),
        ArgumentKind::Duration => {
            arg = arg
                .value_name("TIME")
                .value_parser(|text: &str| duration(text).map(|_| text.to_owned()));
        }
        ArgumentKind::Integer => {
            arg = arg.value_name("N").value_parser(|text: &str| match text.parse::<i64>() {
                Ok(_) => Ok(text.to_owned()),
                Err(_) => Err("a whole number is wanted"),
            });
        }
    }
    if argument.trailing {
        arg = arg.last(true).num_args(0..).value_name("ARG");
    } else if argument.repeated {
        arg = arg.action(ArgAction::Append);
    }
    arg
}

/// The values of a command's arguments. Files are read here: a component reads none.
pub(crate) fn values(
    manifest: &Manifest,
    matches: &ArgMatches,
) -> Result<BTreeMap<String, Value>, CliError> {
    let mut values = BTreeMap::new();
    for argument in &manifest.arguments {
        if argument.kind == ArgumentKind::Flag {
            values.insert(argument.name.clone(), Value::Bool(matches.get_flag(&argument.name)));
            continue;
        }
        let given: Vec<&String> =
            matches.get_many::<String>(&argument.name).into_iter().flatten().collect();
        if given.is_empty() {
            continue;
        }
        let mut read = given.iter().map(|text| value(argument, text));
        let value = if argument.repeated || argument.trailing {
            Value::Array(read.collect::<Result<_, _>>()?)
        } else {
            match read.next() {
                Some(value) => value?,
                None => continue,
            }
        };
        values.insert(argument.name.clone(), value);
    }
    Ok(values)
}

fn value(argument: &Argument, text: &str) -> Result<Value, CliError> {
    let wrong = |why: String| CliError::usage(format!("--{}: {why}", argument.name));
    Ok(match argument.kind {
        ArgumentKind::Text | ArgumentKind::Flag => Value::String(text.to_owned()),
        ArgumentKind::Integer => {
            Value::from(text.parse::<i64>().map_err(|e| wrong(e.to_string()))?)
        }
        ArgumentKind::Duration => Value::from(duration(text).map_err(wrong)?),
        ArgumentKind::File => {
            Value::String(fs::read_to_string(text).map_err(|e| wrong(format!("{text}: {e}")))?)
        }
    })
}

/// The values of a strategy's arguments, each given as `NAME=VALUE`; a flag as `NAME` alone.
pub(crate) fn given(
    arguments: &[Argument],
    texts: &[String],
) -> Result<BTreeMap<String, Value>, CliError> {
    let mut values = BTreeMap::new();
    for argument in arguments {
        if let Some(default) = &argument.default {
            values.insert(argument.name.clone(), value(argument, default)?);
        }
    }
    for text in texts {
        let (name, given) =
            text.split_once('=').map_or((text.as_str(), None), |(n, v)| (n, Some(v)));
        let argument =
            arguments.iter().find(|argument| argument.name == name).ok_or_else(|| {
                let names: Vec<&str> = arguments.iter().map(|a| a.name.as_str()).collect();
                let hint = match names.is_empty() {
                    true => "it takes no arguments".to_owned(),
                    false => format!("it takes: {}", names.join(", ")),
                };
                CliError::usage(format!("--strategy-arg: the strategy has no argument {name}"))
                    .hint(hint)
            })?;
        let read = match (argument.kind, given) {
            (ArgumentKind::Flag, None) => Value::Bool(true),
            (ArgumentKind::Flag, Some(_)) => {
                return Err(CliError::usage(format!("--strategy-arg {name} takes no value")));
            }
            (_, None) => {
                return Err(CliError::usage(format!(
                    "--strategy-arg {name}=VALUE: it has no value"
                )));
            }
            (_, Some(given)) => value(argument, given)?,
        };
        values.insert(name.to_owned(), read);
    }
    match arguments
        .iter()
        .find(|argument| argument.required && !values.contains_key(&argument.name))
    {
        None => Ok(values),
        Some(missing) => Err(CliError::usage(format!(
            "the strategy needs --strategy-arg {}=VALUE: {}",
            missing.name, missing.help
        ))),
    }
}

/// The command as a line for lists and heads: its name and what was given, shortened, without secrets
/// and without the text of files.
pub(crate) fn summary(manifest: &Manifest, matches: &ArgMatches) -> String {
    use clap::parser::ValueSource;
    let mut words = vec![manifest.name.clone()];
    for argument in &manifest.arguments {
        if matches.value_source(&argument.name) != Some(ValueSource::CommandLine) {
            continue;
        }
        if !argument.trailing {
            words.push(format!("--{}", argument.name));
        }
        if argument.kind == ArgumentKind::Flag {
            continue;
        }
        if argument.trailing {
            words.push("--".into());
        }
        let given = matches.get_many::<String>(&argument.name).into_iter().flatten();
        for text in given {
            words.push(if argument.secret { "…".into() } else { quoted(text) });
        }
    }
    shown(&words)
}

/// Words as one line, shortened.
pub(crate) fn shown(words: &[String]) -> String {
    let line: String =
        words.join(" ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match line.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A word as it would be typed.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}
