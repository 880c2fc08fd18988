//! Real sudo behind a real sshd: users of the tests' own, made and removed here. Only root can make them.
use crate::server::{Client, Server, Watch, action, target, user, wait_for};
use quorate_ports::{ActionEnd, Exit, FaultKind, Transport};
use quorate_transport::{SshOptions, Sudo};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::PathBuf,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A user that logs in, one that sudo becomes, and what sudoers says of them.
struct Users {
    login: String,
    other: String,
    home: PathBuf,
    rule: PathBuf,
    server: Server,
}

fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    assert!(output.status.success(), "{program} {args:?}: {output:?}");
}

impl Users {
    /// `None` where the tests aren't root's. `rule` is the rest of the login's line in sudoers.
    fn new(rule: impl FnOnce(&str) -> String) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if user() != "root" {
            eprintln!("only root makes users: sudo is not tried");
            return None;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = |role: &str| format!("q{role}{}x{number}", std::process::id());
        let (login, other) = (name("in"), name("as"));
        let server = Server::start();
        // sshd reads authorized_keys as whoever logs in.
        for open in [server.path(""), server.node()] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let home = server.path("other");
        fs::create_dir(&home).unwrap();
        for (name, home) in [(&login, server.node()), (&other, home.clone())] {
            let home = home.display().to_string();
            // A password that fits none; an account that is locked isn't let in.
            run("useradd", &["-M", "-p", "*", "-s", "/bin/sh", "-d", &home, name]);
        }
        run("chown", &[&other, &home.display().to_string()]);
        let path = PathBuf::from(format!("/etc/sudoers.d/{login}"));
        let made = Self { login, other, home, rule: path, server };
        let rule = rule(&made.other);
        if !rule.is_empty() {
            fs::write(&made.rule, format!("{} {rule}\n", made.login)).unwrap();
            fs::set_permissions(&made.rule, fs::Permissions::from_mode(0o440)).unwrap();
            run("visudo", &["-cf", &made.rule.display().to_string()]);
        }
        Some(made)
    }

    fn client(&self, become_it: Option<&str>) -> Client {
        self.server.ssh_with(|options: &mut SshOptions| {
            options.user = Some(self.login.clone());
            options.sudo = become_it.map(|user| Sudo { user: Some(user.into()), args: Vec::new() });
        })
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.server.kill();
        // Nothing is left to do where one of them was not made.
        let _ = fs::remove_file(&self.rule);
        for name in [&self.login, &self.other] {
            let _ = Command::new("userdel").arg("-f").arg(name).output();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_runs_as_the_user_that_sudo_becomes() {
    let Some(users) = Users::new(|other| format!("ALL=({other}) NOPASSWD: ALL")) else { return };
    let client = users.client(Some(&users.other));
    let who = client.query(&["sh", "-c", "id -un; pwd; echo \"$HOME\""]).await.unwrap();
    let home = users.home.display().to_string();
    assert_eq!(
        String::from_utf8(who.stdout).unwrap(),
        format!("{}\n{home}\n{home}\n", users.other)
    );

    let action =
        action(&["sh", "-c", "echo begun; while [ ! -f go ]; do sleep 0.02; done; id -un; exit 6"]);
    let watch = std::sync::Arc::new(Watch::default());
    let running = tokio::spawn({
        let (watch, action) = (watch.clone(), action.clone());
        let client = users.client(Some(&users.other));
        async move { client.act(&action, &watch).await.unwrap() }
    });
    watch.has_printed(6).await;
    // It survives its connection, and is attached to again.
    users.server.kill_sessions();
    watch.was_told("attached again").await;
    fs::write(users.home.join("go"), "").unwrap();
    assert_eq!(running.await.unwrap(), ActionEnd::Exited(Exit::Code(6)));
    assert_eq!(watch.text(), format!("begun\n{}\n", users.other));
    let state = users.home.join(".quorate/actions/j1/127.0.0.1,main,1,1");
    let owner = fs::metadata(&users.home).unwrap().uid();
    assert_ne!(owner, 0);
    assert_eq!(fs::metadata(state.join("status")).unwrap().uid(), owner);
    assert!(!users.server.node().join(".quorate").exists());
    client.ssh.forget(&target("127.0.0.1"), &action.id).await.unwrap();
    assert!(!state.join("status").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_limit_ends_what_the_login_itself_could_not() {
    let Some(users) = Users::new(|other| format!("ALL=({other}) NOPASSWD: ALL")) else { return };
    let client = users.client(Some(&users.other));
    let mut action = action(&["sh", "-c", "trap '' TERM; echo $$; sleep 100; sleep 100"]);
    action.timeout_ms = Some(400);
    let watch = Watch::default();
    let end = client.act(&action, &watch).await.unwrap();
    assert_eq!(end, ActionEnd::TimedOut { limit_ms: 400 });
    let program = format!("/proc/{}", watch.text().trim());
    wait_for("the end of the program", || !fs::exists(&program).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sudo_refuses_is_told_with_its_cure_and_nothing_is_lost() {
    let Some(users) = Users::new(|_| String::new()) else { return };
    let (login, other) = (&users.login, &users.other);
    let client = users.client(Some(other));
    let error = client.query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Sudo, "{error:?}");
    let told = format!("sudo denied: it wants a password of {login} to become {other}");
    assert!(error.message.starts_with(&told), "{error}");
    assert!(error.hint.ends_with(&format!("{login} ALL=({other}) NOPASSWD: ALL")), "{error:?}");
    // An action isn't lost either: it's known not to have begun.
    let error = client.act(&action(&["true"]), &Watch::default()).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Sudo, "{error:?}");

    let allowed = format!("{login} ALL=(nobody) NOPASSWD: ALL\n");
    fs::write(&users.rule, &allowed).unwrap();
    chown(&users.rule, Some(0), Some(0)).unwrap();
    let error = users.client(Some("no-such-user")).query(&["true"]).await.unwrap_err();
    assert!(error.message.contains("it knows no user no-such-user"), "{error}");
    // What the rule doesn't hold, although it lets the login become somebody.
    let error = users.client(Some(other)).query(&["true"]).await.unwrap_err();
    assert_eq!(error.kind, FaultKind::Sudo, "{error:?}");
    let who = users.client(Some("nobody")).query(&["id", "-un"]).await.unwrap();
    assert_eq!(who.stdout, b"nobody\n");
}
