//! The candidate's side of an upgrade: connect, take the table, restore it, tell, and wait to be ended.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use velos_core::frame::{self, FRAME_BYTES_MAX, Message};
use velos_core::protocol::{
    Hello, HelloReply, PROTOCOL_OLDEST, PROTOCOL_VERSION, Targets, TrialReady, TrialState, method,
};
use velos_ffi::{Options, Reactor};
use velos_supervisor::{Effects, Supervisor};

use crate::home::Home;
use crate::{control, state_file};

/// Longer than the daemon lets a candidate live.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn run(home: &Path) -> i32 {
    match prove(&Home::open(home)) {
        Ok(()) => 0,
        Err(reason) => {
            // Standard error is /dev/null under the daemon and helps whoever tries this by hand.
            let _ = writeln!(std::io::stderr(), "error: {reason}");
            1
        }
    }
}

fn prove(home: &Home) -> Result<(), String> {
    let mut stream = UnixStream::connect(home.socket()).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    let hello = Hello { version: PROTOCOL_VERSION, oldest: PROTOCOL_OLDEST, client: "upgrade".to_owned() };
    let _: HelloReply = call(&mut stream, 1, method::HELLO, &hello)?;
    let table: TrialState = call(&mut stream, 2, method::TRIAL_STATE, &Targets::default())?;
    let saved = state_file::decode(table.state.as_bytes())?;
    let mut effects = Effects::new();
    let supervisor = Supervisor::restore(saved.state, control::now(), true, &mut effects);
    // The event loop must work on this machine as well.
    let _reactor = Reactor::new(&Options::default()).map_err(|errno| errno.to_string())?;
    let ready = TrialReady {
        product: velos_core::VERSION.to_owned(),
        instances: supervisor.instances().count() as u64,
    };
    let _: TrialState = call(&mut stream, 3, method::TRIAL_READY, &ready)?;
    // The daemon ends us when it is convinced; when it goes away, so do we.
    let mut byte = [0u8; 1];
    stream.read(&mut byte).map(|_| ()).map_err(|error| error.to_string())
}

fn call<P: Serialize, R: DeserializeOwned>(
    stream: &mut UnixStream,
    id: u32,
    method: &str,
    params: &P,
) -> Result<R, String> {
    let request = frame::encode_request(id, method, params).map_err(|error| error.to_string())?;
    let length = u32::try_from(request.len()).map_err(|error| error.to_string())?;
    stream.write_all(&length.to_be_bytes()).map_err(|error| error.to_string())?;
    stream.write_all(&request).map_err(|error| error.to_string())?;
    let mut length = [0u8; 4];
    stream.read_exact(&mut length).map_err(|error| error.to_string())?;
    let length = u32::from_be_bytes(length) as usize;
    if length > FRAME_BYTES_MAX {
        return Err(format!("a reply of {length} bytes"));
    }
    let mut bytes = vec![0u8; length];
    stream.read_exact(&mut bytes).map_err(|error| error.to_string())?;
    match frame::decode(&bytes).map_err(|error| error.to_string())? {
        Message::Reply { result: Ok(result), .. } => {
            frame::params(&result).map_err(|error| error.to_string())
        }
        Message::Reply { result: Err(error), .. } => Err(error.message),
        Message::Request { .. } | Message::Notification { .. } => Err("no reply".to_owned()),
    }
}
