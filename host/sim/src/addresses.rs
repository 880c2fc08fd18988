//! Loopback addresses and a port for the nodes: simulations that run at the same time must not meet.
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use crate::SimError;
use crate::random::Random;

/// Nodes per `127.x.y.0/24`.
const BLOCK: usize = 250;
const ATTEMPTS: u32 = 20;

/// A listener per node, all on one port.
pub(crate) struct Places {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) addresses: Vec<Ipv4Addr>,
    pub(crate) port: u16,
    /// The `127.x.y` in use.
    pub(crate) blocks: Vec<String>,
}

/// Finds places for `nodes` nodes: random blocks, and the port that the system gives for the first address, if it is free on all.
pub(crate) async fn places(nodes: usize) -> Result<Places, SimError> {
    // Keyed anew in every process and on every call.
    let mut random = Random::new(RandomState::new().hash_one(std::process::id()));
    let mut last = std::io::Error::other("not tried");
    for _ in 0..ATTEMPTS {
        match attempt(nodes, &mut random).await {
            Ok(places) => return Ok(places),
            Err(error) => last = error,
        }
    }
    Err(SimError::Addresses { nodes, attempts: ATTEMPTS, last })
}

async fn attempt(nodes: usize, random: &mut Random) -> std::io::Result<Places> {
    let count = nodes.div_ceil(BLOCK);
    if count > 250 {
        return Err(std::io::Error::other("too many nodes for one 127.x.0.0/16"));
    }
    // 127.0 belongs to everybody else.
    let x = 1 + random.below(254) as u8;
    let first_y = random.below(255 - count as u64) as u8;
    let address = |node: usize| {
        Ipv4Addr::new(127, x, first_y + (node / BLOCK) as u8, 1 + (node % BLOCK) as u8)
    };
    let addresses: Vec<Ipv4Addr> = (0..nodes).map(address).collect();
    let mut listeners: Vec<TcpListener> = Vec::with_capacity(nodes);
    let mut port = 0;
    for address in &addresses {
        let listener = TcpListener::bind(SocketAddr::from((*address, port))).await?;
        port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    let blocks = (0..count).map(|block| format!("127.{x}.{}", first_y as usize + block)).collect();
    Ok(Places { listeners, addresses, port, blocks })
}
