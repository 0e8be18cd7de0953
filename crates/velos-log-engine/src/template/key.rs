//! Keys: a placeholder is one control byte, so that it cannot be mistaken for text.

/// Placeholders of keys.
pub(crate) mod mark {
    pub(crate) const NUMBER: u8 = 1;
    pub(crate) const ADDRESS: u8 = 2;
    pub(crate) const UUID: u8 = 3;
    pub(crate) const PATH: u8 = 4;
    pub(crate) const HEX: u8 = 5;
    pub(crate) const KEY: u8 = 6;
    pub(crate) const URL: u8 = 7;
    pub(crate) const TIME: u8 = 8;
    pub(crate) const HOST: u8 = 11;
    /// Anything.
    pub(crate) const ANY: u8 = 12;
}

/// Whether a byte of a key stands for a variable.
pub(crate) fn is_mark(byte: u8) -> bool {
    matches!(byte, 1..=8 | 11 | 12)
}

/// A key for people: `Request handled in <N>ms`.
pub(crate) fn render(key: &[u8]) -> String {
    let mut out = Vec::with_capacity(key.len() + 16);
    for byte in key {
        let name: &[u8] = match *byte {
            mark::NUMBER => b"<N>",
            mark::ADDRESS => b"<IP>",
            mark::UUID => b"<UUID>",
            mark::PATH => b"<PATH>",
            mark::HEX => b"<HEX>",
            mark::KEY => b"<KEY>",
            mark::URL => b"<URL>",
            mark::TIME => b"<TIME>",
            mark::HOST => b"<HOST>",
            mark::ANY => b"<*>",
            byte => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(name);
    }
    String::from_utf8_lossy(&out).into_owned()
}

const DIGIT: u8 = 1;
pub(super) const ALPHA: u8 = 2;
/// Ends a piece of a word.
pub(super) const CUT: u8 = 4;
pub(super) const SPACE: u8 = 8;
/// Makes a word worth a closer look, without ending its pieces.
const LOOK: u8 = 16;

const CLASS: [u8; 256] = {
    let mut class = [ALPHA; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b' ' | b'\t' | b'\r' => SPACE,
            b'=' | b':' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b',' | b';' | b'"'
            | b'\'' | b'|' | b'#' | b'&' | b'?' | b'!' | b'*' | b'`' => CUT,
            b'/' | b'\\' | b'.' | b'@' | b'%' | b'$' | b'~' => LOOK,
            0..=31 => LOOK,
            _ => ALPHA,
        };
        byte += 1;
    }
    class
};

pub(super) fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(0)
}
