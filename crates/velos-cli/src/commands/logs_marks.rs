//! What is marked in a line on a terminal: what `--grep` found, and what `--highlight` names.

use velos_log_engine::query::Pattern;

/// Bold red, as grep does.
const FOUND: &str = "\x1b[1;31m";
/// Black on yellow: to be seen from afar.
const NAMED: &str = "\x1b[30;43m";
const END: &str = "\x1b[0m";

/// What to mark.
#[derive(Clone, Copy)]
pub(crate) struct Marks<'a> {
    pub(crate) pattern: Option<&'a Pattern>,
    pub(crate) words: &'a [String],
}

impl Marks<'_> {
    pub(crate) fn are_none(&self) -> bool {
        self.pattern.is_none() && self.words.is_empty()
    }

    /// A line without colours of its own. Where two overlap, the one that begins first is marked.
    pub(crate) fn put_into(&self, plain: &str) -> String {
        let mut places: Vec<(usize, usize, &str)> = Vec::new();
        for word in self.words {
            places.extend(plain.match_indices(word).map(|(at, word)| (at, at + word.len(), NAMED)));
        }
        if let Some(pattern) = self.pattern {
            places.extend(pattern.matches(plain).into_iter().map(|(start, end)| (start, end, FOUND)));
        }
        places.sort_by_key(|(start, end, _)| (*start, std::cmp::Reverse(*end)));
        let (mut text, mut last) = (String::with_capacity(plain.len() + 16), 0);
        for (start, end, mark) in places {
            let (Some(before), Some(marked)) = (plain.get(last..start), plain.get(start..end)) else {
                continue;
            };
            text.extend([before, mark, marked, END]);
            last = end;
        }
        text.push_str(plain.get(last..).unwrap_or_default());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_do_not_overlap() {
        let words = ["error".to_owned(), "ror 5".to_owned(), "ü".to_owned()];
        let marks = Marks { pattern: None, words: &words };
        assert_eq!(marks.put_into("an error 5 ü"), "an \x1b[30;43merror\x1b[0m 5 \x1b[30;43mü\x1b[0m");
        assert_eq!(marks.put_into("nothing"), "nothing");
        let pattern = Pattern::new("[0-9]+", false, false).unwrap();
        let marks = Marks { pattern: Some(&pattern), words: &words };
        assert_eq!(marks.put_into("error 57"), "\x1b[30;43merror\x1b[0m \x1b[1;31m57\x1b[0m");
    }
}
