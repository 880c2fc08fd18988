//! A look at a node, before anything is done to it: what its shell tells, read into facts.
use crate::{
    channel::{Input, Output, Remote},
    fault::{Fault, one_line},
    links::{Link, Links, Purpose},
    remote::{self, Script, unsafe_name},
};
use bytes::Bytes;
use quorate_ports::{Detaching, FaultKind, LiveAction, Probe, ProbeRequest, Sharer, Skew, Target};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::timeout;

/// Thousands of actions that run, or of nodes that share a directory.
const LONGEST: usize = 1 << 20;

/// Looks at a node.
///
/// # Errors
/// It can't be reached, or doesn't run our shell.
pub(crate) async fn probe(
    links: &Links,
    target: &Target,
    request: &ProbeRequest,
) -> Result<Probe, Fault> {
    let root = links.options().remote_dir.as_deref();
    let script = remote::probe(&target.node, request, root)?;
    let link = links.link(&target.host).await?;
    let told = ask(&link, script, request.timeout).await?;
    let mut probe = read(&told)?;
    if request.thorough {
        probe.sessions = Some(link.sessions().await?);
        links.let_go(link, &target.host).await;
        let link = links.link(&target.host).await?;
        let script = remote::outlived(&target.node, root)?;
        let told = ask(&link, script, request.timeout).await?;
        probe.outlives = outlives(&told)?;
    }
    Ok(probe)
}

