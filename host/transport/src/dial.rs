//! The stream to a host: TCP, a jump host's, or a command's.
use crate::{
    config::{HostConfig, Proxy},
    connect::local_fault,
    fault::Fault,
    links::Link,
    proxied::{Piped, Said},
    tether::Stream,
};
use quorate_ports::FaultKind;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    time::timeout,
};

/// How faults begin that cost their whole time.
pub(crate) const TIMED_OUT: &str = "no answer";

/// A stream that is there.
pub(crate) struct Dialled {
    /// It.
    pub(crate) stream: Box<dyn Stream>,
    /// Where it leads, for errors.
    pub(crate) place: String,
    /// What the command says that it goes through.
    pub(crate) said: Option<Said>,
}

/// Opens the stream to a host, through the jump host that is given.
///
/// # Errors
/// There is nobody at its end.
pub(crate) async fn dial(config: &HostConfig, jump: Option<Arc<Link>>) -> Result<Dialled, Fault> {
    if let Some(jump) = jump {
        let place = format!("{}:{} behind {}", config.host_name, config.port, jump.name());
        let stream = jump.forward(&config.host_name, config.port, config.connect_timeout).await?;
        return Ok(Dialled { stream: Box::new(stream), place, said: None });
    }
    if let Proxy::Command(command) = &config.proxy {
        let (stream, said) = Piped::start(command)?;
        let place = format!("{}:{} behind the ProxyCommand", config.host_name, config.port);
        return Ok(Dialled { stream: Box::new(stream), place, said: Some(said) });
    }
    let (stream, address) = tcp(config).await?;
    Ok(Dialled { stream: Box::new(stream), place: address.to_string(), said: None })
}

async fn tcp(config: &HostConfig) -> Result<(TcpStream, SocketAddr), Fault> {
    let (host, port) = (config.host_name.as_str(), config.port);
    let unreachable = |message: String| Fault::new(FaultKind::Unreachable, message);
    let looked_up = timeout(config.connect_timeout, lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(Ok(addresses)) => addresses
            .filter(|address| config.family.is_none_or(|family| family.has(address.ip())))
            .collect(),
        Ok(Err(error)) => {
            if let Some(fault) = local_fault(&error) {
                return Err(fault);
            }
            return Err(unreachable(format!("the name {host} can't be looked up: {error}"))
                .hint("give the node's address, or a HostName for it in the ssh_config"));
        }
        Err(_) => {
            return Err(unreachable(format!("{TIMED_OUT} to the look-up of the name {host}")));
        }
    };
    let mut last = unreachable(format!("the name {host} has no address of the configured family"));
    for address in addresses {
        last = match timeout(config.connect_timeout, connect_from(config, address)).await {
            Ok(Ok(stream)) => {
                // Frames are small and wanted at once. Failing this would cost time, nothing else.
                let _ = stream.set_nodelay(true);
                return Ok((stream, address));
            }
            Ok(Err(error)) => tcp_fault(address, &error),
            Err(_) => unreachable(format!(
                "{TIMED_OUT} from {address} within {} s",
                config.connect_timeout.as_secs()
            ))
            .hint("is the host up, and does a firewall let the port through?"),
        };
    }
    Err(last)
}

async fn connect_from(config: &HostConfig, address: SocketAddr) -> io::Result<TcpStream> {
    let Some(from) = config.bind else { return TcpStream::connect(address).await };
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.bind(SocketAddr::new(from, 0))?;
    socket.connect(address).await
}

fn tcp_fault(address: SocketAddr, error: &io::Error) -> Fault {
    if let Some(fault) = local_fault(error) {
        return fault;
    }
    let fault = Fault::new(FaultKind::Unreachable, format!("{address}: {error}"));
    match error.kind() {
        io::ErrorKind::ConnectionRefused => fault
            .hint("does sshd run there, and on this port? Port in the ssh_config names another"),
        _ => fault,
    }
}
