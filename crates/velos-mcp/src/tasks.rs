//! Calls that take long become tasks, for clients that know the tasks extension: the client gets a handle at once, asks
//! `tasks/get` when it likes, and may wait for an hour instead of a minute. `rmcp` keeps the tasks; here is what bounds them
//! and what runs inside. Nobody can list tasks: who knows the random id of one may read and cancel it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::model::{CallToolResult, CreateTaskResult, GetTaskResult, ProtocolVersion, UpdateTaskParams};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions};
use rmcp::{ErrorData, RoleServer};
use serde_json::{Map, Value};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use crate::calls::answer;
use crate::clean;
use crate::condition::{TIMEOUT_MS, TIMEOUT_MS_MAX};
use crate::reply::Outcome;

/// A call that is over by then is answered at once; nobody likes to ask twice.
pub(crate) const GRACE: Duration = Duration::from_secs(1);
/// No wait in a task is longer.
pub(crate) const TASK_TIMEOUT_MS_MAX: u64 = 3_600_000;
/// Tasks that run at the same time; further calls are answered when they end, as for clients without tasks.
const RUNNING_MAX: usize = 16;
/// Tasks that are kept, with those that have ended.
const KEPT_MAX: usize = 128;
/// What a task may need besides its wait, and how long its result is there at least.
const SLACK_MS: u64 = 300_000;
/// How often a client should ask.
const POLL_MS: u64 = 1_000;

/// All tasks of a server.
#[derive(Clone)]
pub(crate) struct Tasks {
    manager: TaskManager,
    places: Arc<Semaphore>,
    kept: Arc<Mutex<Vec<String>>>,
}

/// Room for one more.
pub(crate) type Place = OwnedSemaphorePermit;

/// A tool that runs on its own thread. Who drops it tells it to end.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) work: JoinHandle<Outcome>,
    /// Milliseconds so far, milliseconds at most, and what is waited for.
    pub(crate) told: UnboundedReceiver<(u64, u64, String)>,
    pub(crate) cancelled: Arc<AtomicBool>,
    pub(crate) is_structured: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

impl Default for Tasks {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(RUNNING_MAX));
        Self { manager: TaskManager::new(), places, kept: Arc::default() }
    }
}

/// Whether the client of this request can do something with a task.
pub(crate) fn are_known(context: &RequestContext<RoleServer>) -> bool {
    let is_modern = context
        .protocol_version()
        .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
    is_modern && context.client_capabilities().is_some_and(|all| all.supports_tasks())
}

/// How long a call may wait.
pub(crate) fn timeout_ms_max(is_task: bool) -> u64 {
    if is_task { TASK_TIMEOUT_MS_MAX } else { TIMEOUT_MS_MAX }
}

/// How long the task of a call with these arguments is kept.
fn ttl_ms(given: &Map<String, Value>) -> u64 {
    let timeout = given.get("timeout_ms").and_then(Value::as_u64).unwrap_or(TIMEOUT_MS);
    timeout.min(TASK_TIMEOUT_MS_MAX) + SLACK_MS
}

impl Tasks {
    /// For a call that may become a task; none when there are enough of them.
    pub(crate) fn reserve(&self) -> Option<Place> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|id| self.manager.get_task(id).is_ok());
        if kept.len() >= KEPT_MAX {
            return None;
        }
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// A call goes on as a task.
    pub(crate) fn adopt(
        &self,
        place: Place,
        running: Running,
        given: &Map<String, Value>,
    ) -> CreateTaskResult {
        self.spawn(ttl_ms(given), |context| {
            Box::pin(async move {
                let outcome = follow(running, &context).await;
                // The next one may come.
                drop(place);
                outcome
            })
        })
    }

    /// Anything as a task.
    pub(crate) fn spawn(
        &self,
        ttl_ms: u64,
        work: impl FnOnce(TaskContext) -> TaskFuture,
    ) -> CreateTaskResult {
        let options = TaskOptions::new().with_ttl_ms(ttl_ms).with_poll_interval_ms(POLL_MS);
        let task = self.manager.spawn(options, work);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push(task.task_id.clone());
        CreateTaskResult::new(task)
    }

    pub(crate) fn get(&self, id: &str) -> Result<GetTaskResult, ErrorData> {
        self.manager.get_task(id).map(GetTaskResult::new).map_err(|_| unknown(id))
    }

    /// Answers to what a task asked. Ours ask nothing, and answers nobody waits for are ignored, as the protocol says.
    pub(crate) fn update(&self, request: UpdateTaskParams) -> Result<(), ErrorData> {
        let UpdateTaskParams { task_id, input_responses, .. } = request;
        self.manager.update_task(&task_id, input_responses).map_err(|_| unknown(&task_id))
    }

    pub(crate) fn cancel(&self, id: &str) -> Result<(), ErrorData> {
        self.manager.cancel_task(id).map_err(|_| unknown(id))
    }
}

