//! As whom a program is started and what it may use.

/// Everything optional; the default is as the caller of the spawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// User.
    pub uid: Option<u32>,
    /// Primary group.
    pub gid: Option<u32>,
    /// Supplementary groups.
    pub groups: Option<Vec<u32>>,
    /// File mode mask.
    pub umask: Option<u32>,
    /// -20 to 19.
    pub nice: Option<i32>,
    /// No program that it executes may gain rights.
    pub no_new_privileges: bool,
    /// Resource (a number of setrlimit(2)), soft and hard bound; `u64::MAX`: unlimited.
    pub rlimits: Vec<(i32, u64, u64)>,
}

impl Rights {
    /// The bits of `VelosSpawnSpec.flags` that go with what is set.
    pub(crate) fn flags(&self) -> u32 {
        let bit = |set: bool, bit: u32| if set { bit } else { 0 };
        bit(self.uid.is_some(), 0x1)
            | bit(self.gid.is_some(), 0x2)
            | bit(self.groups.is_some(), 0x4)
            | bit(self.umask.is_some(), 0x8)
            | bit(self.nice.is_some(), 0x10)
            | bit(self.no_new_privileges, 0x20)
    }
}
