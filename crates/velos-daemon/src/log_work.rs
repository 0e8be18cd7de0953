//! `flush` and `rotate`: the writer thread does them, and the answer waits for it, but not for ever.

use std::collections::BTreeMap;

use velos_core::error::{ErrorCode, ErrorReply};
use velos_core::protocol::{FlushReply, Targets};
use velos_core::raw_string::RawString;

use crate::answers::{Answer, encode};
use crate::clients::Waiting;
use crate::control::Control;

/// A writer that has not answered by then hangs, mostly in the disk.
const WAIT_NS: u64 = 10_000_000_000;

/// What the writer is asked to do with logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Flush,
    Rotate,
}

impl Work {
    fn failed(self) -> &'static str {
        match self {
            Self::Flush => "cannot empty the logs",
            Self::Rotate => "cannot begin new logs",
        }
    }
}

/// One command and what is still missing of it.
#[derive(Debug)]
struct Asked {
    waiting: Waiting,
    work: Work,
    files: Vec<RawString>,
    /// Captures that the writer was asked for and has not answered.
    open: u32,
    errno: i32,
    until_ns: u64,
}

/// Commands that wait for the writer thread.
#[derive(Debug, Default)]
pub(crate) struct LogWork(BTreeMap<u64, Asked>);

/// Who is answered what.
type Reply = (Waiting, Result<FlushReply, ErrorReply>);

impl LogWork {
    /// The writer is done with one capture of a command.
    fn done(&mut self, request: u64, errno: i32) -> Option<Reply> {
        let asked = self.0.get_mut(&request)?;
        asked.open = asked.open.saturating_sub(1);
        if errno != 0 {
            asked.errno = errno;
        }
        if asked.open > 0 {
            return None;
        }
        let asked = self.0.remove(&request)?;
        let result = match asked.errno {
            0 => Ok(FlushReply { files: asked.files }),
            errno => {
                let reason = std::io::Error::from_raw_os_error(errno);
                Err(ErrorReply::new(ErrorCode::Failed, format!("{}: {reason}", asked.work.failed())))
            }
        };
        Some((asked.waiting, result))
    }

    /// Commands that the writer did not get to in time; what it does later is told to nobody.
    fn overdue(&mut self, now_ns: u64) -> Vec<Reply> {
        let late: Vec<u64> = self
            .0
            .iter()
            .filter(|(_, asked)| asked.until_ns <= now_ns)
            .map(|(request, _)| *request)
            .collect();
        let late = late.into_iter().filter_map(|request| self.0.remove(&request));
        late.map(|asked| {
            let error = format!("{}: the log writer does not answer", asked.work.failed());
            let hint = "a disk or a network folder may hang; it is done once the writer goes on";
            (asked.waiting, Err(ErrorReply::new(ErrorCode::Failed, error).hint(hint)))
        })
        .collect()
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        self.0.values().map(|asked| asked.until_ns).min()
    }
}

impl Control {
    /// Have the writer do something with the logs of the targets, of all if none is named.
    pub(crate) fn ask_writer(
        &mut self,
        client: u64,
        id: u32,
        work: Work,
        targets: &Targets,
    ) -> Result<Answer, ErrorReply> {
        let ids = if targets.targets.is_empty() {
            self.supervisor.instances().map(|instance| instance.id).collect()
        } else {
            self.resolve(&targets.targets)?
        };
        let request = self.fresh_request();
        let (mut files, mut open) = (Vec::new(), 0);
        for id in ids {
            let (Some(capture), Some(paths)) = (self.captures.get(&id), self.capture_paths(id)) else {
                continue;
            };
            let asked = match work {
                Work::Flush => self.reactor.capture_flush(capture.token, request),
                Work::Rotate => self.reactor.capture_rotate(capture.token, request),
            };
            if asked.is_ok() {
                open += 1;
                files.extend([paths.out_log.into(), paths.err_log.into()]);
            }
        }
        if open == 0 {
            return encode(&FlushReply::default()).map(Answer::Now);
        }
        let waiting = Waiting { client, message: id };
        let until_ns = velos_ffi::now_ns() + WAIT_NS;
        self.log_work.0.insert(request, Asked { waiting, work, files, open, errno: 0, until_ns });
        Ok(Answer::Later)
    }

    /// The writer is done with the logs of one instance.
    pub(crate) fn writer_done(&mut self, request: u64, errno: i32) {
        if let Some(reply) = self.log_work.done(request, errno) {
            self.answer_work(reply);
        }
    }

    /// Answer those who waited long enough.
    pub(crate) fn give_up_on_writer(&mut self, now_ns: u64) {
        for reply in self.log_work.overdue(now_ns) {
            self.answer_work(reply);
        }
    }

    fn answer_work(&mut self, (waiting, result): Reply) {
        self.send_reply(waiting, result.and_then(|files| encode(&files)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(open: u32) -> LogWork {
        let waiting = Waiting { client: 1, message: 2 };
        let files = vec![RawString::from("a.log")];
        let asked = Asked { waiting, work: Work::Rotate, files, open, errno: 0, until_ns: 100 };
        LogWork(BTreeMap::from([(7, asked)]))
    }

    #[test]
    fn the_answer_comes_with_the_last_and_tells_of_any_failure() {
        let mut work = asked(2);
        assert!(work.done(7, 0).is_none() && work.done(8, 0).is_none());
        let (waiting, result) = work.done(7, 0).unwrap();
        assert_eq!((waiting.client, waiting.message), (1, 2));
        assert_eq!(result.unwrap().files.len(), 1);
        let mut work = asked(2);
        assert!(work.done(7, 28).is_none());
        let error = work.done(7, 0).unwrap().1.unwrap_err();
        assert!(error.message.starts_with("cannot begin new logs: No space left"), "{error:?}");
        assert!(work.done(7, 0).is_none() && work.deadline().is_none());
    }

    #[test]
    fn a_writer_that_hangs_is_not_waited_for() {
        let mut work = asked(1);
        assert_eq!(work.deadline(), Some(100));
        assert!(work.overdue(99).is_empty());
        let replies = work.overdue(100);
        let error = replies.into_iter().next().unwrap().1.unwrap_err();
        assert_eq!(error.message, "cannot begin new logs: the log writer does not answer");
        // It answers after all.
        assert!(work.done(7, 0).is_none() && work.deadline().is_none());
    }
}
