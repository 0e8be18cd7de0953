//! Lines of the selected process: what is kept, which are shown, where the eye is.

use std::collections::VecDeque;

use velos_log_engine::Level;

#[cfg(test)]
mod tests;

/// Lines that are kept; older ones are on disk.
pub const LINES_MAX: usize = 5_000;

/// One line, safe for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// When, microseconds since 1970, if the index tells.
    pub time_us: Option<u64>,
    /// It came on standard error.
    pub is_err: bool,
    /// How severe it is.
    pub level: Level,
    /// The text, without control characters.
    pub text: String,
}

/// A text to look for. Without capitals in it, case does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needle {
    text: String,
    is_exact: bool,
}

impl Needle {
    /// As it was typed.
    pub fn new(text: &str) -> Self {
        Self { text: text.to_owned(), is_exact: text.chars().any(char::is_uppercase) }
    }

    /// As it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether a line has it.
    pub fn is_in(&self, line: &str) -> bool {
        !self.places(line).is_empty()
    }

    /// Where it is in a line: ranges of bytes that do not overlap.
    pub fn places(&self, line: &str) -> Vec<(usize, usize)> {
        if self.text.is_empty() {
            return Vec::new();
        }
        let length = self.text.len();
        let (line, text) = (line.as_bytes(), self.text.as_bytes());
        let mut places = Vec::new();
        let mut at = 0;
        while let Some(part) = line.get(at..at + length) {
            // Beyond ASCII case matters; a match of whole characters begins and ends at their borders.
            let is_equal = if self.is_exact { part == text } else { part.eq_ignore_ascii_case(text) };
            if is_equal {
                places.push((at, at + length));
                at += length;
            } else {
                at += 1;
            }
        }
        places
    }
}

/// The buffer and the view on it.
#[derive(Clone, Debug)]
pub struct Logs {
    lines: VecDeque<LogLine>,
    /// Number of the first line in the buffer since the beginning.
    first: u64,
    /// Of which request they are.
    pub generation: u64,
    /// New lines move the view.
    pub follow: bool,
    /// Lines that are shown below the view.
    pub back: usize,
    /// Columns scrolled away to the left.
    pub left: usize,
    /// Long lines go on in the next row.
    pub wrap: bool,
    /// Less severe lines are not shown.
    pub level_min: Option<Level>,
    /// Only lines with it are shown.
    pub only: Needle,
    /// What is looked for.
    pub search: Needle,
    /// Number of the line where it was found.
    pub found: Option<u64>,
    /// Secrets are hidden.
    pub redact: bool,
    /// Lines in which one was.
    pub hidden: u64,
    /// Lines came faster than they could be shown.
    pub skipped: bool,
    /// Why they cannot be read.
    pub failure: Option<String>,
    /// Lines that came since the last digest was asked for.
    pub fresh: usize,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            first: 0,
            generation: 0,
            follow: true,
            back: 0,
            left: 0,
            wrap: false,
            level_min: None,
            only: Needle::default(),
            search: Needle::default(),
            found: None,
            redact: true,
            hidden: 0,
            skipped: false,
            failure: None,
            fresh: 0,
        }
    }
}

impl Logs {
    /// For another source: the lines go, the wishes stay.
    pub fn restart(&mut self) {
        let wishes = std::mem::take(self);
        *self = Self {
            generation: wishes.generation + 1,
            wrap: wishes.wrap,
            level_min: wishes.level_min,
            only: wishes.only,
            search: wishes.search,
            redact: wishes.redact,
            ..Self::default()
        };
    }

    /// Lines that came. The view stays where it is unless it follows.
    pub fn add(&mut self, lines: Vec<LogLine>) {
        self.fresh += lines.len();
        let shown = lines.iter().filter(|line| self.is_shown(line)).count();
        self.lines.extend(lines);
        while self.lines.len() > LINES_MAX {
            self.lines.pop_front();
            self.first += 1;
        }
        if !self.follow {
            self.back += shown;
        }
    }

    fn is_shown(&self, line: &LogLine) -> bool {
        self.level_min.is_none_or(|least| line.level >= least)
            && (self.only.is_empty() || self.only.is_in(&line.text))
    }

    /// The lines that are shown with their numbers, oldest first.
    pub fn shown(&self) -> impl DoubleEndedIterator<Item = (u64, &LogLine)> {
        let numbered = self.lines.iter().enumerate();
        numbered.filter(|(_, line)| self.is_shown(line)).map(|(n, line)| (self.first + n as u64, line))
    }

    /// Lines in the buffer.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Move the view; up is older. At the end it follows again.
    pub fn scroll(&mut self, up: bool, lines: usize, page: usize) {
        let most = self.shown().count().saturating_sub(page.max(1));
        self.back =
            if up { (self.back.min(most) + lines).min(most) } else { self.back.saturating_sub(lines) };
        self.follow = self.back == 0;
    }

    /// To the newest line, and stay there.
    pub fn to_end(&mut self) {
        (self.back, self.follow, self.found) = (0, true, None);
    }

    /// Stay here, or go with what comes.
    pub fn toggle_follow(&mut self) {
        if self.follow {
            self.follow = false;
        } else {
            self.to_end();
        }
    }

    /// Find the next line with the text: from the one that was found, else from the end. `false`: there is none.
    pub fn find(&mut self, older: bool, page: usize) -> bool {
        let shown: Vec<(u64, bool)> =
            self.shown().map(|(number, line)| (number, self.search.is_in(&line.text))).collect();
        let from = self.found;
        let mut hits = shown.iter().enumerate().filter(|(_, (_, is_hit))| *is_hit);
        let place = if older {
            hits.rfind(|(_, (number, _))| from.is_none_or(|from| *number < from))
        } else {
            hits.find(|(_, (number, _))| from.is_some_and(|from| *number > from))
        };
        let Some((place, (number, _))) = place else { return false };
        self.found = Some(*number);
        let below = shown.len() - 1 - place;
        // Already in sight: the view does not jump.
        if !(self.back..self.back + page.max(1)).contains(&below) {
            self.back = below.saturating_sub(page / 2);
        }
        self.follow = false;
        true
    }

    /// Lines with the text.
    pub fn hits(&self) -> usize {
        self.shown().filter(|(_, line)| self.search.is_in(&line.text)).count()
    }

    /// All, info, warn, error, and round again.
    pub fn next_level(&mut self) {
        self.level_min = match self.level_min {
            None => Some(Level::Info),
            Some(Level::Info) => Some(Level::Warn),
            Some(Level::Warn) => Some(Level::Error),
            Some(_) => None,
        };
        self.back = 0;
        self.follow = true;
    }
}
