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
    let commands = Commands::default();
    Resolver { files: &[file], options: &options, commands: &commands }.resolve(host)
}

/// The way to a host: the jump hosts, then the host, by name.
fn way_to(config: &str, jump: Option<&str>, host: &str) -> Result<Vec<String>, Fault> {
    let file = ConfigFile::of_text(config)?;
    let mut options = SshOptions::new("/home/ann", "ann");
    options.jump = jump.map(str::to_owned);
    let commands = Commands::forbidden();
    let route = Resolver { files: &[file], options: &options, commands: &commands }.route(host)?;
    Ok(route.hops.iter().chain([&route.end]).map(crate::config::name_of).collect())
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
    let text = "Host far\n  KnownHostsCommand /bin/x\nHost near\n  KnownHostsCommand none\nHost *\n  RemoteCommand x";
    let fault = resolve(text, "far").unwrap_err();
    assert_eq!(fault.kind, FaultKind::Configuration);
    assert!(
        fault.message.ends_with("config:2: knownhostscommand applies to far and is not supported"),
        "{}",
        fault.message
    );
    let fault = resolve(text, "near").unwrap_err();
    assert!(fault.message.contains(":6: remotecommand"), "{}", fault.message);
    assert!(resolve("Host far\n CanonicalizeHostname yes\n", "near").is_ok());
}

#[test]
fn the_first_of_the_two_proxies_wins_and_none_ends_the_search() {
    let proxy = |text| resolve(text, "n1").unwrap().proxy;
    let command = |text: &str| Proxy::Command(text.into());
    assert_eq!(
        proxy("ProxyCommand nc '%h' %p # %% %r %n\nProxyJump b"),
        command("nc 'n1' 22 # % ann n1")
    );
    assert!(
        matches!(proxy("ProxyJump b\nProxyCommand nc"), Proxy::Jump(jumps) if jumps.len() == 1)
    );
    assert_eq!(proxy("ProxyJump none\nProxyCommand nc"), Proxy::None);
    assert_eq!(proxy("ProxyCommand none\nProxyJump b"), Proxy::None);
    assert!(matches!(proxy("ProxyJump=ann@a:22, b"), Proxy::Jump(jumps) if jumps.len() == 2));
    for bad in ["ProxyJump a,,b", "ProxyJump -x", "ProxyCommand nc %Z"] {
        assert_eq!(resolve(bad, "n1").unwrap_err().kind, FaultKind::Configuration, "{bad}");
    }
    // A name from gossip isn't put into a shell's words.
    assert!(resolve("ProxyCommand nc %h %p", "n1;reboot").is_err());
}

#[test]
fn jump_hosts_have_ways_of_their_own() {
    let text = "Host n*\n ProxyJump in@inner:2200\n User cass\nHost inner\n HostName 10.0.0.1\n ProxyJump outer\nHost outer\n User out\n Port 23\n";
    assert_eq!(
        way_to(text, None, "n1").unwrap(),
        ["out@outer:23", "in@10.0.0.1:2200", "cass@n1:22"]
    );
    // In a list the one before is the way, whatever the files say; the first one has its own.
    assert_eq!(
        way_to(text, Some("x,inner"), "n1").unwrap(),
        ["ann@x:22", "ann@10.0.0.1:22", "cass@n1:22"]
    );
    assert_eq!(
        way_to(text, Some("inner,x"), "m1").unwrap(),
        ["out@outer:23", "ann@10.0.0.1:22", "ann@x:22", "ann@m1:22"]
    );
    assert_eq!(way_to(text, Some("none"), "n1").unwrap(), ["cass@n1:22"]);
    let token = way_to("Host n1\n ProxyJump jump-%h\n", None, "n1").unwrap();
    assert_eq!(token, ["ann@jump-n1:22", "ann@n1:22"]);
}

