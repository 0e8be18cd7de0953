//! Which TCP ports a process tree listens on, and who holds a port: from `/proc`, as far as we may look.

use std::collections::{BTreeSet, HashMap, HashSet};

/// One look at all processes.
#[derive(Debug, Default)]
pub(crate) struct Ports {
    children: HashMap<i32, Vec<i32>>,
    /// Port of each listening socket, by inode.
    listening: HashMap<u64, u16>,
}

impl Ports {
    /// Empty where there is no `/proc`.
    pub(crate) fn look() -> Self {
        let mut ports = Self::default();
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let text = std::fs::read_to_string(table).unwrap_or_default();
            ports.listening.extend(text.lines().skip(1).filter_map(listening));
        }
        for pid in pids() {
            if let Some(parent) = parent(pid) {
                ports.children.entry(parent).or_default().push(pid);
            }
        }
        ports
    }

    /// Of a process and all below it.
    pub(crate) fn of_tree(&self, root: i32) -> Vec<u16> {
        let inodes: HashSet<u64> = self.tree(root).into_iter().flat_map(sockets).collect();
        let ports: BTreeSet<u16> = self
            .listening
            .iter()
            .filter(|(inode, _)| inodes.contains(inode))
            .map(|(_, port)| *port)
            .collect();
        ports.into_iter().collect()
    }

    fn tree(&self, root: i32) -> Vec<i32> {
        let mut tree = vec![root];
        let mut next = 0;
        while let Some(pid) = tree.get(next).copied() {
            tree.extend(self.children.get(&pid).into_iter().flatten().filter(|child| **child != root));
            next += 1;
        }
        tree
    }

    /// A process that listens on this port, with its name, if it is one that we may look at.
    pub(crate) fn holder(&self, port: u16) -> Option<(i32, String)> {
        let wanted: HashSet<u64> =
            self.listening.iter().filter(|(_, held)| **held == port).map(|(inode, _)| *inode).collect();
        if wanted.is_empty() {
            return None;
        }
        let pid = pids().find(|pid| sockets(*pid).iter().any(|inode| wanted.contains(inode)))?;
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        Some((pid, crate::clean::plain(name.trim())))
    }

    /// Open descriptors of a process tree.
    pub(crate) fn descriptors(&self, root: i32) -> Option<usize> {
        let count = |pid| std::fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count);
        let counts: Vec<usize> = self.tree(root).into_iter().filter_map(count).collect();
        (!counts.is_empty()).then(|| counts.iter().sum())
    }
}

fn pids() -> impl Iterator<Item = i32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn parent(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

fn sockets(pid: i32) -> Vec<u64> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |entry: std::fs::DirEntry| {
        let link = std::fs::read_link(entry.path()).ok()?;
        link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    entries.filter_map(inode).collect()
}

/// `sl local_address rem_address st ...`: 0A is LISTEN.
fn listening(line: &str) -> Option<(u64, u16)> {
    let mut words = line.split_whitespace();
    let local = words.nth(1)?;
    let state = words.nth(1)?;
    let inode = words.nth(5)?;
    let port = u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok()?;
    (state == "0A").then_some((inode.parse().ok()?, port))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_listener_of_ours_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let ports = Ports::look();
        let own = std::process::id() as i32;
        assert!(ports.of_tree(own).contains(&port));
        assert_eq!(ports.holder(port).map(|(pid, _)| pid), Some(own));
        assert!(ports.descriptors(own).unwrap() > 3);
        drop(listener);
        assert_eq!(Ports::look().holder(port), None);
    }
}
