use super::*;
use std::thread;

const ED: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
const ED_2: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
const EC: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBMxBTpMIGvo7CnordO7wP0QQRqpBwUjOLl4eMhfucfE1sjTYyK5wmTl1UqoSDS1PtRVTBdl+0+9pquFb46U7fwg=";

fn key(text: &str) -> PublicKey {
    text.parse().unwrap()
}

impl HostKeys {
    fn judge_text(&self, shown: &str) -> Result<Accepted, Fault> {
        self.judge(&PublicKeyOrCertificate::from(key(shown)))
    }

    fn offered(&self) -> Vec<Algorithm> {
        self.preferred().0
    }
}

struct Files {
    _directory: tempfile::TempDir,
    user: PathBuf,
}

/// Host keys of `name` (and the plain name) with one user's file of this text.
fn with(text: &str, name: &str, plain: Option<&str>, policy: HostKeyPolicy) -> (Files, HostKeys) {
    let directory = tempfile::tempdir().unwrap();
    let user = directory.path().join("known_hosts");
    if !text.is_empty() {
        fs::write(&user, text).unwrap();
    }
    let keys = HostKeys {
        name: name.into(),
        plain: plain.map(str::to_owned),
        principal: plain.unwrap_or(name).into(),
        revoked_file: None,
        policy,
        user_files: vec![user.clone()],
        global_files: vec![directory.path().join("global")],
        hash_names: false,
    };
    (Files { _directory: directory, user }, keys)
}

#[test]
fn a_key_is_found_under_every_form_of_a_name() {
    let hashed_line = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";
    for (line, name) in [
        (format!("n1 {ED}"), "n1"),
        (format!("n0,N1,10.0.0.1 {ED} a comment"), "n1"),
        (format!("[n1]:2222\t{ED}"), "[n1]:2222"),
        (format!("*.example.com,!x.example.com {ED}"), "n1.example.com"),
        (format!("[*]:2222 {ED}"), "[n1]:2222"),
        (format!("{hashed_line} {ED}"), "example.com"),
        (format!("# n1 {ED_2}\n\nn1 garbage\n@cert-authority n1 {ED_2}\n  n1   {ED}\n"), "n1"),
    ] {
        let (_files, keys) = with(&line, name, None, HostKeyPolicy::Strict);
        assert_eq!(keys.judge_text(ED).unwrap(), Accepted::Known, "{line}");
        assert_eq!(keys.judge_text(ED_2).unwrap_err().kind, FaultKind::HostKey, "{line}");
    }
    for (line, name) in [
        (format!("n1 {ED}"), "[n1]:2222"),
        (format!("*.example.com,!x.example.com {ED}"), "x.example.com"),
        (format!("{hashed_line} {ED}"), "example.org"),
        (format!("@cert-authority * {ED}"), "n1"),
        (format!("n1 {ED}").replace("ssh-ed25519", "ssh-unheard"), "n1"),
    ] {
        let (_files, keys) = with(&line, name, None, HostKeyPolicy::Strict);
        let fault = keys.judge_text(ED).unwrap_err();
        assert!(
            fault.message.contains("not known") && fault.message.contains("SHA256:"),
            "{}",
            fault.message
        );
    }
}

#[test]
fn a_key_known_without_the_port_is_accepted_on_another_port() {
    let (_files, keys) = with(&format!("n1 {ED}"), "[n1]:2222", Some("n1"), HostKeyPolicy::Strict);
    assert_eq!(keys.judge_text(ED).unwrap(), Accepted::Known);
    // Another key there is merely unknown: the line is about another server.
    assert!(keys.judge_text(ED_2).unwrap_err().message.contains("not known"));
}

#[test]
fn a_changed_key_names_file_line_both_fingerprints_and_the_cure() {
    for policy in [HostKeyPolicy::AcceptNew, HostKeyPolicy::Strict] {
        let (files, keys) = with(&format!("other {EC}\n\nn1 {ED}\n"), "n1", None, policy);
        for shown in [ED_2, EC] {
            let fault = keys.judge_text(shown).unwrap_err();
            let place = format!("{}:3", files.user.display());
            for part in [
                place,
                key(ED).fingerprint(HashAlg::Sha256).to_string(),
                key(shown).fingerprint(HashAlg::Sha256).to_string(),
            ] {
                assert!(fault.message.contains(&part), "{part}: {}", fault.message);
            }
            assert!(
                fault.hint.contains(&format!("ssh-keygen -R 'n1' -f '{}'", files.user.display())),
                "{}",
                fault.hint
            );
        }
        assert_eq!(
            fs::read_to_string(&files.user).unwrap().lines().count(),
            3,
            "nothing is learnt over a known key"
        );
    }
    let (_files, keys) = with(&format!("n1 {ED}\n"), "n1", None, HostKeyPolicy::Off);
    assert!(
        matches!(keys.judge_text(ED_2).unwrap(), Accepted::Told(text) if text.contains("CHANGED"))
    );
}

