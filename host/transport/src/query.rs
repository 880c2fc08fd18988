//! Commands that only read.
use crate::{
    channel::{Input, Output, Remote},
    fault::{Fault, one_line},
    links::Purpose,
    place::{Place, Reached},
    remote::{self, Script},
};
use quorate_ports::{Answer, Exit, FaultKind, Query};
use std::time::Duration;
use tokio::time::timeout;

/// How long output may still arrive after the program's end. What it left running may hold the streams open for ever.
const AFTER_EXIT: Duration = Duration::from_secs(1);

/// Runs a query; again, once, where a connection turns out to be dead before the query has begun.
pub(crate) async fn query(place: &Place<'_>, query: &Query) -> Result<Answer, Fault> {
    let script = remote::query(query, place.root())?;
    let mut again = true;
    loop {
        let reached = place.reach().await?;
        let mut began = false;
        let run = run(place, &reached, query, script.clone(), &mut began);
        let result = match timeout(query.timeout, run).await {
            Ok(result) => result,
            Err(_) => {
                return Err(Fault::new(
                    FaultKind::TimedOut,
                    format!(
                        "{} did not answer within {} ms",
                        query.argv[0],
                        query.timeout.as_millis()
                    ),
                ));
            }
        };
        match result {
            Err(fault) if fault.kind == FaultKind::Disconnected && !began && again => again = false,
            result => return result,
        }
    }
}

async fn run(
    place: &Place<'_>,
    reached: &Reached<'_>,
    query: &Query,
    script: Script,
    began: &mut bool,
) -> Result<Answer, Fault> {
    let mut remote = reached.open(Purpose::Query).await?;
    let mark = script.mark.clone();
    remote.start(script, Input::Open);
    let mut answer = Answer { exit: Exit::Code(0), stdout: Vec::new(), stderr: Vec::new() };
    let mut exit = None;
    loop {
        let output = next(&mut remote, exit).await;
        *began |= remote.began();
        match output? {
            Output::Stdout(bytes) => append(&mut answer.stdout, &bytes, query, "output")?,
            Output::Stderr(bytes) => append(&mut answer.stderr, &bytes, query, "errors")?,
            Output::Exit(how) => exit = Some(how),
            Output::Closed => break,
        }
    }
    if !query.private.is_empty()
        && let Some(why) = answer.stderr.strip_prefix(format!("{mark} ").as_bytes())
    {
        let why = one_line(&String::from_utf8_lossy(why));
        let message = format!("a private file can't be laid down on {}: {why}", place.name());
        return Err(Fault::new(FaultKind::Node, message).hint(place.how_to_move()));
    }
    match exit {
        Some(_) if !remote.began() => Err(remote.silent(exit)),
        Some(exit) => Ok(Answer { exit, ..answer }),
        None if !remote.began() => Err(remote.silent(None)),
        None => Err(remote.broken()),
    }
}

async fn next(remote: &mut Remote, exit: Option<Exit>) -> Result<Output, Fault> {
    match exit {
        None => remote.next().await,
        Some(_) => timeout(AFTER_EXIT, remote.next()).await.unwrap_or(Ok(Output::Closed)),
    }
}

fn append(stream: &mut Vec<u8>, bytes: &[u8], query: &Query, name: &str) -> Result<(), Fault> {
    if stream.len() + bytes.len() > query.max_output {
        return Err(Fault::new(
            FaultKind::TooMuchOutput,
            format!("{} printed more than {} bytes of {name}", query.argv[0], query.max_output),
        ));
    }
    stream.extend_from_slice(bytes);
    Ok(())
}
