//! The script in QuickJS, and what it may take: memory, stack, time. Whatever goes wrong in it ends it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use rquickjs::function::IntoArgs;
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Function, Module, Object, Runtime};

use super::natives::Natives;
use super::source::Source;
use super::{Limits, Plan, SocketEvent};
use crate::error::Error;

/// Of the thread's stack: a deeply nested frame ends in an error of the parser, not of the process.
const STACK_BYTES: usize = 1_024 * 1_024;
/// Characters that come in before it is looked at how much memory is taken: looking costs as much as it finds.
const LOOK_EVERY: usize = 2 * 1_024 * 1_024;

/// Why an engine ended.
#[derive(Debug)]
pub(crate) enum Death {
    OutOfMemory,
    RanAway,
    Threw(String),
    /// The settings of the program cannot be.
    Refused(Error),
}

impl Death {
    pub fn into_error(self) -> Error {
        let how = match self {
            Self::Refused(error) => return error,
            Self::OutOfMemory => "it takes more memory than it may".to_owned(),
            Self::RanAway => "it did not come to an end with what it was doing".to_owned(),
            Self::Threw(what) => what,
        };
        Error::EngineFailed(format!("The engine has failed, and is started again from its store: {how}"))
    }
}

/// Stands before the name of each module; `scripts/quickjs-bundle.mjs` has it too.
const MARK: &str = "//# module ";

pub(crate) struct Script {
    runtime: Runtime,
    context: Context,
    /// Names of its modules, in the order in which they run. The last one is what is called.
    modules: Vec<String>,
    limits: Limits,
    /// When the turn must be over; `None` between turns.
    deadline: Rc<Cell<Option<Instant>>>,
    ran_away: Rc<Cell<bool>>,
    /// Characters that came in since the memory was last looked at.
    unlooked: Cell<usize>,
}

impl Script {
    /// A runtime with its limits, and nothing in it yet.
    fn empty(limits: Limits) -> Result<Self, Death> {
        let failed = |error: rquickjs::Error| Death::Threw(error.to_string());
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_memory_limit(limits.memory);
        runtime.set_max_stack_size(STACK_BYTES);
        let deadline: Rc<Cell<Option<Instant>>> = Rc::default();
        let ran_away: Rc<Cell<bool>> = Rc::default();
        let (due, ran) = (deadline.clone(), ran_away.clone());
        runtime.set_interrupt_handler(Some(Box::new(move || {
            let is_late = due.get().is_some_and(|due| Instant::now() > due);
            if is_late {
                ran.set(true);
            }
            is_late
        })));
        let context = Context::full(&runtime).map_err(failed)?;
        let (modules, unlooked) = Default::default();
        Ok(Self { runtime, context, modules, limits, deadline, ran_away, unlooked })
    }

    fn give(&self, natives: &Rc<Natives>) -> Result<(), Death> {
        self.turn(|ctx| {
            let native = natives.object(ctx)?;
            ctx.globals().set("native", native)
        })
    }

    /// Reads the engine, which takes longest at a start, and runs nothing of it.
    pub fn read(source: &Source, limits: Limits) -> Result<Self, Death> {
        let mut script = Self::empty(limits)?;
        let text = source.text().map_err(|error| Death::Threw(error.to_string()))?;
        for (name, text) in text.split(MARK).filter_map(|module| module.split_once('\n')) {
            script.turn(|ctx| Module::declare(ctx.clone(), name, text).map(drop))?;
            script.modules.push(name.to_owned());
        }
        Ok(script)
    }

