//! Health checks: what passes, what fails, and who waits for it.

use std::time::Instant;

use velos_core::instance::Phase;
use velos_testkit::{SOON, TestEnv, wait_until};

use crate::env;

fn start(env: &TestEnv, text: &str) -> velos_testkit::Output {
    std::fs::write(env.work().join("velos.toml"), text).unwrap();
    env.run(&["start", "velos.toml"])
}

#[test]
fn an_http_server_is_healthy_until_it_is_not() {
    let env = env();
    let server = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.path.exists("sick") else 200)
        self.end_headers()
    def log_message(self, *words):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open("port.new", "w").write(str(server.server_port))
os.rename("port.new", "port")
server.serve_forever()
"#;
    std::fs::write(env.work().join("server.py"), server).unwrap();
    // The port is known once the server runs: a command asks the server by it.
    let asker = "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:' + open('port').read())\n";
    std::fs::write(env.work().join("ask.py"), asker).unwrap();
    let check = "python3 ask.py";
    start(
        &env,
        &format!(
            "[apps.api]\nscript = \"server.py\"\nhealth = {{ exec = \"{check}\", interval = \"100ms\", retries = 2, start_period = \"5s\" }}\n[apps.web]\ncommand = \"exec sleep 1000\"\ndepends_on = {{ api = \"healthy\" }}\n"
        ),
    )
    .ok();
    assert_eq!((env.instance("api").healthy, env.instance("web").phase), (Some(true), Phase::Online));
    assert!(env.run(&["events"]).ok().stdout.contains("api: healthy"));
}

#[test]
fn a_failing_check_restarts_and_is_told() {
    let env = env();
    start(
        &env,
        "[apps.api]\ncommand = \"exec sleep 1000\"\nkill_timeout = \"300ms\"\nhealth = { exec = \"test ! -f sick\", interval = \"100ms\", retries = 2 }\n",
    )
    .ok();
    env.wait_instance("api", "is healthy", |one| one.healthy == Some(true));
    let first = env.pid("api");
    std::fs::write(env.work().join("sick"), "").unwrap();
    env.wait_instance("api", "was restarted", |one| one.pid.is_some() && one.pid != Some(first));
    let why = env.run(&["why", "api"]).ok().stdout;
    assert!(why.contains("its health check failed: the command ended with exit status: 1"), "{why}");
    std::fs::remove_file(env.work().join("sick")).unwrap();
    env.wait_instance("api", "is healthy again", |one| one.healthy == Some(true));
}

#[test]
fn what_never_becomes_healthy_is_given_up() {
    let env = env();
    start(
        &env,
        "[apps.api]\ncommand = \"exec sleep 1000\"\nkill_timeout = \"300ms\"\nmax_restarts = 2\nhealth = { tcp = \"127.0.0.1:1\", interval = \"100ms\", retries = 1 }\n[apps.web]\ncommand = \"exec sleep 1000\"\ndepends_on = { api = \"healthy\" }\n",
    );
    env.wait_instance("api", "is given up", |one| one.phase == Phase::Errored);
    let web = env.instance("web");
    assert_eq!((web.phase, web.waits_for.as_deref()), (Phase::Waiting, Some("api to be healthy")));
}

#[test]
fn a_check_that_hangs_holds_nobody_up() {
    let env = env();
    start(
        &env,
        "[apps.api]\ncommand = \"exec sleep 1000\"\nhealth = { exec = \"sleep 1000\", timeout = \"2s\", interval = \"100ms\", retries = 5 }\n",
    )
    .ok();
    let begin = Instant::now();
    for _ in 0..20 {
        env.list();
    }
    assert!(begin.elapsed().as_millis() < 1_000, "{:?}", begin.elapsed());
    env.run(&["stop", "api"]).ok();
    assert_eq!(env.instance("api").phase, Phase::Stopped);
}

#[test]
fn a_line_of_output_counts_since_the_start() {
    let env = env();
    std::fs::write(env.work().join("first"), "").unwrap();
    let line = "if [ -f first ]; then rm first; echo now ready; fi; exec sleep 1000";
    start(
        &env,
        &format!("[apps.api]\ncommand = \"{line}\"\nhealth = {{ log = \"^now ready\", interval = \"100ms\", retries = 1000 }}\n"),
    )
    .ok();
    env.wait_instance("api", "is healthy", |one| one.healthy == Some(true));
    env.run(&["restart", "api"]).ok();
    // The line of the run before does not count.
    let begin = Instant::now();
    wait_until("some checks", SOON, || begin.elapsed().as_millis() > 500);
    assert_eq!(env.instance("api").healthy, Some(false));
}