#[test]
fn a_revoked_key_is_refused_whatever_the_policy() {
    for policy in [HostKeyPolicy::Off, HostKeyPolicy::AcceptNew, HostKeyPolicy::Strict] {
        let (_files, keys) = with(&format!("n1 {ED}\n@revoked * {ED}\n"), "n1", None, policy);
        let fault = keys.judge_text(ED).unwrap_err();
        assert!(
            fault.message.contains("revoked") && fault.message.contains(":2"),
            "{}",
            fault.message
        );
        let (_files, keys) = with(&format!("@revoked n1 {ED}\n"), "[n1]:22022", Some("n1"), policy);
        assert!(keys.judge_text(ED).unwrap_err().message.contains("revoked"));
    }
}

#[test]
fn an_unknown_host_is_learnt_and_then_known() {
    // The last line of the file has no end.
    let (files, keys) =
        with(&format!("other {EC}"), "[n1]:2222", Some("n1"), HostKeyPolicy::AcceptNew);
    let Accepted::Told(told) = keys.judge_text(ED).unwrap() else { panic!("nothing was told") };
    assert!(told.contains(&key(ED).fingerprint(HashAlg::Sha256).to_string()), "{told}");
    assert_eq!(fs::read_to_string(&files.user).unwrap(), format!("other {EC}\n[n1]:2222 {ED}\n"));
    assert_eq!(keys.judge_text(ED).unwrap(), Accepted::Known);
    assert!(keys.judge_text(ED_2).unwrap_err().message.contains("CHANGED"));
}

#[test]
fn names_are_hashed_where_the_configuration_says_so() {
    let (files, mut keys) = with("", "n1", None, HostKeyPolicy::AcceptNew);
    keys.hash_names = true;
    keys.judge_text(ED).unwrap();
    let text = fs::read_to_string(&files.user).unwrap();
    assert!(text.starts_with("|1|") && !text.contains("n1 "), "{text}");
    assert_eq!(keys.judge_text(ED).unwrap(), Accepted::Known);
}

#[test]
fn a_file_that_cannot_be_written_does_not_stop_the_connection_but_is_told() {
    let (_files, mut keys) = with("", "n1", None, HostKeyPolicy::AcceptNew);
    keys.user_files = vec!["/proc/none/known_hosts".into()];
    assert!(
        matches!(keys.judge_text(ED).unwrap(), Accepted::Told(text) if text.contains("can't be remembered"))
    );
    keys.user_files = vec!["/dev/null".into()];
    assert!(matches!(keys.judge_text(ED).unwrap(), Accepted::Told(_)));
}

#[test]
fn parallel_connections_learn_a_host_once_and_lines_do_not_mix() {
    let (files, keys) = with("", "n", None, HostKeyPolicy::AcceptNew);
    thread::scope(|scope| {
        for worker in 0..8 {
            let mut keys = keys.clone();
            keys.name = format!("n{}", worker % 4);
            scope.spawn(move || keys.judge_text(ED).unwrap());
        }
    });
    let text = fs::read_to_string(&files.user).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, (0..4).map(|n| format!("n{n} {ED}")).collect::<Vec<_>>());
}

#[test]
fn types_of_known_keys_are_negotiated_first() {
    let (_files, keys) = with(&format!("n1 {EC}\n"), "n1", None, HostKeyPolicy::AcceptNew);
    assert_eq!(keys.offered()[0], key(EC).algorithm());
    assert!(!keys.offered().contains(&Algorithm::Rsa { hash: None }));
    let (_files, keys) =
        with(&format!("n1 {EC}\n"), "[n1]:1", Some("n1"), HostKeyPolicy::AcceptNew);
    assert_eq!(keys.offered()[0], key(EC).algorithm());
    let (_files, keys) = with("", "n1", None, HostKeyPolicy::AcceptNew);
    assert_eq!(keys.offered()[0], Algorithm::Ed25519);
}

