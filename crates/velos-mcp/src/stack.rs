//! The error that matters in a few hundred lines, and the place in the code that it points to.

use std::sync::LazyLock;

use regex::Regex;
use velos_log_engine::Level;

use crate::logs::Row;

/// Lines of an error that are looked at.
const LINES_MAX: usize = 60;

/// An error with what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// `TypeError: x is not a function`
    pub(crate) head: String,
    /// `src/app.js:12`, of the app's own code if it can be told.
    pub(crate) place: Option<String>,
    /// Its lines, from the first on.
    pub(crate) rows: std::ops::Range<usize>,
}

#[expect(clippy::expect_used, reason = "the pattern is ours; a test builds it")]
static PLACE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"((?:file://|[A-Za-z]:)?[\w@./+~-]*[\w-]\.[A-Za-z]{1,5})(?:"?, line |:)(\d+)"#)
        .expect("it is fixed")
});

#[expect(clippy::expect_used, reason = "the pattern is ours; a test builds it")]
static HEAD: LazyLock<Regex> = LazyLock::new(|| {
    let kinds = r"^(?:Uncaught |Unhandled |Exception in thread \S+ |fatal error: |thread '[^']*'.* panicked)|^panic: |^(?:[\w.$]*[A-Z]\w*)?(?:Error|Exception|Panic|Interrupt|Exit)(?: \[\w+\])?(?::|$)";
    Regex::new(kinds).expect("it is fixed")
});

/// Paths that are not the app's own code.
const FOREIGN: [&str; 12] = [
    "node:",
    "node_modules/",
    "internal/",
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "/rustc/",
    "/usr/lib/",
    "/usr/local/go/",
    ".cargo/registry",
    "frozen ",
    "/gems/",
];

/// The last error that names itself; without one the last line of level error.
pub(crate) fn last_error(rows: &[Row]) -> Option<Found> {
    let is_head = |row: &Row| HEAD.is_match(row.text.trim_start());
    let head = rows.iter().rposition(is_head);
    let head =
        head.or_else(|| rows.iter().rposition(|row| row.level >= Level::Error && !is_frame(&row.text)))?;
    let text = rows.get(head)?.text.trim();
    // Python says the frames first; node the line of code.
    let before = rows
        .get(..head)?
        .iter()
        .rev()
        .take(LINES_MAX)
        .take_while(|row| {
            row.text.starts_with(' ') || row.text.is_empty() || row.text.starts_with("Traceback")
        })
        .count();
    let after = rows.get(head + 1..)?.iter().take(LINES_MAX).take_while(|row| is_frame(&row.text)).count();
    let range = head - before..head + 1 + after;
    Some(Found { head: text.to_owned(), place: place(rows, range.clone(), head), rows: range })
}

/// The place that a stack trace points to.
pub(crate) fn place_in(text: &str) -> Option<String> {
    let lines: Vec<Row> = text.lines().map(Row::of_text).collect();
    last_error(&lines)?.place
}

fn is_frame(text: &str) -> bool {
    text.starts_with([' ', '\t'])
        || text.starts_with("goroutine ")
        || text.starts_with("Caused by")
        || text.starts_with("Require stack:")
        || text.starts_with("- /")
        || text.starts_with('}')
        || text.starts_with("main.")
        || text.starts_with("stack backtrace")
        || text.starts_with('/') && PLACE.is_match(text)
}

/// Behind the head the first frame of the app's own code is the innermost; before it (Python) the last.
fn place(rows: &[Row], range: std::ops::Range<usize>, head: usize) -> Option<String> {
    let own = |text: &str| -> Option<String> {
        let all = PLACE.captures_iter(text);
        let mut found = all.filter(|found| {
            found.get(0).is_some_and(|whole| {
                let before = text.get(..whole.end()).unwrap_or_default();
                !FOREIGN.iter().any(|foreign| before.contains(foreign))
            })
        });
        found.next().map(|found| {
            format!("{}:{}", found.get(1).map_or("", |m| m.as_str()), found.get(2).map_or("", |m| m.as_str()))
        })
    };
    let after = rows.get(head..range.end)?.iter().find_map(|row| own(&row.text));
    let before =
        || rows.get(range.start.saturating_sub(1)..head)?.iter().rev().find_map(|row| own(&row.text));
    after.or_else(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_log_engine::level::Classifier;

    fn found(text: &str) -> (String, Option<String>) {
        let mut classifier = Classifier::new();
        let rows: Vec<Row> = text
            .lines()
            .map(|line| Row { level: classifier.next(line.as_bytes()).level, ..Row::of_text(line) })
            .collect();
        last_error(&rows).map(|found| (found.head, found.place)).unwrap_or_default()
    }

    #[test]
    fn errors_of_several_languages() {
        let node = "listening\n/srv/app/db.js:7\n  throw new Error('x')\n  ^\n\nError: connect ECONNREFUSED 127.0.0.1:5432\n    \
            at node:net:1:2\n    at Pool.connect (/srv/app/node_modules/pg/index.js:3:4)\n    at main (/srv/app/db.js:7:9)\n\nNode.js v20";
        assert_eq!(
            found(node),
            ("Error: connect ECONNREFUSED 127.0.0.1:5432".into(), Some("/srv/app/db.js:7".into()))
        );
        let python = "Traceback (most recent call last):\n  File \"/srv/main.py\", line 3, in <module>\n    run()\n  \
            File \"/srv/job.py\", line 9, in run\n    raise KeyError('a')\n  File \"/usr/lib/python3.11/x.py\", line 1\nKeyError: 'a'";
        assert_eq!(found(python), ("KeyError: 'a'".into(), Some("/srv/job.py:9".into())));
        let go = "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/main.go:12 +0x1d";
        assert_eq!(found(go).0, "panic: assignment to entry in nil map");
        let rust = "thread 'main' (12) panicked at src/main.rs:2:5:\nboom\nnote: run with";
        assert_eq!(found(rust).1, Some("src/main.rs:2".into()));
        let module = "Error: Cannot find module 'x'\nRequire stack:\n- /srv/a.js\n    at load (node:internal/x:1:2)\n    at ok (/srv/a.js:1:17)";
        assert_eq!(found(module).1, Some("/srv/a.js:1".into()));
        let plain = "starting\nERROR cannot open the queue\nbye";
        assert_eq!(found(plain), ("ERROR cannot open the queue".into(), None));
        assert_eq!(found("all is well"), (String::new(), None));
    }
}
