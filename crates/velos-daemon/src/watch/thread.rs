//! The thread that waits for files to change. It alone looks at folders, which may be slow or hang.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use velos_core::app::WatchSpec;

use super::ignore::Ignore;

/// Folders of all apps together; a tree beyond that is watched in part, and that is told.
const FOLDERS_MAX: usize = 16_384;
/// Deeper nesting is not followed: it is a loop of links.
const DEPTH_MAX: usize = 64;
/// Changes without a pause are told after so many quiet times.
const PATIENCE: u32 = 10;
/// What is not there is looked for so often.
const MISSING_EVERY: Duration = Duration::from_secs(1);

/// What an app wants watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) spec: WatchSpec,
    /// Files and folders that never count: logs, pid files, our own home.
    pub(crate) never: Vec<PathBuf>,
}

/// What the thread tells.
#[derive(Debug)]
pub(crate) enum Told {
    /// After a quiet time: the first path that changed.
    Changed { app: String, path: PathBuf },
    /// It cannot watch all.
    Trouble { app: String, text: String },
}

struct Watched {
    wanted: Wanted,
    ignore: Ignore,
    /// When to tell, at the latest, and of what.
    due: Option<Due>,
    /// Some path of it is not there.
    has_missing: bool,
}

/// A change that is not told yet.
struct Due {
    at: Instant,
    /// Files that never rest must not put it off for ever.
    at_the_latest: Instant,
    first: PathBuf,
}

struct Watcher<'a> {
    inotify: Inotify,
    told: &'a Sender<Told>,
    bell: &'a UnixStream,
    apps: BTreeMap<String, Watched>,
    /// Which folders are watched for whom.
    folders: HashMap<WatchDescriptor, (PathBuf, Vec<String>)>,
    next_look: Option<Instant>,
}

