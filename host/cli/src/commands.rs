//! The commands that there are: components, by name.
use crate::{error::CliError, session::Session};
use quorate_bundled::{commands, strategies};
use quorate_ports::{CommandHost, StrategyHost};
use std::sync::Arc;

/// Loads a command, with limits for its component.
pub(crate) async fn load(name: &str, limits: &[String]) -> Result<Arc<dyn CommandHost>, CliError> {
    let bundled = commands().iter().find(|command| command.name == name);
    let bundled = bundled.ok_or_else(|| {
        CliError::not_started(format!("there is no command {name}"))
            .hint("`quorate --help` lists the commands")
    })?;
    let command = Session::engine(limits)?.load(bundled.name, bundled.bytes).await;
    Ok(command.map_err(CliError::not_started)?)
}

/// Loads every command, to look at.
pub(crate) async fn load_all() -> Result<Vec<Arc<dyn CommandHost>>, CliError> {
    let engine = Session::engine(&[])?;
    let mut loaded: Vec<Arc<dyn CommandHost>> = Vec::new();
    for bundled in commands() {
        let command = engine.load(bundled.name, bundled.bytes).await;
        loaded.push(command.map_err(CliError::not_started)?);
    }
    Ok(loaded)
}

/// Loads a strategy's component, with limits for it.
pub(crate) async fn load_strategy(
    name: &str,
    limits: &[String],
) -> Result<Arc<dyn StrategyHost>, CliError> {
    let bundled = strategies().iter().find(|strategy| strategy.name == name).ok_or_else(|| {
        let names: Vec<&str> = strategies().iter().map(|strategy| strategy.name).collect();
        CliError::usage(format!("there is no strategy {name}"))
            .hint(format!("there are: one, topology, quorum, all, {}", names.join(", ")))
    })?;
    let strategy = Session::engine(limits)?.load_strategy(bundled.name, bundled.bytes).await;
    Ok(strategy.map_err(CliError::not_started)?)
}
