//! Lines of stack traces, in the shapes of eight languages; [`super::dialects`] knows more.

/// Where a program was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Name of the file without folders; empty when the trace does not tell.
    pub(super) file: String,
    pub(super) function: String,
    /// Not of a library or a runtime.
    pub(super) is_ours: bool,
    /// Python writes the innermost frame last.
    pub(super) is_outer_first: bool,
}

/// What a line of a trace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Frame(Frame),
    /// The function of a frame whose file stands on the next line (Go, Rust).
    Function(String),
    /// The file of the function before.
    File(String),
    /// Belongs to a trace, says nothing by itself.
    Filler,
}

/// Of a line, or nothing when no trace has such lines.
pub(super) fn part(line: &[u8]) -> Option<Part> {
    let text = String::from_utf8_lossy(line);
    let body = text.trim();
    let body = body.trim_start_matches(['|', '+']).trim_start();
    let is_indented = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    if let Some(rest) = body.strip_prefix("at ").filter(|_| is_indented || body.contains('(')) {
        return Some(of_at(rest));
    }
    if let Some(rest) = body.strip_prefix("File \"") {
        let (file, rest) = rest.split_once('"')?;
        let function = rest.split_once(", in ").map_or("<module>", |(_, name)| name.trim());
        let is_ours = is_our_file(file);
        return Some(Part::Frame(Frame {
            file: base(file),
            function: plain(function),
            is_ours,
            is_outer_first: true,
        }));
    }
    of_ruby(body)
        .or_else(|| of_php(body))
        .or_else(|| of_rust(body, is_indented))
        .or_else(|| of_go(line, body))
        .or_else(|| super::dialects::part(body))
        .or_else(|| filler(body))
}

/// Whether a line is the place of a frame without anything before it, as Ruby prints them.
pub(super) fn is_place(line: &[u8]) -> bool {
    of_ruby(String::from_utf8_lossy(line).trim()).is_some()
}

pub(super) fn frame(file: &str, function: &str) -> Part {
    let is_ours = is_our_file(file) && is_our_function(function);
    Part::Frame(Frame { file: base(file), function: plain(function), is_ours, is_outer_first: false })
}

/// `at f (file:1:2)`, `at a.b.C.m(C.java:1)`, `at Ns.C.M(args) in file:line 1`, `at file:1:2`.
fn of_at(rest: &str) -> Part {
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    // Node prints properties behind the last frame.
    let rest = rest.strip_suffix(" {").unwrap_or(rest);
    if let Some((call, place)) = rest.split_once(") in ") {
        let file = place.rsplit_once(":line ").map_or(place, |(file, _)| file);
        return frame(file, call.split('(').next().unwrap_or(call));
    }
    if let Some((function, place)) = rest.split_once(" (") {
        return frame(place.trim_end_matches(')'), function);
    }
    if let Some((function, place)) = rest.split_once('(') {
        // Java has the file in brackets, .NET the arguments.
        let function = function.rsplit_once('/').map_or(function, |(_, name)| name);
        let place = place.trim_end_matches(')');
        let is_file = place.contains(".java")
            || place.contains(".kt")
            || place.contains(".scala")
            || place.contains(".groovy")
            || place == "Native Method"
            || place == "Unknown Source";
        return frame(if is_file { place } else { "" }, function);
    }
    // Rust backtraces: the file of the function before.
    if rest.ends_with(|c: char| c.is_ascii_digit()) && (rest.contains(".rs:") || rest.starts_with("/rustc/"))
    {
        return Part::File(rest.to_owned());
    }
    frame(rest, "<anonymous>")
}

/// ``from a.rb:3:in `f'``, `a.rb:3:in 'C#f'`.
fn of_ruby(body: &str) -> Option<Part> {
    let rest = body.strip_prefix("from ").unwrap_or(body);
    let (place, function) = rest.split_once(":in ")?;
    let (file, line) = place.rsplit_once(':')?;
    let is_ruby = line.chars().all(|c| c.is_ascii_digit()) && !file.contains(' ');
    // Its first line also tells what happened; the head takes that.
    let function = function.trim_start_matches(['`', '\'']).split('\'').next().unwrap_or(function);
    is_ruby.then(|| frame(file, function))
}

/// `#0 /a.php(3): C->f()`.
fn of_php(body: &str) -> Option<Part> {
    let rest = body.strip_prefix('#')?;
    let (number, rest) = rest.split_once(' ')?;
    if !number.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    if let Some(part) = super::dialects::numbered(rest) {
        return Some(part);
    }
    if rest == "{main}" {
        return Some(Part::Filler);
    }
    let (place, call) = rest.split_once(": ")?;
    if !place.ends_with(')') && place != "[internal function]" {
        return None;
    }
    let file = place.split('(').next().unwrap_or(place);
    Some(frame(file, call.split('(').next().unwrap_or(call)))
}

/// `  12: app::work`, the function of a frame.
fn of_rust(body: &str, is_indented: bool) -> Option<Part> {
    let (number, function) = body.split_once(": ")?;
    let is_frame =
        is_indented && !number.is_empty() && number.len() <= 4 && number.chars().all(|c| c.is_ascii_digit());
    is_frame.then(|| {
        let function = function.trim();
        let function = function
            .strip_prefix("0x")
            .and_then(|rest| rest.split_once(" - "))
            .map_or(function, |(_, name)| name);
        Part::Function(function.to_owned())
    })
}