/// Until the other end of `wake` is closed.
pub(crate) fn run(wake: &UnixStream, wanted: &Receiver<BTreeMap<String, Wanted>>, told: &Sender<Told>) {
    let Ok(inotify) = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) else {
        let text = "no inotify instance is left for this user; nothing is watched".to_owned();
        let _ = told.send(Told::Trouble { app: String::new(), text });
        return ring(wake);
    };
    let apps = BTreeMap::new();
    let mut watcher = Watcher { inotify, told, bell: wake, apps, folders: HashMap::new(), next_look: None };
    loop {
        let mut fds = [
            PollFd::new(wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(watcher.inotify.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = watcher.timeout();
        if poll(&mut fds, timeout).is_err_and(|errno| errno != nix::errno::Errno::EINTR) {
            return;
        }
        let mut bytes = [0u8; 64];
        if let Ok(0) = (&mut &*wake).read(&mut bytes) {
            return;
        }
        while let Ok(apps) = wanted.try_recv() {
            watcher.set(apps);
        }
        watcher.read_events();
        watcher.look_for_missing();
        watcher.tell_due();
    }
}

fn ring(bell: &UnixStream) {
    // A full pipe has rung already.
    let _ = std::io::Write::write(&mut &*bell, &[1]);
}

impl Watcher<'_> {
    fn timeout(&self) -> PollTimeout {
        let due = self.apps.values().filter_map(|app| app.due.as_ref().map(|due| due.at));
        let Some(at) = due.chain(self.next_look).min() else { return PollTimeout::NONE };
        let left = at.saturating_duration_since(Instant::now()).as_micros().div_ceil(1_000);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    }

    /// Begin anew with what is wanted now. What was about to be told still is.
    fn set(&mut self, wanted: BTreeMap<String, Wanted>) {
        for (folder, _) in std::mem::take(&mut self.folders) {
            // A folder that is gone took its watch along.
            let _ = self.inotify.rm_watch(folder);
        }
        let mut before = std::mem::take(&mut self.apps);
        for (name, wanted) in wanted {
            let due = before.remove(&name).and_then(|app| app.due);
            let ignore = Ignore::new(&wanted.spec.ignore);
            self.apps.insert(name.clone(), Watched { wanted, ignore, due, has_missing: false });
            self.enter(&name);
        }
        self.schedule_look();
    }

    fn schedule_look(&mut self) {
        let is_missing = self.apps.values().any(|app| app.has_missing);
        self.next_look = is_missing.then(|| Instant::now() + MISSING_EVERY);
    }

    /// Watch all paths of an app. Whether something was found that was missing.
    fn enter(&mut self, name: &str) {
        let Some(app) = self.apps.get(name) else { return };
        let paths: Vec<PathBuf> =
            app.wanted.spec.paths.iter().map(|path| path.as_path().to_path_buf()).collect();
        let mut has_missing = false;
        for path in paths {
            match std::fs::metadata(&path) {
                Ok(meta) if meta.is_dir() => self.add_tree(name, &path, &path, 0),
                // Editors replace files, so the folder tells and not the file.
                Ok(_) => self.add_folder(name, path.parent().unwrap_or(Path::new("/"))),
                Err(_) => has_missing = true,
            }
        }
        if let Some(app) = self.apps.get_mut(name) {
            app.has_missing = has_missing;
        }
    }

    fn add_tree(&mut self, name: &str, root: &Path, folder: &Path, depth: usize) {
        if depth > DEPTH_MAX || self.is_ignored(name, root, folder, true) {
            return;
        }
        self.add_folder(name, folder);
        let follow = self.apps.get(name).is_some_and(|app| app.wanted.spec.follow_symlinks);
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let is_folder = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => follow && entry.path().is_dir(),
                Ok(kind) => kind.is_dir(),
                Err(_) => false,
            };
            if is_folder {
                self.add_tree(name, root, &entry.path(), depth + 1);
            }
        }
    }

    fn add_folder(&mut self, name: &str, folder: &Path) {
        let what = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        if self.folders.len() >= FOLDERS_MAX {
            return self.trouble(name, format!("more than {FOLDERS_MAX} folders; ignore some of them"));
        }
        match self.inotify.add_watch(folder, what) {
            Ok(id) => {
                let (_, owners) = self.folders.entry(id).or_insert_with(|| (folder.to_path_buf(), Vec::new()));
                if !owners.iter().any(|owner| owner == name) {
                    owners.push(name.to_owned());
                }
            }
            Err(nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR) => {}
            Err(nix::errno::Errno::ENOSPC) => self.trouble(
                name,
                "the system's limit of watches is reached; raise fs.inotify.max_user_watches or ignore folders".to_owned(),
            ),
            Err(errno) => self.trouble(name, format!("cannot watch {}: {errno}", folder.display())),
        }
    }

    fn trouble(&self, app: &str, text: String) {
        let _ = self.told.send(Told::Trouble { app: app.to_owned(), text });
        ring(self.bell);
    }

    fn is_ignored(&self, name: &str, root: &Path, path: &Path, is_folder: bool) -> bool {
        let Some(app) = self.apps.get(name) else { return true };
        if app.wanted.never.iter().any(|never| path.starts_with(never)) {
            return true;
        }
        let below = path.strip_prefix(root).unwrap_or(path);
        app.ignore.matches(below.as_os_str().as_bytes(), is_folder)
    }

    fn read_events(&mut self) {
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                self.event(&event);
            }
        }
    }

    fn event(&mut self, event: &InotifyEvent) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            // Too much at once to be told one by one: something of everything changed, and folders may be new.
            let names: Vec<String> = self.apps.keys().cloned().collect();
            for name in names {
                self.enter(&name);
                self.changed(&name, PathBuf::from("many files"));
            }
            return;
        }
        if event.mask.contains(AddWatchFlags::IN_IGNORED) {
            self.folders.remove(&event.wd);
            return;
        }
        let Some((folder, owners)) = self.folders.get(&event.wd).cloned() else { return };
        if event.mask.contains(AddWatchFlags::IN_DELETE_SELF) {
            for name in owners {
                if let Some(app) = self.apps.get_mut(&name) {
                    app.has_missing = true;
                }
            }
            return self.schedule_look();
        }
        let Some(file) = &event.name else { return };
        let path = folder.join(file);
        let is_folder = event.mask.contains(AddWatchFlags::IN_ISDIR);
        for name in owners {
            let Some(root) = self.root_of(&name, &path) else { continue };
            if self.is_ignored(&name, &root, &path, is_folder) {
                continue;
            }
            let appears = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO;
            if is_folder && event.mask.intersects(appears) {
                self.add_tree(&name, &root, &path, 0);
                // An empty folder changes nothing; files in it may have come before it was watched.
                if std::fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some()) {
                    self.changed(&name, path.clone());
                }
            } else {
                self.changed(&name, path.clone());
            }
        }
    }

    /// The watched path that this one is, or is below.
    fn root_of(&self, name: &str, path: &Path) -> Option<PathBuf> {
        let app = self.apps.get(name)?;
        app.wanted
            .spec
            .paths
            .iter()
            .map(|root| root.as_path())
            .find(|root| path.starts_with(root))
            .map(Path::to_path_buf)
    }

    fn changed(&mut self, name: &str, path: PathBuf) {
        let Some(app) = self.apps.get_mut(name) else { return };
        let (now, quiet) = (Instant::now(), Duration::from_millis(app.wanted.spec.debounce_ms));
        let due = app.due.get_or_insert_with(|| Due {
            at: now,
            at_the_latest: now + quiet * PATIENCE,
            first: path,
        });
        due.at = (now + quiet).min(due.at_the_latest);
    }

    fn look_for_missing(&mut self) {
        if self.next_look.is_none_or(|at| Instant::now() < at) {
            return;
        }
        let missing: Vec<String> =
            self.apps.iter().filter(|(_, app)| app.has_missing).map(|(name, _)| name.clone()).collect();
        for name in missing {
            self.enter(&name);
            let found = self.apps.get(&name).filter(|app| !app.has_missing);
            if let Some(path) =
                found.and_then(|app| app.wanted.spec.paths.first()).map(|path| path.as_path().to_path_buf())
            {
                self.changed(&name, path);
            }
        }
        self.schedule_look();
    }

    fn tell_due(&mut self) {
        let now = Instant::now();
        let mut any = false;
        for (name, app) in &mut self.apps {
            if let Some(Due { first: path, .. }) = app.due.take_if(|due| due.at <= now) {
                any |= self.told.send(Told::Changed { app: name.clone(), path }).is_ok();
            }
        }
        if any {
            ring(self.bell);
        }
    }
}
