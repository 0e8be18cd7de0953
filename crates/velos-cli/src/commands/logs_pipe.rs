//! Lines of one app on their way to the screen: levels, filters, the lines around a match, repeated lines.

use std::collections::VecDeque;

use velos_log_engine::level::{Classifier, Level};
use velos_log_engine::query::LineRef;
use velos_log_engine::{Line, Stream, template};

use super::logs_wanted::Wanted;

/// What is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Line {
        line: Line,
        level: Option<Level>,
        is_context: bool,
    },
    /// More lines like the one before: how many, and the last of them.
    Repeated {
        count: u64,
        last: Line,
    },
    /// Lines were left out between two matches.
    Gap,
}

#[derive(Debug, Default)]
pub(crate) struct Pipe {
    classifiers: [Classifier; 2],
    before: VecDeque<Line>,
    after: usize,
    has_shown: bool,
    has_left_out: bool,
    fold: Option<Fold>,
}

#[derive(Debug)]
struct Fold {
    key: u64,
    count: u64,
    told: u64,
    last: Option<Line>,
}

impl Pipe {
    /// The next line; what comes of it is added.
    pub(crate) fn push(&mut self, wanted: &Wanted, line: &LineRef<'_>, out: &mut Vec<Item>) {
        if !wanted.wants_stream(line.stream) {
            return;
        }
        let needs_level = wanted.levels.is_some() || wanted.format.shows_level();
        let level = needs_level.then(|| {
            let [of_out, of_err] = &mut self.classifiers;
            let classifier = if line.stream == Stream::Out { of_out } else { of_err };
            classifier.next(line.bytes).level
        });
        let is_match = wanted.pattern.as_ref().is_none_or(|pattern| pattern.wants(line.bytes))
            && wanted.levels.as_ref().zip(level).is_none_or(|(levels, level)| levels.contains(level));
        if is_match {
            self.close_gap(wanted, out);
            self.after = wanted.context;
            self.show(wanted, line, level, false, out);
        } else if self.after > 0 {
            self.after -= 1;
            self.show(wanted, line, level, true, out);
        } else if wanted.context > 0 {
            if self.before.len() == wanted.context {
                self.before.pop_front();
                self.has_left_out = true;
            }
            self.before.push_back(line.to_line());
        }
    }

    fn close_gap(&mut self, wanted: &Wanted, out: &mut Vec<Item>) {
        if std::mem::take(&mut self.has_left_out) && self.has_shown {
            out.push(Item::Gap);
        }
        for line in std::mem::take(&mut self.before) {
            let line = LineRef { time_us: line.time_us, stream: line.stream, bytes: &line.bytes };
            self.show(wanted, &line, None, true, out);
        }
    }

    fn show(
        &mut self,
        wanted: &Wanted,
        line: &LineRef<'_>,
        level: Option<Level>,
        is_context: bool,
        out: &mut Vec<Item>,
    ) {
        self.has_shown = true;
        if wanted.is_folded {
            let key = template::similarity(line.bytes);
            if let Some(fold) = self.fold.as_mut().filter(|fold| fold.key == key) {
                fold.count += 1;
                fold.last = Some(line.to_line());
                // Who follows is told now and then that it goes on.
                if fold.count == fold.told.max(1) * 10 {
                    self.tell(out);
                }
                return;
            }
            self.tell(out);
            self.fold = Some(Fold { key, count: 0, told: 0, last: None });
        }
        out.push(Item::Line { line: line.to_line(), level, is_context });
    }

    fn tell(&mut self, out: &mut Vec<Item>) {
        let Some(fold) = &mut self.fold else { return };
        if fold.count > fold.told
            && let Some(last) = fold.last.clone()
        {
            out.push(Item::Repeated { count: fold.count - fold.told, last });
            fold.told = fold.count;
        }
    }

    /// No more lines.
    pub(crate) fn finish(&mut self, out: &mut Vec<Item>) {
        self.tell(out);
        self.fold = None;
    }
}

/// The last lines, and what belongs to them.
pub(crate) struct Kept {
    items: VecDeque<Item>,
    lines: usize,
    limit: usize,
    has_left_out: bool,
}

impl Kept {
    pub(crate) fn new(limit: usize) -> Self {
        Self { items: VecDeque::new(), lines: 0, limit, has_left_out: false }
    }

    pub(crate) fn push(&mut self, item: Item) {
        let is_line = |item: &Item| matches!(item, Item::Line { .. });
        self.lines += usize::from(is_line(&item));
        self.items.push_back(item);
        while self.lines > self.limit || self.items.front().is_some_and(|first| !is_line(first)) {
            let was_line = self.items.pop_front().is_some_and(|first| is_line(&first));
            self.lines -= usize::from(was_line);
            self.has_left_out |= was_line;
        }
    }

    /// Whether there were more lines.
    pub(crate) fn has_left_out(&self) -> bool {
        self.has_left_out
    }

    pub(crate) fn into_items(self) -> Vec<Item> {
        self.items.into()
    }

    pub(crate) fn last(items: Vec<Item>, limit: usize) -> Vec<Item> {
        let mut kept = Self::new(limit);
        items.into_iter().for_each(|item| kept.push(item));
        kept.into_items()
    }
}