/// `main.work(0x1, ...)`, then a tab, the file and `+0x1d`.
fn of_go(line: &[u8], body: &str) -> Option<Part> {
    if line.starts_with(b"\t") || line.starts_with(b"    ") {
        let (file, _) = body.split_once(".go:")?;
        return Some(Part::File(format!("{file}.go")));
    }
    if let Some(rest) = body.strip_prefix("created by ") {
        return Some(Part::Function(rest.split(" in goroutine").next().unwrap_or(rest).to_owned()));
    }
    let open = body.rfind('(')?;
    let name = body.get(..open)?;
    let is_call = body.ends_with(')')
        && (name.contains('.') || name == "panic")
        && !name.contains(' ')
        && !name.contains(':');
    is_call.then(|| Part::Function(name.to_owned()))
}

fn filler(body: &str) -> Option<Part> {
    const STARTS: [&str; 44] = [
        "Traceback (most recent call last)",
        "Exception Group Traceback",
        "During handling of the above exception",
        "The above exception was the direct cause",
        "Stack trace:",
        "stack backtrace:",
        "Stack backtrace:",
        "goroutine ",
        "--- End of ",
        "thrown in ",
        "note: ",
        "exit status ",
        "Node.js v",
        "[signal ",
        "[stacktrace]",
        "[previous exception]",
        "stack traceback:",
        "Stacktrace:",
        "CallStack (from HasCallStack)",
        "in expression starting at ",
        "Bun v",
        "READ of size ",
        "WRITE of size ",
        "freed by thread ",
        "allocated by thread ",
        "previously allocated by ",
        "SUMMARY: ",
        "Shadow bytes ",
        "Shadow byte legend ",
        "Thread T",
        "ClientConnectionId:",
        "Error Number:",
        "Execution halted",
        "goroutine running on other thread",
        "[errors]:",
        "Thrown at:",
        "^",
        "~",
        "---------------- ",
        "Emitted 'error' event ",
        "(Use `node --trace-",
        "Require stack:",
        "- /",
        "- node:",
    ];
    let is_more = body.starts_with("... ")
        && (body.contains("more")
            || body.contains("common frames")
            || body.contains("frames omitted")
            || body.contains("lines matching"));
    let is_close = body.chars().any(|c| !c.is_ascii_digit())
        && body.chars().all(|c| matches!(c, '}' | ']' | ')' | ',' | '-' | '{' | '+' | '1'..='9'))
        || body == "\"}"
        // Rust's anyhow lists causes below it.
        || body == "Caused by:";
    // valgrind and sanitizers number what they say.
    let is_numbered = body.strip_prefix("==").is_some_and(|rest| {
        let number = rest.split_once("==").map_or("", |(number, _)| number);
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    }) || body.starts_with("0x") && body.contains(" is located ");
    (is_more || is_close || is_numbered || STARTS.iter().any(|start| body.starts_with(start)))
        .then_some(Part::Filler)
}

/// The name of a file without folder, line and column.
fn base(place: &str) -> String {
    let mut file = place.strip_prefix("file://").unwrap_or(place);
    while let Some((before, number)) = file.rsplit_once(':')
        && number.chars().all(|c| c.is_ascii_digit())
    {
        file = before;
    }
    let file = file.rsplit(['/', '\\']).next().unwrap_or(file);
    file.split('?').next().unwrap_or(file).to_owned()
}

/// A function without what differs from build to build.
fn plain(function: &str) -> String {
    let function = function.split(" [as ").next().unwrap_or(function).trim();
    let function = function.split("$$Lambda").next().unwrap_or(function);
    // Rust: ::h0123456789abcdef
    let function = match function.rsplit_once("::h") {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => name,
        _ => function,
    };
    let mut out = String::with_capacity(function.len());
    let mut in_digits = false;
    for c in function.chars() {
        // lambda$run$3: the number changes when code moves
        let is_digit = c.is_ascii_digit() && out.ends_with(['$', '#']) || in_digits && c.is_ascii_digit();
        if !is_digit {
            out.push(c);
        }
        in_digits = is_digit;
    }
    out
}

fn is_our_file(file: &str) -> bool {
    const THEIRS: [&str; 16] = [
        "node_modules/",
        "node:",
        "internal/",
        "site-packages/",
        "dist-packages/",
        "/usr/lib/",
        "/usr/local/lib/",
        "/usr/local/go/",
        "/go/pkg/mod/",
        "/rustc/",
        "/.cargo/registry/",
        "/gems/",
        "/vendor/",
        "<frozen ",
        "/lib/python",
        "<internal:",
    ];
    !THEIRS.iter().any(|part| file.contains(part))
}

fn is_our_function(function: &str) -> bool {
    const THEIRS: [&str; 27] = [
        "java.",
        "javax.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "scala.",
        "org.springframework.",
        "org.apache.",
        "org.hibernate.",
        "org.eclipse.",
        "io.netty.",
        "reactor.",
        "System.",
        "Microsoft.",
        "runtime.",
        "std::",
        "core::",
        "alloc::",
        "tokio::",
        "<alloc::",
        "<core::",
        "rust_begin_unwind",
        "__rust",
        "_start",
        "panic(",
    ];
    const GO: [&str; 5] = ["panic", "net/http.", "testing.", "reflect.", "sync."];
    !THEIRS.iter().any(|part| function.starts_with(part))
        && !GO.iter().any(|part| function.starts_with(part) && (part.ends_with('.') || function == *part))
}

/// Puts together the function and the file of a frame that came on two lines.
pub(super) fn joined(function: &str, file: &str) -> Frame {
    let is_ours = is_our_file(file) && is_our_function(function);
    Frame { file: base(file), function: plain(function), is_ours, is_outer_first: false }
}
