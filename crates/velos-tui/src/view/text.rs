//! Text in columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a text.
pub(super) fn columns(text: &str) -> usize {
    text.width()
}

/// The text, or as much of its beginning as fits, with an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else { return String::new() };
    let mut kept = String::new();
    let mut used = 0;
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > room {
            break;
        }
        kept.push(c);
    }
    kept.push('…');
    kept
}

/// Cut and filled with spaces at the right.
pub(super) fn left(text: &str, width: usize) -> String {
    let text = cut(text, width);
    let rest = width.saturating_sub(columns(&text));
    text + &" ".repeat(rest)
}

/// Cut and filled with spaces at the left.
pub(super) fn right(text: &str, width: usize) -> String {
    let text = cut(text, width);
    " ".repeat(width.saturating_sub(columns(&text))) + &text
}

/// The text on lines that are not wider, cut between words; a word that is wider itself is cut.
pub(super) fn words(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        for (from, to) in parts(word, width) {
            let part = word.get(from..to).unwrap_or_default();
            match lines.last_mut() {
                Some(line) if line.is_empty() => line.push_str(part),
                Some(line) if from == 0 && columns(line) + 1 + columns(part) <= width => {
                    line.push(' ');
                    line.push_str(part);
                }
                _ => lines.push(part.to_owned()),
            }
        }
    }
    lines
}

/// Where to cut a text so that no part is wider: ranges of bytes. An empty text has one part.
pub(super) fn parts(text: &str, width: usize) -> Vec<(usize, usize)> {
    let mut parts = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if used + wide > width.max(2) {
            parts.push((start, at));
            (start, used) = (at, 0);
        }
        used += wide;
    }
    parts.push((start, text.len()));
    parts
}

/// The byte where so many columns are over.
pub(super) fn skip(text: &str, width: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        if used >= width {
            return at;
        }
        used += c.width().unwrap_or(0);
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abc", 0), "");
        assert_eq!(left("ab", 4), "ab  ");
        assert_eq!(right("日", 4), "  日");
        assert_eq!(parts("abcde", 2), [(0, 2), (2, 4), (4, 5)]);
        assert_eq!(parts("日本語", 4), [(0, 6), (6, 9)]);
        assert_eq!(parts("", 4), [(0, 0)]);
        assert_eq!(words("one two three", 7), ["one two", "three"]);
        assert_eq!(words("a longerword", 6), ["a", "longer", "word"]);
        assert_eq!((skip("日本語", 2), skip("ab", 9)), (3, 2));
    }
}
