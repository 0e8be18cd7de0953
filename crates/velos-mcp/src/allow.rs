//! `--allow`: which apps an agent may see and touch.

/// Globs of app names; none: all apps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allow(Vec<String>);

impl Allow {
    pub(crate) fn new(globs: Vec<String>) -> Self {
        Self(globs)
    }

    pub(crate) fn permits(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|pattern| matches(pattern, name))
    }

    /// For messages: the globs, or nothing when all apps are allowed.
    pub(crate) fn shown(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.0.join(", "))
    }
}

/// `*` stands for any text, `?` for one character.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut fallback = None;
    while let Some(c) = text.get(t) {
        match pattern.get(p) {
            Some('*') => {
                fallback = Some((p, t));
                p += 1;
            }
            Some(expected) if expected == c || *expected == '?' => (p, t) = (p + 1, t + 1),
            _ => match fallback {
                Some((star, from)) => {
                    fallback = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let allow = Allow::new(vec!["dev-*".into(), "api".into()]);
        for (name, expected) in [("dev-web", true), ("api", true), ("api2", false), ("prod", false)] {
            assert_eq!(allow.permits(name), expected, "{name}");
        }
        assert!(Allow::default().permits("anything"));
        assert!(matches("?i*", "äize") && !matches("a", "ab") && matches("*", ""));
    }
}
