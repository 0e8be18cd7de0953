//! What every tool needs: the daemon, the apps that may be seen, the rules of this server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};
use velos_client::{Client, Home};
use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{EventsParams, EventsReply, InstanceSummary, ListReply, Targets, method};
use velos_core::selector::{self, Candidate};

use crate::allow::Allow;
use crate::audit::{self, Caller};
use crate::condition::TIMEOUT_MS;
use crate::declare::Host;
use crate::history::History;
use crate::reply::{Outcome, Trouble};
use crate::spec::{self, Selection, Spec};
use crate::{alert, tools};

/// Who the daemon says it was.
pub(crate) const CLIENT_NAME: &str = "mcp";
/// A daemon that hangs must not keep an agent for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Events in which crashes are looked for.
const ALERT_EVENTS: u32 = 200;

/// How a server behaves.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Refuse every tool that changes something.
    pub read_only: bool,
    /// Which tools there are.
    pub selection: Selection,
    /// Globs of the apps that may be seen and touched; none: all.
    pub allow: Vec<String>,
    /// Declare output schemas and return structured content.
    pub structured: bool,
}

/// One per server.
pub(crate) struct Toolbox {
    pub(crate) home: Home,
    pub(crate) options: Options,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) allow: Allow,
    /// Of the hashes that stand for secrets.
    pub(crate) salt: u64,
    pub(crate) history: Arc<History>,
}

/// A call that can be told to end, and can tell how far it is.
pub(crate) struct Call<'a> {
    pub(crate) toolbox: &'a Toolbox,
    pub(crate) caller: &'a Caller,
    pub(crate) cancelled: &'a AtomicBool,
    /// Milliseconds so far, milliseconds at most, and what is waited for.
    pub(crate) progress: &'a (dyn Fn(u64, u64, &str) + Sync),
    /// No wait may be longer.
    pub(crate) timeout_ms_max: u64,
}

impl Call<'_> {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// How long to wait, if so long was asked for.
    pub(crate) fn timeout(&self, asked_ms: Option<u64>) -> Duration {
        Duration::from_millis(asked_ms.unwrap_or(TIMEOUT_MS).min(self.timeout_ms_max))
    }
}

impl Toolbox {
    pub(crate) fn new(home: Home, options: Options, host: Arc<dyn Host>) -> Self {
        use std::hash::{BuildHasher, Hasher};
        let salt = std::collections::hash_map::RandomState::new().build_hasher().finish();
        Self { home, allow: Allow::new(options.allow.clone()), options, host, salt, history: Arc::default() }
    }

    /// A running daemon, or none.
    pub(crate) fn running(&self) -> Result<Option<Client>, ErrorReply> {
        let mut client = Client::connect_within(&self.home, CLIENT_NAME, PATIENCE)?;
        if let Some(client) = &mut client {
            client.set_patience(Some(PATIENCE));
        }
        Ok(client)
    }

    /// A daemon, started if there is none. It may take as long as the apps take.
    pub(crate) fn daemon(&self) -> Result<Client, ErrorReply> {
        velos_client::start::connect_or_start(&self.home, CLIENT_NAME)
    }

    /// The daemon, for a question that makes no sense without one.
    pub(crate) fn asked(&self) -> Result<Client, ErrorReply> {
        self.running()?.ok_or_else(|| {
            ErrorReply::new(ErrorCode::NotFound, "nothing was started yet")
                .hint("start an app with process_start")
        })
    }

    /// All instances that may be seen.
    pub(crate) fn instances(&self) -> Result<Vec<InstanceSummary>, ErrorReply> {
        let Some(mut client) = self.running()? else { return Ok(Vec::new()) };
        let list: ListReply = client.call(method::LIST, &Targets::default())?;
        Ok(list.instances.into_iter().filter(|one| self.allow.permits(&one.name)).collect())
    }

    /// Instances of a name, id or other selector.
    pub(crate) fn select(&self, name: &str) -> Result<Vec<InstanceSummary>, ErrorReply> {
        let all = self.instances()?;
        let candidates: Vec<Candidate<'_>> = all.iter().map(candidate).collect();
        let ids = selector::resolve(&[name.to_owned()], &candidates).map_err(|error| self.teach(error))?;
        Ok(all.into_iter().filter(|one| ids.contains(&one.id)).collect())
    }

    /// All, or those of a name.
    pub(crate) fn chosen(&self, name: Option<&str>) -> Result<Vec<InstanceSummary>, ErrorReply> {
        match name {
            Some(name) => self.select(name),
            None => self.instances(),
        }
    }

