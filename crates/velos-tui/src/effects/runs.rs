//! Asks the daemon for the runs of one instance, on a connection of its own.

use std::sync::mpsc::Sender;
use std::time::Duration;

use velos_client::{Client, ErrorCode, ErrorReply, Home};
use velos_core::instance::InstanceId;
use velos_core::protocol::{RunsReply, Targets, method};

use super::NAME;
use crate::Words;
use crate::msg::{Msg, RunLine};

/// How long the daemon may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn ask(home: &Home, words: Words, send: &Sender<Msg>, id: InstanceId, target: String) {
    let (home, send) = (home.clone(), send.clone());
    std::thread::spawn(move || {
        let runs = runs(&home, words, target).map_err(|error| error.message);
        // Nobody hears it only when the process ends.
        let _ = send.send(Msg::Runs(id, runs));
    });
}

fn runs(home: &Home, words: Words, target: String) -> Result<Vec<RunLine>, ErrorReply> {
    let mut client = Client::connect_within(home, NAME, PATIENCE)?
        .ok_or_else(|| ErrorReply::new(ErrorCode::NoDaemon, "no daemon runs"))?;
    client.set_patience(Some(PATIENCE));
    let reply: RunsReply = client.call(method::RUNS, &Targets { targets: vec![target] })?;
    let runs = reply.instances.into_iter().next().map(|one| one.runs).unwrap_or_default();
    Ok(runs
        .into_iter()
        .map(|run| RunLine { because: run.ended_by.as_ref().map(words.reason), run })
        .collect())
}
