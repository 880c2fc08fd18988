//! One SSH connection: who may log in, and what its channels may ask for.
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use russh::keys::PublicKey;
use russh::server::{
    Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey,
};
use russh::{Channel, ChannelId, ChannelOpenFailure};

use super::{Door, exec};

/// A place among the sessions that one connection may have open; given back when dropped.
pub(super) struct Slot(Arc<AtomicUsize>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A channel that has not been told yet what to do.
pub(super) struct Opened {
    pub(super) channel: Channel<Msg>,
    pub(super) environment: Vec<(String, String)>,
    pub(super) slot: Slot,
}

pub(super) struct SessionHandler {
    door: Arc<Door>,
    node: usize,
    open: Arc<AtomicUsize>,
    opened: HashMap<ChannelId, Opened>,
}

impl SessionHandler {
    pub(super) fn new(door: Arc<Door>, node: usize) -> Self {
        Self { door, node, open: Arc::default(), opened: HashMap::new() }
    }

    fn knows(&self, user: &str, key: &PublicKey) -> Auth {
        if user == self.door.world.spec.ssh_user
            && key.key_data() == self.door.client_key.key_data()
        {
            Auth::Accept
        } else {
            Auth::reject()
        }
    }

    fn run(
        &mut self,
        id: ChannelId,
        command: Option<&[u8]>,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(opened) = self.opened.remove(&id) else {
            return session.channel_failure(id);
        };
        let shown = command.map_or_else(
            || "(shell)".to_owned(),
            |command| String::from_utf8_lossy(command).into_owned(),
        );
        self.door.world.with_desk(self.node, |desk| desk.ran(shown));
        match exec::spawn(&self.door, self.node, command, &opened.environment) {
            Ok(child) => {
                session.channel_success(id)?;
                tokio::spawn(exec::serve(child, opened, session.handle()));
                Ok(())
            }
            Err(_) => session.channel_failure(id),
        }
    }
}

impl Handler for SessionHandler {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.knows(user, offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.knows(user, key.public_key))
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let spec = &self.door.world.spec;
        let right = user == spec.ssh_user && spec.ssh_password.as_deref() == Some(password);
        Ok(if right { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let slot = Slot(Arc::clone(&self.open));
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.door.world.spec.max_sessions {
            // What sshd answers beyond MaxSessions.
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        self.opened.insert(channel.id(), Opened { channel, environment: Vec::new(), slot });
        reply.accept().await;
        Ok(())
    }

    async fn channel_close(
        &mut self,
        channel: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.opened.remove(&channel);
        Ok(())
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        // The usual AcceptEnv.
        let accepted = name == "LANG" || name.starts_with("LC_");
        match self.opened.get_mut(&channel) {
            Some(opened) if accepted => {
                opened.environment.push((name.to_owned(), value.to_owned()));
                session.channel_success(channel)
            }
            _ => session.channel_failure(channel),
        }
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.run(channel, Some(data), session)
    }

    async fn shell_request(
        &mut self,
        channel: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.run(channel, None, session)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}
