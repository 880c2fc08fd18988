//! Actions: delivered, followed, and followed again after every break until they end.
use crate::{
    channel::{Input, Output, Remote},
    connect::Backoff,
    fault::{Fault, one_line},
    frames::{Ended, Frame, Frames},
    links::Purpose,
    place::Place,
    remote::{self, Bundle, Offsets},
};
use bytes::Bytes;
use quorate_ports::{Action, ActionEnd, ActionId, ActionWatch, Exit, FaultKind, Stream};
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Attachments in a row that got nowhere although the connection was fine, until the node counts as unable.
const ATTEMPTS: u32 = 3;
/// Without anything from the node, not even a beat (every 5 s or so), the attachment is given up and made anew;
/// unless the node still takes input, which may be long and the way narrow.
const SILENCE: Duration = Duration::from_secs(90);
/// For the removal of an action's files on the channel that it was followed on.
const LINGERING: Duration = Duration::from_secs(10);
/// Kept of what the scripts print on standard error, for errors.
const WORDS: usize = 2048;

/// What is known of an action.
#[derive(Debug, Default)]
struct Progress {
    /// Delivered to the watch.
    delivered: Offsets,
    /// A bundle was sent, so that it may have started.
    sent: bool,
    /// It was claimed: it is there, and no bundle is needed any more.
    claimed: bool,
    /// Attachments in a row that got nowhere although the connection was fine.
    failures: u32,
    /// Since when there has been no attachment, and the last reason that was told.
    broken: Option<(Instant, String)>,
}

/// Why an attachment ended before the action did.
enum Stop {
    /// Nothing that another attempt would change, or that may be tried again.
    Final(Fault),
    /// The connection, or the node for the moment.
    Again(Fault),
}

/// Runs an action to its end.
pub(crate) async fn act(
    place: &Place<'_>,
    action: &Action,
    watch: &dyn ActionWatch,
) -> Result<ActionEnd, Fault> {
    let bundle = remote::bundle(action, place.kill_grace())?;
    let mut progress = Progress::default();
    let mut backoff = backoff();
    loop {
        let before = progress.delivered;
        let claimed = progress.claimed;
        match attachment(place, action, &bundle, &mut progress, watch).await {
            Ok(end) => return Ok(end),
            // It may run: to say that it was never started would be a lie.
            Err(Stop::Final(fault))
                if progress.claimed || progress.sent && !is_the_nodes(&fault) =>
            {
                return Ok(ActionEnd::Lost(fault.message));
            }
            Err(Stop::Final(fault)) => return Err(fault),
            Err(Stop::Again(fault)) => {
                if progress.delivered != before || progress.claimed != claimed {
                    backoff = self::backoff();
                    progress.failures = 0;
                }
                progress.tell(watch, &fault);
            }
        }
        sleep(backoff.next()).await;
    }
}

fn backoff() -> Backoff {
    Backoff::new(Duration::from_millis(200), Duration::from_secs(20))
}

impl Progress {
    /// Tells that there is no attachment; once for each reason.
    fn tell(&mut self, watch: &dyn ActionWatch, fault: &Fault) {
        let state = match self.claimed {
            true => "the action goes on there; attaching again",
            false => "delivering again, which can't start it twice",
        };
        match &mut self.broken {
            None => {
                watch.connection(&format!("{}; {state}", fault.message));
                self.broken = Some((Instant::now(), fault.message.clone()));
            }
            Some((_, told)) if *told != fault.message => {
                watch.connection(&format!("still not attached: {}", fault.message));
                told.clone_from(&fault.message);
            }
            Some(_) => {}
        }
    }

    /// No channel could be opened. Before anything was sent that is the caller's affair, after a few tries; later it
    /// doesn't end an action.
    fn unopened(&mut self, fault: Fault) -> Stop {
        match (self.sent, fault.kind) {
            (true, _) => Stop::Again(fault),
            (false, FaultKind::Disconnected) => self.unable(fault),
            (false, _) => Stop::Final(fault),
        }
    }

    /// The attachment got nowhere, for a reason that may pass or not.
    fn unable(&mut self, fault: Fault) -> Stop {
        self.failures += 1;
        match self.failures >= ATTEMPTS {
            true => Stop::Final(fault),
            false => Stop::Again(fault),
        }
    }
}

