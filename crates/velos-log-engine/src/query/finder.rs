//! How blocks are searched for lines that may match: the whole expression, or a part that every match has and that is rare
//! in this log.

use aho_corasick::packed::Searcher;
use memchr::arch::all::packedpair::HeuristicFrequencyRank;
use memchr::memmem;
use regex_syntax::hir::Hir;

use super::fragments::{Run, required};

/// Less of a log tells nothing about its bytes.
const SAMPLE_BYTES_MIN: usize = 16 * 1024;
/// A part must be as rare as this, or looking at its lines costs more than it saves.
const BYTES_PER_HIT_MIN: usize = 1024;
/// Bytes of a part that is searched for in several forms.
const WINDOWS: [usize; 2] = [2, 3];
const FORMS_MAX: usize = 32;

#[derive(Clone, Debug)]
pub(super) enum Finder {
    /// As it is.
    Expression,
    /// A part that has one form.
    Literal(Box<memmem::Finder<'static>>),
    /// A part that has several.
    Forms(Box<Searcher>),
}

impl Finder {
    pub(super) fn choose(hir: &Hir, sample: &[u8]) -> Self {
        // A small log is read before anything is chosen.
        if sample.len() < SAMPLE_BYTES_MIN {
            return Self::Expression;
        }
        let (pairs, ranks) = (Pairs::of(sample), Ranks::of(sample));
        let mut best: Option<(usize, Self)> = None;
        for finder in required(hir).iter().filter_map(|set| Self::of(set, &pairs, &ranks)) {
            // A literal is found faster than several forms.
            let factor = if matches!(finder, Self::Literal(_)) { 1 } else { 2 };
            let hits = (finder.hits(sample) + 8) * factor;
            if best.as_ref().is_none_or(|(fewest, _)| hits < *fewest) {
                best = Some((hits, finder));
            }
        }
        let most = sample.len() / BYTES_PER_HIT_MIN;
        best.filter(|(hits, _)| *hits <= most + 16).map_or(Self::Expression, |(_, finder)| finder)
    }

    /// What is searched for so that one of some runs is found.
    fn of(runs: &[Run], pairs: &Pairs, ranks: &Ranks) -> Option<Self> {
        if let [run] = runs
            && let Some(literal) = longest_literal(run)
        {
            let finder = memmem::FinderBuilder::new().build_forward_with_ranker(ranks, &literal);
            return Some(Self::Literal(Box::new(finder.into_owned())));
        }
        let windows: Vec<&[Vec<u8>]> =
            runs.iter().map(|run| pairs.rarest_window(run)).collect::<Option<_>>()?;
        let forms: Vec<Vec<u8>> = windows.into_iter().flat_map(forms).collect();
        if forms.len() > FORMS_MAX {
            return None;
        }
        Searcher::new(&forms).map(|searcher| Self::Forms(Box::new(searcher)))
    }

    /// Where it is found next, at or behind a byte.
    pub(super) fn find(&self, bytes: &[u8], at: usize) -> Option<usize> {
        match self {
            Self::Expression => None,
            Self::Literal(finder) => finder.find(bytes.get(at..)?).map(|found| at + found),
            Self::Forms(searcher) => {
                let span = aho_corasick::Span { start: at, end: bytes.len() };
                searcher.find_in(bytes, span).map(|found| found.start())
            }
        }
    }

    fn hits(&self, sample: &[u8]) -> usize {
        let (mut at, mut hits) = (0, 0);
        while let Some(found) = self.find(sample, at) {
            (at, hits) = (found + 1, hits + 1);
        }
        hits
    }
}

/// The longest part of a run that has one form, if it is worth something.
fn longest_literal(run: &Run) -> Option<Vec<u8>> {
    let parts = run.split(|set| set.len() > 1);
    let longest = parts.max_by_key(|part| part.len()).filter(|part| part.len() > 2)?;
    Some(longest.iter().flatten().copied().collect())
}

/// All the ways to write a window.
fn forms(window: &[Vec<u8>]) -> Vec<Vec<u8>> {
    window.iter().fold(vec![Vec::new()], |forms, set| {
        forms.iter().flat_map(|form| set.iter().map(move |byte| [&form[..], &[*byte]].concat())).collect()
    })
}

/// Which bytes are rarer than others in this log, where digits are not rare as they are in prose.
struct Ranks([u8; 256]);

impl Ranks {
    fn of(sample: &[u8]) -> Self {
        let mut counts = [0_usize; 256];
        for byte in sample {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count += 1;
            }
        }
        let mut order: Vec<u8> = (0..=u8::MAX).collect();
        order.sort_by_key(|byte| counts.get(usize::from(*byte)));
        let mut ranks = [0; 256];
        for (rank, byte) in (0..=u8::MAX).zip(order) {
            if let Some(place) = ranks.get_mut(usize::from(byte)) {
                *place = rank;
            }
        }
        Self(ranks)
    }
}

impl HeuristicFrequencyRank for &Ranks {
    fn rank(&self, byte: u8) -> u8 {
        self.0.get(usize::from(byte)).copied().unwrap_or(u8::MAX)
    }
}

/// How often two bytes follow each other.
struct Pairs(Vec<u32>);

impl Pairs {
    fn of(sample: &[u8]) -> Self {
        let mut counts = vec![0_u32; 1 << 16];
        for pair in sample.windows(2) {
            if let [a, b] = pair
                && let Some(count) = counts.get_mut(usize::from(*a) << 8 | usize::from(*b))
            {
                *count += 1;
            }
        }
        Self(counts)
    }

    fn count(&self, a: &[u8], b: &[u8]) -> u32 {
        let one = |a: u8, b: u8| self.0.get(usize::from(a) << 8 | usize::from(b)).copied().unwrap_or(0);
        a.iter().map(|a| b.iter().map(|b| one(*a, *b)).sum::<u32>()).sum()
    }

    /// The part of a run that is seen least, the shortest of those that are as rare.
    fn rarest_window<'a>(&self, run: &'a Run) -> Option<&'a [Vec<u8>]> {
        let mut best: Option<(u32, &[Vec<u8>])> = None;
        for window in WINDOWS.iter().flat_map(|length| run.windows(*length)) {
            let ways: usize = window.iter().map(Vec::len).product();
            let pairs = window.windows(2).map(|pair| match pair {
                [a, b] => self.count(a, b),
                _ => u32::MAX,
            });
            let seen = pairs.min().unwrap_or(u32::MAX);
            if ways <= FORMS_MAX / 2 && best.is_none_or(|(fewest, _)| seen < fewest) {
                best = Some((seen, window));
            }
        }
        best.map(|(_, window)| window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_is_rare_is_searched_for() {
        let log: Vec<u8> =
            (0..2_000).flat_map(|n| format!("GET /api/{n} took {n}ms\n").into_bytes()).collect();
        let chosen =
            |pattern: &str| Finder::choose(&regex_syntax::Parser::new().parse(pattern).unwrap(), &log);
        assert!(matches!(chosen("refused"), Finder::Literal(_)));
        assert!(matches!(chosen("took"), Finder::Expression), "it is everywhere");
        assert!(matches!(chosen(r"refused \d+"), Finder::Literal(_)));
        assert!(matches!(chosen("(?i)refuzed"), Finder::Forms(_)));
        assert!(matches!(chosen("(?i)took"), Finder::Expression), "it is everywhere");
        assert!(matches!(chosen(r"\d+x?"), Finder::Expression));
    }
}
