//! As whom an app runs, what it may use, and what stands in its environment.

use velos_testkit::{is_root, skipped};

use crate::env;

fn start(env: &velos_testkit::TestEnv, text: &str) -> velos_testkit::Output {
    std::fs::write(env.work().join("velos.toml"), text).unwrap();
    env.run(&["start", "velos.toml"])
}

#[test]
fn limits_and_mask() {
    let env = env();
    let text = r#"
[apps.api]
command = "echo files $(ulimit -n) core $(ulimit -c) mask $(umask) nice $(nice) oom $(cat /proc/self/oom_score_adj); exec sleep 1000"
limits = { nofile = 64, core = 0, nice = 5, oom_score_adj = 300 }
user = { umask = "027" }
"#;
    start(&env, text).ok();
    env.wait_log("api", "files 64 core 0 mask 0027 nice 5 oom ");
    let pid = env.pid("api");
    assert_eq!(std::fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap().trim(), "300");
}

#[test]
fn another_user() {
    if !is_root() {
        return skipped("starting as another user needs root");
    }
    let env = env();
    let text = r#"
[apps.api]
command = "echo uid $(id -u) gid $(id -g) groups $(id -G) bits $(grep NoNewPrivs /proc/self/status); exec sleep 1000"
cwd = "/"
user = { uid = 12345, gid = 23456, groups = [34567], no_new_privileges = true }
"#;
    start(&env, text).ok();
    env.wait_log("api", "uid 12345 gid 23456 groups 23456 34567 bits NoNewPrivs: 1\n");
    assert_eq!(env.instance("api").user, "12345");
    env.run(&["restart", "api"]).ok();
    env.run(&["stop", "api"]).ok();
    assert!(velos_testkit::processes::of_app(env.home(), "api").is_empty());
}

#[test]
fn what_cannot_be_given_is_refused() {
    let env = env();
    let output = start(&env, "[apps.api]\ncommand = \"sleep 1000\"\nlimits = { memory_max = \"100M\" }\n");
    if output.code == 0 {
        let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", env.pid("api"))).unwrap();
        let own = velos_core::cgroup::folder_of(env.home());
        assert!(groups.contains(&format!("/{own}/")), "{groups}");
        return;
    }
    eprintln!("skipped: this machine gives the daemon no cgroup v2 with a memory controller");
    output.fails(6, &["cgroup", "max_memory_restart"]);
    assert!(env.list().is_empty());
}

#[test]
fn numbers_of_instances() {
    let env = env();
    let text = r#"
[apps.api]
command = "echo me $WORKER port $PORT; exec sleep 1000"
instances = 2
instance_var = "WORKER"
increment_var = "PORT"
env = { PORT = "3000" }
pid_file = "api.pid"
"#;
    start(&env, text).ok();
    let logs: Vec<String> = env
        .list()
        .into_iter()
        .map(|one| {
            velos_testkit::wait_for("it spoke", velos_testkit::SOON, || {
                Some(std::fs::read_to_string(one.out_log.as_path()).unwrap())
                    .filter(|log| log.ends_with('\n'))
            })
        })
        .collect();
    assert_eq!(logs, ["me 0 port 3000\n", "me 1 port 3001\n"]);
    for (slot, file) in [(0, "api.pid"), (1, "api.pid.1")] {
        let wanted = env.list()[slot].pid.unwrap().to_string();
        velos_testkit::wait_until("the pid file", velos_testkit::SOON, || {
            std::fs::read_to_string(env.work().join(file)).is_ok_and(|text| text.trim() == wanted)
        });
    }
    env.run(&["stop", "api"]).ok();
    velos_testkit::wait_until("it is removed", velos_testkit::SOON, || !env.work().join("api.pid").exists());
}
