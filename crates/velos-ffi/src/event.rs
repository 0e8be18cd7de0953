//! Events as a closed enum; exactly one function makes them from the flat struct of the border.

use std::marker::PhantomData;

use crate::sys::{self, RawEvent};
use crate::{Errno, Stream};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal {
        /// Number.
        number: i32,
        /// A core was dumped.
        core: bool,
    },
    /// It could not be learnt.
    Unknown,
}

/// Something that happened. Frames are borrowed until the next wait.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields are those that the header explains per kind")]
pub enum Event<'a> {
    /// A process ended and its output is on its way to the log.
    Exited { token: u64, exit: Exit, leftovers: bool, cpu_us: u64, peak_rss_bytes: u64 },
    /// Nothing of a watched tree is alive.
    TreeEmpty { token: u64 },
    /// FIFOs and logs are open, or why not.
    CaptureOpened { token: u64, result: Result<(), Errno> },
    /// Output cannot be written.
    CaptureFailed { token: u64, errno: Errno },
    /// Output is written again.
    CaptureRecovered { token: u64, dropped_lines: u64 },
    /// A segment was closed.
    Rotated { token: u64, stream: Stream, segment: u64 },
    /// A client connected.
    IpcOpened { client: u64, uid: u32, pid: i32 },
    /// A whole frame.
    IpcFrame { client: u64, data: &'a [u8] },
    /// A client is gone.
    IpcClosed { client: u64, result: Result<(), Errno> },
    /// A queue that was full is empty.
    IpcDrained { client: u64 },
    /// A file operation is done.
    FileDone { token: u64, result: Result<(), Errno> },
    /// A signal came.
    Signal { number: i32, sender: i32 },
    /// Something can be read from a descriptor that is watched, or its other end is gone.
    FdReady {
        /// As given to `fd_watch`.
        tag: u32,
    },
    /// Somebody called wake.
    Woken,
    /// Of a newer library.
    Unknown { kind: u32 },
}

fn result(code: i32) -> Result<(), Errno> {
    if code < 0 { Err(Errno(-code)) } else { Ok(()) }
}

impl<'a> Event<'a> {
    /// `_batch` ties borrowed bytes to the batch they came with.
    pub(crate) fn from_raw(raw: &RawEvent, _batch: PhantomData<&'a ()>) -> Self {
        let token = raw.token;
        match raw.kind {
            sys::EVENT_EXITED => Event::Exited {
                token,
                exit: match raw.flags {
                    flags if flags & sys::EXIT_UNKNOWN != 0 => Exit::Unknown,
                    flags if flags & sys::EXIT_SIGNALED != 0 => {
                        Exit::Signal { number: raw.code, core: flags & sys::EXIT_CORE != 0 }
                    }
                    _ => Exit::Code(raw.code),
                },
                leftovers: raw.flags & sys::EXIT_LEFTOVERS != 0,
                cpu_us: raw.value,
                peak_rss_bytes: raw.more,
            },
            sys::EVENT_TREE_EMPTY => Event::TreeEmpty { token },
            sys::EVENT_CAPTURE_OPENED => Event::CaptureOpened { token, result: result(raw.code) },
            sys::EVENT_CAPTURE_FAILED => Event::CaptureFailed { token, errno: Errno(-raw.code) },
            sys::EVENT_CAPTURE_RECOVERED => Event::CaptureRecovered { token, dropped_lines: raw.value },
            sys::EVENT_ROTATED => {
                let out = raw.flags & sys::STREAM_STDOUT != 0;
                let stream = if out { Stream::Stdout } else { Stream::Stderr };
                Event::Rotated { token, stream, segment: raw.value }
            }
            sys::EVENT_IPC_OPENED => {
                Event::IpcOpened { client: token, uid: raw.code.cast_unsigned(), pid: raw.value as i32 }
            }
            sys::EVENT_IPC_FRAME => {
                let data = if raw.data.is_null() {
                    &[][..]
                } else {
                    // SAFETY: data/len describe one whole payload, borrowed until the next velos_reactor_wait (header,
                    // IPC_FRAME and "Memory"); the batch that 'a comes from holds the reactor until then.
                    unsafe { std::slice::from_raw_parts(raw.data, raw.len as usize) }
                };
                Event::IpcFrame { client: token, data }
            }
            sys::EVENT_IPC_CLOSED => Event::IpcClosed { client: token, result: result(raw.code) },
            sys::EVENT_IPC_DRAINED => Event::IpcDrained { client: token },
            sys::EVENT_FILE_DONE => Event::FileDone { token, result: result(raw.code) },
            sys::EVENT_SIGNAL => Event::Signal { number: raw.code, sender: raw.value as i32 },
            sys::EVENT_WOKEN => Event::Woken,
            sys::EVENT_FD_READY => Event::FdReady { tag: token as u32 },
            kind => Event::Unknown { kind },
        }
    }
}
