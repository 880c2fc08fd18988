//! Which facts of a preflight are troubles, and what helps.
use crate::preflight::{Checked, Detaching, LiveAction, Look, Probe, Unreached, UnreachedKind};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    format,
    string::{String, ToString},
    vec::Vec,
};
use quorate_ring::NodeId;

/// Less than this and an action's files may not even be made.
const LEAST_KIB: u64 = 1024;
/// Less than this is told: outputs lie there until they have been fetched.
const LITTLE_KIB: u64 = 64 * 1024;
/// An action makes some ten files.
const LEAST_FILES: u64 = 20;
const LITTLE_FILES: u64 = 1000;
/// Clocks that are certainly further apart are told: Cassandra orders writes by them.
const SKEW_MS: i64 = 1000;
/// With fewer sessions, an action and a question about its node don't go side by side.
const LEAST_SESSIONS: u32 = 2;
/// As many as are used at a time.
const SESSIONS: u32 = 8;
/// File systems that a restart empties.
const VOLATILE: [&str; 3] = ["tmpfs", "ramfs", "devtmpfs"];
/// File systems that another machine has.
const REMOTE: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "fuse.sshfs",
    "fuse.glusterfs",
    "lustre",
    "gpfs",
    "beegfs",
    "virtiofs",
];

/// One trouble, and the nodes that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Which.
    pub kind: TroubleKind,
    /// Whether a job would fail on these nodes.
    pub breaks: bool,
    /// In the order of the ring's list.
    pub nodes: Vec<NodeId>,
    /// What it is; the nodes are the subject and aren't named.
    pub text: String,
    /// What to do about it; empty where the text says it.
    pub cure: String,
}

/// The kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TroubleKind {
    /// No answer.
    Unreachable,
    /// No login.
    Login,
    /// sudo refuses.
    Sudo,
    /// No `sh`.
    Shell,
    /// The state of actions can't be written.
    Directory,
    /// The disk is full, or nearly.
    Space,
    /// What every node must have isn't there.
    Tools,
    /// nodetool or another program of the job isn't there, or nodetool fails.
    Program,
    /// Nothing outlives its connection.
    Detachment,
    /// Few sessions.
    Sessions,
    /// The state of actions is on a file system that a restart empties.
    Volatile,
    /// The state of actions is on another machine.
    Remote,
    /// Two nodes have one directory.
    Shared,
    /// Clocks.
    Clock,
    /// Actions run already.
    Live,
}

impl TroubleKind {
    /// One word, stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Login => "login",
            Self::Sudo => "sudo",
            Self::Shell => "shell",
            Self::Directory => "directory",
            Self::Space => "space",
            Self::Tools => "tools",
            Self::Program => "program",
            Self::Detachment => "detachment",
            Self::Sessions => "sessions",
            Self::Volatile => "volatile",
            Self::Remote => "remote",
            Self::Shared => "shared",
            Self::Clock => "clock",
            Self::Live => "live",
        }
    }
}

/// The troubles of a look, worst first; the same one of several nodes is one.
pub fn troubles(look: &Look) -> Vec<Trouble> {
    let mut found = Gathered::default();
    for checked in &look.nodes {
        match &checked.probe {
            Err(unreached) => found.add(checked.node, unreachable(look, checked.node, unreached)),
            Ok(probe) => {
                for one in of_probe(look, probe) {
                    found.add(checked.node, one);
                }
                if let Some(one) = of_version(look, checked, probe) {
                    found.add(checked.node, one);
                }
            }
        }
    }
    shared(look, &mut found);
    clocks(look, &mut found);
    found.sorted()
}

/// A trouble without its nodes.
struct One {
    kind: TroubleKind,
    breaks: bool,
    text: String,
    cure: String,
}

#[derive(Default)]
struct Gathered(Vec<Trouble>);

impl Gathered {
    fn add(&mut self, node: NodeId, one: One) {
        let One { kind, breaks, text, cure } = one;
        let same =
            |known: &&mut Trouble| known.kind == kind && known.text == text && known.cure == cure;
        match self.0.iter_mut().find(same) {
            Some(known) => known.nodes.push(node),
            None => self.0.push(Trouble { kind, breaks, nodes: [node].into(), text, cure }),
        }
    }

    fn sorted(mut self) -> Vec<Trouble> {
        self.0
            .sort_by_key(|trouble| (!trouble.breaks, trouble.kind, trouble.nodes.first().copied()));
        self.0
    }
}

