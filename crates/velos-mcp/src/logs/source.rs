//! The logs of an instance.

use velos_core::protocol::InstanceSummary;
use velos_log_engine::{Index, Stream, flag};

use super::Log;

/// A mark so near to the counted begin belongs to this run.
const SLACK_US: u64 = 2_000_000;
/// The count is late by as long as the question took.
const UNSURE_US: u64 = 20_000;

/// An instance and its two logs; one, when both streams go to the same file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// The name of the app.
    pub(crate) app: String,
    pub(crate) id: u32,
    pub(crate) logs: Vec<Log>,
    /// Its process runs since then, microseconds since 1970.
    pub(crate) started_us: Option<u64>,
}

/// Of these instances; those that share their files are one source.
pub(crate) fn sources(instances: &[InstanceSummary]) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for one in instances {
        let log = |path: &velos_core::raw_string::RawString, stream| Log {
            path: path.as_path().to_path_buf(),
            stream,
        };
        let mut logs = vec![log(&one.out_log, Stream::Out), log(&one.err_log, Stream::Err)];
        logs.retain(|log| !log.path.as_os_str().is_empty());
        logs.dedup_by(|second, first| second.path == first.path);
        let is_shared = sources.iter().any(|seen| seen.logs.iter().zip(&logs).any(|(a, b)| a.path == b.path));
        if is_shared || logs.is_empty() {
            continue;
        }
        let started_us = one.uptime_ms.map(|up| started(up, &logs));
        let name = crate::toolbox::shown_name(one);
        sources.push(Source { name, app: one.name.clone(), id: one.id.0, logs, started_us });
    }
    sources
}

/// When the run of a process began: the index marks the first bytes of a run, else it is counted back from now.
fn started(uptime_ms: u64, logs: &[Log]) -> u64 {
    let counted = crate::clock::now_us().saturating_sub(uptime_ms.saturating_mul(1_000));
    let marked = logs.iter().filter_map(|log| {
        let index = Index::of(&log.path);
        let record = index.records().iter().rev().find(|record| record.flags & flag::STARTED != 0)?;
        (record.time_us.abs_diff(counted) <= SLACK_US).then_some(record.time_us)
    });
    marked.min().unwrap_or(counted.saturating_sub(UNSURE_US)).min(counted.saturating_sub(UNSURE_US))
}
