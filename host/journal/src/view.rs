//! The fold: records in, the job as a person wants to see it out.
use crate::{
    ActionClose, ActionId, Created, Exit, Level, Record, Stamped, TargetHost, follow,
    record::FORMAT,
};
use quorate_ring::NodeId;
use quorate_schedule::{Job, JobError, NodeKey, Transition};
use std::collections::BTreeMap;

/// How many messages a view keeps.
const MESSAGES: usize = 200;

/// A job as its records tell it.
#[derive(Clone, Debug)]
pub struct JobView {
    /// What the job is.
    pub created: Created,
    /// How each node is called and reached, by [`NodeId`]: as at its creation, and by address where a later
    /// map of the cluster has a new node or another address.
    pub hosts: Vec<TargetHost>,
    /// When it was made, in milliseconds since 1970.
    pub created_at: u64,
    /// When the newest record was written.
    pub newest_at: u64,
    /// The state machine after all records.
    pub job: Job,
    /// Per node, its newest action.
    pub actions: BTreeMap<NodeId, ActionView>,
    /// Per node, what its command does now.
    pub progress: BTreeMap<NodeId, String>,
    /// The newest lines for people, oldest first.
    pub messages: Vec<Message>,
}

/// An action of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionView {
    /// Which.
    pub id: ActionId,
    /// The program's name.
    pub summary: String,
    /// When it was intended.
    pub since: u64,
    /// How it ended, once it has.
    pub close: Option<ActionClose>,
}

/// A line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// About which node, if about one.
    pub node: Option<NodeId>,
    /// How much it matters.
    pub level: Level,
    /// The line.
    pub text: String,
}

/// Records that make no job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// The first record isn't `created`.
    #[error("the journal doesn't begin with the job's creation")]
    NotCreated,
    /// A second `created`.
    #[error("the journal holds a second creation")]
    CreatedTwice,
    /// Written by another version.
    #[error("the journal has format {0}, this version reads format {FORMAT}")]
    Format(u32),
    /// The job itself is impossible.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl JobView {
    /// Begins a fold with the first record.
    ///
    /// # Errors
    /// It isn't a `created` that this version can read.
    pub fn new(first: &Stamped) -> Result<Self, FoldError> {
        let Record::Created(created) = &first.record else { return Err(FoldError::NotCreated) };
        if created.format != FORMAT {
            return Err(FoldError::Format(created.format));
        }
        let job = Job::new(created.topology.clone(), &created.targets, created.policy.clone())?;
        Ok(Self {
            created: (**created).clone(),
            hosts: created.hosts.clone(),
            created_at: first.at,
            newest_at: first.at,
            job,
            actions: BTreeMap::new(),
            progress: BTreeMap::new(),
            messages: Vec::new(),
        })
    }

    /// Folds all records of a job.
    ///
    /// # Errors
    /// They make no job.
    pub fn fold<'a>(records: impl IntoIterator<Item = &'a Stamped>) -> Result<Self, FoldError> {
        let mut records = records.into_iter();
        let mut view = Self::new(records.next().ok_or(FoldError::NotCreated)?)?;
        for record in records {
            view.apply(record)?;
        }
        Ok(view)
    }

    /// Adds one record.
    ///
    /// # Errors
    /// A second `created`.
    pub fn apply(&mut self, stamped: &Stamped) -> Result<(), FoldError> {
        self.newest_at = self.newest_at.max(stamped.at);
        match &stamped.record {
            Record::Created(_) => return Err(FoldError::CreatedTwice),
            Record::Step(transition) => {
                if let Transition::Proposed(proposed) = transition {
                    for dropped in &proposed.dropped {
                        let text = format!("the strategy's answer: {dropped}");
                        self.message(stamped.at, None, Level::Warn, &text);
                    }
                }
                if let Transition::Started { node, .. } = transition {
                    self.actions.remove(node);
                    self.progress.remove(node);
                }
                if let Transition::Mapped(topology) = transition {
                    let addresses = &self.created.addresses;
                    follow(&mut self.hosts, addresses, self.job.topology(), topology);
                    let changes = topology.changes(self.job.topology()).join(", ");
                    self.message(stamped.at, None, Level::Warn, &format!("a new map: {changes}"));
                }
                self.job.apply(transition, stamped.at);
            }
            Record::Intended { action, node, summary, .. } => {
                let view = ActionView {
                    id: action.clone(),
                    summary: summary.clone(),
                    since: stamped.at,
                    close: None,
                };
                self.actions.insert(*node, view);
            }
            Record::Finished { action, node, close } => {
                if let Some(view) = self.actions.get_mut(node).filter(|view| view.id == *action) {
                    view.close = Some(close.clone());
                }
            }
            Record::Progress { node, text } => {
                self.progress.insert(*node, text.clone());
            }
            Record::Connection { node, text } => {
                self.message(stamped.at, Some(*node), Level::Warn, text);
            }
            Record::Log { node, level, text } => {
                self.message(stamped.at, *node, *level, text);
            }
            Record::Warning { text } => self.message(stamped.at, None, Level::Warn, text),
            Record::Observed { .. } => {}
        }
        Ok(())
    }

    /// The job's name of a node.
    pub fn key(&self, node: NodeId) -> &NodeKey {
        &self.hosts[node.index()].key
    }

    /// The node that the job calls so.
    pub fn by_key(&self, key: &str) -> Option<NodeId> {
        let place = self.hosts.iter().position(|h| h.key.0 == key || h.host == key)?;
        Some(NodeId(place as u32))
    }

    /// Actions that were sent to a node and whose end isn't known.
    pub fn unfinished(&self) -> impl Iterator<Item = (NodeId, &ActionView)> {
        self.actions.iter().filter(|(_, a)| a.close.is_none()).map(|(id, a)| (*id, a))
    }

    /// The exit of a node's newest action.
    pub fn last_exit(&self, node: NodeId) -> Option<Exit> {
        match self.actions.get(&node)?.close {
            Some(ActionClose::Exited(exit)) => Some(exit),
            _ => None,
        }
    }

    fn message(&mut self, at: u64, node: Option<NodeId>, level: Level, text: &str) {
        if self.messages.len() == MESSAGES {
            self.messages.remove(0);
        }
        self.messages.push(Message { at, node, level, text: text.to_owned() });
    }
}