    /// Starts the engine that was read with these settings, JSON.
    pub fn start(mut self, plan: &Plan, natives: &Rc<Natives>, settings: &str) -> Result<Self, Death> {
        self.limits = plan.limits;
        self.runtime.set_memory_limit(plan.limits.memory);
        let script = self;
        script.give(natives)?;
        script.turn(|ctx| {
            for name in &script.modules {
                let module: Object<'_> = Module::import(ctx, &**name)?.finish()?;
                ctx.globals().set("nostrSync", module)?;
            }
            Ok(())
        })?;
        if let Some(categories) = &plan.categories {
            script.turn(|ctx| ctx.eval::<(), _>(&**categories))?;
        }
        let mut refusal = None;
        script.turn(|ctx| {
            let module: Object<'_> = ctx.globals().get("nostrSync")?;
            let start: Function<'_> = module.get("start")?;
            match start.call::<_, Object<'_>>((settings,)).catch(ctx) {
                Ok(running) => ctx.globals().set("running", running),
                Err(CaughtError::Exception(error)) => {
                    let describe: Function<'_> = module.get("describeFailure")?;
                    let wire: String = describe.call((error,))?;
                    let wire = serde_json::from_str::<serde_json::Value>(&wire).unwrap_or_default();
                    refusal = Some(Error::from(wire));
                    Ok(())
                }
                Err(other) => Err(other.throw(ctx)),
            }
        })?;
        match refusal {
            Some(error) => Err(Death::Refused(error)),
            None => Ok(script),
        }
    }

    /// One thing that comes in, and all that follows from it at once. An error of it is the end of the engine: after one that
    /// was not foreseen nothing is certain, while the store has what was saved.
    fn turn(&self, work: impl FnOnce(&Ctx<'_>) -> rquickjs::Result<()>) -> Result<(), Death> {
        self.deadline.set(Some(Instant::now() + self.limits.run_time));
        let outcome = self.context.with(|ctx| work(&ctx).catch(&ctx).map_err(|error| describe(&error)));
        let outcome = outcome.and_then(|()| self.finish_jobs());
        self.deadline.set(None);
        if self.ran_away.get() {
            return Err(Death::RanAway);
        }
        outcome.map_err(
            |what| if what.contains("out of memory") { Death::OutOfMemory } else { Death::Threw(what) },
        )
    }

    fn finish_jobs(&self) -> Result<(), String> {
        loop {
            match self.runtime.execute_pending_job() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(failed) => {
                    return Err(failed
                        .0
                        .with(|ctx| describe(&CaughtError::from_error(&ctx, rquickjs::Error::Exception))));
                }
            }
        }
    }

    fn running<A: for<'js> IntoArgs<'js>>(&self, method: &str, args: A, size: usize) -> Result<(), Death> {
        self.turn(|ctx| {
            let running: Object<'_> = ctx.globals().get("running")?;
            let function: Function<'_> = running.get(method)?;
            function.call(args)
        })?;
        self.look_at_memory(size)
    }

    /// An allocation that fails is an exception, which the engine may take for another one's. So it must not come to that: an engine
    /// that takes half of what it may, and cannot free it, ends between two turns, of which none takes the other half.
    fn look_at_memory(&self, size: usize) -> Result<(), Death> {
        self.unlooked.set(self.unlooked.get() + size);
        if self.unlooked.get() < LOOK_EVERY.min(self.limits.memory / 8) {
            return Ok(());
        }
        self.unlooked.set(0);
        let is_over = || self.memory() > self.limits.memory / 2;
        if is_over() {
            self.runtime.run_gc();
        }
        if is_over() { Err(Death::OutOfMemory) } else { Ok(()) }
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        usize::try_from(self.runtime.memory_usage().malloc_size).unwrap_or(usize::MAX)
    }

    pub fn call(&self, id: f64, origin: &str, method: &str, args: &str) -> Result<(), Death> {
        self.running("call", (id, origin, method, args), args.len())
    }

    pub fn cancel(&self, id: f64) -> Result<(), Death> {
        self.running("cancel", (id,), 0)
    }

    pub fn signer(&self, id: f64, info: Option<&str>) -> Result<(), Death> {
        // `Option` would be `undefined`.
        match info {
            Some(info) => self.running("signer", (id, info), 0),
            None => self.running("signer", (id, Null), 0),
        }
    }

    pub fn timer(&self, id: f64) -> Result<(), Death> {
        self.running("timer", (id,), 0)
    }

    pub fn wake(&self, is_online: bool) -> Result<(), Death> {
        self.running("wake", (is_online,), 0)
    }

    pub fn reply(&self, id: f64, result: Result<Option<String>, String>) -> Result<(), Death> {
        match result {
            Ok(Some(value)) => self.running("reply", (id, Null, value.as_str()), value.len()),
            Ok(None) => self.running("reply", (id, Null, Null), 0),
            Err(error) => self.running("reply", (id, error.as_str(), Null), 0),
        }
    }

    pub fn socket(&self, id: f64, event: SocketEvent) -> Result<(), Death> {
        match event {
            SocketEvent::Opened => self.running("opened", (id,), 0),
            SocketEvent::Message(text) => self.running("message", (id, text.as_str()), text.len()),
            SocketEvent::Pong => self.running("pong", (id,), 0),
            SocketEvent::Closed(reason) => self.running("closed", (id, reason.as_str()), 0),
        }
    }
}

/// `null`.
#[derive(Clone, Copy)]
struct Null;

impl<'js> rquickjs::IntoJs<'js> for Null {
    fn into_js(self, ctx: &Ctx<'js>) -> rquickjs::Result<rquickjs::Value<'js>> {
        Ok(rquickjs::Value::new_null(ctx.clone()))
    }
}

/// The message of what was thrown, without its stack: that is of the bundle.
fn describe(error: &CaughtError<'_>) -> String {
    match error {
        CaughtError::Exception(exception) => exception.message().unwrap_or_default(),
        CaughtError::Value(value) => format!("a {} was thrown", value.type_name()),
        CaughtError::Error(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
