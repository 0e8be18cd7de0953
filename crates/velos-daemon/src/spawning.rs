//! A run is started: what is executed, where, as whom, and what follows when that fails.

use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

use velos_core::app::AppSpec;
use velos_core::event::What;
use velos_core::instance::{InstanceId, SpawnFailure, SpawnStage, Token};
use velos_core::raw_string::RawString;
use velos_ffi::SpawnSpec;
use velos_supervisor::Input;

use crate::control::Control;
use crate::ears::Mouth;
use crate::environment::environment;
use crate::interpreter::{self, Found, Place};
use crate::rights;

impl Control {
    /// There is somewhere to write to: the hook before the start, then the start.
    pub(crate) fn prepare(&mut self, token: Token, id: InstanceId) {
        if !self.hold_for_hook(token, id) {
            self.spawn(token, id);
        }
    }

    pub(crate) fn spawn(&mut self, token: Token, id: InstanceId) {
        // A spawn that waited for its capture may have been called off meanwhile.
        if self.supervisor.instance(id).is_none_or(|instance| instance.token != Some(token)) {
            return;
        }
        let mouth = self.open_ears(id, token);
        let own_cgroup = match self.place_run(token, id) {
            Ok(own_cgroup) => own_cgroup,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or(0);
                return self.spawn_failed(token, SpawnFailure { stage: SpawnStage::Rlimit, errno });
            }
        };
        match self.start_process(token, id, mouth, own_cgroup) {
            Some(Ok(process)) => {
                let pid = process.pid;
                self.check_limits_hold(token, id);
                self.adjust_oom_score(id, pid);
                self.want_pid_file(id, pid);
                self.want_release(token, id);
                self.inputs.push(Input::Spawned { token, pid, start_ticks: process.start_ticks });
            }
            Some(Err(error)) => {
                let failure = SpawnFailure { stage: stage(error.stage), errno: error.errno.0 };
                self.spawn_failed(token, failure);
            }
            None => {}
        }
    }

    fn start_process(
        &mut self,
        token: Token,
        id: InstanceId,
        mouth: Mouth,
        own_cgroup: bool,
    ) -> Option<Result<velos_ffi::Spawned, velos_ffi::SpawnError>> {
        let app = self.supervisor.app_of(id)?;
        let mut environment = self.environment_of(id)?;
        environment.extend(mouth.env);
        let found = found_again(&app.spec);
        if let Some(search) = found.as_ref().and_then(|found| found.search.as_ref()) {
            environment.retain(|entry| !entry.starts_with(b"PATH="));
            environment.push(format!("PATH={search}").into_bytes());
        }
        let (program, argv) = command_line(&app.spec, found.as_ref());
        let spec = SpawnSpec {
            program,
            argv: &argv,
            env: &environment,
            cwd: Some(app.spec.cwd.as_bytes()),
            capture: self.captures.get(&self.supervisor.writes_as(id)).map_or(0, |capture| capture.token),
            rights: rights::of(&app.spec),
            channel: mouth.channel.as_ref().map(AsRawFd::as_raw_fd),
            own_cgroup,
        };
        Some(self.reactor.spawn(token.0, &spec))
    }

    fn spawn_failed(&mut self, token: Token, failure: SpawnFailure) {
        self.close_ears(token);
        self.inputs.push(Input::SpawnFailed { token, failure });
    }

    /// Inherited by what it starts; a child that it started before this instant keeps the daemon's.
    fn adjust_oom_score(&mut self, id: InstanceId, pid: i32) {
        let Some(score) = self.supervisor.app_of(id).and_then(|app| app.spec.limits.oom_score_adj) else {
            return;
        };
        if let Err(error) = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string()) {
            let text = format!("oom_score_adj {score} could not be set: {error}");
            self.note(Some(id), What::Note { text });
        }
    }

    /// What the current run of an instance is started with.
    pub(crate) fn environment_of(&self, id: InstanceId) -> Option<Vec<Vec<u8>>> {
        let (instance, app) = self.supervisor.instance(id).zip(self.supervisor.app_of(id))?;
        Some(environment(&app.spec, instance.token?, id, instance.slot, self.home.root()))
    }
}

/// The interpreter, if its place follows from the environment.
fn found_again(spec: &AppSpec) -> Option<Found> {
    let variable = |name: &str| spec.env.get(&RawString::from(name)).map(RawString::to_text);
    let place = Place { cwd: spec.cwd.as_path(), variable: &variable };
    if spec.follows_venv {
        return interpreter::python(spec.script.as_path(), &place);
    }
    let name = spec.interpreter.as_deref().filter(|_| spec.found_in_path)?;
    interpreter::find(name, &place)
}

/// Program and arguments; an interpreter that was `found` again takes the place of the one in the declaration.
fn command_line<'a>(spec: &'a AppSpec, found: Option<&'a Found>) -> (&'a [u8], Vec<&'a [u8]>) {
    let mut argv: Vec<&[u8]> = spec.argv.iter().map(RawString::as_bytes).collect();
    let Some(found) = found else { return (spec.program.as_bytes(), argv) };
    let program = found.program.as_os_str().as_bytes();
    if let Some(first) = argv.first_mut() {
        *first = program;
    }
    (program, argv)
}

/// The step of a start, as the supervisor calls it.
pub(crate) fn stage(stage: velos_ffi::Stage) -> SpawnStage {
    match stage {
        velos_ffi::Stage::Fork => SpawnStage::Fork,
        velos_ffi::Stage::Session => SpawnStage::Session,
        velos_ffi::Stage::Fds => SpawnStage::Fds,
        velos_ffi::Stage::Rlimit => SpawnStage::Rlimit,
        velos_ffi::Stage::Groups => SpawnStage::Groups,
        velos_ffi::Stage::Gid => SpawnStage::Gid,
        velos_ffi::Stage::Uid => SpawnStage::Uid,
        velos_ffi::Stage::Cwd => SpawnStage::Cwd,
        velos_ffi::Stage::Exec => SpawnStage::Exec,
        velos_ffi::Stage::Capture => SpawnStage::Capture,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::name::AppName;

    #[test]
    fn an_interpreter_that_was_found_again_is_what_runs() {
        let mut spec = AppSpec::new(AppName::new("api").unwrap(), "/old/node");
        spec.argv = vec!["node".into(), "app.js".into()];
        assert_eq!(command_line(&spec, None), (&b"/old/node"[..], vec![&b"node"[..], b"app.js"]));
        let found = Found { program: "/new/node".into(), search: None };
        let expected = (&b"/new/node"[..], vec![&b"/new/node"[..], b"app.js"]);
        assert_eq!(command_line(&spec, Some(&found)), expected);
    }
}