/// A certificate for a fresh host key, made by ssh-keygen with these options; and the key of its authority.
fn certified(directory: &Path, options: &[&str]) -> (PublicKeyOrCertificate, PublicKey) {
    let run = |program: &str, args: &[&str]| {
        let output = std::process::Command::new(program).args(args).current_dir(directory).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    for name in ["ca", "host"] {
        if !directory.join(name).exists() {
            run("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name]);
        }
    }
    let mut args = vec!["-q", "-s", "ca", "-I", "a host"];
    args.extend(options);
    args.push("host.pub");
    run("ssh-keygen", &args);
    let text = fs::read_to_string(directory.join("host-cert.pub")).unwrap();
    let certificate = russh::keys::Certificate::from_openssh(&text).unwrap();
    let authority = key(&fs::read_to_string(directory.join("ca.pub")).unwrap());
    (PublicKeyOrCertificate::Certificate(certificate), authority)
}

#[test]
fn a_certificate_counts_where_its_authority_is_known_for_the_host() {
    let directory = tempfile::tempdir().unwrap();
    let (shown, authority) = certified(directory.path(), &["-h", "-n", "n1.example,10.0.0.1"]);
    let authority = authority.to_openssh().unwrap();
    for (line, name, plain) in [
        (format!("@cert-authority *.example {authority}"), "n1.example", None),
        (format!("@cert-authority 10.0.0.* {authority}"), "[10.0.0.1]:2222", Some("10.0.0.1")),
        (format!("@cert-authority [*]:2222 {authority}"), "[10.0.0.1]:2222", Some("10.0.0.1")),
        (format!("@cert-authority {} {authority}", hashed("n1.example")), "n1.example", None),
    ] {
        let (files, keys) = with(&line, name, plain, HostKeyPolicy::Strict);
        assert_eq!(keys.judge(&shown).unwrap(), Accepted::Known, "{line}");
        assert!(!keys.preferred().1.is_empty());
        assert_eq!(fs::read_to_string(&files.user).unwrap(), line, "nothing is learnt");
    }
    // An authority of other hosts vouches for nothing here: the key counts.
    let line = format!("@cert-authority *.other {authority}");
    let (_files, keys) = with(&line, "n1.example", None, HostKeyPolicy::Strict);
    assert!(keys.judge(&shown).unwrap_err().message.contains("not known"));
    assert!(keys.preferred().1.is_empty(), "no certificate is asked for");
}

#[test]
fn a_certificate_that_is_not_valid_is_refused_whatever_the_policy() {
    let directory = tempfile::tempdir().unwrap();
    for (options, problem) in [
        (&["-h", "-n", "n2"][..], "is for n2, not for n1"),
        (&["-h", "-n", "n1", "-V", "20200101:20200102"], "is not valid any more, since"),
        (&["-h", "-n", "n1", "-V", "+1d:+2d"], "is not valid yet"),
        (&["-n", "n1"], "is a user's"),
    ] {
        let (shown, authority) = certified(directory.path(), options);
        let line = format!("@cert-authority * {}", authority.to_openssh().unwrap());
        for policy in [HostKeyPolicy::Off, HostKeyPolicy::AcceptNew, HostKeyPolicy::Strict] {
            let (_files, keys) = with(&line, "n1", None, policy);
            let fault = keys.judge(&shown).unwrap_err();
            assert_eq!(fault.kind, FaultKind::HostKey);
            assert!(fault.message.contains(problem), "{problem}: {}", fault.message);
            assert!(
                fault.message.contains(":1)") && fault.message.contains("a host"),
                "{}",
                fault.message
            );
        }
    }
    // Names may be patterns; no names at all are a certificate for every host, as OpenSSH has it.
    for options in [&["-h", "-n", "n*"][..], &["-h"]] {
        let (shown, authority) = certified(directory.path(), options);
        let line = format!("@cert-authority * {}", authority.to_openssh().unwrap());
        let (_files, keys) = with(&line, "n1", None, HostKeyPolicy::Strict);
        assert_eq!(keys.judge(&shown).unwrap(), Accepted::Known);
    }
}

#[test]
fn a_certificate_is_refused_whose_key_or_authority_is_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let (shown, authority) = certified(directory.path(), &["-h", "-n", "n1"]);
    let authority = authority.to_openssh().unwrap();
    let host = shown.public_key().to_openssh().unwrap();
    for revoked in [&authority, &host] {
        let text = format!("@cert-authority * {authority}\n@revoked * {revoked}\n");
        let (_files, keys) = with(&text, "n1", None, HostKeyPolicy::Off);
        let fault = keys.judge(&shown).unwrap_err();
        assert!(
            fault.message.contains("revoked") && fault.message.contains(":2"),
            "{}",
            fault.message
        );
        let (files, mut keys) =
            with(&format!("@cert-authority * {authority}\n"), "n1", None, HostKeyPolicy::Off);
        let list = files.user.with_extension("list");
        fs::write(&list, revoked).unwrap();
        keys.revoked_file = Some(list);
        assert!(keys.judge(&shown).unwrap_err().message.contains("revoked"));
    }
}
