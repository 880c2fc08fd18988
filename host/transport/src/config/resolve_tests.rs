use super::*;
use quorate_ports::FaultKind;

fn resolve_with(
    config: &str,
    host: &str,
    change: impl FnOnce(&mut SshOptions),
) -> Result<HostConfig, Fault> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("config");
    std::fs::write(&path, config).unwrap();
    let file = ConfigFile::read(&path, home.path(), true)?;
    let mut options = SshOptions::new("/home/ann", "ann");
    change(&mut options);
    Resolver { file: &file, options: &options }.resolve(host)
}

fn resolve(config: &str, host: &str) -> Result<HostConfig, Fault> {
    resolve_with(config, host, |_| {})
}

fn paths(config: &HostConfig) -> Vec<&str> {
    config.identities.iter().map(|identity| identity.path.to_str().unwrap()).collect()
}

#[test]
fn without_a_configuration_the_defaults_of_ssh_hold() {
    let config = resolve("", "n1").unwrap();
    assert_eq!((config.host_name.as_str(), config.port, config.user.as_str()), ("n1", 22, "ann"));
    assert_eq!(
        paths(&config),
        ["/home/ann/.ssh/id_ed25519", "/home/ann/.ssh/id_ecdsa", "/home/ann/.ssh/id_rsa"]
    );
    assert_eq!(config.policy, HostKeyPolicy::AcceptNew);
    assert_eq!(config.user_known_hosts[0], Path::new("/home/ann/.ssh/known_hosts"));
    assert_eq!(config.connect_timeout, Duration::from_secs(10));
    assert_eq!(config.agent, Agent::None);
    assert!(!config.identities_only);
}

#[test]
fn the_first_value_wins_and_identity_files_add_up() {
    let text = "
        Host n1 n2
          HostName %h.example.com
          User cass
          Port 2200
          IdentityFile ~/one
        Host !n2 n*
          User other
          IdentityFile %d/%r-%h
        Host *
          User last
          IdentitiesOnly yes
          ConnectTimeout 3
          StrictHostKeyChecking yes
          UserKnownHostsFile ~/kh1 \"/x y/kh2\"
          GlobalKnownHostsFile none
          IdentityAgent ~/agent
    ";
    let n1 = resolve(text, "n1").unwrap();
    assert_eq!(
        (n1.host_name.as_str(), n1.port, n1.user.as_str()),
        ("n1.example.com", 2200, "cass")
    );
    assert_eq!(paths(&n1), ["/home/ann/one", "/home/ann/cass-n1.example.com"]);
    assert!(n1.identities_only && n1.policy == HostKeyPolicy::Strict);
    assert_eq!(n1.user_known_hosts, [Path::new("/home/ann/kh1"), Path::new("/x y/kh2")]);
    assert!(n1.global_known_hosts.is_empty());
    assert_eq!(n1.agent, Agent::Socket("/home/ann/agent".into()));
    assert_eq!(n1.connect_timeout, Duration::from_secs(3));

    let n2 = resolve(text, "n2").unwrap();
    assert_eq!((n2.user.as_str(), paths(&n2)), ("cass", vec!["/home/ann/one"]));
    let n3 = resolve(text, "n3").unwrap();
    assert_eq!((n3.host_name.as_str(), n3.user.as_str(), n3.port), ("n3", "other", 22));
    let n3 = resolve(text, "me@n3").unwrap();
    assert_eq!((n3.host_name.as_str(), n3.user.as_str()), ("n3", "me"));
}

#[test]
fn options_win_over_the_file() {
    let text = "User cass\nPort 2200\nIdentityFile /file\nIdentityAgent none";
    let config = resolve_with(text, "n1", |options| {
        options.user = Some("root".into());
        options.port = Some(22022);
        options.identity_files = vec!["/option".into()];
        options.agent_socket = Some("/agent".into());
    })
    .unwrap();
    assert_eq!((config.user.as_str(), config.port), ("root", 22022));
    assert_eq!(paths(&config), ["/option", "/file"]);
    assert_eq!(config.agent, Agent::None);
}

#[test]
fn a_directive_that_matters_is_an_error_only_for_hosts_that_it_applies_to() {
    let text = "Host far\n  ProxyJump bastion\nHost near\n  ProxyJump none\nHost *\n  ProxyCommand nc %h %p\n  CertificateFile ~/c";
    let fault = resolve(text, "far").unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration);
    assert!(
        fault.message.ends_with("config:2: proxyjump applies to far and is not supported"),
        "{}",
        fault.message
    );
    // ProxyJump none stands in front of ProxyCommand, as in ssh; the certificate is left.
    let fault = resolve(text, "near").unwrap_err();
    assert!(fault.message.contains(":7: certificatefile"), "{}", fault.message);
    assert!(resolve("Host far\n ProxyJump b\n", "near").is_ok());
    assert!(resolve("PubkeyAuthentication no", "n").is_err());
}

#[test]
fn match_is_judged_where_it_can_be() {
    assert_eq!(resolve("Match host *.a,!b.a\nPort 1\nMatch all\nPort 2", "x.a").unwrap().port, 1);
    assert_eq!(resolve("Match host *.a,!b.a\nPort 1\nMatch all\nPort 2", "b.a").unwrap().port, 2);
    assert_eq!(resolve("Match !host n1\nPort 1", "n1").unwrap().port, 22);
    assert_eq!(resolve("HostName real\nMatch host real\nPort 1", "n1").unwrap().port, 1);
    assert_eq!(resolve("HostName real\nMatch originalhost n1\nPort 1", "n1").unwrap().port, 1);
    // Another criterion fails anyway: nothing to judge.
    assert_eq!(resolve("Match exec \"test -f x\" host other\nPort 1", "n1").unwrap().port, 22);
    for text in
        ["Match exec true\nPort 1", "Match host n1 user x\nPort 1", "Match final all\nPort 1"]
    {
        let fault = resolve(text, "n1").unwrap_err();
        assert!(fault.message.contains("config:1: Match "), "{}", fault.message);
    }
}

#[test]
fn an_include_counts_where_its_block_applies() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("more"), "Host n2\n Port 2\nHost *\n Port 3\n").unwrap();
    let main = home.path().join("config");
    std::fs::write(&main, "Host n*\n Include ~/more\n User inside\nHost *\n Port 9\n").unwrap();
    let file = ConfigFile::read(&main, home.path(), true).unwrap();
    let options = SshOptions::new(home.path(), "ann");
    let resolver = Resolver { file: &file, options: &options };
    assert_eq!(resolver.resolve("n1").unwrap().port, 3);
    assert_eq!(resolver.resolve("n1").unwrap().user, "inside");
    assert_eq!(resolver.resolve("n2").unwrap().port, 2);
    assert_eq!(resolver.resolve("x").unwrap().port, 9);
}

#[test]
fn what_has_no_effect_here_is_told_and_what_never_matters_is_not() {
    let config = resolve("Ciphers aes256-ctr\nSendEnv LANG\nNoSuchThing 1", "n1").unwrap();
    assert_eq!(config.ignored.len(), 2, "{:?}", config.ignored);
    assert!(config.ignored[0].ends_with(":1: ciphers is ignored"));
}

#[test]
fn values_that_make_no_sense_are_errors() {
    for text in [
        "Port 99999",
        "Port x",
        "ConnectTimeout -1",
        "StrictHostKeyChecking maybe",
        "IdentitiesOnly 2",
        "IdentityFile %z",
        "AddressFamily 4",
    ] {
        assert_eq!(resolve(text, "n1").unwrap_err().kind, FaultKind::Configuration, "{text}");
    }
}
