//! The lines that were written lately. A feed tells what happened last more than once, so that
//! nothing is missed: what a ticket's last line says already is not written again.

use std::{
    collections::{BTreeMap, VecDeque},
    fs::File,
    io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// Of how many tickets the last line is remembered.
const TICKETS_MAX: usize = 50_000;
/// How much of a file is read again when a pull goes on, in bytes from its end.
const TAIL_BYTES: u64 = 256 << 20;

type Hash = [u8; 16];

/// The last line of each ticket, for the tickets that came last.
#[derive(Debug, Default)]
pub(super) struct Recent {
    last: BTreeMap<Hash, Hash>,
    order: VecDeque<Hash>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    id: Option<std::borrow::Cow<'a, str>>,
}

impl Recent {
    /// What a file that is gone on with ends with, up to `bytes`.
    pub fn of_file(path: &Path, bytes: u64) -> io::Result<Self> {
        let mut recent = Self::default();
        let mut file = File::open(path)?;
        let from = bytes.saturating_sub(TAIL_BYTES);
        file.seek(SeekFrom::Start(from))?;
        let mut lines = BufReader::new(file.take(bytes - from)).split(b'\n');
        if from > 0 {
            // It begins in the middle of a line.
            drop(lines.next().transpose()?);
        }
        for line in lines {
            recent.is_new(&line?);
        }
        Ok(recent)
    }

    /// Whether a line says something that the ticket's last one does not. It is the last one from now on.
    pub fn is_new(&mut self, line: &[u8]) -> bool {
        let Ok(Head { kind, id: Some(id) }) = serde_json::from_slice::<Head<'_>>(line) else { return true };
        // What became of a ticket stands in one row with it; a rating comes beside it.
        let kind = if kind == "rating" { "rating" } else { "ticket" };
        let key = hash(format!("{kind} {id}").as_bytes());
        match self.last.insert(key, hash(line)) {
            Some(before) => before != hash(line),
            None => {
                self.order.push_back(key);
                if self.order.len() > TICKETS_MAX
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.last.remove(&oldest);
                }
                true
            }
        }
    }
}

fn hash(bytes: &[u8]) -> Hash {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_counts_unless_the_tickets_last_one_says_the_same() {
        let mut recent = Recent::default();
        let rows = [
            (r#"{"type":"ticket","id":"1","v":1}"#, true),
            (r#"{"type":"ticket","id":"1","v":1}"#, false),
            (r#"{"type":"ticket","id":"1","v":2}"#, true),
            (r#"{"type":"ticket","id":"1","v":1}"#, true),
            (r#"{"type":"ticket","id":"2","v":1}"#, true),
            (r#"{"type":"gone","id":"1"}"#, true),
            (r#"{"type":"gone","id":"1"}"#, false),
            (r#"{"type":"rating","id":"1"}"#, true),
            (r#"{"type":"ticket","id":"1","v":1}"#, true),
            (r#"{"type":"unreadable","id":null}"#, true),
            (r#"{"type":"unreadable","id":null}"#, true),
        ];
        for (at, (line, new)) in rows.into_iter().enumerate() {
            assert_eq!(recent.is_new(line.as_bytes()), new, "{at}: {line}");
        }
    }

    #[test]
    fn it_is_bounded_and_comes_back_from_the_file() {
        let mut recent = Recent::default();
        for id in 0..TICKETS_MAX + 10 {
            assert!(recent.is_new(format!(r#"{{"type":"ticket","id":"{id}"}}"#).as_bytes()));
        }
        assert_eq!((recent.last.len(), recent.order.len()), (TICKETS_MAX, TICKETS_MAX));
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("out");
        let whole = "{\"type\":\"ticket\",\"id\":\"1\"}\n{\"type\":\"ticket\",\"id\":\"2\"}\n";
        std::fs::write(&path, format!("{whole}{{\"type\":\"tick")).expect("written");
        let mut recent = Recent::of_file(&path, whole.len() as u64).expect("it is read");
        assert!(!recent.is_new(br#"{"type":"ticket","id":"2"}"#));
        assert!(recent.is_new(br#"{"type":"ticket","id":"3"}"#));
    }
}
