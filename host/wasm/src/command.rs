//! A loaded command.
use crate::{
    bindings::{Everything, EverythingPre, exports::quorate::plugin::command_plugin as exported},
    cache::CacheUse,
    capability::{Capability, Imports},
    ended::{self, printable},
    limits::{Breach, Limits},
    manifest::{self, Described as _},
    state::{self, Purpose, State},
    ticker::Ticking,
};
use quorate_contract::{Manifest, PlanContext, PlanDocument};
use quorate_ports::{BoxFuture, CommandError, CommandHost, Effects, RunEnd, RunInput};
use std::sync::Arc;
use wasmtime::{Engine, Store, component::Component};

/// More characters of what a guest says about its end aren't kept.
const MESSAGE_CHARS: usize = 4_000;

/// A component that exports a command. Runs are independent of each other and may be as many as wanted.
pub struct Command {
    engine: Engine,
    instances: EverythingPre<State>,
    limits: Limits,
    capabilities: Vec<Capability>,
    pub(crate) manifest: Manifest,
    pub(crate) digest: String,
    pub(crate) cache: CacheUse,
}

impl Command {
    /// Checks and links a component, and asks it for its manifest where that isn't known yet.
    pub(crate) async fn new(
        engine: &Engine,
        component: &Component,
        digest: String,
        known: Option<Manifest>,
        limits: Limits,
        name: &str,
    ) -> Result<Self, CommandError> {
        let kind = Manifest::KIND;
        let say = |message: String| CommandError { kind, command: name.to_owned(), message };
        let imports = Imports::read(kind, engine, component).map_err(say)?;
        let instances = imports
            .linker(engine)
            .and_then(|linker| linker.instantiate_pre(component))
            .and_then(EverythingPre::new)
            .map_err(|error| say(ended::misfit(&error)))?;
        let manifest = match known {
            Some(manifest) => manifest,
            None => {
                let described = describe(engine, &instances, limits, name).await;
                described.and_then(|text| manifest::read(&text)).map_err(say)?
            }
        };
        Ok(Self {
            engine: engine.clone(),
            instances,
            limits,
            capabilities: imports.capabilities(),
            manifest,
            digest,
            cache: CacheUse::None,
        })
    }

    /// What it may do beyond what every command may: what it imports.
    pub fn capabilities(&self) -> &[Capability] {
        &self.capabilities
    }

    /// How the cache served when it was loaded.
    pub fn cache(&self) -> &CacheUse {
        &self.cache
    }

    fn who(&self) -> String {
        who(&self.manifest.name)
    }

    async fn planned(&self, context: PlanContext) -> Result<PlanDocument, String> {
        let context = serde_json::to_string(&context).map_err(|error| error.to_string())?;
        let mut store = state::store(&self.engine, Purpose::Sandbox("plan"), self.limits);
        let answer = async {
            let guest = self.instances.instantiate_async(&mut store).await?;
            let answer = plugin(&guest).call_plan(&mut store, &context).await?;
            store.data().request(answer.as_ref().map_or(0, String::len))?;
            Ok(answer)
        };
        let answer =
            answer.await.map_err(|error| ended::describe(&error, &self.who(), &self.limits).1)?;
        let text = answer.map_err(refusal)?;
        serde_json::from_str(&text).map_err(|error| format!("its plan can't be read: {error}"))
    }

    async fn ran(&self, input: RunInput, effects: Arc<dyn Effects>) -> RunEnd {
        let RunInput { seed, now_ms, node, context } = input;
        let documents = serde_json::to_string(&node)
            .and_then(|node| Ok((node, serde_json::to_string(&context)?)));
        let (node, context) = match documents {
            Ok(documents) => documents,
            Err(error) => {
                let message = format!("the node's facts can't be written as JSON: {error}");
                return RunEnd::Failed { code: "plugin".into(), message };
            }
        };
        let purpose = Purpose::Run { seed, now_ms, effects };
        let mut store = state::store(&self.engine, purpose, self.limits);
        let end = self.call_run(&mut store, &node, &context).await;
        store.data().log.finish();
        match end {
            Ok(Ok(exported::Outcome::Done(what))) => RunEnd::Done(printable(&what, MESSAGE_CHARS)),
            Ok(Ok(exported::Outcome::Skipped(reason))) => {
                RunEnd::Skipped(printable(&reason, MESSAGE_CHARS))
            }
            Ok(Err(failure)) => {
                let code = match failure.code.trim() {
                    "" => "failed".to_owned(),
                    code => printable(code, 40),
                };
                RunEnd::Failed { code, message: printable(&failure.message, MESSAGE_CHARS) }
            }
            Err(error) => {
                let (code, message) = ended::describe(&error, &self.who(), &self.limits);
                RunEnd::Failed { code: code.into(), message }
            }
        }
    }

    async fn call_run(
        &self,
        store: &mut Store<State>,
        node: &str,
        context: &str,
    ) -> wasmtime::Result<Result<exported::Outcome, exported::Failure>> {
        let guest = self.instances.instantiate_async(&mut *store).await?;
        plugin(&guest).call_run(store, node, context).await
    }
}

impl CommandHost for Command {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn digest(&self) -> &str {
        &self.digest
    }

    fn plan(&self, context: PlanContext) -> BoxFuture<'_, Result<PlanDocument, CommandError>> {
        Box::pin(Ticking::new(async move {
            let planned = self.planned(context).await;
            planned.map_err(|message| CommandError {
                kind: Manifest::KIND,
                command: self.manifest.name.clone(),
                message,
            })
        }))
    }

    fn run(&self, input: RunInput, effects: Arc<dyn Effects>) -> BoxFuture<'_, RunEnd> {
        Box::pin(Ticking::new(self.ran(input, effects)))
    }
}

async fn describe(
    engine: &Engine,
    instances: &EverythingPre<State>,
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

/// As messages call it.
fn who(name: &str) -> String {
    format!("{} {name}", Manifest::KIND)
}

fn plugin(guest: &Everything) -> &exported::Guest {
    guest.quorate_plugin_command_plugin()
}

/// Why a component refused to plan.
fn refusal(error: exported::Error) -> String {
    let text = match error {
        exported::Error::Denied(why) => format!("denied: {why}"),
        exported::Error::Invalid(why) => why,
        exported::Error::TimedOut(ms) => format!("timed out after {ms} ms"),
        exported::Error::Lost(why) => format!("lost: {why}"),
        exported::Error::Other(problem) => problem.message,
    };
    printable(&text, MESSAGE_CHARS)
}