#[test]
fn a_circle_of_jump_hosts_is_named() {
    for (text, circle) in [
        ("ProxyJump b", "ann@n1:22 via ann@b:22 via ann@b:22"),
        (
            "Host n1\nProxyJump a\nHost a\nProxyJump b\nHost b\nProxyJump a",
            "ann@n1:22 via ann@a:22 via ann@b:22 via ann@a:22",
        ),
        ("ProxyJump x%h", "ann@xxn1:22"),
    ] {
        let fault = way_to(text, None, "n1").unwrap_err();
        assert_eq!(fault.kind, FaultKind::Configuration);
        assert!(fault.message.contains(circle), "{}", fault.message);
        assert!(fault.hint.contains("ProxyJump none"), "{}", fault.hint);
    }
    let fault = way_to("Host b\n RemoteCommand x\n", Some("b"), "n1").unwrap_err();
    assert!(fault.message.starts_with("jump host b: "), "{}", fault.message);
    assert!(way_to("", Some("a,,b"), "n1").unwrap_err().message.contains("--ssh-jump"));
}

#[test]
fn ways_to_log_in_are_those_that_are_left_on_in_the_order_that_is_preferred() {
    use Method::{KeyboardInteractive as Question, Password, PublicKey};
    for (text, methods) in [
        ("", &[PublicKey, Question, Password][..]),
        ("PubkeyAuthentication no", &[Question, Password]),
        ("PubkeyAuthentication host-bound", &[PublicKey, Question, Password]),
        ("PasswordAuthentication no\nKbdInteractiveAuthentication no", &[PublicKey]),
        ("ChallengeResponseAuthentication no", &[PublicKey, Password]),
        ("PreferredAuthentications gssapi-with-mic,password,publickey", &[Password, PublicKey]),
        ("PreferredAuthentications password\nPasswordAuthentication no", &[]),
    ] {
        assert_eq!(resolve(text, "n1").unwrap().methods, methods, "{text}");
    }
}

#[test]
fn match_is_judged_where_it_can_be() {
    assert_eq!(resolve("Match host *.a,!b.a\nPort 1\nMatch all\nPort 2", "x.a").unwrap().port, 1);
    assert_eq!(resolve("Match host *.a,!b.a\nPort 1\nMatch all\nPort 2", "b.a").unwrap().port, 2);
    assert_eq!(resolve("Match !host n1\nPort 1", "n1").unwrap().port, 22);
    assert_eq!(resolve("HostName real\nMatch host real\nPort 1", "n1").unwrap().port, 1);
    assert_eq!(resolve("HostName real\nMatch originalhost n1\nPort 1", "n1").unwrap().port, 1);
    assert_eq!(resolve("User bob\nMatch user b*\nPort 1", "n1").unwrap().port, 1);
    assert_eq!(resolve("Match user b*\nPort 1", "bob@n1").unwrap().port, 1);
    assert_eq!(resolve("Match user b*\nPort 1", "n1").unwrap().port, 22);
    assert_eq!(resolve("Match localuser ann user ann\nPort 1", "n1").unwrap().port, 1);
    assert_eq!(resolve("Tag prod\nMatch tagged prod,test\nPort 1", "n1").unwrap().port, 1);
    assert_eq!(resolve("Match tagged prod\nPort 1", "n1").unwrap().port, 22);
    // Another criterion fails anyway: nothing to judge.
    assert_eq!(resolve("Match localnetwork 10.0.0.0/8 host other\nPort 1", "n1").unwrap().port, 22);
    for text in ["Match localnetwork 10.0.0.0/8\nPort 1", "Match host n1 version x\nPort 1"] {
        let fault = resolve(text, "n1").unwrap_err();
        assert!(fault.message.contains("config:1: Match "), "{}", fault.message);
    }
    assert!(resolve("Match host", "n1").unwrap_err().message.contains("no value"));
}

