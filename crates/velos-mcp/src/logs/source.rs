//! The logs of an instance.

use velos_core::protocol::InstanceSummary;
use velos_log_engine::Stream;

use super::Log;

/// An instance and its two logs; one, when both streams go to the same file.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
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
        let started_us =
            one.uptime_ms.map(|up| crate::clock::now_us().saturating_sub(up.saturating_mul(1_000)));
        sources.push(Source { name: crate::toolbox::shown_name(one), id: one.id.0, logs, started_us });
    }
    sources
}
