//! Sets of levels that somebody wants.

use std::collections::BTreeSet;

use crate::level::Level;

/// A set of levels: `error,warn`, `warn+` for it and worse. `error` holds fatal ones too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels(BTreeSet<Level>);

impl Levels {
    /// Whether a level is one of them.
    pub fn contains(&self, level: Level) -> bool {
        self.0.contains(&level)
    }
}

impl std::str::FromStr for Levels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut levels = BTreeSet::new();
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            let (name, and_worse) = word.strip_suffix('+').map_or((word, false), |name| (name, true));
            let level: Level = name.parse().map_err(|error: crate::level::UnknownLevel| error.to_string())?;
            levels.insert(level);
            if level == Level::Error {
                levels.insert(Level::Fatal);
            }
            if and_worse {
                levels.extend(Level::ALL.into_iter().filter(|other| *other > level));
            }
        }
        if levels.is_empty() { Err("no level is named".to_owned()) } else { Ok(Self(levels)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_listed() {
        let levels = |text: &str| text.parse::<Levels>();
        assert!(levels("error,warn").unwrap().contains(Level::Fatal));
        assert!(!levels("warn").unwrap().contains(Level::Error));
        assert!(levels("warn+").unwrap().contains(Level::Error));
        assert!(levels("loud").unwrap_err().contains("\"loud\" is no level"));
        assert!(levels(",").is_err());
    }
}
