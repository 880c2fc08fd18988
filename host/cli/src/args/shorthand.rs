//! cstar's short names of a strategy and of how data centers follow each other, in one flag.
use super::OrderArgs;
use clap::Args;

/// One flag for a strategy and for how data centers follow each other.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Order")]
#[group(multiple = false, conflicts_with_all = ["strategy", "dc_parallel", "dc_serial"])]
pub(crate) struct Shorthand {
    /// As --strategy one --dc-serial
    #[arg(long)]
    pub(crate) one: bool,
    /// As --strategy one --dc-parallel
    #[arg(long)]
    pub(crate) one_per_dc: bool,
    /// As --strategy topology --dc-serial
    #[arg(long)]
    pub(crate) topology: bool,
    /// As --strategy topology --dc-parallel
    #[arg(long)]
    pub(crate) topology_per_dc: bool,
    /// As --strategy all --dc-parallel
    #[arg(long)]
    pub(crate) all: bool,
}

impl OrderArgs {
    /// The same with a short name spelled out.
    pub(crate) fn spelled_out(mut self) -> Self {
        let Shorthand { one, one_per_dc, topology, topology_per_dc, all } = self.shorthand;
        let strategy = match () {
            () if one || one_per_dc => "one",
            () if topology || topology_per_dc => "topology",
            () if all => "all",
            () => return self,
        };
        self.strategy = Some(strategy.to_owned());
        self.dc_parallel = one_per_dc || topology_per_dc || all;
        self.dc_serial = !self.dc_parallel;
        self
    }
}
