use super::*;
use crate::level::Classifier;

fn collected(text: &str) -> Vec<ErrorGroup> {
    let (mut classifier, mut errors) = (Classifier::new(), Errors::new());
    for line in crate::lines(text.as_bytes()) {
        let verdict = classifier.next(line);
        errors.add(line, verdict, None, Stream::Err);
    }
    errors.into_sorted()
}

/// One error of this kind, whatever line numbers and addresses say, and nothing of what stands around it.
#[track_caller]
fn check(trace: &str, kind: &str, message: &str) {
    let moved: String = trace
        .replace(":12", ":977")
        .replace("line 12", "line 977")
        .replace("(12)", "(977)")
        .replace("0x1", "0xc0001");
    let text = format!("INFO before\n{trace}\nINFO between\n{moved}\nINFO after\n");
    let groups = collected(&text);
    let told: Vec<_> = groups.iter().map(|group| (group.kind.as_str(), group.count)).collect();
    assert_eq!(told, [(kind, 2)], "{groups:#?}");
    assert_eq!(groups[0].message, message);
    assert_eq!(groups[0].sample.lines().count(), moved.trim_end().lines().count(), "{}", groups[0].sample);
}

#[test]
fn a_line_that_is_not_in_the_index_yet_is_the_last() {
    let (mut classifier, mut errors) = (Classifier::new(), Errors::new());
    let lines = [("ERROR order 1 failed", Some(7)), ("ERROR order 2 failed", None), ("ERROR no disk", None)];
    for (line, time_us) in lines {
        errors.add(line.as_bytes(), classifier.next(line.as_bytes()), time_us, Stream::Err);
    }
    errors.finish();
    let told: Vec<_> =
        errors.groups().iter().map(|group| (group.last_message.as_str(), group.last_us)).collect();
    assert_eq!(told, [("order 2 failed", Some(7)), ("no disk", None)]);
    assert_eq!(errors.last().map(|group| group.last_message.as_str()), Some("no disk"));
}

#[test]
fn node() {
    check(
        "TypeError: Cannot read properties of undefined (reading 'id')\n    at getUser (/srv/app/users.js:12:17)\n    at async /srv/app/server.js:40:5\n    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
        "TypeError",
        "Cannot read properties of undefined (reading <KEY>)",
    );
    check(
        "Error: order failed\n    at place (/srv/orders.js:12:9) {\n  code: 'E_ORDER',\n  [cause]: TypeError: no stock for 17\n      at stock (/srv/stock.js:12:3)\n      at place (/srv/orders.js:10:5)\n}",
        "Error < TypeError",
        "order failed",
    );
}

#[test]
fn python() {
    check(
        "Traceback (most recent call last):\n  File \"/srv/app.py\", line 12, in main\n    work(1)\n  File \"/srv/work.py\", line 4, in work\n    raise Broken(\"x\")\nBroken: x",
        "Broken",
        "x",
    );
    check(
        "ERROR:root:job 17 failed\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 12, in f\n    g()\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/srv/a.py\", line 14, in h\n    raise ValueError(\"bad\") from None\nValueError: bad",
        "KeyError < ValueError",
        "<KEY>",
    );
    check(
        "  + Exception Group Traceback (most recent call last):\n  |   File \"/srv/g.py\", line 12, in <module>\n  |     raise ExceptionGroup(\"many\", errors)\n  | ExceptionGroup: many (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n    | ValueError: one\n    +---------------- 2 ----------------\n    | TypeError: two\n    +------------------------------------",
        "ExceptionGroup < ValueError < TypeError",
        "many (<N> sub-exceptions)",
    );
}

#[test]
fn java_and_dotnet() {
    check(
        "Exception in thread \"main\" java.lang.IllegalStateException: no connection\n\tat com.acme.Db.open(Db.java:12)\n\tat com.acme.Main.main(Main.java:5)\nCaused by: java.net.ConnectException: refused\n\tat java.base/java.net.Socket.connect(Socket.java:633)\n\tat com.acme.Db.dial(Db.java:12)\n\t... 2 more",
        "java.lang.IllegalStateException < java.net.ConnectException",
        "no connection",
    );
    check(
        "Unhandled exception. System.InvalidOperationException: it is closed\n ---> System.IO.IOException: pipe broken\n   at Acme.Pipe.Read() in /src/Pipe.cs:line 12\n   --- End of inner exception stack trace ---\n   at Acme.Program.Main(String[] args) in /src/Program.cs:line 12",
        "System.InvalidOperationException < System.IO.IOException",
        "it is closed",
    );
}

