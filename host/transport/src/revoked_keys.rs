//! `RevokedHostKeys`: a file of public keys that no host may show.
use crate::fault::Fault;
use quorate_ports::FaultKind;
use russh::keys::{HashAlg, PublicKey};
use std::{fs, path::Path};

/// How OpenSSH's own binary lists begin (PROTOCOL.krl).
const KRL: &[u8] = b"SSHKRL\n\0";

/// Refuses a key that a file lists, one public key a line.
///
/// # Errors
/// The key is listed; or the file can't be read as a list: every key is refused then, as in OpenSSH.
pub(crate) fn refuse_revoked(file: &Path, key: &PublicKey) -> Result<(), Fault> {
    let wrong = |message: String| {
        Fault::new(
            FaultKind::Configuration,
            format!("RevokedHostKeys {}: {message}", file.display()),
        )
    };
    let bytes = fs::read(file).map_err(|error| wrong(error.to_string()))?;
    if bytes.starts_with(KRL) {
        return Err(wrong("is a binary list (KRL), which is not supported".into()).hint(
            "list the keys as text, one public key a line, or as @revoked lines in known_hosts",
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not text".into()))?;
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let listed: PublicKey =
            line.parse().map_err(|_| wrong(format!("line {} is not a public key", at + 1)))?;
        if listed.key_data() == key.key_data() {
            return Err(Fault::new(
                FaultKind::HostKey,
                format!(
                    "its host key {} is revoked by {}:{}",
                    key.fingerprint(HashAlg::Sha256),
                    file.display(),
                    at + 1
                ),
            )
            .hint("a key is revoked when it may have been stolen: give the host a new one"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    #[test]
    fn a_listed_key_is_refused_and_so_is_every_key_where_the_list_is_unreadable() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("revoked");
        let kind = |text: &[u8], key: &str| {
            fs::write(&file, text).unwrap();
            refuse_revoked(&file, &key.parse().unwrap()).map_err(|fault| fault.kind)
        };
        let list = format!("# stolen\n\n{ONE} a host\n");
        assert_eq!(kind(list.as_bytes(), OTHER), Ok(()));
        assert_eq!(kind(list.as_bytes(), ONE), Err(FaultKind::HostKey));
        assert_eq!(kind(b"garbage", OTHER), Err(FaultKind::Configuration));
        assert_eq!(kind(b"SSHKRL\n\0\0\0", OTHER), Err(FaultKind::Configuration));
        let absent = refuse_revoked(&directory.path().join("absent"), &ONE.parse().unwrap());
        assert_eq!(absent.unwrap_err().kind, FaultKind::Configuration);
    }
}
