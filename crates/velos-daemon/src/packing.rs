//! Rotated segments are compressed by a process of their own, one after the other, so that neither the loop nor the
//! writer waits and no memory of it stays with us.

use std::collections::VecDeque;
use std::path::PathBuf;

use velos_core::instance::InstanceId;
use velos_ffi::{Rights, SpawnSpec};

use crate::control::Control;
use crate::tokens::Kind;

/// Everything else goes first.
const NICE: i32 = 15;

/// So long nothing must have been rotated, ns: a flood is not slowed down, and retention bounds it anyway.
const CALM_NS: u64 = 3_000_000_000;

/// Logs that wait, and the token of the process that works.
#[derive(Debug, Default)]
pub(crate) struct Packing {
    waiting: VecDeque<(PathBuf, u64)>,
    working: Option<u64>,
    calm_at_ns: u64,
}

impl Packing {
    /// A log has a new segment; those below it can be compressed.
    fn want(&mut self, log: PathBuf, segment: u64, now_ns: u64) {
        self.waiting.retain(|(waiting, _)| *waiting != log);
        self.waiting.push_back((log, segment));
        self.calm_at_ns = now_ns + CALM_NS;
    }

    /// The log to begin with, when it is time and nothing is under way.
    fn due(&mut self, now_ns: u64) -> Option<(PathBuf, u64)> {
        self.deadline().filter(|at_ns| *at_ns <= now_ns).and_then(|_| self.waiting.pop_front())
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        (self.working.is_none() && !self.waiting.is_empty()).then_some(self.calm_at_ns)
    }
}

impl Control {
    /// A segment was closed: those before it are compressed. The newest stays plain for `tail` and `grep`.
    pub(crate) fn rotated(&mut self, capture: u64, is_err: bool, segment: u64) {
        let Some(id) = self.instance_of_capture(capture) else { return };
        let Some(log) = self.log_to_pack(id, is_err) else { return };
        self.packing.want(log, segment, velos_ffi::now_ns());
    }

    fn log_to_pack(&self, id: InstanceId, is_err: bool) -> Option<PathBuf> {
        self.supervisor.app_of(id).filter(|app| app.spec.logs.compress)?;
        let paths = self.capture_paths(id)?;
        Some(if is_err { paths.err_log } else { paths.out_log })
    }

    /// Whether that was the process that worked.
    pub(crate) fn packing_ended(&mut self, token: u64) -> bool {
        if self.packing.working != Some(token) {
            return false;
        }
        self.packing.working = None;
        let _ = self.reactor.process_forget(token);
        true
    }

    /// Begin with the next log when it is time.
    pub(crate) fn pack_next(&mut self) {
        use std::os::unix::ffi::OsStrExt;
        let Some((log, below)) = self.packing.due(velos_ffi::now_ns()) else { return };
        let program = self.identity.executable.clone();
        let below = below.to_string();
        let argv =
            [program.as_os_str().as_bytes(), b"pack-log", log.as_os_str().as_bytes(), below.as_bytes()];
        let token = Kind::Hook.token(self.fresh_request());
        let spec = SpawnSpec {
            program: program.as_os_str().as_bytes(),
            argv: &argv,
            env: &[],
            cwd: Some(b"/"),
            capture: 0,
            rights: Rights { nice: Some(NICE), ..Rights::default() },
            channel: None,
            own_cgroup: false,
        };
        match self.reactor.spawn(token, &spec) {
            Ok(_) => self.packing.working = Some(token),
            Err(error) => {
                let text = format!("cannot compress segments of {}: {}", log.display(), error.errno);
                self.log.line(&text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_packed_one_after_the_other_once_it_is_calm() {
        let mut packing = Packing::default();
        assert_eq!((packing.deadline(), packing.due(u64::MAX)), (None, None));
        packing.want("/a.log".into(), 1, 0);
        packing.want("/b.log".into(), 5, 10);
        packing.want("/a.log".into(), 2, 20);
        assert_eq!((packing.deadline(), packing.due(CALM_NS + 19)), (Some(CALM_NS + 20), None));
        assert_eq!(packing.due(CALM_NS + 20), Some(("/b.log".into(), 5)));
        packing.working = Some(7);
        assert_eq!((packing.deadline(), packing.due(u64::MAX)), (None, None), "one at a time");
        packing.working = None;
        assert_eq!(packing.due(CALM_NS + 20), Some(("/a.log".into(), 2)), "only the newest segment counts");
    }
}