    /// To be changed: by a word that means one app, so that nothing is stopped by accident.
    pub(crate) fn one_app(&self, name: &str) -> Result<Vec<InstanceSummary>, ErrorReply> {
        if name == "all" || name.starts_with("ns:") || name.contains(['*', '?', '/']) {
            return Err(ErrorReply::new(ErrorCode::Usage, format!("name: {name:?} may mean several apps"))
                .hint("give the name or id of one; see process_list"));
        }
        self.select(name)
    }

    fn teach(&self, error: ErrorReply) -> ErrorReply {
        let hint = match (error.hint, self.allow.shown()) {
            (Some(hint), _) if hint.contains("velos start") => "start one with process_start".to_owned(),
            (hint, Some(globs)) => format!("{}; this server shows only {globs}", hint.unwrap_or_default())
                .trim_start_matches("; ")
                .into(),
            (hint, None) => hint.unwrap_or_default(),
        };
        ErrorReply { hint: Some(hint), ..error }
    }

    /// Whether a tool exists here.
    pub(crate) fn offers(&self, spec: &Spec) -> bool {
        (self.options.selection == Selection::All || spec.is_core)
            && !(self.options.read_only && spec.changes)
    }

    /// Run a tool. The reply ends with an alert when something else needs attention.
    pub(crate) fn run(&self, name: &str, given: Map<String, Value>, call: &Call<'_>) -> Outcome {
        let spec = self.find(name)?;
        let known = given.get("name").and_then(Value::as_str).map(str::to_owned);
        let kept = spec.changes.then(|| given.clone());
        let mut outcome = tools::dispatch(spec, given, call);
        if let Some(arguments) = kept {
            let first = match &outcome {
                Ok(reply) => &reply.text,
                Err(trouble) => &trouble.text,
            };
            let failed = audit::record(self.home.path(), call.caller, name, &arguments, first, self.salt);
            if let (Some(failed), Ok(reply)) = (failed, &mut outcome) {
                reply.text.push_str(&format!("note: {failed}\n"));
            }
        }
        if let Ok(reply) = &mut outcome
            // A list says it itself.
            && !matches!(name, "process_list" | "health_check")
            && let Some(line) = self.alert(known.as_deref())
        {
            reply.text.push_str(&line);
            if let Value::Object(data) = &mut reply.data {
                data.insert("alert".to_owned(), Value::from(line.trim_end().trim_start_matches("! ")));
            }
        }
        if let Ok(reply) = &mut outcome
            && reply.as_json
        {
            reply.text = reply.data.to_string();
        }
        outcome
    }

    /// What is wrong with other apps. A daemon that does not answer is told elsewhere.
    fn alert(&self, known: Option<&str>) -> Option<String> {
        let instances = self.instances().ok()?;
        let params = EventsParams { limit: ALERT_EVENTS, ..EventsParams::default() };
        let events: EventsReply = self.running().ok()??.call(method::EVENTS, &params).ok()?;
        alert::line(&instances, &events.events, known)
    }

    fn find(&self, name: &str) -> Result<&'static Spec, Trouble> {
        let offered = || spec::ALL.iter().filter(|spec| self.offers(spec)).map(|spec| spec.name);
        match spec::find(name) {
            Some(spec) if self.offers(spec) => Ok(spec),
            Some(spec) if self.options.read_only && spec.changes => {
                let error = ErrorReply::new(
                    ErrorCode::Refused,
                    format!("{name} is refused: this server is read-only"),
                );
                Err(error
                    .hint("a person can run it without --read-only, or do it with the velos command")
                    .into())
            }
            _ => {
                let near = offered().map(|known| (selector::distance(name, known), known)).min();
                let near = near.filter(|(distance, _)| *distance <= 4);
                let meant = near.map_or(String::new(), |(_, known)| format!("did you mean {known}? "));
                let names: Vec<&str> = offered().collect();
                let error = ErrorReply::new(ErrorCode::NotFound, format!("no tool {name:?}"));
                Err(error.hint(format!("{meant}there are: {}", names.join(", "))).into())
            }
        }
    }
}

/// `api`, and `api:1` for further instances.
pub(crate) fn shown_name(one: &InstanceSummary) -> String {
    if one.slot > 0 { format!("{}:{}", one.name, one.slot) } else { one.name.clone() }
}

/// For the resolver.
pub(crate) fn candidate(one: &InstanceSummary) -> Candidate<'_> {
    Candidate { id: one.id, name: &one.name, namespace: &one.namespace, slot: one.slot, script: &one.script }
}

/// A file of a log that could not be read.
pub(crate) fn unreadable(error: std::io::Error) -> ErrorReply {
    ErrorReply::new(ErrorCode::Failed, format!("the logs cannot be read: {error}"))
        .hint("the server must run as the user of the daemon")
}
