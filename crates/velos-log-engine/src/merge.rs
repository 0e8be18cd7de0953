//! Several runs of lines become one, by time.

use crate::line::Line;

/// Merge runs of lines, each in its own order; the lines keep the number of their run. A line without a time stays
/// behind the one before it; of equal times the earlier run comes first.
pub fn merge(runs: Vec<Vec<Line>>) -> Vec<(usize, Line)> {
    let mut keyed: Vec<(u64, usize, Line)> = Vec::with_capacity(runs.iter().map(Vec::len).sum());
    for (number, lines) in runs.into_iter().enumerate() {
        let mut last = 0;
        for line in lines {
            last = line.time_us.unwrap_or(last).max(last);
            keyed.push((last, number, line));
        }
    }
    // Stable, so the order within a run holds.
    keyed.sort_by_key(|(time_us, ..)| *time_us);
    keyed.into_iter().map(|(_, number, line)| (number, line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::Stream;

    #[test]
    fn streams_merge_by_time() {
        let line =
            |time_us, text: &str| Line { time_us, stream: Stream::Out, bytes: text.as_bytes().to_vec() };
        let out = vec![line(Some(1), "a"), line(Some(5), "b"), line(None, "c")];
        let err = vec![line(Some(3), "x"), line(Some(9), "y"), line(Some(2), "the clock went back")];
        let other = vec![line(None, "unknown"), line(Some(5), "after b")];
        let merged: Vec<(usize, String)> = merge(vec![out, err, other])
            .into_iter()
            .map(|(run, line)| (run, String::from_utf8(line.bytes).unwrap()))
            .collect();
        let expected = [
            (2, "unknown"),
            (0, "a"),
            (1, "x"),
            (0, "b"),
            (0, "c"),
            (2, "after b"),
            (1, "y"),
            (1, "the clock went back"),
        ];
        assert_eq!(merged, expected.map(|(run, text)| (run, text.to_owned())));
    }
}
