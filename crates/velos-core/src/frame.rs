//! Encoding of messages: a 4-byte big-endian length and one MessagePack value.

use serde::Serialize;
use serde::de::DeserializeOwned;

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
    /// It is cut off, announces more than is there, or is no array of three or four.
    #[error("no message")]
    Torn,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested too deeply")]
    TooDeep,
}

/// Deepest nesting of arrays and maps that is read.
pub const DEPTH_MAX: usize = 64;

/// Encode a request.
pub fn encode_request<P: Serialize + ?Sized>(
    id: u32,
    method: &str,
    params: &P,
) -> Result<Vec<u8>, FrameError> {
    Ok(rmp_serde::to_vec_named(&(0u32, id, method, params))?)
}

/// Encode a reply; a good result is encoded already.
pub fn encode_reply(id: u32, result: Result<Vec<u8>, ErrorReply>) -> Result<Vec<u8>, FrameError> {
    const ARRAY_OF_FOUR: u8 = 0x94;
    const REPLY: u8 = 0x01;
    const NIL: u8 = 0xc0;
    let mut bytes = vec![ARRAY_OF_FOUR, REPLY];
    rmp_serde::encode::write_named(&mut bytes, &id)?;
    match result {
        Ok(result) => {
            bytes.push(NIL);
            bytes.extend_from_slice(&result);
        }
        Err(error) => {
            rmp_serde::encode::write_named(&mut bytes, &error)?;
            bytes.push(NIL);
        }
    }
    Ok(bytes)
}

/// Encode a notification.
pub fn encode_notification<P: Serialize + ?Sized>(method: &str, params: &P) -> Result<Vec<u8>, FrameError> {
    Ok(rmp_serde::to_vec_named(&(2u32, method, params))?)
}

/// Decode params or a result.
pub fn params<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    Ok(rmp_serde::from_slice(bytes)?)
}

/// Decode the payload of a frame.
pub fn decode(bytes: &[u8]) -> Result<Message, FrameError> {
    let parts = split(bytes)?;
    let part = |index: usize| -> &[u8] {
        let (start, end) = parts.get(index).copied().unwrap_or_default();
        bytes.get(start..end).unwrap_or_default()
    };
    let kind: u32 = params(part(0))?;
    match kind {
        0 => {
            Ok(Message::Request { id: params(part(1))?, method: params(part(2))?, params: part(3).to_vec() })
        }
        1 => {
            let error: Option<ErrorReply> = params(part(2))?;
            Ok(Message::Reply {
                id: params(part(1))?,
                result: error.map_or_else(|| Ok(part(3).to_vec()), Err),
            })
        }
        2 => Ok(Message::Notification { method: params(part(1))?, params: part(2).to_vec() }),
        kind => Err(FrameError::UnknownType(kind)),
    }
}

/// Where the elements of the outer array stand. Walks the whole value without recursion and without believing any
/// announced length, so that what follows may decode it.
fn split(bytes: &[u8]) -> Result<Vec<(usize, usize)>, FrameError> {
    let count = match bytes.first() {
        Some(byte @ 0x93..=0x94) => usize::from(byte & 0x0f),
        _ => return Err(FrameError::Torn),
    };
    let mut parts = Vec::with_capacity(count);
    let mut at = 1;
    for _ in 0..count {
        let end = skip(bytes, at)?;
        parts.push((at, end));
        at = end;
    }
    if at == bytes.len() { Ok(parts) } else { Err(FrameError::Torn) }
}

/// End of the value that begins at `at`.
fn skip(bytes: &[u8], mut at: usize) -> Result<usize, FrameError> {
    // Values that are still to come, per open array or map.
    let mut open: Vec<usize> = vec![1];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let (header, payload, inside) = measure(bytes, at)?;
        at = at.checked_add(header).and_then(|at| at.checked_add(payload)).ok_or(FrameError::Torn)?;
        // Each value inside takes a byte at least.
        if at > bytes.len() || inside > bytes.len() - at {
            return Err(FrameError::Torn);
        }
        if inside > 0 {
            open.push(inside);
        }
        if open.len() > DEPTH_MAX {
            return Err(FrameError::TooDeep);
        }
    }
    Ok(at)
}

