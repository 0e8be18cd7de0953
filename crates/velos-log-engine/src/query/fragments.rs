//! What every match of an expression must hold: short sequences of bytes that can be searched for faster than itself.

use regex_syntax::hir::{Capture, Class, ClassBytes, ClassBytesRange, ClassUnicode, ClassUnicodeRange};
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

/// More bytes at one place than this are no help.
const CHOICES_MAX: usize = 4;

/// Bytes in a row, each one of some.
pub(super) type Run = Vec<Vec<u8>>;

/// The expression with what it can find within a line: nothing in it matches a newline, and the ends of the text are those
/// of a line.
pub(super) fn within_lines(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Literal(literal) if literal.0.contains(&b'\n') => Hir::fail(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(Class::Unicode(mut class)) => {
            class.difference(&ClassUnicode::new([ClassUnicodeRange::new('\n', '\n')]));
            Hir::class(Class::Unicode(class))
        }
        HirKind::Class(Class::Bytes(mut class)) => {
            class.difference(&ClassBytes::new([ClassBytesRange::new(b'\n', b'\n')]));
            Hir::class(Class::Bytes(class))
        }
        HirKind::Look(Look::Start) => Hir::look(Look::StartCRLF),
        HirKind::Look(Look::End) => Hir::look(Look::EndCRLF),
        HirKind::Look(look) => Hir::look(look),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(within_lines(*repetition.sub));
            Hir::repetition(Repetition { sub, ..repetition })
        }
        HirKind::Capture(capture) => {
            let sub = Box::new(within_lines(*capture.sub));
            Hir::capture(Capture { sub, ..capture })
        }
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(within_lines).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(within_lines).collect()),
        HirKind::Empty => Hir::empty(),
    }
}

/// Sets of runs; of each set every match holds at least one.
pub(super) fn required(hir: &Hir) -> Vec<Vec<Run>> {
    let mut found = Found::default();
    found.add(hir);
    found.close();
    found.sets
}

#[derive(Default)]
struct Found {
    sets: Vec<Vec<Run>>,
    run: Run,
}

impl Found {
    fn close(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.len() > 1 {
            self.sets.push(vec![run]);
        }
    }

    fn add(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Literal(literal) => self.run.extend(literal.0.iter().map(|byte| vec![*byte])),
            HirKind::Class(class) => match bytes_of(class) {
                Some(bytes) => self.run.push(bytes),
                None => self.close(),
            },
            HirKind::Look(_) | HirKind::Empty => {}
            HirKind::Capture(capture) => self.add(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.add(part)),
            HirKind::Repetition(repetition) => {
                self.close();
                if repetition.min > 0 {
                    self.sets.extend(required(&repetition.sub));
                }
            }
            HirKind::Alternation(parts) => {
                self.close();
                // One that every branch has: its longest.
                let longest = |sets: Vec<Vec<Run>>| {
                    sets.into_iter().max_by_key(|set| set.iter().map(Vec::len).min().unwrap_or(0))
                };
                let branches: Option<Vec<_>> = parts.iter().map(|part| longest(required(part))).collect();
                self.sets.extend(branches.map(|sets| sets.into_iter().flatten().collect()));
            }
        }
    }
}

/// The bytes of a class, if they are few and each is a character.
fn bytes_of(class: &Class) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = match class {
        Class::Unicode(class) => {
            let last = class.ranges().last()?.end();
            if !last.is_ascii() {
                return None;
            }
            let ranges = class.ranges().iter();
            ranges.flat_map(|range| range.start() as u8..=range.end() as u8).collect()
        }
        Class::Bytes(class) => class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect(),
    };
    (1..=CHOICES_MAX).contains(&bytes.len()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, expected: &[&[&str]]) {
        let hir = within_lines(regex_syntax::Parser::new().parse(pattern).unwrap());
        let shown = |run: &Run| {
            let one = |set: &Vec<u8>| match &set[..] {
                [byte] => char::from(*byte).to_string(),
                set => format!("[{}]", String::from_utf8_lossy(set)),
            };
            run.iter().map(one).collect::<String>()
        };
        let sets: Vec<Vec<String>> =
            required(&hir).iter().map(|set| set.iter().map(shown).collect()).collect();
        assert_eq!(sets, expected, "{pattern}");
    }

    #[test]
    fn what_every_match_has() {
        check("refused by .*code=7", &[&["refused by "], &["code=7"]]);
        check("(?i)go 77", &[&["[Gg][Oo] 77"]]);
        check("(?i)ask me", &[&[" [Mm][Ee]"]]);
        check("worker (3|4) took", &[&["worker [34] took"]]);
        check("(abc)?x(de)+", &[&["de"]]);
        check("slow|refused", &[&["slow", "refused"]]);
        check("slow|r.|x", &[]);
        check(r"\d+", &[]);
        check("a\nb", &[]);
    }
}
