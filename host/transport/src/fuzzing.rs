//! Parsers of what comes from outside, for fuzz targets: they may refuse a text, and must not panic. No command is run, no file read.
use crate::{
    config::{Commands, ConfigFile, Resolver},
    frames::{Frame, Frames},
    known_lines::lines,
    options::SshOptions,
};
use std::path::Path;

/// An `ssh_config`, and the way to a host by it.
pub fn ssh_config(text: &str) {
    if let Ok(file) = ConfigFile::of_text(text) {
        let options = SshOptions::new("/nonexistent", "ann");
        let commands = Commands::forbidden();
        let resolver = Resolver { files: &[file], options: &options, commands: &commands };
        for host in ["n1", "ann@n1.example.com", "::1"] {
            drop(resolver.route(host));
        }
    }
}

/// A `known_hosts` file.
pub fn known_hosts(text: &str) {
    for name in ["n1", "[n1.example.com]:2222", "::1"] {
        lines(Path::new("known_hosts"), text, name).for_each(drop);
    }
}

/// What a node's attachment prints, in pieces of this length. Gives how many bytes of output came of it.
pub fn frames(bytes: &[u8], piece: usize) -> usize {
    let mut frames = Frames::default();
    let mut output = 0;
    for piece in bytes.chunks(piece.max(1)) {
        frames.push(piece);
        loop {
            match frames.next() {
                Ok(Some(Frame::Data { bytes, .. })) => output += bytes.len(),
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return output,
            }
        }
    }
    output
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn what_is_fuzzed_runs_no_command_and_reads_no_file() {
        let made = std::env::temp_dir().join(format!("quorate-fuzzing-{}", std::process::id()));
        super::ssh_config(&format!(
            "Match exec \"touch {}\"\nPort 1\nInclude /etc/passwd\n",
            made.display()
        ));
        super::ssh_config("Host *\nProxyJump a%h\n");
        super::known_hosts("|1|x|y ssh-ed25519\n@revoked\n@cert-authority * ssh-rsa AAAA\n");
        assert!(!made.exists());
    }

    /// What once told the fuzzer something is told again, without it.
    #[test]
    fn the_kept_corpus_runs_without_a_panic() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus");
        type Named = (&'static str, fn(&[u8]));
        let run: [Named; 3] = [
            ("ssh_config", |bytes| super::ssh_config(&String::from_utf8_lossy(bytes))),
            ("known_hosts", |bytes| super::known_hosts(&String::from_utf8_lossy(bytes))),
            ("frames", |bytes| {
                let whole = super::frames(bytes, bytes.len());
                assert_eq!(super::frames(bytes, 7), whole);
            }),
        ];
        for (name, run) in run {
            let files: Vec<_> = std::fs::read_dir(corpus.join(name)).unwrap().collect();
            assert!(files.len() > 5, "{name}: a corpus of {}", files.len());
            for file in files {
                run(&std::fs::read(file.unwrap().path()).unwrap());
            }
        }
    }
}
