//! The last words of an app. Where its log ends with a stack trace, the lines that say what went wrong, not the last frames.

use std::path::Path;

use velos_log_engine::errors::Errors;
use velos_log_engine::level::Classifier;
use velos_log_engine::{Line, Stream, neutralise, tail};

/// An error that began longer ago than this many lines is not what a log ends with.
const LOOK_BACK: usize = 120;

/// At most so many lines, and one more that says how many follow. An unreadable log has no words.
pub(crate) fn lines(log: &Path, since_us: Option<u64>, max: usize) -> Vec<String> {
    let mut lines = tail(log, Stream::Err, LOOK_BACK).unwrap_or_default();
    lines.retain(|line| since_us.is_none_or(|since| line.time_us.is_none_or(|time| time >= since)));
    let last = lines.len().saturating_sub(max);
    let begin = telling(&lines).map_or(last, |(begin, _)| begin.min(last));
    let mut words: Vec<String> =
        lines.iter().skip(begin).take(max).map(|line| neutralise(&line.bytes, false)).collect();
    if begin < last {
        let more = last - begin;
        words.push(format!("... {more} more {}", if more == 1 { "line" } else { "lines" }));
    }
    words
}

/// The one line that tells most, cut to so many characters.
pub(crate) fn in_one_line(log: &Path, width: usize) -> String {
    let lines = tail(log, Stream::Err, LOOK_BACK).unwrap_or_default();
    let text = telling(&lines).map(|(_, message)| message).or_else(|| {
        // What is indented belongs to something before it.
        let is_own = |line: &&Line| line.bytes.first().is_some_and(|byte| !byte.is_ascii_whitespace());
        lines.iter().rfind(is_own).map(|line| String::from_utf8_lossy(&line.bytes).into_owned())
    });
    let text = text.as_deref().and_then(|text| text.lines().next()).unwrap_or_default();
    neutralise(text.as_bytes(), false).chars().take(width).collect()
}

/// Where the last error says what it is, and its message: below the code of Node's, above the frames, below those of Python.
fn telling(lines: &[Line]) -> Option<(usize, String)> {
    let (mut classifier, mut errors) = (Classifier::new(), Errors::new());
    for line in lines {
        errors.add(&line.bytes, classifier.next(&line.bytes), None, Stream::Err);
    }
    errors.finish();
    let newest = errors.groups().iter().max_by_key(|group| group.last_line)?;
    let begin = usize::try_from(newest.last_line).ok()?.checked_sub(1)?;
    let message = newest.last_message.clone();
    let said = message.lines().next().unwrap_or_default();
    let says = |line: &Line| String::from_utf8_lossy(&line.bytes).contains(said);
    let below = lines.iter().skip(begin).position(says).unwrap_or(0);
    Some((begin + below, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api-error.log");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    const CRASH: &str = "\
warming up
Error: Cannot find module 'nope'
Require stack:
- /app/bad.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1212:15)
    at Module._load (node:internal/modules/cjs/loader:1043:27)
    at require (node:internal/modules/helpers:182:18) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/bad.js' ]
}

Node.js v20.20.2
";

    #[test]
    fn a_crash_begins_with_what_went_wrong() {
        let (_folder, path) = log(CRASH);
        let words = lines(&path, None, 3);
        assert_eq!(
            words,
            ["Error: Cannot find module 'nope'", "Require stack:", "- /app/bad.js", "... 8 more lines"]
        );
        assert_eq!(in_one_line(&path, 80), "Error: Cannot find module 'nope'");
        assert_eq!(in_one_line(&path, 10), "Error: Can");
    }

    #[test]
    fn what_went_wrong_may_stand_below() {
        let code = "/app/x.js:3\n  throw new TypeError('no cart')\n  ^\n\n";
        let (_folder, path) =
            log(&format!("{code}TypeError: no cart\n    at a (/app/x.js:3:9)\n    at b (/app/y.js:1:1)\n"));
        assert_eq!(
            lines(&path, None, 2),
            ["TypeError: no cart", "    at a (/app/x.js:3:9)", "... 1 more line"]
        );
        let frames = "  File \"/app/x.py\", line 3, in a\n    b()\n".repeat(4);
        let (_folder, path) =
            log(&format!("Traceback (most recent call last):\n{frames}ValueError: no cart\n"));
        assert_eq!(lines(&path, None, 2), ["    b()", "ValueError: no cart"]);
        assert_eq!(in_one_line(&path, 80), "ValueError: no cart");
    }

    #[test]
    fn other_words_are_the_last_ones() {
        let (_folder, path) = log("one\ntwo\n\x1b[31mthree\x1b[0m\n  more of it\n");
        assert_eq!(lines(&path, None, 2), ["three", "  more of it"]);
        assert_eq!(in_one_line(&path, 80), "three");
        assert!(lines(Path::new("/nonexistent"), None, 2).is_empty());
        assert_eq!(in_one_line(Path::new("/nonexistent"), 80), "");
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let (_folder, path) = log(CRASH);
        let words = lines(&path, None, 50);
        assert_eq!(words.len(), 12);
        assert_eq!(words.first().map(String::as_str), Some("warming up"));
    }
}
