//! Which paths below a watched folder are left out: lines of gitignore(5).

/// Rules in order; the last that matches decides.
#[derive(Debug, Default)]
pub(crate) struct Ignore {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    /// Parts between slashes; `**` stands for any number of them.
    parts: Vec<Vec<u8>>,
    /// A line that begins with `!` takes a path back in.
    negated: bool,
    /// A line that ends with a slash is about folders only.
    folders_only: bool,
}

impl Ignore {
    pub(crate) fn new(lines: &[String]) -> Self {
        Self { rules: lines.iter().filter_map(|line| Rule::parse(line)).collect() }
    }

    /// Whether a path, relative to the watched folder, is left out; also when a folder above it is.
    pub(crate) fn matches(&self, path: &[u8], is_folder: bool) -> bool {
        let parts: Vec<&[u8]> = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
        (1..=parts.len()).any(|length| {
            let is_folder = is_folder || length < parts.len();
            parts.get(..length).is_some_and(|above| self.decides(above, is_folder))
        })
    }

    fn decides(&self, parts: &[&[u8]], is_folder: bool) -> bool {
        let last = self
            .rules
            .iter()
            .rev()
            .find(|rule| (is_folder || !rule.folders_only) && fits(&rule.parts, parts));
        last.is_some_and(|rule| !rule.negated)
    }
}

impl Rule {
    fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let (negated, line) = line.strip_prefix('!').map_or((false, line), |rest| (true, rest));
        let (folders_only, body) = line.strip_suffix('/').map_or((false, line), |rest| (true, rest));
        if body.is_empty() || line.starts_with('#') {
            return None;
        }
        // With a slash inside it means that place, without one any place.
        let is_anchored = body.trim_start_matches("./").contains('/');
        let body = body.trim_start_matches("./").trim_start_matches('/');
        let mut parts: Vec<Vec<u8>> = body.split('/').map(|part| part.as_bytes().to_vec()).collect();
        if !is_anchored {
            parts.insert(0, b"**".to_vec());
        }
        Some(Self { parts, negated, folders_only })
    }
}

fn fits(pattern: &[Vec<u8>], path: &[&[u8]]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == b"**" => {
            fits(rest, path) || path.split_first().is_some_and(|(_, below)| fits(pattern, below))
        }
        (Some((first, rest)), Some((part, below))) => glob(first, part) && fits(rest, below),
        _ => false,
    }
}

/// `*`, `?` and `[a-z]` within one part of a path.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go back to: behind the last star, and how far it reached.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(pattern.get(p..).unwrap_or_default(), text[t]),
            Some(byte) if *byte == text[t] => Some(1),
            _ => None,
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                t += 1;
            }
            (None, Some((after, reached))) => {
                star = Some((after, reached + 1));
                (p, t) = (after, reached + 1);
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

/// Length of the class at the head of the pattern, when the byte is in it.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|byte| *byte == b']')? + 2;
    let members = pattern.get(1..end)?;
    let (negated, members) = match members.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, members),
    };
    let mut is_in = false;
    let mut at = 0;
    while let Some(low) = members.get(at) {
        match (members.get(at + 1), members.get(at + 2)) {
            (Some(b'-'), Some(high)) => {
                is_in |= (*low..=*high).contains(&byte);
                at += 3;
            }
            _ => {
                is_in |= *low == byte;
                at += 1;
            }
        }
    }
    (is_in != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(lines: &[&str], path: &str, is_folder: bool) -> bool {
        let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        Ignore::new(&lines).matches(path.as_bytes(), is_folder)
    }

    #[test]
    fn names_match_anywhere_and_paths_where_they_say() {
        assert!(ignored(&["node_modules"], "a/node_modules/x/y.js", false));
        assert!(ignored(&["*.log"], "deep/down/x.log", false) && !ignored(&["*.log"], "x.logs", false));
        assert!(ignored(&["/build"], "build/x", false) && !ignored(&["/build"], "src/build/x", false));
        assert!(
            ignored(&["src/*.tmp"], "src/a.tmp", false) && !ignored(&["src/*.tmp"], "src/b/a.tmp", false)
        );
        assert!(ignored(&["a/**/z"], "a/b/c/z", false) && ignored(&["a/**/z"], "a/z", false));
        assert!(ignored(&[".*"], ".git/config", false) && !ignored(&[".*"], "server.js", false));
        assert!(ignored(&["./tmp"], "tmp", true), "a place as people type it");
    }

    #[test]
    fn folders_negation_and_classes() {
        assert!(ignored(&["out/"], "out/x", false) && !ignored(&["out/"], "out", false));
        assert!(
            !ignored(&["*.js", "!keep.js"], "keep.js", false)
                && ignored(&["*.js", "!keep.js"], "x.js", false)
        );
        assert!(ignored(&["x[0-9].txt"], "x7.txt", false) && !ignored(&["x[!0-9].txt"], "x7.txt", false));
        assert!(ignored(&["a?c"], "abc", false) && ignored(&["a*c*e"], "abcde", false));
        assert!(!ignored(&["# no rule", "", "!"], "x", false));
        assert!(!ignored(&["[", "a[b"], "a", false));
    }
}