fn breaks(kind: TroubleKind, text: impl Into<String>, cure: impl Into<String>) -> One {
    One { kind, breaks: true, text: text.into(), cure: cure.into() }
}

fn warns(kind: TroubleKind, text: impl Into<String>, cure: impl Into<String>) -> One {
    One { breaks: false, ..breaks(kind, text, cure) }
}

fn unreachable(look: &Look, node: NodeId, unreached: &Unreached) -> One {
    let kind = match unreached.kind {
        UnreachedKind::NoAnswer => TroubleKind::Unreachable,
        UnreachedKind::NoLogin | UnreachedKind::Ours => TroubleKind::Login,
        UnreachedKind::SudoDenied => TroubleKind::Sudo,
        UnreachedKind::NoShell => TroubleKind::Shell,
    };
    let dead = kind == TroubleKind::Unreachable && look.down.contains(&node);
    match dead {
        true => breaks(
            kind,
            format!("is down in gossip as well, and not to be reached: {}", unreached.message),
            "bring the machine back, or leave it out: --ignore-down-nodes, or --dc-filter for the others",
        ),
        false => breaks(kind, &*unreached.message, &*unreached.hint),
    }
}

fn of_probe(look: &Look, probe: &Probe) -> Vec<One> {
    let mut found = Vec::new();
    let directory = &probe.directory;
    let elsewhere = "--remote-dir names another directory";
    if let Some(why) = &probe.unwritable {
        let full = space_short(probe);
        let text = format!("{directory} can't be written to by {}: {why}", probe.user);
        found.push(match full {
            true => breaks(TroubleKind::Space, text, format!("make room there; {elsewhere}")),
            false => breaks(TroubleKind::Directory, text, elsewhere),
        });
    } else {
        found.extend(space(probe));
    }
    if !probe.missing.is_empty() {
        let text = format!("lacks what every action needs: {}", probe.missing.join(", "));
        found.push(breaks(TroubleKind::Tools, text, "install coreutils, or BusyBox"));
    }
    for program in &probe.absent {
        found.push(breaks(
            TroubleKind::Program,
            format!("{program} isn't in the PATH of {}", probe.user),
            "make it findable for a login that isn't interactive (with --sudo: secure_path in sudoers)",
        ));
    }
    if probe.detaching == Detaching::Impossible {
        found.push(breaks(
            TroubleKind::Detachment,
            "has neither setsid nor an sh with job control: nothing can outlive the connection",
            "install util-linux, or BusyBox",
        ));
    }
    if probe.outlives == Some(false) {
        found.push(breaks(
            TroubleKind::Detachment,
            "ends what was started when its connection ends: no action would survive a broken one",
            format!(
                "loginctl enable-linger {} and KillUserProcesses=no in /etc/systemd/logind.conf, then systemctl restart systemd-logind",
                probe.user
            ),
        ));
    }
    found.extend(sessions(probe));
    found.extend(file_system(probe));
    found.extend(live(look, &probe.live));
    found
}

fn space_short(probe: &Probe) -> bool {
    let below = |free: Option<u64>, least| free.is_some_and(|free| free < least);
    below(probe.free_kib, LEAST_KIB) || below(probe.free_files, LEAST_FILES)
}

fn space(probe: &Probe) -> Option<One> {
    let cure = "make room there; --remote-dir names another directory";
    let directory = &probe.directory;
    let text = match (probe.free_kib, probe.free_files) {
        (Some(kib), _) if kib < LITTLE_KIB => format!("{kib} KiB are free for {directory}"),
        (_, Some(files)) if files < LITTLE_FILES => {
            format!("no more than {files} files can be made for {directory} (inodes)")
        }
        _ => return None,
    };
    Some(One { breaks: space_short(probe), ..warns(TroubleKind::Space, text, cure) })
}

fn sessions(probe: &Probe) -> Option<One> {
    let sessions = probe.sessions.filter(|sessions| *sessions < SESSIONS)?;
    let text = format!(
        "its sshd lets a connection have {sessions} of the {SESSIONS} sessions that are used at a time"
    );
    let one = warns(TroubleKind::Sessions, text, "MaxSessions 10 in its sshd_config (the default)");
    Some(One { breaks: sessions < LEAST_SESSIONS, ..one })
}

