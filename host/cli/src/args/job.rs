//! What a job is called, and where its outputs go.
use clap::Args;
use std::path::PathBuf;

/// What a job is called, and where its outputs go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct JobArgs {
    /// Outputs of this job go to DIR/NODE/{out,err,status} [default: ~/.quorate/jobs/JOB]
    #[arg(long, value_name = "DIR")]
    pub(crate) output_directory: Option<PathBuf>,
    /// The job's id, for those who keep track elsewhere: letters, digits, `-`, `_` and `.`
    #[arg(long, value_name = "ID", value_parser = job_id)]
    pub(crate) enforced_job_id: Option<String>,
}

/// An id that can be a file's name anywhere.
fn job_id(text: &str) -> Result<String, String> {
    let usable = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match begins && text.len() <= 64 && text.chars().all(usable) {
        true => Ok(text.to_owned()),
        false => Err("1 to 64 letters, digits, `-`, `_` and `.`, a letter or digit first".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_that_no_file_system_minds() {
        for good in ["90642c11-4714-44c4-a13a-94b86f09e3bb", "OPS-1234.1", "7"] {
            assert!(job_id(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "-x", "a/b", "a b", "ä", "a\n", &"x".repeat(65)] {
            assert!(job_id(bad).is_err(), "{bad}");
        }
    }
}
