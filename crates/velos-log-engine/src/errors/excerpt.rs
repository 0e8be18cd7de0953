//! Source code that runtimes print before an exception nobody caught: Node its place, the line and a caret, Bun lines with
//! their numbers, Python the file of what it cannot parse.

/// Between the first line and the exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Excerpt {
    kind: Kind,
    /// Lines so far.
    lines: u32,
    /// The caret was there, only the exception is missing.
    is_pointed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// `/srv/app.js:12`, `node:internal/process/promises:288`
    Node,
    /// The number of the line before.
    Bun(u32),
    /// `  File "/srv/a.py", line 3`
    Python,
}

/// What the next line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// More of it.
    Code,
    /// What it is all about.
    Exception,
    /// No excerpt after all.
    Other,
}

impl Excerpt {
    /// Begins with this line, behind that many bytes of who prints it.
    pub(crate) fn begin(line: &[u8]) -> Option<(Self, usize)> {
        let kind = |text: &[u8]| of_node(text).or_else(|| of_bun(text)).or_else(|| of_python(text));
        let is_at = |at: usize| line.get(at..).and_then(kind);
        let found = is_at(0).map(|kind| (kind, 0)).or_else(|| {
            let at = prefix(line)?;
            is_at(at).map(|kind| (kind, at))
        });
        found.map(|(kind, at)| (Self { kind, lines: 1, is_pointed: false }, at))
    }

    /// Python's stands inside of tracebacks, too.
    pub(crate) fn is_python(self) -> bool {
        self.kind == Kind::Python
    }

    /// A line without what stands before each.
    pub(crate) fn take(&mut self, line: &[u8]) -> Next {
        self.lines += 1;
        let text = line.trim_ascii();
        let is_caret = !text.is_empty() && text.iter().all(|byte| matches!(byte, b'^' | b'~' | b' '));
        if self.is_pointed {
            return match text {
                [] if self.lines <= 6 => Next::Code,
                [] => Next::Other,
                _ => Next::Exception,
            };
        }
        if is_caret {
            // Python may print several, and code again.
            self.is_pointed = self.kind != Kind::Python;
            return Next::Code;
        }
        match &mut self.kind {
            Kind::Node if self.lines == 2 && !text.is_empty() => Next::Code,
            Kind::Bun(last) => match numbered(line) {
                Some((number, _)) if number == *last + 1 => {
                    *last = number;
                    Next::Code
                }
                _ => Next::Other,
            },
            Kind::Python if line.starts_with(b"    ") && self.lines <= 4 => Next::Code,
            Kind::Python if self.lines > 2 && super::head::named_head(line).is_some() => Next::Exception,
            _ => Next::Other,
        }
    }
}

/// A place and nothing else.
fn of_node(text: &[u8]) -> Option<Kind> {
    let digits = text.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let place = text.get(..text.len() - digits)?.strip_suffix(b":").filter(|_| digits > 0)?;
    const ENDS: [&[u8]; 8] = [b".js", b".mjs", b".cjs", b".ts", b".mts", b".cts", b".jsx", b".tsx"];
    let is_file =
        (place.starts_with(b"/") || place.starts_with(b"file://") || place.get(1..3) == Some(b":\\"))
            && ENDS.iter().any(|end| place.ends_with(end));
    let is_own = place.starts_with(b"node:") && !place.contains(&b' ');
    (is_file || is_own).then_some(Kind::Node)
}

/// `12 | const x = 1;`: the number, and what stands there.
fn numbered(text: &[u8]) -> Option<(u32, &[u8])> {
    let text = text.trim_ascii_start();
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = std::str::from_utf8(text.get(..digits)?).ok()?.parse().ok()?;
    Some((number, text.get(digits..)?.strip_prefix(b" |")?))
}

/// Rows of a table look like it; code ends and begins in few ways.
fn of_bun(text: &[u8]) -> Option<Kind> {
    const STARTS: [&[u8]; 14] = [
        b"import ",
        b"export ",
        b"const ",
        b"let ",
        b"var ",
        b"function ",
        b"async ",
        b"await ",
        b"return",
        b"throw ",
        b"class ",
        b"if (",
        b"//",
        b"try ",
    ];
    let (number, code) = numbered(text)?;
    let code = code.trim_ascii();
    let is_code = STARTS.iter().any(|start| code.starts_with(start))
        || code.ends_with(b";")
        || code.ends_with(b") {")
        || code.ends_with(b"=> {");
    is_code.then_some(Kind::Bun(number))
}

fn of_python(text: &[u8]) -> Option<Kind> {
    let rest = text.strip_prefix(b"  File \"")?;
    let behind = memchr::memmem::find(rest, b"\", line ").and_then(|at| rest.get(at + 8..))?;
    (!behind.is_empty() && behind.iter().all(u8::is_ascii_digit)).then_some(Kind::Python)
}

/// Length of what docker compose and syslog write before each line.
fn prefix(line: &[u8]) -> Option<usize> {
    let zone = line.get(..line.len().min(80))?;
    let at = memchr::memchr2(b'|', b']', zone)?;
    let is_mark = match zone.get(at) {
        Some(b'|') => at > 0 && zone.get(at - 1) == Some(&b' ') && zone.get(at + 1) == Some(&b' '),
        _ => zone.get(at + 1..at + 3) == Some(b": "),
    };
    is_mark.then_some(if zone.get(at) == Some(&b'|') { at + 2 } else { at + 3 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_code_begin_one_and_what_resembles_them_does_not() {
        let begins = |line: &str| Excerpt::begin(line.as_bytes()).map(|(_, at)| at);
        for line in ["/srv/app.js:12", "file:///srv/a.mjs:3", "node:events:497", "C:\\app\\x.ts:7"] {
            assert_eq!(begins(line), Some(0), "{line}");
        }
        assert_eq!(begins("web-1  | /srv/app.js:12"), Some(9));
        assert_eq!(begins("12 | const x = undefined;"), Some(0));
        for line in
            ["app.js:12", "see /srv/app.js:12", "/srv/app.js", "12 | 5 | ok", "1 | alice", ":12", "12"]
        {
            assert_eq!(begins(line), None, "{line}");
        }
    }
}
