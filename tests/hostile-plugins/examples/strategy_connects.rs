//! Is a strategy that would open a connection.
use quorate_sdk::{Args, Failure, Proposal, StrategyManifest, StrategyView};

fn manifest() -> StrategyManifest {
    quorate_sdk::strategy_manifest("connects", "0.1.0", "A strategy for tests")
}

fn propose(view: &StrategyView, _: &Args) -> Result<Proposal, Failure> {
    match std::net::TcpStream::connect((view.cluster.as_str(), 9042)) {
        Ok(_) => Ok(Proposal::default()),
        Err(error) => Err(Failure::new("connect", error.to_string())),
    }
}

quorate_sdk::export_strategy!(manifest: manifest, propose: propose);
