//! The node that a command runs on.
use crate::{
    CallError, Condition, Failure, Finished, Host, Level, NodeFacts, Nodetool, OnLost, Request,
    RunContext, Script, Shell, WaitResult,
};

/// The current node, and through it everything that the host does for it.
#[derive(Clone, Debug)]
pub struct Node<H> {
    host: H,
    facts: NodeFacts,
    context: RunContext,
}

impl<H: Host> Node<H> {
    /// A node as the host hands it over; commands get theirs ready-made.
    pub fn new(host: H, facts: NodeFacts, context: RunContext) -> Self {
        Self { host, facts, context }
    }

    /// The node as it was when the run began.
    pub fn facts(&self) -> &NodeFacts {
        &self.facts
    }

    /// The job, the stage, the attempt and the node's time limit.
    pub fn context(&self) -> &RunContext {
        &self.context
    }

    /// What is granted to every command: topology, time, chance.
    pub fn host(&self) -> &H {
        &self.host
    }

    /// What the node does now, in a short phrase: the board shows the newest.
    pub fn progress(&self, text: &str) {
        self.host.progress(text);
    }

    /// A line for the person who watches.
    pub fn info(&self, text: &str) {
        self.host.log(Level::Info, text);
    }

    /// A marked line for the person who watches.
    pub fn warn(&self, text: &str) {
        self.host.log(Level::Warn, text);
    }

    /// Sleeps; costs nothing and survives a crash of the host.
    pub fn sleep_ms(&self, duration_ms: u64) {
        self.host.sleep_ms(duration_ms);
    }

    /// This node's facts, read anew.
    ///
    /// # Errors
    /// The node couldn't be asked.
    pub fn refresh(&self) -> Result<NodeFacts, Failure> {
        let facts = self.host.refresh(&self.facts.key);
        facts.map_err(|error| Failure::from(error).because("refresh"))
    }

    /// Waits until a condition of this node holds: `node.wait(Healthy, None)`.
    ///
    /// # Errors
    /// The limit passed (code `timed-out`), or the node can't be watched.
    pub fn wait(
        &self,
        condition: impl Into<Condition>,
        timeout_ms: Option<u64>,
    ) -> Result<WaitResult, Failure> {
        let condition = condition.into();
        self.host.wait(&condition, timeout_ms).map_err(|error| {
            let what = match condition {
                Condition::Healthy {} => "waiting until healthy",
            };
            Failure::from(error).because(what)
        })
    }

    /// nodetool with these arguments; the host adds path, host, port and credentials.
    pub fn nodetool<S: Into<String>>(&self, args: impl IntoIterator<Item = S>) -> NodetoolCall<'_>
    where
        H: Nodetool,
    {
        let args: Vec<String> = args.into_iter().map(Into::into).collect();
        NodetoolCall {
            title: format!("nodetool {}", args.join(" ")),
            timeout_ms: None,
            act: Box::new(move |timeout_ms| self.host.run_nodetool(&args, timeout_ms)),
        }
    }

    /// A program with its arguments; no shell splits or expands them.
    pub fn shell<S: Into<String>>(&self, argv: impl IntoIterator<Item = S>) -> Call<'_>
    where
        H: Shell,
    {
        let argv: Vec<String> = argv.into_iter().map(Into::into).collect();
        Call {
            title: argv.join(" "),
            request: Request::default(),
            act: Box::new(move |request| self.host.run_shell(&argv, request)),
        }
    }

    /// A script of the command's own text. An empty interpreter means the text's own shebang, else
    /// `sh`.
    pub fn script<S: Into<String>>(
        &self,
        text: &str,
        interpreter: &str,
        args: impl IntoIterator<Item = S>,
    ) -> Call<'_>
    where
        H: Script,
    {
        let (text, interpreter) = (text.to_owned(), interpreter.to_owned());
        let args: Vec<String> = args.into_iter().map(Into::into).collect();
        Call {
            title: "script".into(),
            request: Request::default(),
            act: Box::new(move |request| self.host.run_script(&text, &interpreter, &args, request)),
        }
    }
}

/// Runs an action. A closure, so that only a component that makes one of it imports its interface.
type Act<'a> = Box<dyn FnOnce(&Request) -> Result<Finished, CallError> + 'a>;

/// An action that runs when it is asked for its end.
#[must_use = "nothing runs before `check` or `finish`"]
pub struct Call<'a> {
    title: String,
    request: Request,
    act: Act<'a>,
}

impl Call<'_> {
    /// Replaces what its failures call it; the whole command line otherwise.
    pub fn titled(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Gives it standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.request.stdin = bytes.into();
        self
    }

    /// Adds a variable to its environment.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.request.env.push((name.into(), value.into()));
        self
    }

    /// Limits its time in milliseconds.
    pub fn timeout_ms(mut self, timeout_ms: Option<u64>) -> Self {
        self.request.timeout_ms = timeout_ms;
        self
    }

    /// Says what to do when it is lost.
    pub fn on_lost(mut self, on_lost: OnLost) -> Self {
        self.request.on_lost = on_lost;
        self
    }

    /// Runs it to its end, whatever its exit.
    ///
    /// # Errors
    /// It didn't come about, or its end isn't known.
    pub fn finish(self) -> Result<Finished, Failure> {
        let finished = (self.act)(&self.request);
        finished.map_err(|error| Failure::from(error).because(self.title))
    }

    /// Runs it to its end, which must be exit status 0.
    ///
    /// # Errors
    /// Another exit (code `exit`, with the last line of stderr), and those of [`Call::finish`].
    pub fn check(self) -> Result<Finished, Failure> {
        let title = self.title.clone();
        succeeded(title, self.finish()?)
    }
}

/// A nodetool command that runs when it is asked for its end.
#[must_use = "nothing runs before `check` or `finish`"]
pub struct NodetoolCall<'a> {
    title: String,
    timeout_ms: Option<u64>,
    act: Box<dyn FnOnce(Option<u64>) -> Result<Finished, CallError> + 'a>,
}

impl NodetoolCall<'_> {
    /// Limits its time in milliseconds.
    pub fn timeout_ms(mut self, timeout_ms: Option<u64>) -> Self {
        self.timeout_ms = timeout_ms;
        self
    }

    /// Runs it to its end, whatever its exit.
    ///
    /// # Errors
    /// It didn't come about, or its end isn't known.
    pub fn finish(self) -> Result<Finished, Failure> {
        let finished = (self.act)(self.timeout_ms);
        finished.map_err(|error| Failure::from(error).because(self.title))
    }

    /// Runs it to its end, which must be exit status 0.
    ///
    /// # Errors
    /// Another exit (code `exit`, with the last line of stderr), and those of
    /// [`NodetoolCall::finish`].
    pub fn check(self) -> Result<Finished, Failure> {
        let title = self.title.clone();
        succeeded(title, self.finish()?)
    }
}

fn succeeded(title: String, finished: Finished) -> Result<Finished, Failure> {
    if finished.succeeded() {
        Ok(finished)
    } else {
        Err(Failure::new("exit", finished.describe()).because(title))
    }
}
