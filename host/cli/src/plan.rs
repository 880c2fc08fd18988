//! `plan`: what a job would do. Reads the ring and starts nothing.
use crate::{
    args::Output,
    connect::connect,
    error::CliError,
    launch::{Launch, Prepared, prepare},
    session::Session,
    watch::{complain, say},
};
use quorate_ports::LogLevel;
use quorate_runner::{groups, strategy_view};
use quorate_schedule::{Job, Waves};
use quorate_views::PlanView;

/// Prints the plan. Gives the exit code.
pub(crate) async fn plan(launch: Launch) -> Result<u8, CliError> {
    let session = Session::open()?;
    let transport = connect(&launch.ssh)?;
    for (place, prepared) in prepare(&launch, &session, &transport).await?.into_iter().enumerate() {
        if place > 0 && launch.show.output == Output::Text {
            say("");
        }
        print(&launch, prepared).await?;
    }
    Ok(0)
}

/// The plan of one cluster.
async fn print(launch: &Launch, prepared: Prepared) -> Result<(), CliError> {
    let Prepared { created, guard, warnings, strategy, .. } = prepared;
    let (topology, policy) = (&created.topology, &created.policy);
    let (waves, dropped) = match strategy {
        None => (Waves::plan(topology, &guard, policy, &created.targets), Vec::new()),
        Some(strategy) => {
            let mut job = Job::new(topology.clone(), &created.targets, policy.clone())
                .map_err(CliError::not_started)?;
            let view = strategy_view(&created, &created.hosts, &mut job);
            let answer = strategy.propose(view).await;
            for (level, text) in &answer.lines {
                if *level != LogLevel::Debug || launch.show.verbose > 0 {
                    complain(&format!("the strategy: {text}"));
                }
            }
            let proposal = answer.proposal.map_err(CliError::not_started)?;
            let (waves, proposed) =
                Waves::of_groups(topology, &guard, policy, &created.targets, groups(proposal));
            (waves, proposed.dropped)
        }
    };
    let dropped = dropped.iter().map(|what| format!("the strategy's answer: {what}"));
    let warnings: Vec<String> = warnings.into_iter().chain(dropped).collect();
    let whole = launch.show.verbose > 0;
    let view = PlanView { created: &created, waves: &waves, warnings: &warnings, whole };
    match launch.show.output {
        Output::Text => say(view.text().trim_end()),
        Output::Json => say(&view.json().to_string()),
    }
    Ok(())
}
