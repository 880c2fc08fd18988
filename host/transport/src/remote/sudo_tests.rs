//! The scripts as another user: a made-up `sudo` that gives its command a home of its own and nothing else of the login's.
use super::{queries::run_query, *};
use crate::sudo::Sudo;

const LOGINS: [&str; 8] = ["sh", "dash", "bash", "csh", "tcsh", "fish", "zsh", "ksh"];

/// Nodes with that `sudo`, and where it was told whom to become.
fn nodes_with_sudo() -> Vec<Node> {
    let mut nodes = nodes();
    for node in &mut nodes {
        let become_it =
            Sudo { user: Some("cassandra".into()), args: vec!["-g".into(), "#7".into()] };
        node.loader = become_it.loader().unwrap();
        let (home, path) = (node.path("theirs"), node.path("bin/sudo"));
        fs::create_dir(&home).unwrap();
        let text = format!(
            "#!{}\nprintf '[%s]' \"$@\" >'{}'\nwhile [ \"$1\" != -- ]; do shift; done\nshift\n\
             unset SECRET\nHOME='{}'\nexport HOME\nexec \"$@\"\n",
            node.path("bin/sh").display(),
            node.path("sudo-was-given").display(),
            home.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    nodes
}

#[test]
fn a_query_runs_as_the_other_user_in_that_users_home() {
    for node in nodes_with_sudo() {
        for login in LOGINS {
            let Some(login) = found(login) else { continue };
            let argv = ["sh", "-c", "printf '%s ' \"$HOME\" \"$PWD\" \"$1\"; exit 3", "sh", "a'b"];
            let (out, err, code) = run_query(&node, login.to_str().unwrap(), &argv);
            let home = node.path("theirs").display().to_string();
            let seen = (String::from_utf8_lossy(&out).into_owned(), err, code);
            let expected = (format!("{home} {home} a'b "), Vec::new(), Some(3));
            assert_eq!(seen, expected, "{} under {login:?}", node.shell);
        }
        let given = fs::read_to_string(node.path("sudo-was-given")).unwrap();
        let script = "cd 2>/dev/null || cd /; IFS= read -r c && eval \"$c\"";
        assert_eq!(given, format!("[-n][-H][-u][cassandra][-g][#7][--][sh][-c][{script}]"));
    }
}

#[test]
fn an_action_keeps_its_state_is_attached_and_is_removed_as_the_other_user() {
    for node in nodes_with_sudo() {
        let action = sh("echo ran >>\"$HOME/count\"; pwd; exit 4");
        let home = node.path("theirs");
        for _ in 0..2 {
            let finished = node.deliver(&action, Offsets::default()).finish();
            assert_eq!(finished.code(), 4, "{}: {finished:?}", node.shell);
            assert_eq!(finished.text(), format!("{}\n", home.display()), "{}", node.shell);
        }
        assert_eq!(node.attach(&action, Offsets::default()).finish().code(), 4);
        assert_eq!(fs::read_to_string(home.join("count")).unwrap(), "ran\n");
        let directory = home.join(".quorate/actions").join(key(&action.id));
        assert!(directory.join("status").exists());
        assert!(!node.path(".quorate").exists(), "{}: state in the login's home", node.shell);
        let forgotten = node.attached(forget(&action.id, None).unwrap(), b"").finish();
        assert_eq!(forgotten.last, Some(Frame::Forgotten), "{}", node.shell);
        wait_for("an empty directory", || {
            fs::read_dir(&directory).unwrap().flatten().all(|entry| entry.file_name() == "run")
        });
    }
}

#[test]
fn a_node_without_sudo_is_told_apart_under_every_login_shell() {
    for mut node in nodes() {
        // Nothing but the shell: this machine may have a sudo.
        node.path = node.path("bin").display().to_string();
        node.loader = Sudo::default().loader().unwrap();
        for login in LOGINS {
            let Some(login) = found(login) else { continue };
            let output = node.spawn(login.to_str().unwrap()).wait_with_output().unwrap();
            let printed = String::from_utf8_lossy(&output.stderr);
            let exit = output.status.code().map(Exit::Code);
            let fault = Sudo::default()
                .denial("ann", &printed, exit)
                .unwrap_or_else(|| panic!("{} under {login:?}: {exit:?} {printed}", node.shell));
            assert!(fault.message.contains("no sudo in the PATH of ann"), "{fault:?}");
        }
    }
}
