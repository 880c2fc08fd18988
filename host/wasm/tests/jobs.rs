//! A hostile guest in a real job: its node fails with the reason, the others are unharmed.
#![allow(clippy::unwrap_used)]

#[path = "../../runner/tests/fake/mod.rs"]
mod fake;
mod support;

use quorate_contract::{Manifest, PlanContext, PlanDocument};
use quorate_journal::JobView;
use quorate_ports::{BoxFuture, CommandError, CommandHost, Effects, RunEnd, RunInput};
use quorate_ring::NodeId;
use quorate_schedule::{End, FailureBudget, Outcome, Phase, Policy, Strategy};
use quorate_wasm::Limits;
use std::sync::Arc;

/// One component on the first node, another on the rest.
struct Split {
    first: Arc<quorate_wasm::Command>,
    rest: Arc<quorate_wasm::Command>,
}

impl CommandHost for Split {
    fn manifest(&self) -> &Manifest {
        self.rest.manifest()
    }

    fn digest(&self) -> &str {
        self.rest.digest()
    }

    fn plan(&self, context: PlanContext) -> BoxFuture<'_, Result<PlanDocument, CommandError>> {
        self.rest.plan(context)
    }

    fn run(&self, input: RunInput, effects: Arc<dyn Effects>) -> BoxFuture<'_, RunEnd> {
        let command = if input.node.key == "10.0.0.1" { &self.first } else { &self.rest };
        command.run(input, effects)
    }
}

async fn play(hostile: &str, code: &str) {
    let limits = Limits { cpu_ms: 300, log_lines: 100, log_bytes: 10_000, ..Limits::default() };
    let engine = support::engine(limits);
    let first = support::load(&engine, hostile).await;
    let rest = support::load(&engine, "behaves").await;
    let together = Policy {
        strategy: Strategy::All,
        unguarded: true,
        max_failures: FailureBudget::Percent(100),
        stable_ms: 100,
        round_pause_ms: 50,
        ..Policy::default()
    };
    let in_turn = Policy { strategy: Strategy::One, unguarded: false, ..together.clone() };
    for policy in [together, in_turn] {
        let command = Arc::new(Split { first: first.clone(), rest: rest.clone() });
        let play = fake::Play::new(3, policy, command);
        assert_eq!(play.drive().await.unwrap(), Some(End::Failed { failed: 1, left: 0 }));
        let records = play.store.records.lock().unwrap();
        let view = JobView::fold(records.iter()).unwrap();
        let nodes = view.job.nodes();
        let Some(Outcome::Failed { code: got, message }) = &nodes[&NodeId(0)].outcome else {
            panic!("{hostile}: {:?}", nodes[&NodeId(0)]);
        };
        assert_eq!(got, code, "{message}");
        assert!(!message.is_empty() && !message.contains('\n'), "{message}");
        for other in [1, 2] {
            assert_eq!(nodes[&NodeId(other)].phase, Phase::Done, "{hostile}");
        }
    }
}

#[tokio::test]
async fn a_guest_that_loops_fails_its_node_only() {
    play("loops", "cpu-limit").await;
}

#[tokio::test]
async fn a_guest_that_allocates_fails_its_node_only() {
    play("allocates", "memory-limit").await;
}

#[tokio::test]
async fn a_guest_that_traps_fails_its_node_only() {
    play("traps", "trap").await;
}

#[tokio::test]
async fn a_guest_that_prints_fails_its_node_only() {
    play("prints", "log-limit").await;
}