/// One attachment, from the connection to the action's end or its own.
async fn attachment(
    place: &Place<'_>,
    action: &Action,
    bundle: &Bundle,
    progress: &mut Progress,
    watch: &dyn ActionWatch,
) -> Result<ActionEnd, Stop> {
    let reached = match place.reach().await {
        Ok(reached) => reached,
        // This has been tried several times already.
        Err(fault) if !progress.sent => return Err(Stop::Final(fault)),
        Err(fault) => return Err(Stop::Again(fault)),
    };
    let mut remote =
        reached.open(Purpose::Attachment).await.map_err(|fault| progress.unopened(fault))?;
    let root = place.root();
    let from = progress.delivered;
    let started = match progress.claimed {
        true => remote::attach(&action.id, root, from).map(|script| (script, None)),
        false => remote::start(&action.id, root, bundle, from),
    };
    let (script, behind) = started.map_err(Stop::Final)?;
    let first = !progress.sent;
    let stays = behind.is_none();
    remote.start(script, behind.map_or(Input::Open, Input::Bytes));
    progress.sent = true;
    let end = follow(place, &mut remote, first, progress, watch).await?;
    if stays && matches!(end, ActionEnd::Exited(_) | ActionEnd::TimedOut { .. }) {
        place.lingering().keep(&action.id, remote);
    }
    Ok(end)
}

/// Reads what an attachment prints.
async fn follow(
    place: &Place<'_>,
    remote: &mut Remote,
    first: bool,
    progress: &mut Progress,
    watch: &dyn ActionWatch,
) -> Result<ActionEnd, Stop> {
    let mut frames = Frames::default();
    let mut words = Vec::new();
    let mut exit = None;
    loop {
        let output = match timeout(SILENCE, remote.next()).await {
            Ok(output) => output.map_err(|fault| refused(fault, first))?,
            Err(_) if remote.is_sending() => continue,
            Err(_) => {
                let message =
                    format!("nothing came from {} for {} s", place.name(), SILENCE.as_secs());
                return Err(Stop::Again(Fault::new(FaultKind::Disconnected, message)));
            }
        };
        match output {
            Output::Stdout(bytes) => frames.push(&bytes),
            Output::Stderr(bytes) => {
                words.extend_from_slice(
                    &bytes[..bytes.len().min(WORDS.saturating_sub(words.len()))],
                );
            }
            Output::Exit(how) => exit = Some(how),
            Output::Closed => return Err(ended_early(remote, exit, &words, first, progress)),
        }
        while let Some(frame) = frames.next().map_err(|fault| progress.unable(fault))? {
            if let Some(end) = take(place, frame, first, progress, watch)? {
                return Ok(end);
            }
        }
    }
}

/// Told by the node, before anything was started.
fn is_the_nodes(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Node | FaultKind::Sudo)
}

/// A server that refuses to run anything won't run it the next time either.
fn refused(fault: Fault, first: bool) -> Stop {
    match is_the_nodes(&fault) && first {
        true => Stop::Final(fault),
        false => Stop::Again(fault),
    }
}

/// The attachment's script ended without having told the action's end.
fn ended_early(
    remote: &Remote,
    exit: Option<Exit>,
    words: &[u8],
    first: bool,
    progress: &mut Progress,
) -> Stop {
    if !remote.began() {
        // The mark comes before anything else: nothing was started.
        return refused(remote.silent(exit), first && exit.is_some());
    }
    let how = exit.map_or_else(|| "without a status".to_owned(), |exit| exit.to_string());
    let said = one_line(&String::from_utf8_lossy(words));
    let message = format!("the attachment ended by itself ({how}) {said}");
    let fault = Fault::new(FaultKind::Node, message.trim_end());
    match progress.claimed || exit.is_none() {
        true => Stop::Again(fault),
        false => progress.unable(fault),
    }
}

