//! The machine, and the clock.

use std::sync::mpsc::Sender;
use std::time::Duration;

use sysinfo::System;

use crate::msg::{Host, Msg};

/// How often the clock ticks.
const TICK: Duration = Duration::from_secs(1);

pub(super) fn spawn(send: &Sender<Msg>) {
    let send = send.clone();
    std::thread::spawn(move || {
        let mut system = System::new();
        system.refresh_cpu_usage();
        let mut is_first = true;
        loop {
            std::thread::sleep(TICK);
            system.refresh_memory();
            system.refresh_cpu_usage();
            let host = Host {
                cpu_percent: system.global_cpu_usage(),
                used_bytes: system.used_memory(),
                total_bytes: system.total_memory(),
                processors: system.cpus().len(),
            };
            // Usage is a difference: the first one is of nothing.
            if !std::mem::take(&mut is_first) && send.send(Msg::Host(host)).is_err() {
                return;
            }
            if send.send(Msg::Tick(super::now_ms())).is_err() {
                return;
            }
        }
    });
}
