//! The part of a line that is not the message: time, host, process, level, thread, logger. Learned per source from the
//! shapes of the first fields: a field whose shape is the same in nearly all lines belongs to the header, up to the last
//! one that no sentence would have there.

use super::shape::{Shape, field, shape};

/// One column of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Shape(Shape),
    /// Any field: a host, a facility.
    Any,
}

/// How the lines of a source begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    columns: Vec<Column>,
    /// ` - ` follows within so many more fields.
    dash_within: usize,
}

/// No header has more fields.
const COLUMNS_MAX: usize = 16;
/// Fields before a dash.
const DASH_FIELDS_MAX: usize = 4;
/// Fields in a row that could be words.
const WEAK_MAX: usize = 5;
/// Fewer lines teach nothing.
const LINES_MIN: usize = 8;

#[derive(Default)]
struct Tally {
    lines: usize,
    /// Followed by more than a space: a column of a table.
    gaps: usize,
    shapes: std::collections::HashMap<Shape, usize>,
    values: std::collections::HashMap<u64, usize>,
}

impl Tally {
    /// Of the field after these columns, and of how many lines in all.
    fn after<'a>(columns: &[Column], lines: impl Iterator<Item = &'a [u8]>) -> (Self, usize) {
        let (mut tally, mut all) = (Self::default(), 0);
        for line in lines {
            all += 1;
            if let Some(at) = walk(columns, line)
                && let Some(field) = field(line, at)
            {
                tally.add(field.text, line.get(field.end..).unwrap_or_default());
            }
        }
        (tally, all)
    }

    fn add(&mut self, text: &[u8], after: &[u8]) {
        self.lines += 1;
        self.gaps += usize::from(after.starts_with(b"  ") || after.starts_with(b"\t"));
        *self.shapes.entry(shape(text)).or_default() += 1;
        *self.values.entry(super::hash(text)).or_default() += 1;
    }

    fn top(&self) -> Option<(Shape, usize)> {
        self.shapes
            .iter()
            .map(|(shape, count)| (*shape, *count))
            .max_by_key(|(shape, count)| (*count, *shape))
    }
}