fn unknown(id: &str) -> ErrorData {
    let text = format!(
        "no task {:?}: it was never made, or is kept no longer; call the tool again",
        clean::plain(id).chars().take(80).collect::<String>()
    );
    ErrorData::invalid_params(text, None)
}

/// Until it ends by itself or is told to.
async fn follow(mut running: Running, context: &TaskContext) -> Result<CallToolResult, TaskExit> {
    let mut is_cancelled = false;
    let outcome = loop {
        tokio::select! {
            outcome = &mut running.work => break outcome,
            () = context.cancelled(), if !is_cancelled => {
                is_cancelled = true;
                running.cancelled.store(true, Ordering::Relaxed);
            }
            Some((done, total, what)) = running.told.recv() => {
                let (done, total) = (done / 1_000, total / 1_000);
                context.set_status_message(format!("{} ({done}s of {total}s)", clean::plain(&what)));
            }
        }
    };
    let outcome = outcome
        .map_err(|_| ErrorData::internal_error("the call broke; try again", None))
        .map_err(TaskExit::Error)?;
    // What was started before stays started, and says so; a mere wait has nothing to tell.
    if is_cancelled && matches!(&outcome, Ok(reply) if reply.data["result"] == "cancelled") {
        return Err(TaskExit::Cancelled);
    }
    Ok(answer(outcome, running.is_structured))
}

#[cfg(test)]
mod tests {
    use rmcp::model::TaskStatus;
    use serde_json::json;

    use super::*;
    use crate::reply::Reply;

    fn waiting() -> Running {
        let cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&cancelled);
        let (tell, told) = tokio::sync::mpsc::unbounded_channel();
        let work = tokio::task::spawn_blocking(move || {
            let _ = tell.send((1_000, 60_000, "waits for port 1".to_owned()));
            while !flag.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(Reply::new("", json!({ "result": "cancelled" })))
        });
        Running { work, told, cancelled, is_structured: false }
    }

    async fn ended(tasks: &Tasks, id: &str) -> TaskStatus {
        loop {
            let status = tasks.get(id).unwrap().task.status();
            if status.is_terminal() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn there_are_only_so_many_and_a_cancelled_one_makes_room() {
        let tasks = Tasks::default();
        let mut ids = Vec::new();
        while let Some(place) = tasks.reserve() {
            ids.push(tasks.adopt(place, waiting(), &Map::new()).task.task_id);
        }
        assert_eq!(ids.len(), RUNNING_MAX);
        tasks.cancel(&ids[0]).unwrap();
        assert_eq!(ended(&tasks, &ids[0]).await, TaskStatus::Cancelled);
        // Its result stays, its place is free.
        assert!(tasks.reserve().is_some());
        for id in &ids {
            tasks.cancel(id).unwrap();
            ended(&tasks, id).await;
        }
        // Those that ended count too.
        for _ in ids.len()..KEPT_MAX {
            tasks.spawn(SLACK_MS, |_| Box::pin(async { Err(TaskExit::Cancelled) }));
        }
        assert!(tasks.reserve().is_none());
    }

    #[tokio::test]
    async fn it_says_how_far_it_is() {
        let tasks = Tasks::default();
        let id = tasks.adopt(tasks.reserve().unwrap(), waiting(), &Map::new()).task.task_id;
        let said = loop {
            match tasks.get(&id).unwrap().task.task.status_message {
                Some(said) => break said,
                None => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        assert_eq!(said, "waits for port 1 (1s of 60s)");
        tasks.cancel(&id).unwrap();
        ended(&tasks, &id).await;
    }

    #[test]
    fn a_task_outlives_its_wait() {
        let given = |ms: u64| json!({ "timeout_ms": ms }).as_object().cloned().unwrap();
        assert_eq!(ttl_ms(&Map::new()), 330_000);
        assert_eq!(ttl_ms(&given(60_000)), 360_000);
        assert_eq!(ttl_ms(&given(u64::MAX)), TASK_TIMEOUT_MS_MAX + SLACK_MS);
        assert!(unknown("x").message.contains("no task \"x\""));
    }
}