#[test]
fn go_and_rust() {
    check(
        "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 1 [running]:\nmain.work(0x1, 0x2)\n\t/srv/main.go:12 +0x1d\nmain.main()\n\t/srv/main.go:8 +0x20\nexit status 2",
        "panic",
        "runtime error: index out of range [<N>] with length <N>",
    );
    check(
        "thread 'main' panicked at src/main.rs:12:5:\nno config at /etc/app.toml\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/abc/library/std/src/panicking.rs:645:5\n   1: app::load\n             at ./src/main.rs:12:5\nnote: Some details are omitted",
        "panic",
        "no config at <PATH>",
    );
}

#[test]
fn ruby_and_php() {
    check(
        "app.rb:12:in `divide': divided by 0 (ZeroDivisionError)\n\tfrom app.rb:12:in `work'\n\tfrom app.rb:9:in `<main>'",
        "ZeroDivisionError",
        "divided by <N>",
    );
    check(
        "PHP Fatal error:  Uncaught RuntimeException: no user 5 in /srv/user.php:12\nStack trace:\n#0 /srv/index.php(12): find(5)\n#1 {main}\n  thrown in /srv/user.php on line 12",
        "RuntimeException",
        "no user <N> in <PATH>",
    );
}

#[test]
fn plain_errors_are_equal_by_their_masked_words() {
    let groups = collected(
        "ERROR connect to 10.0.0.5:5432 failed\nINFO ok\nERROR connect to 10.0.0.6:5432 failed\nERROR other\n",
    );
    let told: Vec<_> = groups.iter().map(|group| group.count).collect();
    assert_eq!(told, [2, 1]);
}

#[test]
fn different_places_and_types_differ() {
    let at = |kind: &str, place: &str| format!("{kind}: x\n    at {place} (/srv/a.js:1:2)\n");
    let text =
        [at("TypeError", "f"), at("TypeError", "g"), at("RangeError", "f"), at("TypeError", "f")].concat();
    let counts: Vec<_> = collected(&text).iter().map(|group| group.count).collect();
    assert_eq!(counts, [2, 1, 1]);
}

#[test]
fn stacks_in_json() {
    let line = r#"{"level":50,"time":1772359503120,"err":{"type":"TypeError","message":"x","stack":"TypeError: x\n    at f (/srv/a.js:12:3)"},"msg":"failed"}"#;
    let groups = collected(&format!("{line}\n{}\n", line.replace(":12:", ":44:")));
    assert_eq!((groups[0].kind.as_str(), groups[0].count, groups.len()), ("TypeError", 2, 1));
}

#[test]
fn loggers_that_speak_before_or_in_front_of_a_trace() {
    check(
        "fail: Microsoft.AspNetCore.Diagnostics.ExceptionHandlerMiddleware[1]\n      An unhandled exception has occurred.\n      System.InvalidOperationException: Sequence contains no elements\n         at Shop.Orders.First(Int32 id) in /src/Orders.cs:line 12",
        "System.InvalidOperationException",
        "Sequence contains no elements",
    );
    check(
        "[Nest] 1  - 05/14/2024, 10:23:45 AM   ERROR [ExceptionsHandler] no such order\nOrderError: no such order\n    at find (/app/src/orders.ts:12:3)",
        "OrderError",
        "no such order",
    );
    let header = "F, [2024-05-14T10:23:45.123456 #7] FATAL -- : [c0ffee]";
    let trace = format!(
        "{header}\n{header} ActiveRecord::RecordNotFound (Couldn't find Order with 'id'=7):\n{header}\n{header} app/controllers/orders_controller.rb:12:in `show'\n"
    );
    let groups = collected(&format!("{trace}I, [2024-05-14T10:23:45.123456 #7]  INFO -- : fine\n{trace}"));
    let told: Vec<_> = groups.iter().map(|group| (group.kind.as_str(), group.count)).collect();
    assert_eq!(told, [("ActiveRecord::RecordNotFound", 2)], "{groups:#?}");
}
