//! Where this process is in the hierarchy of cgroups, and who put it there.

use std::path::{Component, Path, PathBuf};

use velos_core::cgroup::is_folder;

/// Where the daemon goes when its own cgroup must be empty to give controllers on.
pub(super) const ASIDE: &str = "velos-daemon";

/// The cgroup of this process, if there is a hierarchy of version 2.
pub(super) fn current() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    place(&mounts, &groups)
}

/// See proc_pid_mountinfo(5) and cgroups(7).
fn place(mounts: &str, groups: &str) -> Option<PathBuf> {
    let path = Path::new(groups.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.lines().find_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let mut fields = front.split(' ').skip(3);
        // What is mounted there may be a part of the hierarchy only, as in containers.
        let (root, point) = (fields.next()?, fields.next()?);
        let below = path.strip_prefix(root).ok().filter(|_| back.starts_with("cgroup2 "))?;
        Some(Path::new(point).join(below))
    })
}

/// Whether this process was started from inside an app.
pub(crate) fn is_inside_an_app() -> bool {
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    groups.lines().filter_map(|line| line.strip_prefix("0::")).any(|path| {
        let path = Path::new(path);
        outside(path) != path && path.file_name().is_none_or(|name| name != ASIDE)
    })
}

/// Whether somebody made this place for us: a service manager, a session, a container. The root of a hierarchy is
/// everybody's, and a start there costs no more than it must. Only the root tells nothing about itself.
pub(super) fn is_given(own: &Path) -> bool {
    own.join("cgroup.events").exists()
}

/// The same without what a velos made: the place of a daemon that went aside, the cgroup of a run.
pub(super) fn outside(here: &Path) -> PathBuf {
    let parts: Vec<Component<'_>> = here.components().collect();
    let text = |index: usize| parts.get(index).and_then(|part| part.as_os_str().to_str()).unwrap_or_default();
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_run = |index: &usize| is_folder(text(*index)) && is_number(text(index + 1));
    let end = (0..parts.len()).find(is_run).unwrap_or(parts.len());
    let end = if end == parts.len() && end > 0 && text(end - 1) == ASIDE { end - 1 } else { end };
    parts.into_iter().take(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use velos_core::cgroup::folder_of;

    #[test]
    fn where_our_own_is() {
        let mounts = "25 20 0:22 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      26 20 0:23 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw\n";
        let groups = "4:memory:/x\n0::/system.slice/velos.service\n";
        assert_eq!(place(mounts, groups), Some("/sys/fs/cgroup/unified/system.slice/velos.service".into()));
        assert_eq!(place(mounts, "4:memory:/x\n"), None);
        assert_eq!(place("", groups), None);
        assert_eq!(place(mounts, "0::/\n").as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
        let part = "26 20 0:23 /box/7 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert_eq!(place(part, "0::/box/7/inner\n"), Some("/sys/fs/cgroup/inner".into()));
        assert_eq!(place(part, "0::/other\n"), None, "we are outside of what can be seen");
    }

    #[test]
    fn what_a_velos_made_is_not_where_we_are() {
        let home = folder_of(Path::new("/srv/.velos"));
        for (here, expected) in [
            ("/cg/a.service".to_owned(), "/cg/a.service"),
            ("/cg/a.service/velos-daemon".to_owned(), "/cg/a.service"),
            (format!("/cg/a.service/{home}/123"), "/cg/a.service"),
            (format!("/cg/a.service/{home}/123/inner/{home}/7"), "/cg/a.service"),
            ("/cg/velos-api.service/7".to_owned(), "/cg/velos-api.service/7"),
            ("/cg".to_owned(), "/cg"),
        ] {
            assert_eq!(outside(Path::new(&here)), Path::new(expected), "{here}");
        }
    }
}
