//! `velos jlist`: the list as scripts written for PM2 read it.

use serde_json::{Value, json};
use velos_core::instance::Phase;
use velos_core::protocol::{InfoReply, InstanceInfo, Targets, method};

pub(crate) fn run(context: &super::Context, pretty: bool) -> super::Result {
    let mut client = context.daemon()?;
    let list: velos_core::protocol::ListReply = client.call(method::LIST, &Targets::default())?;
    let instances = if list.instances.is_empty() {
        Vec::new()
    } else {
        let all = Targets { targets: vec!["all".to_owned()] };
        let info: InfoReply = client.call(method::INFO, &all)?;
        info.instances
    };
    let now_ms = i64::try_from(super::select::now_us() / 1_000).unwrap_or(i64::MAX);
    let shaped: Vec<Value> = instances.iter().map(|one| shape(one, now_ms)).collect();
    if pretty {
        let text = serde_json::to_string_pretty(&shaped).map_err(|error| super::failed(error.to_string()))?;
        crate::output::print(&format!("{text}\n"))?;
    } else {
        crate::output::print_json(&shaped)?;
    }
    Ok(0)
}

fn shape(info: &InstanceInfo, now_ms: i64) -> Value {
    let (one, spec) = (&info.summary, &info.spec);
    let started_ms = one.uptime_ms.map_or(0, |ms| now_ms.saturating_sub_unsigned(ms));
    let status = match one.phase {
        // PM2 has no such word.
        Phase::Waiting => "launching",
        phase => phase.status(),
    };
    json!({
        "pid": one.pid.unwrap_or(0),
        "name": one.name,
        "pm_id": one.id.0,
        "monit": {
            "memory": one.rss_bytes.unwrap_or(0),
            "cpu": one.cpu_centipercent.map_or(0.0, |cpu| f64::from(cpu) / 100.0),
        },
        "pm2_env": {
            "status": status,
            "name": one.name,
            "namespace": one.namespace,
            "version": one.version.as_deref().unwrap_or("N/A"),
            "pm_id": one.id.0,
            "restart_time": one.restarts,
            "unstable_restarts": info.unstable,
            "created_at": info.created_ms,
            "pm_uptime": started_ms,
            "exec_mode": "fork_mode",
            "instances": spec.instances,
            "NODE_APP_INSTANCE": one.slot,
            "pm_exec_path": spec.script.to_text(),
            "pm_cwd": spec.cwd.to_text(),
            "exec_interpreter": spec.interpreter.clone().unwrap_or_else(|| "none".to_owned()),
            "args": spec.args.iter().map(|word| word.to_text()).collect::<Vec<_>>(),
            "pm_out_log_path": one.out_log.to_text(),
            "pm_err_log_path": one.err_log.to_text(),
            "autorestart": spec.restart.autorestart,
            "watch": spec.watch.is_some(),
            "username": one.user,
            "exit_code": match one.exit {
                Some(velos_core::instance::Exit::Code(code)) => Value::from(code),
                _ => Value::Null,
            },
        },
    })
}
