//! What guests call: checked, counted, and passed on to the effects.
use crate::{
    bindings::quorate::plugin::{cluster, flow, log, nodetool, script, shell, types},
    convert,
    ended::Ended,
    state::State,
};
use quorate_ports::Work;
use serde::Serialize;
use std::sync::Arc;

type Answer<T> = wasmtime::Result<Result<T, types::Error>>;

impl types::Host for State {}

impl log::Host for State {
    async fn line(&mut self, level: log::Level, text: String) -> wasmtime::Result<()> {
        let log = Arc::clone(&self.log);
        log.line(convert::level(level), &text).map_err(|breach| Ended::Limit(breach).into())
    }

    async fn progress(&mut self, text: String) -> wasmtime::Result<()> {
        let log = Arc::clone(&self.log);
        log.progress(&text).map_err(|breach| Ended::Limit(breach).into())
    }
}

impl flow::Host for State {
    async fn sleep(&mut self, duration_ms: u64) -> wasmtime::Result<()> {
        self.journalled("flow.sleep")?.sleep(duration_ms).await;
        Ok(())
    }

    async fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.journalled("flow.now")?.now().await)
    }

    async fn random(&mut self) -> wasmtime::Result<u64> {
        Ok(State::random(self))
    }
}

impl cluster::Host for State {
    async fn topology(&mut self) -> Answer<String> {
        let answer = self.journalled("cluster.topology")?.topology().await;
        Ok(answer.map_err(Into::into).and_then(|topology| json(&topology)))
    }

    async fn refresh(&mut self, node: String) -> Answer<String> {
        let effects = self.journalled("cluster.refresh")?;
        self.request(node.len())?;
        let answer = effects.refresh(node).await;
        Ok(answer.map_err(Into::into).and_then(|facts| json(&facts)))
    }

    async fn wait(&mut self, condition: String, timeout_ms: Option<u64>) -> Answer<String> {
        let effects = self.journalled("cluster.wait")?;
        self.request(condition.len())?;
        let condition = match serde_json::from_str(&condition) {
            Ok(condition) => condition,
            Err(error) => return Ok(Err(convert::invalid(format!("condition: {error}")))),
        };
        let answer = effects.wait(condition, timeout_ms).await;
        Ok(answer.map_err(Into::into).and_then(|result| json(&result)))
    }
}

impl nodetool::Host for State {
    async fn run(
        &mut self,
        args: Vec<String>,
        timeout_ms: Option<u64>,
        extra: String,
    ) -> Answer<types::ExecResult> {
        let size = convert::texts_size(&args) + extra.len();
        self.act("nodetool.run", size, move || convert::nodetool(args, timeout_ms, &extra)).await
    }
}

impl shell::Host for State {
    async fn exec(&mut self, request: types::ExecRequest) -> Answer<types::ExecResult> {
        let size = convert::size(&request);
        self.act("shell.exec", size, move || convert::shell(request)).await
    }
}

impl script::Host for State {
    async fn run(
        &mut self,
        text: String,
        interpreter: String,
        request: types::ExecRequest,
    ) -> Answer<types::ExecResult> {
        let size = text.len() + interpreter.len() + convert::size(&request);
        self.act("script.run", size, move || convert::script(text, interpreter, request)).await
    }
}

impl State {
    async fn act(
        &mut self,
        call: &'static str,
        size: usize,
        work: impl FnOnce() -> Result<Work, types::Error> + Send,
    ) -> Answer<types::ExecResult> {
        let effects = self.journalled(call)?;
        self.request(size)?;
        let work = match work() {
            Ok(work) => work,
            Err(error) => return Ok(Err(error)),
        };
        let outcome = effects.act(work).await;
        Ok(outcome.map(convert::result).map_err(Into::into))
    }
}

fn json(value: &impl Serialize) -> Result<String, types::Error> {
    serde_json::to_string(value).map_err(|error| {
        let message = format!("the host can't write its answer as JSON: {error}");
        types::Error::Other(types::Problem { code: "contract".into(), message })
    })
}
