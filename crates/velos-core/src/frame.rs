//! Encoding of messages: a 4-byte big-endian length and one MessagePack value.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::ErrorReply;

/// Largest payload of a frame, bytes.
pub const FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A decoded message; params and results stay encoded until their type is known.
#[derive(Debug)]
pub enum Message {
    /// `[0, msgid, method, params]`
    Request {
        /// Chosen by the client.
        id: u32,
        /// Method.
        method: String,
        /// Encoded params.
        params: Vec<u8>,
    },
    /// `[1, msgid, error, result]`
    Reply {
        /// Of the request.
        id: u32,
        /// Error or encoded result.
        result: Result<Vec<u8>, ErrorReply>,
    },
    /// `[2, method, params]`
    Notification {
        /// Method.
        method: String,
        /// Encoded params.
        params: Vec<u8>,
    },
}

/// A payload that is no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// MessagePack could not be read.
    #[error("malformed MessagePack: {0}")]
    Malformed(#[from] rmp_serde::decode::Error),
    /// It could not be written.
    #[error("cannot encode: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
    /// The type number is none of 0, 1, 2.
    #[error("message type {0} is not 0, 1 or 2")]
    UnknownType(u32),
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested too deeply")]
    TooDeep,
}
