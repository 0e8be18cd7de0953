//! Lines that mislead: what a level classifier must not fall for.

use velos_log_engine::level::{Classifier, classify};

const CASES: &[(&str, &str)] = &[
    ("error", r#"time="2024-01-01T00:00:00Z" level=error msg="x""#),
    ("info", r#"{"level":"info","msg":"request failed: error"}"#),
    ("error", r#"{"lvl":3,"msg":"x"}"#),
    ("fatal", r#"{"level":60,"msg":"x"}"#),
    ("warn", r#"[2024-01-01 00:00:00] production.WARNING: disk low"#),
    ("error", r#"[2024-01-01 00:00:00] production.ERROR: boom {"exception":"[object]"}"#),
    ("info", r#"2024-01-01T00:00:00Z INFO server: listening"#),
    ("error", r#"2024/01/01 00:00:00 ERROR failed to bind"#),
    ("info", r#"2024-01-01 00:00:00,123 - app - INFO - error handler installed"#),
    ("warn", r#"[WARN] slow query"#),
    ("warn", r#"(node:1234) Warning: Accessing non-existent property"#),
    ("warn", r#"(node:1234) [DEP0005] DeprecationWarning: Buffer() is deprecated"#),
    ("error", r#"(node:1) UnhandledPromiseRejectionWarning: Error: x"#),
    ("debug", r#"[DEBUG] error=nil"#),
    ("info", r#"Test suites: 3 passed, 0 failed"#),
    ("error", r#"Test suites: 3 passed, 2 failed"#),
    ("info", r#"completed without errors"#),
    ("info", r#"no error"#),
    ("info", r#"err=nil done"#),
    ("info", r#"error_count=0"#),
    ("error", r#"Unhandled exception. System.InvalidOperationException: x"#),
    ("error", r#"Uncaught TypeError: undefined is not a function"#),
    ("error", r#"ERROR 2024-01-01 db.py:12 lost connection"#),
    ("error", r#"E 2024-01-01 x"#),
    ("info", r#"GET /fatal/error.html 200"#),
    ("error", r#"[12:00:00 ERR] Something failed"#),
    ("fatal", r#"[12:00:00 FTL] Host terminated"#),
    ("info", r#"[12:00:00 INF] Started"#),
    ("warn", r#"12:00:00.000 [main] WARN  c.a.Foo - x"#),
    ("error", r#"12:00:00.000 [main] ERROR c.a.Foo - x"#),
    ("error", r#"<3>kernel oops"#),
    ("info", r#"<6>1 2024-01-01T00:00:00Z h a - - - failed"#),
    ("warn", r#"W0612 10:11:12.123456 1 x.go:1] y"#),
    ("error", r#"03-17 16:13:38.811  1702  2395 E WindowManager: x"#),
    ("debug", r#"D/dalvikvm(  123): GC freed"#),
    ("info", r#"Jan  1 00:00:00 host sshd[1]: Accepted publickey for root"#),
    ("error", r#"npm ERR! code ELIFECYCLE"#),
    ("warn", r#"npm warn deprecated x"#),
    ("error", r#"npm error code E404"#),
    ("error", r#"2024-01-01 00:00:00.000 UTC [1] ERROR:  relation "x" does not exist"#),
    ("info", r#"2024-01-01 00:00:00.000 UTC [1] LOG:  database system is ready"#),
    ("fatal", r#"2024-01-01 PANIC:  could not write"#),
    ("warn", r#"2024-01-01T00:00:00.000Z [Warning] [MY-010055] x"#),
    ("error", r#"2024-01-01T00:00:00.000000Z 0 [ERROR] [MY-010119] [Server] Aborting"#),
    ("error", r#"ERROR: for web  Cannot start service"#),
    ("info", r#"::1 - - [01/Jan/2024] "GET / HTTP/1.1" 200 5 "-" "curl""#),
    ("error", r#"upstream timed out (110: Connection timed out) while connecting, error"#),
    ("fatal", r#"CRITICAL:root:x"#),
    ("info", r#"Loaded error-pages plugin"#),
    ("info", r#"ErrorBoundary mounted"#),
    ("error", r#"Segmentation fault (core dumped)"#),
    ("error", r#"Killed process 123: out of memory error"#),
    ("trace", r#"TRACE hyper::proto: x"#),
    ("debug", r#"2024-01-01T00:00:00Z DEBUG hyper::proto: error: eof"#),
    ("warn", r#" WARN  tokio::x: slow"#),
    ("error", r#"thread 'tokio' (123) panicked at src/x.rs:1:1:"#),
    ("info", r#"user error_prone logged in"#),
    ("info", r#"Compiled successfully with 0 warnings"#),
    ("warn", r#"warning: unused variable: `x`"#),
    ("error", r#"error: could not compile `x`"#),
    ("info", r#"Warnings: 0, Errors: 0"#),
    ("error", r#"[Nest] 1  - 01/01/2024, 1:00:00 AM   ERROR [ExceptionsHandler] x"#),
    ("info", r#"[Nest] 1  - 01/01/2024, 1:00:00 AM     LOG [NestFactory] Starting"#),
    ("error", r#"  ✖ error  x"#),
    ("info", r#"info  - ready on 3000"#),
    ("error", r#"error - ./x.js"#),
    ("warn", r#"warn  - Fast refresh"#),
    ("error", r#"panic: assignment to entry in nil map"#),
    ("error", r#"Caused by: java.io.IOException: x"#),
    ("info", r#"retry 0 of 3"#),
    ("error", r#"{"severity":"ERROR","message":"0 errors"}"#),
    ("fatal", r#"{"severity":"EMERGENCY","message":"x"}"#),
    ("info", r#"{"level":"notice","msg":"x"}"#),
    ("error", r#"{"msg":"x","err":{"message":"boom"}}"#),
    ("info", r#"Sep 1 00:00:00 h app[1]: INFO ok"#),
    ("error", r#"SQLSTATE[HY000]: General error: 1 no such table"#),
    ("warn", r#"2016-09-28 04:30:30, Warning               CBS    x"#),
    ("info", r#"2016-09-28 04:30:30, Info                  CBS    Failed to x"#),
    ("error", r#"2016-09-28 04:30:31, Error                 CSI    x"#),
    (
        "info",
        r#"2015-07-29 17:41:44,747 - INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:FastLeaderElection@774] - Notification"#,
    ),
    (
        "warn",
        r#"2015-07-29 17:41:44,747 - WARN  [SendWorker:188978561024:QuorumCnxManager$SendWorker@679] - Interrupted"#,
    ),
    ("error", r#"[Sun Dec 04 04:47:44 2005] [error] mod_jk child workerEnv in error state 6"#),
    ("info", r#"[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok"#),
    ("info", r#"17/06/09 20:10:40 INFO executor.X: error x"#),
    ("info", r#"081109 203615 148 INFO dfs.DataNode$PacketResponder: x"#),
];

#[test]
fn every_line_has_its_level() {
    let wrong: Vec<String> = CASES
        .iter()
        .filter_map(|(expected, line)| {
            let level = classify(line.as_bytes()).level.name();
            (level != *expected).then(|| format!("{level} instead of {expected}: {line}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines as many systems write them, each with its level.
#[test]
fn lines_of_many_systems_have_their_levels() {
    let cases = include_str!("levels.tsv");
    let rows = cases.lines().filter_map(|row| row.split_once('\t'));
    let wrong: Vec<String> = rows
        .filter_map(|(expected, line)| {
            let line = line.replace("\\e", "\x1b");
            let level = classify(line.as_bytes()).level.name();
            (level != expected).then(|| format!("{level} instead of {expected}: {line}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Lines that only make sense behind others.
#[test]
fn sequences_of_lines_have_their_levels() {
    let sequences: &[&[(&str, &str)]] = &[
        &[
            ("error", "fail: Microsoft.AspNetCore.Server.Kestrel[13]"),
            (
                "error",
                "      Connection id \"0HM\", Request id \"0HM:1\": An unhandled exception was thrown.",
            ),
            ("error", "      System.InvalidOperationException: x"),
            ("error", "         at App.Startup.Run() in /src/Startup.cs:line 12"),
            ("info", "info: Microsoft.Hosting.Lifetime[0]"),
            ("info", "      Application failed to stay silent."),
        ],
        &[
            ("info", "==> Consul agent running!"),
            ("error", "    2024/05/14 10:23:45 [ERR] agent: failed"),
            ("info", "    2024/05/14 10:23:46 [INFO] agent: fine"),
        ],
        &[
            ("error", "2024-05-14 10:23:45,123 ERROR [main] a.B - boom"),
            ("error", "java.lang.IllegalStateException: boom"),
            ("error", "\tat a.B.c(B.java:1)"),
            ("error", "Caused by: java.io.IOException: x"),
            ("error", "\t... 12 more"),
            ("info", "2024-05-14 10:23:46,123 INFO [main] a.B - fine"),
        ],
        &[
            ("error", "Traceback (most recent call last):"),
            ("error", "  File \"/app/x.py\", line 1, in <module>"),
            ("error", "    main()"),
            ("error", "ValueError: x"),
            ("info", "started"),
        ],
    ];
    for sequence in sequences {
        let mut classifier = Classifier::new();
        for (expected, line) in *sequence {
            assert_eq!(classifier.next(line.as_bytes()).level.name(), *expected, "{line}");
        }
    }
}