/// Of the value at `at`: bytes of its header, bytes of its payload, values inside. After the MessagePack specification.
fn measure(bytes: &[u8], at: usize) -> Result<(usize, usize, usize), FrameError> {
    let first = *bytes.get(at).ok_or(FrameError::Torn)?;
    let number = |width: usize| -> Result<usize, FrameError> {
        let field = bytes.get(at + 1..at + 1 + width).ok_or(FrameError::Torn)?;
        Ok(field.iter().fold(0usize, |value, byte| value << 8 | usize::from(*byte)))
    };
    let low = |mask: u8| usize::from(first & mask);
    Ok(match first {
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => (1, 0, 0),
        0x80..=0x8f => (1, 0, low(0x0f) * 2),
        0x90..=0x9f => (1, 0, low(0x0f)),
        0xa0..=0xbf => (1, low(0x1f), 0),
        0xc1 => return Err(FrameError::Torn),
        0xc4 | 0xd9 => (2, number(1)?, 0),
        0xc5 | 0xda => (3, number(2)?, 0),
        0xc6 | 0xdb => (5, number(4)?, 0),
        0xc7 => (3, number(1)?, 0),
        0xc8 => (4, number(2)?, 0),
        0xc9 => (6, number(4)?, 0),
        0xca | 0xce | 0xd2 => (1, 4, 0),
        0xcb | 0xcf | 0xd3 => (1, 8, 0),
        0xcc | 0xd0 => (1, 1, 0),
        0xcd | 0xd1 => (1, 2, 0),
        0xd4..=0xd8 => (2, 1 << (first - 0xd4), 0),
        0xdc => (3, 0, number(2)?),
        0xdd => (5, 0, number(4)?),
        0xde => (3, 0, number(2)?.checked_mul(2).ok_or(FrameError::Torn)?),
        0xdf => (5, 0, number(4)?.checked_mul(2).ok_or(FrameError::Torn)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::protocol::{Hello, method};

    #[test]
    fn requests_replies_and_notifications_round_trip() {
        let hello = Hello { version: 1, oldest: 1, client: "test".into() };
        let bytes = encode_request(7, method::HELLO, &hello).unwrap();
        let Message::Request { id: 7, method, params: encoded } = decode(&bytes).unwrap() else { panic!() };
        assert_eq!(method, "hello");
        assert_eq!(params::<Hello>(&encoded).unwrap().client, "test");

        let bytes = encode_reply(300, Err(ErrorReply::new(ErrorCode::NotFound, "no"))).unwrap();
        let Message::Reply { id: 300, result: Err(error) } = decode(&bytes).unwrap() else { panic!() };
        assert_eq!(error.code, ErrorCode::NotFound);

        let bytes = encode_reply(1, Ok(rmp_serde::to_vec_named(&hello).unwrap())).unwrap();
        assert!(matches!(decode(&bytes).unwrap(), Message::Reply { id: 1, result: Ok(_) }));
        let bytes = encode_notification("event", &hello).unwrap();
        assert!(matches!(decode(&bytes).unwrap(), Message::Notification { .. }));
    }

    #[test]
    fn depth_bombs_and_false_lengths_are_refused() {
        let mut bomb = vec![0x94, 0x00, 0x01, 0xa1, b'x'];
        bomb.extend(std::iter::repeat_n(0x91, 100_000));
        bomb.push(0xc0);
        assert!(matches!(decode(&bomb), Err(FrameError::TooDeep)));
        let huge = [0x94, 0x00, 0x01, 0xa1, b'x', 0xdd, 0xff, 0xff, 0xff, 0xff];
        assert!(matches!(decode(&huge), Err(FrameError::Torn)));
    }

    proptest::proptest! {
        #[test]
        fn garbage_is_an_error_not_a_panic(bytes: Vec<u8>) {
            let _ = decode(&bytes);
        }

        #[test]
        fn a_torn_message_is_an_error(cut in 0usize..60, text in ".{0,20}") {
            let hello = Hello { version: 1, oldest: 1, client: text };
            let bytes = encode_request(7, method::HELLO, &hello).unwrap();
            if cut < bytes.len() {
                proptest::prop_assert!(decode(&bytes[..cut]).is_err());
            }
        }
    }
}
