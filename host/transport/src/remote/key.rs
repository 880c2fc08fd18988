//! The name of an action's directory.
use quorate_ports::ActionId;
use sha2::{Digest, Sha256};

/// Longer names are cut and told apart by a digest: file systems end at 255.
const LONGEST: usize = 180;

/// `JOB/NODE,STAGE,ATTEMPT,SEQ`: one directory per action, those of a job in one. Whatever could mean something to a
/// shell or a file system is written as `%XX`, so that different ids have different names.
pub(crate) fn key(id: &ActionId) -> String {
    let name = format!("{},{},{},{}", safe(&id.node.0), safe(&id.stage), id.attempt, id.seq);
    format!("{}/{}", short(safe(&id.job.0)), short(name))
}

/// A part of a name on its own: another node's key, as a file.
pub(super) fn safe_name(text: &str) -> String {
    short(safe(text))
}

/// What a name stood for; of one that was cut, as much as is left.
pub(crate) fn unsafe_name(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = match (first, tail) {
            (b'%', [high, low, ..]) => std::str::from_utf8(&[*high, *low])
                .ok()
                .and_then(|code| u8::from_str_radix(code, 16).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn safe(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => name.push(byte.into()),
            // Not first: `.` and `..` are no names, `-x` could be an option.
            b'.' | b'-' if at > 0 => name.push(byte.into()),
            byte => name.push_str(&format!("%{byte:02X}")),
        }
    }
    // An empty component would be a different path.
    if name.is_empty() { "%".into() } else { name }
}

fn short(name: String) -> String {
    if name.len() <= LONGEST {
        return name;
    }
    let digest = Sha256::digest(name.as_bytes());
    let digest: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{}+{digest}", &name[..LONGEST - 33])
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_ports::{JobId, NodeKey};
    use std::collections::BTreeSet;

    fn id(job: &str, node: &str, stage: &str) -> ActionId {
        ActionId {
            job: JobId(job.into()),
            node: NodeKey(node.into()),
            stage: stage.into(),
            attempt: 1,
            seq: 2,
        }
    }

    #[test]
    fn a_usual_id_stays_readable() {
        assert_eq!(key(&id("k3f9", "10.0.0.1", "main")), "k3f9/10.0.0.1,main,1,2");
        assert_eq!(key(&id("k3f9", "fe80::1", "a b")), "k3f9/fe80%3A%3A1,a%20b,1,2");
    }

    #[test]
    fn different_ids_never_share_a_directory_and_none_leaves_its_own() {
        let odd =
            ["", ".", "..", "a", "a,b", "a/b", "../..", "a%2Fb", "%2F", "-rf", "é", "a\nb", "A"];
        let mut keys = BTreeSet::new();
        for job in odd {
            for node in odd {
                for stage in odd {
                    let key = key(&id(job, node, stage));
                    assert_eq!(key.split('/').count(), 2, "{key}");
                    assert!(
                        key.split('/')
                            .all(|part| !part.is_empty() && !part.starts_with(['.', '-'])),
                        "{key}"
                    );
                    assert!(keys.insert(key));
                }
            }
        }
    }

    #[test]
    fn a_name_tells_what_it_stood_for() {
        for text in ["10.0.0.1", "fe80::1", "a b", "é", "%2F", "-x"] {
            assert_eq!(unsafe_name(&safe_name(text)), text);
        }
        assert_eq!(unsafe_name("a%2"), "a%2");
    }

    #[test]
    fn long_names_fit_a_file_system_and_stay_different() {
        let one = key(&id(&"j".repeat(400), &"n".repeat(300), "a"));
        let other = key(&id(&"j".repeat(400), &"n".repeat(300), "b"));
        assert!(one.split('/').all(|part| part.len() <= LONGEST));
        assert_ne!(one, other);
    }
}