fn file_system(probe: &Probe) -> Option<One> {
    let kind = probe.file_system.as_deref()?;
    let directory = &probe.directory;
    if VOLATILE.contains(&kind) {
        return Some(warns(
            TroubleKind::Volatile,
            format!(
                "{directory} is on {kind}: after a restart of the machine nobody knows what ran"
            ),
            "--remote-dir names a directory on a disk",
        ));
    }
    REMOTE.contains(&kind).then(|| {
        warns(
            TroubleKind::Remote,
            format!("{directory} is on {kind}: where its server hangs, so do the actions"),
            "--remote-dir names a directory on a disk of the node",
        )
    })
}

fn live(look: &Look, live: &[LiveAction]) -> Option<One> {
    let others: BTreeSet<&LiveAction> =
        live.iter().filter(|action| look.job.as_ref() != Some(&action.job)).collect();
    let first = others.first()?;
    let more = match others.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Some(warns(
        TroubleKind::Live,
        format!("runs the action {} of job {}{more}", first.action, first.job),
        format!(
            "wait for it, or look at it: quorate show {} where that job was started",
            first.job
        ),
    ))
}

/// A node that is down answers no nodetool; where the program is absent, that has been said.
fn of_version(look: &Look, checked: &Checked, probe: &Probe) -> Option<One> {
    let failed = checked.version.as_ref()?.as_ref().err()?;
    let expected = look.down.contains(&checked.node) || !probe.absent.is_empty();
    (!expected).then(|| breaks(TroubleKind::Program, &*failed.message, &*failed.hint))
}

/// Nodes with one directory, unless they are one machine: each is told with all the others.
fn shared(look: &Look, found: &mut Gathered) {
    for checked in &look.nodes {
        let Ok(probe) = &checked.probe else { continue };
        let elsewhere =
            probe.sharing.iter().filter(|other| other.boot.is_none() || other.boot != probe.boot);
        let names: BTreeSet<&str> = elsewhere.map(|other| other.node.as_str()).collect();
        let Some(first) = names.first() else { continue };
        let more = match names.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        found.add(
            checked.node,
            warns(
                TroubleKind::Shared,
                format!(
                    "{} is the directory of {first}{more} too (a home for several machines?)",
                    probe.directory
                ),
                "--remote-dir names a directory on a disk of the node",
            ),
        );
    }
}

/// Clocks that are certainly apart: from most of the nodes, or all of them from the operator's.
fn clocks(look: &Look, found: &mut Gathered) {
    let mut skews = BTreeMap::new();
    for checked in &look.nodes {
        if let Ok(Probe { skew: Some(skew), .. }) = &checked.probe {
            skews.insert(checked.node, *skew);
        }
    }
    let mut likely: Vec<i64> = skews.values().map(|skew| skew.likely_ms()).collect();
    likely.sort_unstable();
    let Some(middle) = likely.get(likely.len() / 2).copied() else { return };
    let ours = skews.values().filter(|skew| apart(skew.least_ms, skew.most_ms, 0)).count();
    let is_ours = skews.len() > 1 && ours * 2 > skews.len();
    let zero = if is_ours { middle } else { 0 };
    for (node, skew) in &skews {
        if apart(skew.least_ms, skew.most_ms, zero) {
            let off = tell(skew.likely_ms() - zero);
            let than = if is_ours { "most nodes'" } else { "this machine's" };
            let cure = "set it right (chrony or another NTP client): Cassandra orders writes by it";
            found.add(*node, warns(TroubleKind::Clock, format!("its clock is {off} {than}"), cure));
        } else if is_ours && apart(skew.least_ms, skew.most_ms, 0) {
            let off = tell(-middle);
            let text = format!("this machine's clock is {off} that of most nodes");
            found.add(*node, warns(TroubleKind::Clock, text, "set this machine's clock right"));
        }
    }
}

fn apart(least: i64, most: i64, zero: i64) -> bool {
    least - zero > SKEW_MS || zero - most > SKEW_MS
}

/// Rounded to half seconds, so that nodes that are alike are told together.
fn tell(ms: i64) -> String {
    let half = (ms.abs() + 250) / 500;
    let seconds = match half % 2 {
        0 => (half / 2).to_string(),
        _ => format!("{}.5", half / 2),
    };
    match ms < 0 {
        true => format!("{seconds} s behind"),
        false => format!("{seconds} s ahead of"),
    }
}

#[cfg(test)]
#[path = "troubles_tests.rs"]
mod tests;
