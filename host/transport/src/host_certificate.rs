//! Certificates of hosts (OpenSSH's PROTOCOL.certkeys), checked once a `known_hosts` line names their authority.
use crate::{config::glob, fault::Fault, known_lines::Known};
use quorate_ports::FaultKind;
use russh::keys::{
    Algorithm, HashAlg,
    ssh_key::certificate::{CertType, Certificate},
};
use std::time::{SystemTime, UNIX_EPOCH};

/// Checks everything about a certificate but who signed it, which the caller has looked up.
///
/// # Errors
/// What is wrong with it, in words. No policy lets it pass: somebody set the authority up so that this counts.
pub(crate) fn check(
    certificate: &Certificate,
    authority: &Known,
    principal: &str,
) -> Result<(), Fault> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let Some((problem, hint)) = problem(certificate, principal, now) else { return Ok(()) };
    let signer = authority.key.fingerprint(HashAlg::Sha256);
    Err(Fault::new(
        FaultKind::HostKey,
        format!(
            "its host certificate {:?} (serial {}, signed by {signer}, the authority of {}) {problem}",
            certificate.key_id(),
            certificate.serial(),
            authority.place(),
        ),
    )
    .hint(hint))
}

/// What is wrong, and what to do about it.
fn problem(certificate: &Certificate, principal: &str, now: u64) -> Option<(String, &'static str)> {
    let sign = "sign the host's key again: ssh-keygen -s CA -I ID -h -n NAMES -V +52w KEY.pub";
    if certificate.cert_type() != CertType::Host {
        return Some(("is a user's, not a host's".into(), sign));
    }
    if certificate.signature().algorithm() == (Algorithm::Rsa { hash: None }) {
        return Some(("is signed with SHA-1, which is not safe".into(), sign));
    }
    if certificate.verify_signature().is_err() {
        return Some((
            "has a signature that is not its authority's".into(),
            "somebody may be in between",
        ));
    }
    if let Some((name, _)) = certificate.critical_options().iter().next() {
        return Some((format!("has the critical option {name:?}, which is not known"), sign));
    }
    if now < certificate.valid_after() {
        let ahead = certificate.valid_after() - now;
        return Some((
            format!("is not valid yet, for {}", span(ahead)),
            "compare the clocks of this machine and of the one that signed it",
        ));
    }
    if now >= certificate.valid_before() {
        let ago = now - certificate.valid_before();
        return Some((format!("is not valid any more, since {} ago", span(ago)), sign));
    }
    let names = certificate.valid_principals();
    // OpenSSH takes patterns here, and a certificate without names for one of every host.
    let named = |name: &String| glob(&name.to_lowercase(), principal);
    if !names.is_empty() && !names.iter().any(named) {
        return Some((
            format!("is for {}, not for {principal}", names.join(", ")),
            "reach the host by a name that the certificate is for (HostName, HostKeyAlias), or sign its key again with this one",
        ));
    }
    None
}

fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
