//! A window of time, and the parts of a segment that were written in it.

use std::ops::Range;

use crate::index::{Index, Record, flag};

/// From when to when, both included, microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Not before.
    pub since_us: Option<u64>,
    /// Not after.
    pub until_us: Option<u64>,
}

impl Window {
    /// Whether it has no end on either side.
    pub fn is_all(&self) -> bool {
        self.since_us.is_none() && self.until_us.is_none()
    }

    /// Whether a moment lies in it.
    pub fn contains(&self, time_us: u64) -> bool {
        self.since_us.is_none_or(|since| time_us >= since)
            && self.until_us.is_none_or(|until| time_us <= until)
    }

    /// Parts of a segment of `size` bytes that may hold lines of the window, in order. Bytes that no record is about are
    /// in all of them but for those behind the last record, which were written when the file was.
    pub(crate) fn ranges(&self, index: &Index, size: u64) -> Vec<Range<u64>> {
        let records = index.records();
        if self.is_all() || records.is_empty() {
            return std::iter::once(0..size).filter(|range| !range.is_empty()).collect();
        }
        let last = records.last().map_or(0, Record::end).min(size);
        let mut ranges = if is_sorted(index) { self.searched(records) } else { self.collected(records) };
        let last_us = records.last().map_or(0, |record| record.time_us);
        let is_wanted =
            self.since_us.is_none_or(|since| index.newest_us().is_none_or(|newest| newest >= since))
                && self.until_us.is_none_or(|until| until >= last_us);
        if last < size && is_wanted {
            push(&mut ranges, last..size);
        }
        for range in &mut ranges {
            range.end = range.end.min(size);
        }
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Two binary searches.
    fn searched(&self, records: &[Record]) -> Vec<Range<u64>> {
        let since = self.since_us.unwrap_or(0);
        let first = records.partition_point(|record| record.time_us < since);
        let until = self.until_us.unwrap_or(u64::MAX);
        let behind = records.partition_point(|record| record.time_us <= until);
        let part = records.get(first..behind).unwrap_or_default();
        match (part.first(), part.last()) {
            (Some(from), Some(to)) => std::iter::once(from.offset..to.end()).collect(),
            _ => Vec::new(),
        }
    }

    /// After the clock went back the times of records are not in order: each tells for itself.
    fn collected(&self, records: &[Record]) -> Vec<Range<u64>> {
        let mut ranges = Vec::new();
        for record in records.iter().filter(|record| self.contains(record.time_us)) {
            push(&mut ranges, record.offset..record.end());
        }
        ranges
    }
}

fn push(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut() {
        Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
        _ => ranges.push(range),
    }
}

fn is_sorted(index: &Index) -> bool {
    !index.has_flag(flag::CLOCK_STEPPED) && index.is_in_order()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::made;

    fn ranges(times: &[u64], window: (u64, u64), extra: u64) -> Vec<Range<u64>> {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let pieces: Vec<_> = times.iter().map(|time_us| ("0123456\n8\n", *time_us, 1)).collect();
        made::log(&log, &pieces);
        let window = Window { since_us: Some(window.0), until_us: Some(window.1) };
        window.ranges(&Index::of(&log), times.len() as u64 * 10 + extra)
    }

    #[test]
    fn a_window_is_the_records_in_it() {
        let times = [10, 20, 30, 40];
        assert_eq!(ranges(&times, (0, 99), 0), vec![0..40; 1]);
        assert_eq!(ranges(&times, (20, 30), 0), vec![10..30; 1]);
        assert_eq!(ranges(&times, (21, 29), 0), []);
        assert_eq!(ranges(&times, (41, 99), 0), []);
        assert_eq!(ranges(&times, (35, 99), 5), vec![30..45; 1], "what has no record yet came later");
        assert_eq!(ranges(&times, (0, 0), 0), []);
    }

    #[test]
    fn a_clock_that_went_back_makes_several_parts() {
        assert_eq!(ranges(&[10, 50, 20, 60, 15], (12, 30), 0), [20..30, 40..50]);
        assert_eq!(ranges(&[10, 50, 20, 60], (45, 99), 0), [10..20, 30..40]);
    }
}
