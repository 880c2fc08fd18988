//! A loaded strategy.
use crate::{
    bindings::strategy::{self as world, StrategyPre, exports::quorate::plugin::strategy_plugin},
    cache::CacheUse,
    capability::Imports,
    ended::{self, printable},
    limits::{Breach, Limits},
    manifest::{self, Described as _},
    state::{self, Purpose, State},
    ticker::Ticking,
};
use quorate_contract::{Proposal, StrategyManifest, StrategyView};
use quorate_ports::{BoxFuture, CommandError, LogLevel, StrategyAnswer, StrategyHost};
use wasmtime::{Engine, Store, component::Component};

/// More characters of what a guest says about its refusal aren't kept.
const MESSAGE_CHARS: usize = 4_000;

/// A component that exports a strategy. Every proposal has an instance of its own, in which clocks
/// stand at 1970 and all chance has one seed: it can hang on nothing but the view.
///
/// What it logs counts against its limits and comes with the answer.
pub struct Strategy {
    engine: Engine,
    instances: StrategyPre<State>,
    limits: Limits,
    pub(crate) manifest: StrategyManifest,
    pub(crate) digest: String,
    pub(crate) cache: CacheUse,
}

impl Strategy {
    /// Checks and links a component, and asks it for its manifest where that isn't known yet.
    pub(crate) async fn new(
        engine: &Engine,
        component: &Component,
        digest: String,
        known: Option<StrategyManifest>,
        limits: Limits,
        name: &str,
    ) -> Result<Self, CommandError> {
        let kind = StrategyManifest::KIND;
        let say = |message: String| CommandError { kind, command: name.to_owned(), message };
        let imports = Imports::read(kind, engine, component).map_err(say)?;
        let instances = imports
            .linker(engine)
            .and_then(|linker| linker.instantiate_pre(component))
            .and_then(StrategyPre::new)
            .map_err(|error| say(ended::misfit(&error)))?;
        let manifest = match known {
            Some(manifest) => manifest,
            None => {
                let described = describe(engine, &instances, limits, name).await;
                described.and_then(|text| manifest::read(&text)).map_err(say)?
            }
        };
        let cache = CacheUse::None;
        Ok(Self { engine: engine.clone(), instances, limits, manifest, digest, cache })
    }

    /// How the cache served when it was loaded.
    pub fn cache(&self) -> &CacheUse {
        &self.cache
    }

    /// The proposal, and what was logged meanwhile.
    async fn proposed(
        &self,
        view: StrategyView,
    ) -> (Result<Proposal, String>, Vec<(LogLevel, String)>) {
        let mut store = state::store(&self.engine, Purpose::Sandbox("propose"), self.limits);
        let proposal = self.ask(&mut store, view).await;
        (proposal, store.data().log.kept())
    }

    async fn ask(
        &self,
        mut store: &mut Store<State>,
        view: StrategyView,
    ) -> Result<Proposal, String> {
        let view = serde_json::to_string(&view).map_err(|error| error.to_string())?;
        let answer = async {
            let guest = self.instances.instantiate_async(&mut store).await?;
            let answer = plugin(&guest).call_propose(&mut store, &view).await?;
            store.data().request(answer.as_ref().map_or_else(String::len, String::len))?;
            Ok(answer)
        };
        let answer = answer
            .await
            .map_err(|error| ended::describe(&error, &who(&self.manifest.name), &self.limits).1)?;
        let text = answer.map_err(|why| refusal(&why))?;
        let proposal: Proposal = serde_json::from_str(&text).map_err(|error| {
            printable(&format!("its proposal can't be read: {error}"), MESSAGE_CHARS)
        })?;
        check(&proposal)?;
        Ok(proposal)
    }
}

impl StrategyHost for Strategy {
    fn manifest(&self) -> &StrategyManifest {
        &self.manifest
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn propose(&self, view: StrategyView) -> BoxFuture<'_, StrategyAnswer> {
        Box::pin(Ticking::new(async move {
            let (proposal, lines) = self.proposed(view).await;
            let proposal = proposal.map_err(|message| CommandError {
                kind: StrategyManifest::KIND,
                command: self.manifest.name.clone(),
                message,
            });
            StrategyAnswer { proposal, lines }
        }))
    }
}

async fn describe(
    engine: &Engine,
    instances: &StrategyPre<State>,
    limits: Limits,
    name: &str,
) -> Result<String, String> {
    let mut store = state::store(engine, Purpose::Sandbox("describe"), limits);
    let described = Ticking::new(async {
        let guest = instances.instantiate_async(&mut store).await?;
        plugin(&guest).call_describe(&mut store).await
    });
    let text = described.await.map_err(|error| ended::describe(&error, &who(name), &limits).1)?;
    if text.len() as u64 > limits.request_bytes {
        return Err(Breach::Request.message(&who(name), &limits));
    }
    Ok(text)
}

fn plugin(guest: &world::Strategy) -> &strategy_plugin::Guest {
    guest.quorate_plugin_strategy_plugin()
}

/// As messages call it.
fn who(name: &str) -> String {
    format!("{} {name}", StrategyManifest::KIND)
}

/// Why a component proposed nothing.
fn refusal(why: &str) -> String {
    match why.trim() {
        "" => "it proposes nothing and doesn't say why".into(),
        why => printable(why, MESSAGE_CHARS),
    }
}

/// Refuses what could never be carried out, whatever the nodes are.
fn check(proposal: &Proposal) -> Result<(), String> {
    match proposal.groups.iter().position(|group| group.max_out == Some(0)) {
        Some(place) => Err(format!(
            "its proposal is wrong: max-out of group {} is 0, so none of its nodes could start",
            place + 1
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_one_printable_text() {
        assert_eq!(refusal(" no node \u{1b}[2J"), "no node \u{fffd}[2J");
        assert_eq!(refusal(" "), "it proposes nothing and doesn't say why");
    }
}