/// Acts on a frame; the action's end where it tells one.
fn take(
    place: &Place<'_>,
    frame: Frame,
    first: bool,
    progress: &mut Progress,
    watch: &dyn ActionWatch,
) -> Result<Option<ActionEnd>, Stop> {
    match frame {
        Frame::Beat => {}
        Frame::Claimed => {
            progress.claimed = true;
            if let Some((since, _)) = progress.broken.take() {
                watch.connection(&format!(
                    "attached again after {:.1} s",
                    since.elapsed().as_secs_f64()
                ));
            }
        }
        Frame::Data { stream, offset, bytes } => {
            let delivered = match stream {
                Stream::Stdout => &mut progress.delivered.out,
                Stream::Stderr => &mut progress.delivered.err,
            };
            if offset != *delivered {
                let message =
                    format!("output from byte {offset} came where byte {delivered} was due");
                return Err(progress.unable(Fault::new(FaultKind::Node, message)));
            }
            watch
                .output(stream, &bytes)
                .map_err(|message| Stop::Final(Fault::new(FaultKind::Local, message)))?;
            *delivered += bytes.len() as u64;
        }
        Frame::Ended(Ended::Exit(exit)) => return Ok(Some(ActionEnd::Exited(exit))),
        Frame::Ended(Ended::Timeout(limit_ms)) => {
            return Ok(Some(ActionEnd::TimedOut { limit_ms }));
        }
        Frame::Lost(why) => return Ok(Some(ActionEnd::Lost(why))),
        Frame::Fault(why) => return Err(refused(unfit(place, &why), first)),
        Frame::Short => {
            let message = "the action did not arrive whole; nothing was started";
            return Err(progress.unable(Fault::new(FaultKind::Disconnected, message)));
        }
        Frame::Forgotten => {
            return Err(Stop::Final(Fault::new(
                FaultKind::Node,
                "the attachment printed the end of another script",
            )));
        }
    }
    Ok(None)
}

fn unfit(place: &Place<'_>, why: &str) -> Fault {
    Fault::new(FaultKind::Node, format!("{} can't take the action: {why}", place.name()))
        .hint(place.how_to_move())
}

/// Removes what an ended action left.
pub(crate) async fn forget(place: &Place<'_>, id: &ActionId) -> Result<(), Fault> {
    if let Some(mut remote) = place.lingering().take(id) {
        let asked = async {
            remote.send(remote::FORGET_LINE).await?;
            forgotten(&mut remote, id).await
        };
        // Whatever went wrong, a channel of its own tells.
        if let Ok(Ok(())) = timeout(LINGERING, asked).await {
            return Ok(());
        }
    }
    let mut tries = ATTEMPTS;
    loop {
        tries -= 1;
        match timeout(SILENCE, forget_once(place, id)).await {
            Ok(Err(fault)) if fault.kind == FaultKind::Disconnected && tries > 0 => {}
            Ok(result) => return result,
            Err(_) => {
                return Err(Fault::new(
                    FaultKind::TimedOut,
                    format!("the files of {id} were not removed within {} s", SILENCE.as_secs()),
                ));
            }
        }
    }
}

async fn forget_once(place: &Place<'_>, id: &ActionId) -> Result<(), Fault> {
    let mut remote = place.reach().await?.open(Purpose::Query).await?;
    remote.start(remote::forget(id, place.root())?, Input::Bytes(Bytes::new()));
    forgotten(&mut remote, id).await
}

/// Reads what the removal of an action's files prints.
async fn forgotten(remote: &mut Remote, id: &ActionId) -> Result<(), Fault> {
    let mut frames = Frames::default();
    let mut exit = None;
    loop {
        match remote.next().await? {
            Output::Stdout(bytes) => frames.push(&bytes),
            Output::Stderr(_) => {}
            Output::Exit(how) => exit = Some(how),
            Output::Closed if !remote.began() => return Err(remote.silent(exit)),
            Output::Closed => return Err(remote.broken()),
        }
        match frames.next()? {
            None => {}
            Some(Frame::Forgotten) => return Ok(()),
            Some(Frame::Fault(why)) => {
                return Err(Fault::new(
                    FaultKind::Node,
                    format!("the files of {id} can't be removed: {why}"),
                ));
            }
            Some(frame) => {
                return Err(Fault::new(
                    FaultKind::Node,
                    format!("removing the files of {id} printed {frame:?}"),
                ));
            }
        }
    }
}
