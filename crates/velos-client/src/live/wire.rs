//! Frames over an async connection, and the greeting.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use velos_core::error::ErrorCode;
use velos_core::frame::{self, FRAME_BYTES_MAX, Message};
use velos_core::protocol::{Hello, HelloReply, PROTOCOL_OLDEST, PROTOCOL_VERSION, method};

use crate::Home;
use crate::client::{Failure, broken, cannot_connect, silent, too_large, unreadable};

/// How long the daemon may take to say hello, or to answer another first question.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// Of `hello`.
pub(super) const FIRST_ID: u32 = 1;

pub(super) async fn write<W: AsyncWrite + Unpin>(link: &mut W, payload: &[u8]) -> Result<(), Failure> {
    link.write_all(&framed(payload)?).await.map_err(|error| broken(&error))
}

pub(super) fn framed(payload: &[u8]) -> Result<Vec<u8>, Failure> {
    let length = u32::try_from(payload.len()).ok().filter(|length| *length as usize <= FRAME_BYTES_MAX);
    let length = length.ok_or_else(|| too_large(payload.len()))?;
    let mut bytes = Vec::with_capacity(payload.len() + 4);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

/// Not cancel-safe: only for who reads to the end.
pub(super) async fn read<R: AsyncRead + Unpin>(link: &mut R) -> Result<Message, Failure> {
    let length = link.read_u32().await.map_err(|error| broken(&error))? as usize;
    if length > FRAME_BYTES_MAX {
        return Err(unreadable(format!("a frame of {length} bytes")).into());
    }
    let mut payload = vec![0u8; length];
    link.read_exact(&mut payload).await.map_err(|error| broken(&error))?;
    Ok(frame::decode(&payload)?)
}

/// Connect and say hello.
pub(super) async fn greet(home: &Home, name: &str) -> Result<(UnixStream, HelloReply), Failure> {
    let mut link = UnixStream::connect(home.socket()).await.map_err(|error| cannot_connect(home, &error))?;
    let params = Hello { version: PROTOCOL_VERSION, oldest: PROTOCOL_OLDEST, client: name.to_owned() };
    let hello = within(exchange(&mut link, FIRST_ID, method::HELLO, &params)).await;
    match hello {
        Err(Failure::Other(error)) if error.code == ErrorCode::Busy => Err(Failure::Other(silent(home))),
        hello => Ok((link, hello?)),
    }
}

/// One request and its answer, before anything else goes over the connection.
pub(super) async fn exchange<P, R>(
    link: &mut UnixStream,
    id: u32,
    method: &str,
    params: &P,
) -> Result<R, Failure>
where
    P: Serialize + ?Sized,
    R: DeserializeOwned,
{
    write(link, &frame::encode_request(id, method, params)?).await?;
    loop {
        if let Message::Reply { id: answered, result } = read(link).await?
            && answered == id
        {
            return Ok(frame::params(&result?)?);
        }
    }
}

/// Not for longer than a daemon may take that is well.
pub(super) async fn within<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result,
        Err(_) => Err(broken(&std::io::ErrorKind::TimedOut.into())),
    }
}