impl Header {
    /// From lines without escape sequences, in any order.
    pub fn learn<'a>(lines: impl Iterator<Item = &'a [u8]> + Clone) -> Self {
        let lines = lines.filter(|line| {
            !line.is_empty() && !crate::level::is_continuation(line) && !crate::json::is_object(line)
        });
        if lines.clone().take(LINES_MIN).count() < LINES_MIN {
            return Self::default();
        }
        let mut columns: Vec<Column> = Vec::new();
        let mut solid = 0;
        let mut is_past_level = false;
        let mut weak = 0;
        for number in 0..COLUMNS_MAX {
            let (tally, all) = Tally::after(&columns, lines.clone());
            let Some((shape, count)) = tally.top() else { break };
            let is_regular = count * 100 >= all * 88;
            let distinct = tally.values.len();
            let is_few = distinct * 12 <= tally.lines.max(12);
            let is_table =
                tally.gaps * 100 >= all * 88 && distinct <= 12 && shape == Shape::Word && solid > 0;
            if is_regular && shape.is_strong() || is_table {
                // A word and a colon after words may be a sentence, unless many processes write here.
                let is_sentence = shape == Shape::Process && (weak > 0 || number == 0) && distinct < 3;
                let is_same = distinct == 1 && is_past_level && weak > 0;
                // After many fields that could be words only what words never are.
                let is_far = weak > 2 && !matches!(shape, Shape::Time | Shape::Level | Shape::Bar);
                if is_sentence || is_same || is_far {
                    break;
                }
                columns.push(if is_table { Column::Any } else { Column::Shape(shape) });
                if shape == Shape::Separator && weak > 0 {
                    // A dash between words; what follows tells.
                    continue;
                }
                solid = columns.len();
                is_past_level |= matches!(shape, Shape::Level | Shape::Process);
                weak = 0;
            } else if is_regular
                && matches!(shape, Shape::Number | Shape::Dotted | Shape::Id)
                && !(is_past_level && shape == Shape::Id)
                && (number > 0 || shape == Shape::Number)
            {
                columns.push(Column::Shape(shape));
                if solid + 1 == columns.len() && shape != Shape::Id && solid > 0 {
                    solid = columns.len();
                } else {
                    weak += 1;
                }
            } else if (!is_past_level || is_few && distinct <= 200 && weak == 0)
                && (is_few || is_regular)
                && weak < WEAK_MAX
                && tally.lines * 100 >= all * 88
            {
                columns.push(Column::Any);
                weak += 1;
            } else {
                break;
            }
        }
        columns.truncate(solid);
        let mut header = Self { columns, dash_within: 0 };
        header.learn_dash(lines.clone());
        header.leave_messages(lines);
        header
    }

    fn learn_dash<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]>) {
        if self.columns.is_empty() {
            return;
        }
        let (mut all, mut with, mut within) = (0, 0, 0);
        let mut names = std::collections::HashSet::new();
        for line in lines {
            all += 1;
            if let Some((fields, start, end)) = self.dash(line, self.skip_columns(line), DASH_FIELDS_MAX) {
                with += 1;
                within = within.max(fields);
                names.insert(super::hash(line.get(start..end).unwrap_or_default()));
            }
        }
        if with * 100 >= all * 95 && names.len() >= 2 {
            self.dash_within = within;
        }
    }

    /// Number of fields before a lone dash, where they start, and where the dash ends.
    fn dash(&self, line: &[u8], from: usize, most: usize) -> Option<(usize, usize, usize)> {
        let mut at = from;
        for fields in 0..=most {
            let field = field(line, at)?;
            if field.text == b"-" {
                return Some((fields, from, field.end));
            }
            at = field.end;
        }
        None
    }

    /// A header that eats whole lines is none.
    fn leave_messages<'a>(&mut self, lines: impl Iterator<Item = &'a [u8]> + Clone) {
        while !self.columns.is_empty() {
            let (mut all, mut empty) = (0, 0);
            for line in lines.clone() {
                all += 1;
                empty +=
                    usize::from(line.get(self.skip(line)..).is_none_or(|rest| rest.trim_ascii().is_empty()));
            }
            if empty * 20 <= all {
                return;
            }
            self.dash_within = 0;
            self.columns.pop();
        }
    }

    /// Where the message of a line begins.
    pub fn skip(&self, line: &[u8]) -> usize {
        let at = self.skip_columns(line);
        if self.dash_within > 0 && at > 0 {
            return self.dash(line, at, self.dash_within).map_or(at, |(.., end)| end);
        }
        at
    }

    fn skip_columns(&self, line: &[u8]) -> usize {
        let (mut at, mut solid) = (0, 0);
        for (number, column) in self.columns.iter().enumerate() {
            let Some(field) = field(line, at) else { break };
            match column {
                Column::Any => {
                    at = field.end;
                    if number + 1 == self.columns.len() {
                        solid = at;
                    }
                }
                Column::Shape(expected) if shape(field.text) == *expected => {
                    at = field.end;
                    solid = at;
                }
                Column::Shape(_) => {
                    // More words before the dash than most lines have.
                    if solid > 0 && self.columns.last() == Some(&Column::Shape(Shape::Separator)) {
                        return self.dash(line, solid, DASH_FIELDS_MAX).map_or(solid, |(.., end)| end);
                    }
                    break;
                }
            }
        }
        solid
    }

    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

/// Where a line stands behind all columns so far, if it has them.
fn walk(columns: &[Column], line: &[u8]) -> Option<usize> {
    let mut at = 0;
    for column in columns {
        let field = field(line, at)?;
        if let Column::Shape(expected) = column
            && shape(field.text) != *expected
        {
            return None;
        }
        at = field.end;
    }
    Some(at)
}
