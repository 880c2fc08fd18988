//! An sshd of a test's own, and a client for it.
use quorate_ports::{
    Action, ActionEnd, ActionId, ActionWatch, Answer, JobId, NodeKey, Program, Query, Stream,
    Target, Transport, TransportError,
};
use quorate_transport::{Ssh, SshOptions};
use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// A server, and the home directories of both ends.
pub(crate) struct Server {
    directory: tempfile::TempDir,
    pub(crate) port: u16,
    listener: Option<Child>,
    config: String,
    /// It sees accounts of its own in place of the system's.
    accounts: bool,
}

/// The password of [`Server::start_with_password`].
pub(crate) const PASSWORD: &str = "open sesame";
/// As `openssl passwd -6` makes it.
const HASH: &str = "$6$quorate$VhQAajAcJsEQj5Q6M2YpDjnfYW8euTDG/9QRPsXX1VrgVlGzg9ik39jIBwF4BUltzR1.A6iQvwzYpdmjkkaIR1";

/// The name of whoever runs the tests: an sshd that isn't root's lets nobody else in.
pub(crate) fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes a key pair without a passphrase; `kind` is as for `ssh-keygen -t`, with its options.
pub(crate) fn keygen(path: &Path, kind: &[&str]) {
    keygen_with(path, kind, "");
}

