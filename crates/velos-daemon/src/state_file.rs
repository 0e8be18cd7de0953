//! `state.mp`: the live table on disk, so that a later daemon can adopt what runs.
//!
//! Layout: magic `VLST0001`, crc32c of the payload (u32 little-endian), length of the payload (u64 little-endian),
//! payload (MessagePack, named fields). Written as a whole by the writer thread; one durable older generation is
//! kept beside it as `state.mp.1`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use velos_supervisor::State;

const MAGIC: &[u8; 8] = b"VLST0001";
const HEADER_BYTES: usize = 20;
/// Refuse to read more than this, bytes.
const STATE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The table and what is needed to judge it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Saved {
    /// Boot that it belongs to: process identities mean nothing in another.
    pub(crate) boot_id: String,
    /// The table.
    pub(crate) state: State,
    /// The daemon ended in order: nothing that it started was alive any more.
    #[serde(default)]
    pub(crate) is_last: bool,
}

/// What was found on disk.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) saved: Option<Saved>,
    /// What was wrong on the way, for the log.
    pub(crate) complaints: Vec<String>,
}

/// Encode with header and checksum.
pub(crate) fn encode(saved: &Saved) -> Result<Vec<u8>, rmp_serde::encode::Error> {
    let mut bytes = vec![0u8; HEADER_BYTES];
    rmp_serde::encode::write_named(&mut bytes, saved)?;
    let (header, payload) = bytes.split_at_mut(HEADER_BYTES);
    let (magic, rest) = header.split_at_mut(8);
    let (crc, length) = rest.split_at_mut(4);
    magic.copy_from_slice(MAGIC);
    crc.copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    length.copy_from_slice(&(payload.len() as u64).to_le_bytes());
    Ok(bytes)
}

/// Decode and verify.
pub(crate) fn decode(bytes: &[u8]) -> Result<Saved, String> {
    let Some((header, payload)) = bytes.split_at_checked(HEADER_BYTES) else {
        return Err(format!("only {} bytes long", bytes.len()));
    };
    let (magic, rest) = header.split_at(8);
    if magic != MAGIC {
        return Err("not a state file of this version".to_owned());
    }
    let (crc, length) = rest.split_at(4);
    let length = u64::from_le_bytes(length.try_into().map_err(|_| "torn header")?);
    if length != payload.len() as u64 {
        return Err(format!("{length} bytes announced, {} there", payload.len()));
    }
    let crc = u32::from_le_bytes(crc.try_into().map_err(|_| "torn header")?);
    if crc != crc32c::crc32c(payload) {
        return Err("checksum does not match".to_owned());
    }
    rmp_serde::from_slice(payload).map_err(|error| error.to_string())
}

/// Path of the older generation.
pub(crate) fn older(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    PathBuf::from(name)
}

/// The generations of a table, and the files that its writer fills before it gives them these names.
pub(crate) fn all_of(path: &Path) -> [PathBuf; 4] {
    ["", ".1", ".tmp", ".1.tmp"].map(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    })
}

/// Read the newest good generation.
pub(crate) fn load(path: &Path) -> Loaded {
    let mut complaints = Vec::new();
    for candidate in [path.to_path_buf(), older(path)] {
        let shown = candidate.display();
        match std::fs::metadata(&candidate) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => complaints.push(format!("{shown}: {error}")),
            Ok(meta) if meta.len() > STATE_BYTES_MAX => {
                complaints.push(format!("{shown}: {} bytes is too large", meta.len()));
            }
            Ok(_) => {
                match std::fs::read(&candidate).map_err(|error| error.to_string()).and_then(|b| decode(&b)) {
                    Ok(saved) => {
                        if !complaints.is_empty() {
                            complaints.push(format!("{shown} is used instead"));
                        }
                        return Loaded { saved: Some(saved), complaints };
                    }
                    Err(reason) => complaints.push(format!("{shown}: {reason}")),
                }
            }
        }
    }
    Loaded { saved: None, complaints }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Saved {
        Saved {
            boot_id: "boot".into(),
            state: velos_supervisor::Supervisor::new().snapshot(),
            is_last: false,
        }
    }

    #[test]
    fn every_truncation_and_every_flipped_bit_is_noticed() {
        let bytes = encode(&sample()).unwrap();
        assert_eq!(decode(&bytes).unwrap().boot_id, "boot");
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        for position in 0..bytes.len() * 8 {
            let mut torn = bytes.clone();
            torn[position / 8] ^= 1 << (position % 8);
            assert!(decode(&torn).is_err(), "bit {position}");
        }
    }

    #[test]
    fn the_older_generation_serves_when_the_newer_is_torn() {
        let folder = std::env::temp_dir().join(format!("velos-state-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state.mp");
        let bytes = encode(&sample()).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(load(&path).saved.is_none());
        std::fs::write(older(&path), &bytes).unwrap();
        let loaded = load(&path);
        assert!(loaded.saved.is_some());
        assert_eq!(loaded.complaints.len(), 2, "{:?}", loaded.complaints);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