#[test]
fn the_last_pass_sees_the_name_that_the_first_one_found() {
    let text = "Match final host real\n Port 2\nHost n1\n HostName real\nHost real\n User found\n";
    let config = resolve(text, "n1").unwrap();
    assert_eq!(
        (config.host_name.as_str(), config.port, config.user.as_str()),
        ("real", 2, "found")
    );
    // Without a Match final there is one pass, and `Host` means the name that was given.
    assert_eq!(
        resolve("Host n1\n HostName real\nHost real\n User found\n", "n1").unwrap().user,
        "ann"
    );
    assert_eq!(resolve("Match canonical\n Port 2\n", "n1").unwrap().port, 22);
    assert_eq!(resolve("Match !final\n Port 2\nMatch all\n Port 3\n", "n1").unwrap().port, 2);
}

#[test]
fn a_command_of_match_runs_once_for_all_hosts_and_not_behind_what_fails() {
    let directory = tempfile::tempdir().unwrap();
    let ran = directory.path().join("ran");
    let text = format!(
        "Match host nobody exec \"touch {dir}/never\"\n Port 1\nMatch exec \"echo x >>{dir}/ran\"\n Port 2\nMatch exec \"test %n-%p = n2-2\"\n User second\n",
        dir = directory.path().display()
    );
    let file = ConfigFile::of_text(&text).unwrap();
    let options = SshOptions::new("/home/ann", "ann");
    let commands = Commands::default();
    let resolver = Resolver { files: &[file], options: &options, commands: &commands };
    for (host, user) in [("n1", "ann"), ("n2", "second"), ("n1", "ann")] {
        let config = resolver.resolve(host).unwrap();
        assert_eq!((config.port, config.user.as_str()), (2, user));
    }
    assert_eq!(std::fs::read_to_string(&ran).unwrap(), "x\n");
    assert!(!directory.path().join("never").exists());
}

#[test]
fn the_systems_file_comes_second_includes_beside_it_and_tells_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (home, system) = (directory.path().join("home"), directory.path().join("etc"));
    for path in [home.join(".ssh"), system.join("conf.d")] {
        std::fs::create_dir_all(path).unwrap();
    }
    std::fs::write(home.join(".ssh/config"), "User mine\nCiphers x\n").unwrap();
    std::fs::write(system.join("ssh_config"), "Include conf.d/*\nUser theirs\n").unwrap();
    // What RHEL's looks like.
    std::fs::write(
        system.join("conf.d/50-redhat.conf"),
        "Match final all\n KexAlgorithms x\n Port 7\n",
    )
    .unwrap();
    let files = [
        ConfigFile::read(&home.join(".ssh/config"), &home, false).unwrap(),
        ConfigFile::read_system(&system.join("ssh_config"), &home).unwrap(),
    ];
    let options = SshOptions::new(&home, "ann");
    let commands = Commands::default();
    let config =
        Resolver { files: &files, options: &options, commands: &commands }.resolve("n1").unwrap();
    assert_eq!((config.user.as_str(), config.port), ("mine", 7));
    assert_eq!(config.ignored.len(), 1, "{:?}", config.ignored);
    assert!(config.ignored[0].ends_with("config:2: ciphers is ignored"));
}

#[test]
fn an_include_counts_where_its_block_applies() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("more"), "Host n2\n Port 2\nHost *\n Port 3\n").unwrap();
    let main = home.path().join("config");
    std::fs::write(&main, "Host n*\n Include ~/more\n User inside\nHost *\n Port 9\n").unwrap();
    let file = ConfigFile::read(&main, home.path(), true).unwrap();
    let options = SshOptions::new(home.path(), "ann");
    let commands = Commands::default();
    let resolver = Resolver { files: &[file], options: &options, commands: &commands };
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
        "BindAddress eth0",
        "ConnectionAttempts many",
    ] {
        assert_eq!(resolve(text, "n1").unwrap_err().kind, FaultKind::Configuration, "{text}");
    }
}