pub(crate) fn keygen_with(path: &Path, kind: &[&str], passphrase: &str) {
    let output = Command::new("ssh-keygen")
        .args(["-q", "-C", "a test", "-N", passphrase, "-f"])
        .arg(path)
        .arg("-t")
        .args(kind)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not come about");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Server {
    /// A server that accepts the key `id_ed25519` of the client's home.
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// The same with more lines of configuration, which win over the usual ones.
    pub(crate) fn start_with(more: &str) -> Self {
        Self::start_seeing(more, false)
    }

    /// A server at which root has a password, without touching the system's: files are mounted over `/etc/shadow` and `/etc/pam.d/sshd`
    /// where only this server sees it. `None`, and a word, where the tests don't run as root: no other sshd can check a password.
    pub(crate) fn start_with_password(more: &str) -> Option<Self> {
        if user() != "root" {
            eprintln!("left out: passwords need an sshd that is root's");
            return None;
        }
        let methods = "PasswordAuthentication yes\nKbdInteractiveAuthentication yes\nUsePAM yes";
        Some(Self::start_seeing(&format!("{more}\n{methods}"), true))
    }

    fn start_seeing(more: &str, accounts: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for name in ["node", "client", "client/.ssh"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let path = directory.path().display();
        let config = format!(
            "{more}\nListenAddress 127.0.0.1\nHostKey {path}/host_key\nAuthorizedKeysFile {path}/authorized_keys\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\n\
             SetEnv HOME={path}/node\nLogLevel VERBOSE\nPrintMotd no\n"
        );
        let mut server = Self { directory, port: 0, listener: None, config, accounts };
        keygen(&server.path("host_key"), &["ed25519"]);
        keygen(&server.client().join(".ssh/id_ed25519"), &["ed25519"]);
        server.authorize(&server.client().join(".ssh/id_ed25519.pub"));
        // The port is free when it is asked for; somebody else may be quicker.
        for _ in 0..5 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.listen() {
                return server;
            }
        }
        panic!("sshd does not start: {}", server.log());
    }

    /// Adds lines to the server's configuration, for its next start.
    pub(crate) fn also(&mut self, more: &str) {
        self.config = format!("{more}\n{}", self.config);
    }

    /// Starts the listener on the server's port.
    pub(crate) fn listen(&mut self) -> bool {
        // Where root's sshd changes its root directory to before it knows anybody.
        if user() == "root" {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let config = self.path("sshd_config");
        fs::write(&config, format!("Port {}\n{}", self.port, self.config)).unwrap();
        let log = fs::OpenOptions::new().create(true).append(true).open(self.path("log")).unwrap();
        let sshd = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"]
            .iter()
            .find(|path| Path::new(path).exists());
        let sshd = sshd.expect("openssh-server is not installed");
        let mut command = match self.accounts {
            true => self.with_accounts(sshd),
            false => Command::new(sshd),
        };
        let mut child = command
            .args(["-D", "-e", "-f"])
            .arg(config)
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(20) {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let mut banner = [0; 4];
                if stream.read_exact(&mut banner).is_ok() && &banner == b"SSH-" {
                    self.listener = Some(child);
                    return true;
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        false
    }

    /// sshd in a mount namespace of its own.
    fn with_accounts(&self, sshd: &str) -> Command {
        let (shadow, pam) = (self.path("shadow"), self.path("pam"));
        fs::write(&shadow, format!("root:{HASH}:19000:0:99999:7:::\nsshd:!:19000::::::\n"))
            .unwrap();
        let rules = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
        fs::write(&pam, rules).unwrap();
        let script = format!(
            "mount --bind {} /etc/shadow && mount --bind {} /etc/pam.d/sshd && exec {sshd} \"$@\"",
            shadow.display(),
            pam.display()
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &script, "sh"]);
        command
    }

    /// Kills the listener and every session process, none of which can say good-bye.
    pub(crate) fn kill(&mut self) {
        let Some(mut listener) = self.listener.take() else { return };
        let sessions = self.descendants(listener.id());
        listener.kill().unwrap();
        listener.wait().unwrap();
        for pid in sessions {
            Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .stderr(Stdio::null())
                .status()
                .unwrap();
        }
    }

    /// Kills the session processes only.
    pub(crate) fn kill_sessions(&self) {
        for pid in self.sessions() {
            Command::new("kill")
                .args(["-KILL", &pid.to_string()])
                .stderr(Stdio::null())
                .status()
                .unwrap();
        }
    }

    /// The processes of sessions, not what runs in them.
    pub(crate) fn sessions(&self) -> Vec<u32> {
        self.listener.as_ref().map(|listener| self.descendants(listener.id())).unwrap_or_default()
    }

    fn descendants(&self, of: u32) -> Vec<u32> {
        let mut parents = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
            let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
            let (pid, name) = head.split_once(" (").unwrap();
            let mut fields = rest.split(' ');
            let state = fields.next().unwrap();
            if name.starts_with("sshd") && state != "Z" {
                parents.push((
                    pid.parse::<u32>().unwrap(),
                    fields.next().unwrap().parse::<u32>().unwrap(),
                ));
            }
        }
        let mut found = vec![of];
        loop {
            let more: Vec<u32> = parents
                .iter()
                .filter(|(pid, parent)| found.contains(parent) && !found.contains(pid))
                .map(|(pid, _)| *pid)
                .collect();
            if more.is_empty() {
                return found.split_off(1);
            }
            found.extend(more);
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The home directory of logins.
    pub(crate) fn node(&self) -> PathBuf {
        self.path("node")
    }

    /// The operator's home directory.
    pub(crate) fn client(&self) -> PathBuf {
        self.path("client")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Lets a public key in.
    pub(crate) fn authorize(&self, public: &Path) {
        let path = self.path("authorized_keys");
        let mut text = fs::read_to_string(&path).unwrap_or_default();
        text.push_str(&fs::read_to_string(public).unwrap());
        fs::write(path, text).unwrap();
    }

    /// Lets nobody in.
    pub(crate) fn authorize_nobody(&self) {
        fs::write(self.path("authorized_keys"), "").unwrap();
    }

    pub(crate) fn known_hosts(&self) -> PathBuf {
        self.client().join(".ssh/known_hosts")
    }

    /// Writes the operator's `~/.ssh/config`.
    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.client().join(".ssh/config"), text).unwrap();
    }

    /// A client with this home, port and nothing else.
    pub(crate) fn ssh(&self) -> Client {
        self.ssh_with(|_| {})
    }

    pub(crate) fn ssh_with(&self, change: impl FnOnce(&mut SshOptions)) -> Client {
        let notices = Arc::new(Mutex::new(Vec::new()));
        let mut options = SshOptions::new(self.client(), user());
        options.port = Some(self.port);
        options.kill_grace = Duration::from_millis(500);
        let kept = notices.clone();
        options.notice = Arc::new(move |line| kept.lock().unwrap().push(line.to_owned()));
        change(&mut options);
        Client { ssh: Ssh::new(options).unwrap(), notices }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        // Supervisors of actions that a failed test left: the directory they work in goes.
        if std::thread::panicking() {
            eprintln!("sshd's log:\n{}", self.log());
        }
    }
}

/// A transport and what it told.
pub(crate) struct Client {
    pub(crate) ssh: Ssh,
    pub(crate) notices: Arc<Mutex<Vec<String>>>,
}

impl Client {
    pub(crate) async fn query(&self, argv: &[&str]) -> Result<Answer, TransportError> {
        self.query_at("127.0.0.1", argv).await
    }

    pub(crate) async fn query_at(
        &self,
        host: &str,
        argv: &[&str],
    ) -> Result<Answer, TransportError> {
        let query = Query {
            argv: strings(argv),
            timeout: Duration::from_secs(20),
            max_output: 1 << 20,
            private: Vec::new(),
        };
        self.ssh.query(&target(host), query).await
    }

    pub(crate) async fn act(
        &self,
        action: &Action,
        watch: &Watch,
    ) -> Result<ActionEnd, TransportError> {
        self.ssh.act(&target("127.0.0.1"), action, watch).await
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.notices.lock().unwrap().clone()
    }
}

pub(crate) fn target(host: &str) -> Target {
    Target { node: NodeKey("127.0.0.1".into()), host: host.into() }
}

pub(crate) fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

pub(crate) fn action(argv: &[&str]) -> Action {
    Action {
        id: ActionId {
            job: JobId("j1".into()),
            node: NodeKey("127.0.0.1".into()),
            stage: "main".into(),
            attempt: 1,
            seq: 1,
        },
        program: Program::Argv(strings(argv)),
        stdin: Vec::new(),
        env: Vec::new(),
        timeout_ms: None,
        private: Vec::new(),
    }
}

/// Keeps everything.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) out: Mutex<Vec<u8>>,
    pub(crate) err: Mutex<Vec<u8>>,
    pub(crate) told: Mutex<Vec<String>>,
}

impl ActionWatch for Watch {
    fn output(&self, stream: Stream, bytes: &[u8]) -> Result<(), String> {
        match stream {
            Stream::Stdout => self.out.lock().unwrap().extend_from_slice(bytes),
            Stream::Stderr => self.err.lock().unwrap().extend_from_slice(bytes),
        }
        Ok(())
    }

    fn connection(&self, text: &str) {
        self.told.lock().unwrap().push(text.to_owned());
    }
}

impl Watch {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn errors(&self) -> String {
        String::from_utf8(self.err.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until so many bytes of standard output have come.
    pub(crate) async fn has_printed(&self, bytes: usize) {
        let begun = Instant::now();
        while self.out.lock().unwrap().len() < bytes {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "only this was printed: {}",
                self.text()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) async fn was_told(&self, part: &str) {
        let begun = Instant::now();
        while !self.told().iter().any(|line| line.contains(part)) {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "only this was told: {:?}",
                self.told()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// An agent that ends with the test.
pub(crate) struct Agent {
    pub(crate) socket: PathBuf,
    child: Child,
}

impl Agent {
    pub(crate) fn start(directory: &Path) -> Self {
        let socket = directory.join("agent");
        let child = Command::new("ssh-agent")
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_for("the agent", || socket.exists());
        Self { socket, child }
    }

    pub(crate) fn add(&self, key: &Path) {
        let status = Command::new("ssh-add")
            .arg("-q")
            .arg(key)
            .env("SSH_AUTH_SOCK", &self.socket)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
