//! What the product is held against: who holds which range, and whether a consistency level holds, computed
//! in the most literal way. It shares no code with the product and no idea either; it is slow and doesn't
//! mind. Every range walks the ring anew. The simulator places its keyspaces with it and judges by it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod guarantee;
mod place;

pub use guarantee::{Demand, Level, broken, demands, worsens};
pub use place::{Factor, HeldRange, Member, Mode, Replication, place};
