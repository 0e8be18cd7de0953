//! Where a reader stands in the logs of several instances, as a short text: `0:3.4096-1.77,1:...`, which is the
//! instance's id, then segment and offset of its output and of its errors, in base 36.

use std::collections::BTreeMap;

use velos_core::error::{ErrorCode, ErrorReply};

use super::Place;

/// Places by instance id: output, errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor(BTreeMap<u32, [Place; 2]>);

impl Cursor {
    pub(crate) fn set(&mut self, instance: u32, stream: usize, place: Place) {
        if let Some(slot) = self.0.entry(instance).or_default().get_mut(stream) {
            *slot = place;
        }
    }

    pub(crate) fn get(&self, instance: u32, stream: usize) -> Option<Place> {
        self.0.get(&instance)?.get(stream).copied()
    }

    pub(crate) fn parse(text: &str) -> Result<Self, ErrorReply> {
        let parsed = text.split(',').map(entry).collect::<Option<BTreeMap<u32, [Place; 2]>>>();
        parsed.map(Self).ok_or_else(|| {
            ErrorReply::new(ErrorCode::Usage, format!("cursor: {text:?} is none of this server's"))
                .hint("pass the cursor of an earlier reply as it is, or leave it out")
        })
    }
}

fn entry(text: &str) -> Option<(u32, [Place; 2])> {
    let (id, places) = text.split_once(':')?;
    let (out, err) = places.split_once('-')?;
    Some((id.parse().ok()?, [place(out)?, place(err)?]))
}

fn place(text: &str) -> Option<Place> {
    let (segment, offset) = text.split_once('.')?;
    let number = |text: &str| u64::from_str_radix(text, 36).ok();
    Some(Place { segment: number(segment)?, offset: number(offset)? })
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |place: &Place| format!("{}.{}", base36(place.segment), base36(place.offset));
        for (number, (id, [out, err])) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(f, "{comma}{id}:{}-{}", shown(out), shown(err))?;
        }
        Ok(())
    }
}

fn base36(mut value: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.push(char::from_digit((value % 36) as u32, 36).unwrap_or('0'));
        value /= 36;
        if value == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_survive_being_text() {
        let mut cursor = Cursor::default();
        cursor.set(3, 0, Place { segment: 12, offset: 1_234_567 });
        cursor.set(3, 1, Place { segment: 1, offset: 0 });
        cursor.set(0, 1, Place { segment: 0, offset: 35 });
        let text = cursor.to_string();
        assert_eq!(text, "0:0.0-0.z,3:c.qglj-1.0");
        assert_eq!(Cursor::parse(&text), Ok(cursor));
        for bad in ["", "5", "a:1.2-3.4", "1:2-3", "1:2.3", "1:!.3-4.5"] {
            assert!(Cursor::parse(bad).is_err(), "{bad}");
        }
    }
}