/// What a script printed, and when.
struct Told {
    text: String,
    sent: Duration,
    /// When its first line had come.
    began: Duration,
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Runs a script. The way to the node isn't counted: many wait for their turn there.
async fn ask(link: &Arc<Link>, script: Script, limit: Duration) -> Result<Told, Fault> {
    match timeout(limit, run(link.open(Purpose::Query).await?, script)).await {
        Ok(told) => told,
        Err(_) => Err(Fault::new(
            FaultKind::TimedOut,
            format!("its shell did not answer within {} s", limit.as_secs()),
        )
        .hint("is the machine overloaded, or does a directory hang (NFS)?")),
    }
}

async fn run(mut remote: Remote, script: Script) -> Result<Told, Fault> {
    let sent = now();
    remote.start(script, Input::Bytes(Bytes::new()));
    let mut bytes = Vec::new();
    let (mut began, mut exit) = (None, None);
    loop {
        match remote.next().await? {
            Output::Stdout(more) => {
                bytes.extend_from_slice(&more);
                if bytes.len() > LONGEST {
                    let message = format!("the look at the node printed more than {LONGEST} bytes");
                    return Err(Fault::new(FaultKind::TooMuchOutput, message));
                }
                if bytes.contains(&b'\n') {
                    began.get_or_insert_with(now);
                }
            }
            Output::Stderr(_) => {}
            Output::Exit(how) => exit = Some(how),
            Output::Closed => break,
        }
    }
    if !remote.began() {
        return Err(remote.silent(exit));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(Told { text, sent, began: began.unwrap_or_else(now) })
}

/// Reads what the probe printed.
fn read(told: &Told) -> Result<Probe, Fault> {
    let mut probe = Probe::default();
    let mut ended = false;
    for line in told.text.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let value = || one_line(rest);
        match word {
            "clock" => probe.skew = skew(rest, told.sent, told.began),
            "user" => probe.user = value(),
            "directory" => probe.directory = value(),
            "boot" => probe.boot = Some(value()),
            "missing" if probe.missing.contains(&value()) => {}
            "missing" => probe.missing.push(value()),
            "absent" => probe.absent.push(value()),
            "detaching" => {
                probe.detaching = match rest {
                    "setsid" => Detaching::Setsid,
                    "job-control" => Detaching::JobControl,
                    "no" => Detaching::Impossible,
                    _ => return Err(garbled(line)),
                }
            }
            // A disk that is more than full has a negative number.
            "kib" => probe.free_kib = rest.parse::<i64>().ok().map(|free| free.max(0) as u64),
            "files" => probe.free_files = rest.parse::<i64>().ok().map(|free| free.max(0) as u64),
            "system" => probe.file_system = Some(value()),
            "unwritable" => probe.unwritable = Some(value()),
            "sharing" => {
                let (node, boot) = rest.split_once(' ').unwrap_or((rest, ""));
                let boot = (!boot.is_empty() && boot != "-").then(|| one_line(boot));
                probe.sharing.push(Sharer { node: one_line(&unsafe_name(node)), boot });
            }
            "live" => {
                let (job, action) = rest.split_once(' ').ok_or_else(|| garbled(line))?;
                let [job, action] = [job, action].map(|name| one_line(&unsafe_name(name)));
                probe.live.push(LiveAction { job, action });
            }
            // The prelude's: there is no directory.
            "fault" => {
                probe.unwritable = Some(value());
                "the directory of actions".clone_into(&mut probe.directory);
                "the login".clone_into(&mut probe.user);
                // Nothing of it was looked at.
                probe.detaching = Detaching::Setsid;
                ended = true;
            }
            "looked" => ended = true,
            _ => return Err(garbled(line)),
        }
    }
    match ended {
        true => Ok(probe),
        false => Err(Fault::new(FaultKind::Disconnected, "the look at the node broke off")),
    }
}

/// Bounds of how far the node's clock is ahead: it was read after the script was sent and before its line came.
fn skew(clock: &str, sent: Duration, came: Duration) -> Option<Skew> {
    let (seconds, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let seconds: i64 = seconds.parse().ok()?;
    let digits: String = fraction.chars().chain("000".chars()).take(3).collect();
    let read_ms = seconds.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    // Whole seconds were cut off.
    let uncertain = if fraction.is_empty() { 999 } else { 0 };
    let (sent, came) = (sent.as_millis() as i64, came.as_millis() as i64);
    Some(Skew { least_ms: read_ms - came, most_ms: read_ms + uncertain - sent })
}

fn outlives(told: &Told) -> Result<Option<bool>, Fault> {
    let line = told.text.lines().next().unwrap_or_default();
    match line {
        "outlives yes" => Ok(Some(true)),
        "outlives no" => Ok(Some(false)),
        // It could not be left there, which has been told.
        "outlives unknown" => Ok(None),
        _ if line.starts_with("fault ") => Ok(None),
        _ => Err(garbled(line)),
    }
}

fn garbled(line: &str) -> Fault {
    let shown = one_line(line);
    Fault::new(
        FaultKind::Node,
        format!("the look at the node printed what it never should: {shown:?}"),
    )
    .hint("does something on the node print into every session?")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Told {
        Told {
            text: text.into(),
            sent: Duration::from_millis(99_900),
            began: Duration::from_millis(100_300),
        }
    }

    #[test]
    fn facts_are_read_line_by_line() {
        let probe = read(&told(
            "clock 100.250\nuser ann\ndirectory /d e/.quorate\nboot b\nmissing ls -ln\nabsent nodetool\n\
             detaching job-control\nfiles 12\nkib -3\nsystem nfs4\nsharing fe80%3A%3A1 c\nsharing n2 -\n\
             live k3f9 n%20x,main,1,2\nunwritable no room\nlooked\n",
        ))
        .unwrap();
        assert_eq!(probe.skew, Some(Skew { least_ms: -50, most_ms: 350 }));
        assert_eq!((probe.user.as_str(), probe.directory.as_str()), ("ann", "/d e/.quorate"));
        assert_eq!((probe.missing, probe.absent), (vec!["ls -ln".into()], vec!["nodetool".into()]));
        assert_eq!((probe.free_kib, probe.free_files), (Some(0), Some(12)));
        assert_eq!(probe.detaching, Detaching::JobControl);
        let sharer = |node: &str, boot: Option<&str>| Sharer {
            node: node.into(),
            boot: boot.map(Into::into),
        };
        assert_eq!(probe.sharing, [sharer("fe80::1", Some("c")), sharer("n2", None)]);
        assert_eq!(probe.live, [LiveAction { job: "k3f9".into(), action: "n x,main,1,2".into() }]);
        assert_eq!(probe.unwritable.as_deref(), Some("no room"));
    }

    #[test]
    fn what_broke_off_or_is_not_ours_is_an_error() {
        for (text, kind) in [
            ("", FaultKind::Disconnected),
            ("user ann\n", FaultKind::Disconnected),
            ("welcome\nlooked\n", FaultKind::Node),
            ("detaching perhaps\nlooked\n", FaultKind::Node),
        ] {
            assert_eq!(read(&told(text)).unwrap_err().kind, kind, "{text}");
        }
        assert!(outlives(&told("")).is_err());
        let probe = read(&told("fault HOME is not set\n")).unwrap();
        assert_eq!(probe.unwritable.as_deref(), Some("HOME is not set"));
    }

    #[test]
    fn a_clock_of_whole_seconds_is_less_certain() {
        let of = |clock: &str| read(&told(&format!("clock {clock}\nlooked\n"))).unwrap().skew;
        assert_eq!(of("100"), Some(Skew { least_ms: -300, most_ms: 1099 }));
        assert_eq!(of("100.5"), Some(Skew { least_ms: 200, most_ms: 600 }));
        assert_eq!(of("%s"), None);
        assert_eq!(of(""), None);
    }
}
