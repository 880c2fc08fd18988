//! Flags of cstar that change nothing here. They are accepted, so that lines that worked go on working, and each that was
//! given is named once.
use clap::Args;
use std::path::PathBuf;

/// With a command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CstarArgs {
    /// Connections are made as fast as --ssh-handshakes allows
    #[arg(long, hide = true, value_name = "SECONDS")]
    ssh_pause_time: Option<f64>,
    /// There is one way to log in
    #[arg(long, hide = true, value_name = "LIBRARY")]
    ssh_lib: Option<String>,
}

/// With `continue` and `cleanup-jobs`: what the job itself remembers.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RememberedArgs {
    #[arg(long, hide = true, value_name = "DIR")]
    output_directory: Option<PathBuf>,
    #[arg(long, hide = true)]
    ignore_down_nodes: bool,
    #[arg(long, hide = true, value_name = "ID")]
    enforced_job_id: Option<String>,
    #[arg(long, hide = true, value_name = "USER")]
    ssh_username: Option<String>,
    #[arg(long, hide = true, value_name = "FILE")]
    ssh_identity_file: Vec<PathBuf>,
}

impl CstarArgs {
    /// What to say of flags that were given and change nothing.
    pub(crate) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.ssh_pause_time.is_some_and(|seconds| seconds > 0.0) {
            notes.push(
                "--ssh-pause-time changes nothing here: so many logins at a time as --ssh-handshakes says are made, \
                 without pauses"
                    .into(),
            );
        }
        if let Some(library) = &self.ssh_lib {
            notes.push(format!(
                "--ssh-lib {library} changes nothing here: there is one way to log in"
            ));
        }
        notes
    }
}

impl RememberedArgs {
    /// What to say of flags that were given and change nothing.
    pub(crate) fn notes(&self) -> Vec<String> {
        let given = [
            ("--output-directory", self.output_directory.is_some()),
            ("--ignore-down-nodes", self.ignore_down_nodes),
            ("--enforced-job-id", self.enforced_job_id.is_some()),
            ("--ssh-username", self.ssh_username.is_some()),
            ("--ssh-identity-file", !self.ssh_identity_file.is_empty()),
        ];
        let given = given.into_iter().filter(|(_, given)| *given);
        given
            .map(|(flag, _)| format!("{flag} changes nothing here: a job keeps what it began with"))
            .collect()
    }
}
