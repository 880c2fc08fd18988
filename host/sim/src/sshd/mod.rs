//! An SSH server per node, on the node's own address: what a client sees of sshd, and the ways in which it can fail.
mod exec;
mod session;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use russh::MethodSet;
use russh::keys::{PrivateKey, PublicKey};
use russh::server::Config;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinHandle};

use crate::SimError;
use crate::world::World;
use session::SessionHandler;

/// Bytes on their way between a socket and its session.
const PIPE: usize = 256 * 1024;

/// How long a connection outlives its session, for the last bytes to be read.
const FAREWELL: Duration = Duration::from_secs(1);

/// Shared by all nodes of a simulation.
pub(crate) struct Door {
    pub(crate) world: Arc<World>,
    pub(crate) client_key: PublicKey,
    pub(crate) port: u16,
    /// Set once the simulation ends: nothing may be spawned then.
    pub(crate) closed: RwLock<bool>,
}

/// The SSH server of one node.
pub(crate) struct Sshd {
    door: Arc<Door>,
    node: usize,
    address: Ipv4Addr,
    state: Mutex<State>,
}

struct State {
    config: Arc<Config>,
    host_key: PrivateKey,
    listener: Option<JoinHandle<()>>,
    connections: Vec<AbortHandle>,
}

fn config(host_key: &PrivateKey, with_password: bool) -> Arc<Config> {
    let mut methods = MethodSet::empty();
    methods.push(russh::MethodKind::PublicKey);
    if with_password {
        methods.push(russh::MethodKind::Password);
    }
    Arc::new(Config {
        methods,
        auth_rejection_time: Duration::from_millis(10),
        keys: vec![host_key.clone()],
        inactivity_timeout: None,
        nodelay: true,
        ..Config::default()
    })
}

impl Sshd {
    pub(crate) fn new(
        door: Arc<Door>,
        node: usize,
        address: Ipv4Addr,
        host_key: PrivateKey,
    ) -> Arc<Self> {
        let config = config(&host_key, door.world.spec.ssh_password.is_some());
        let state = Mutex::new(State { config, host_key, listener: None, connections: Vec::new() });
        Arc::new(Self { door, node, address, state })
    }

    /// Where it listens, and did before it was taken down.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn host_key(&self) -> PrivateKey {
        self.state().host_key.clone()
    }

    /// Shows another key to connections from now on.
    pub(crate) fn change_host_key(&self, host_key: PrivateKey) {
        let config = config(&host_key, self.door.world.spec.ssh_password.is_some());
        let mut state = self.state();
        state.config = config;
        state.host_key = host_key;
    }

    /// Accepts connections on `listener`, which is bound to the node's address.
    pub(crate) fn listen(self: &Arc<Self>, listener: TcpListener) {
        let server = Arc::clone(self);
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => server.serve(stream),
                    // Out of file descriptors, most likely: some will be closed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
        });
        self.state().listener = Some(task);
    }

    /// Listens again after [`Self::down`]; nothing to do while it listens.
    pub(crate) async fn up(self: &Arc<Self>) -> Result<bool, SimError> {
        if self.state().listener.is_some() {
            return Ok(false);
        }
        let address = SocketAddr::from((self.address, self.door.port));
        let listener =
            TcpListener::bind(address).await.map_err(SimError::io("can't listen again"))?;
        self.listen(listener);
        Ok(true)
    }

    /// Closes the listener and cuts all connections; returns when connections are refused. Tells whether it was listening.
    pub(crate) async fn down(&self) -> bool {
        let listener = self.state().listener.take();
        let listened = listener.is_some();
        if let Some(task) = listener {
            task.abort();
            // Ends with the abortion; only then the socket is closed.
            let _ = task.await;
        }
        self.drop_connections();
        listened
    }

    /// Ends everything without waiting.
    pub(crate) fn abandon(&self) {
        if let Some(task) = self.state().listener.take() {
            task.abort();
        }
        self.drop_connections();
    }

    /// Cuts all connections, in the middle of whatever they do; tells how many.
    pub(crate) fn drop_connections(&self) -> usize {
        let connections = std::mem::take(&mut self.state().connections);
        let open = connections.iter().filter(|connection| !connection.is_finished()).count();
        for connection in connections {
            connection.abort();
        }
        open
    }

    fn serve(&self, stream: TcpStream) {
        let mut state = self.state();
        let config = Arc::clone(&state.config);
        let handler = SessionHandler::new(Arc::clone(&self.door), self.node);
        state.connections.retain(|connection| !connection.is_finished());
        state.connections.push(tokio::spawn(connection(stream, config, handler)).abort_handle());
    }
}

/// The session reads and writes a pipe in memory, so that the socket can be closed over its head.
async fn connection(mut stream: TcpStream, config: Arc<Config>, handler: SessionHandler) {
    // Only a matter of speed.
    let _ = stream.set_nodelay(true);
    let (mut near, far) = tokio::io::duplex(PIPE);
    let session = tokio::spawn(async move {
        // How a client's session ends is the client's affair.
        if let Ok(session) = russh::server::run_stream(config, far, handler).await {
            let _ = session.await;
        }
    });
    let over = async {
        let _ = session.await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut stream, &mut near) => {}
        () = over => {}
    }
}
