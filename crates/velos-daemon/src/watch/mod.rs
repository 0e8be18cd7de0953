//! Restarts when files change: what the daemon wants watched, and what it does with the news.

mod ignore;
mod thread;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use velos_core::event::What;
use velos_core::instance::{Goal, InstanceId};
use velos_supervisor::{Command, Input};

use crate::control::Control;
use thread::{Told, Wanted};

/// The tag of our bell among watched descriptors.
pub(crate) const TAG: u32 = 1;
/// A change so soon after the start may be the app's own doing. ms.
const OWN_DOING_MS: u64 = 2_000;
/// After so many restarts in a row by its own doing a path is left out.
const OWN_DOING_MAX: u32 = 3;

/// The thread, while something is watched.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    running: Option<Running>,
    wanted: BTreeMap<String, Wanted>,
    /// Paths that an app changes whenever it starts.
    own_doing: BTreeMap<(String, PathBuf), u32>,
    /// The table changed since we looked what is wanted.
    pub(crate) is_stale: bool,
}

#[derive(Debug)]
struct Running {
    bell: UnixStream,
    wanted: Sender<BTreeMap<String, Wanted>>,
    told: Receiver<Told>,
}

impl Control {
    /// Bring the thread up to date with the declarations.
    pub(crate) fn follow_watches(&mut self) {
        if !std::mem::take(&mut self.watch.is_stale) {
            return;
        }
        let wanted = self.wanted_watches();
        if wanted == self.watch.wanted {
            return;
        }
        self.watch.own_doing.retain(|(app, _), _| wanted.contains_key(app));
        self.watch.wanted = wanted.clone();
        if wanted.is_empty() {
            return self.end_watching();
        }
        if self.watch.running.is_none() {
            match self.begin_watching() {
                Ok(running) => self.watch.running = Some(running),
                Err(error) => {
                    return self.note(None, What::Note { text: format!("nothing can be watched: {error}") });
                }
            }
        }
        if let Some(running) = &self.watch.running {
            // A thread that is gone told of its trouble.
            let _ = running.wanted.send(wanted);
            let _ = (&running.bell).write(&[1]);
        }
    }

    fn wanted_watches(&self) -> BTreeMap<String, Wanted> {
        let mut all = BTreeMap::new();
        for instance in self.supervisor.instances() {
            let Some(spec) = self.supervisor.app_of(instance.id).map(|app| &app.spec) else { continue };
            let (Some(watch), name) = (&spec.watch, spec.name.as_str()) else { continue };
            let entry = all.entry(name.to_owned()).or_insert_with(|| {
                let own = self
                    .watch
                    .own_doing
                    .iter()
                    .filter(|((app, _), count)| app == name && **count >= OWN_DOING_MAX);
                let mut never: Vec<PathBuf> = own.map(|((_, path), _)| path.clone()).collect();
                never.push(self.home.root().to_path_buf());
                never.extend(spec.pid_file.iter().map(|path| path.as_path().to_path_buf()));
                Wanted { spec: watch.clone(), never }
            });
            entry.never.extend(
                self.capture_paths(instance.id)
                    .map(|paths| [paths.out_log, paths.err_log])
                    .into_iter()
                    .flatten(),
            );
        }
        all
    }

    fn begin_watching(&mut self) -> std::io::Result<Running> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        let (wanted, wanted_there) = channel();
        let (told_there, told) = channel();
        self.reactor
            .fd_watch(ours.as_raw_fd(), TAG)
            .map_err(|errno| std::io::Error::from_raw_os_error(errno.0))?;
        std::thread::Builder::new()
            .name("watch".to_owned())
            .stack_size(512 << 10)
            .spawn(move || thread::run(&theirs, &wanted_there, &told_there))?;
        Ok(Running { bell: ours, wanted, told })
    }

    fn end_watching(&mut self) {
        if let Some(running) = self.watch.running.take() {
            // Closing our end ends the thread.
            self.reactor.fd_forget(running.bell.as_raw_fd());
        }
    }

    /// The thread rang.
    pub(crate) fn files_changed(&mut self) {
        let Some(running) = &mut self.watch.running else { return };
        let mut bytes = [0u8; 64];
        while matches!((&running.bell).read(&mut bytes), Ok(n) if n > 0) {}
        let told: Vec<Told> = running.told.try_iter().collect();
        for one in told {
            match one {
                Told::Changed { app, path } => self.restart_for(&app, &path),
                Told::Trouble { app, text } => {
                    let first = self.instances_named(&app).first().copied();
                    self.note(first, What::Note { text: format!("watch: {text}") });
                }
            }
        }
    }

    fn restart_for(&mut self, app: &str, path: &Path) {
        let ids = self.instances_named(app);
        let up: Vec<InstanceId> = ids
            .into_iter()
            .filter(|id| self.supervisor.instance(*id).is_some_and(|instance| instance.goal == Goal::Up))
            .collect();
        let Some(first) = up.first().copied() else { return };
        let cwd =
            self.supervisor.app_of(first).map(|app| app.spec.cwd.as_path().to_path_buf()).unwrap_or_default();
        let shown = path.strip_prefix(&cwd).unwrap_or(path).display().to_string();
        if self.is_own_doing(first, app, path) {
            let text =
                format!("watch: {shown} changes whenever the app starts, so it is ignored from now on");
            self.note(Some(first), What::Note { text });
            self.watch.is_stale = true;
            return self.follow_watches();
        }
        let ticket = self.clients.internal_ticket();
        let by = format!("watch: {shown} changed");
        self.inputs.push(Input::Command { ticket, by, command: Command::Restart(up) });
    }

    /// Counts restarts in a row that a path caused right after a start.
    fn is_own_doing(&mut self, id: InstanceId, app: &str, path: &Path) -> bool {
        let started = self.supervisor.instance(id).and_then(|instance| instance.started_mono_ns);
        let uptime_ms = velos_ffi::now_ns().saturating_sub(started.unwrap_or(0)) / 1_000_000;
        let debounce = self.watch.wanted.get(app).map_or(0, |wanted| wanted.spec.debounce_ms);
        let key = (app.to_owned(), path.to_path_buf());
        if uptime_ms >= OWN_DOING_MS + debounce {
            self.watch.own_doing.remove(&key);
            return false;
        }
        let count = self.watch.own_doing.entry(key).or_insert(0);
        *count += 1;
        *count >= OWN_DOING_MAX
    }

    fn instances_named(&self, app: &str) -> Vec<InstanceId> {
        self.supervisor
            .instances()
            .filter(|instance| instance.stands_in_for.is_none())
            .filter(|instance| {
                self.supervisor.app_of(instance.id).is_some_and(|known| known.spec.name.as_str() == app)
            })
            .map(|instance| instance.id)
            .collect()
    }
}
