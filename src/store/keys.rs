//! The one ordered space of bytes that every backend of this crate keeps.
//!
//! | first byte | then | what |
//! |---|---|---|
//! | `h` | | the head: the last commit's number and the sums over all rows |
//! | `j` | id | a job |
//! | `l` | name | a lease's last token |
//! | `q` | shard, time, id | a job's place in its shard's queue |
//! | `r` | table, 0, key | a row |

use handoffd_core::Timestamp;

use super::{Key, Shard, Table};

/// The head's key.
pub(super) const HEAD: &[u8] = b"h";

const JOB: u8 = b'j';
const LEASE: u8 = b'l';
const QUEUE: u8 = b'q';
const ROW: u8 = b'r';

/// What a stored key names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Head,
    Job(String),
    Lease(String),
    Queued(Shard, Timestamp, String),
    Row(String, Key),
}

pub(super) fn row(table: Table, key: &Key) -> Vec<u8> {
    let mut bytes = table_prefix(table);
    bytes.extend_from_slice(&key.0);
    bytes
}

pub(super) fn table_prefix(table: Table) -> Vec<u8> {
    let mut bytes = vec![ROW];
    bytes.extend_from_slice(table.0.as_bytes());
    bytes.push(0);
    bytes
}

pub(super) fn job(id: &str) -> Vec<u8> {
    [&[JOB], id.as_bytes()].concat()
}

pub(super) fn lease(name: &str) -> Vec<u8> {
    [&[LEASE], name.as_bytes()].concat()
}

pub(super) fn queue_prefix(shard: Shard) -> Vec<u8> {
    [&[QUEUE], &shard.0.to_be_bytes()[..]].concat()
}

/// Sorts by shard, then by time, then by id.
pub(super) fn queued(shard: Shard, run_at: Timestamp, id: &str) -> Vec<u8> {
    let time = ordered(run_at);
    [&queue_prefix(shard)[..], &time, id.as_bytes()].concat()
}

/// The end of the range of a shard's jobs that are due at `now`, itself outside.
pub(super) fn queue_due_end(shard: Shard, now: Timestamp) -> Vec<u8> {
    match now.0.checked_add(1) {
        Some(next) => queued(shard, Timestamp(next), ""),
        None => prefix_end(&queue_prefix(shard)),
    }
}

/// The first key that lies behind everything that begins with `prefix`, which is never all `0xff`.
pub(super) fn prefix_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while end.pop_if(|last| *last == u8::MAX).is_some() {}
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// Bytes that sort as the time does.
fn ordered(at: Timestamp) -> [u8; 8] {
    (at.0.cast_unsigned() ^ (1 << 63)).to_be_bytes()
}

/// What a stored key names; `None` for bytes that no function of this module makes.
pub(super) fn name(bytes: &[u8]) -> Option<Named> {
    let (first, rest) = bytes.split_first()?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    match *first {
        b'h' if rest.is_empty() => Some(Named::Head),
        JOB => Some(Named::Job(text(rest)?)),
        LEASE => Some(Named::Lease(text(rest)?)),
        QUEUE => {
            let (shard, rest) = rest.split_first_chunk::<2>()?;
            let (time, id) = rest.split_first_chunk::<8>()?;
            let at = Timestamp((u64::from_be_bytes(*time) ^ (1 << 63)).cast_signed());
            Some(Named::Queued(Shard(u16::from_be_bytes(*shard)), at, text(id)?))
        }
        ROW => {
            let end = rest.iter().position(|byte| *byte == 0)?;
            Some(Named::Row(text(&rest[..end])?, Key(rest[end + 1..].to_vec())))
        }
        _ => None,
    }
}

/// The key as an admin reads it, in errors and reports.
pub(super) fn shown(bytes: &[u8]) -> String {
    match name(bytes) {
        Some(Named::Head) => "the head record".to_owned(),
        Some(Named::Job(id)) => format!("job {id:?}"),
        Some(Named::Lease(lease)) => format!("lease {lease:?}"),
        Some(Named::Queued(shard, at, id)) => {
            format!("queue entry of job {id:?} in shard {} at {at}", shard.0)
        }
        Some(Named::Row(table, key)) => format!("table {table:?} key {key:?}"),
        None => format!("unknown key 0x{}", hex::encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_names_what_it_was_made_of() {
        let key = Key::of(&["zendesk-main", "42"]);
        let at = Timestamp(-5);
        let cases = [
            (HEAD.to_vec(), Named::Head),
            (job("wake/a"), Named::Job("wake/a".to_owned())),
            (lease("all"), Named::Lease("all".to_owned())),
            (queued(Shard(300), at, "x"), Named::Queued(Shard(300), at, "x".to_owned())),
            (row(Table("links"), &key), Named::Row("links".to_owned(), key)),
        ];
        for (bytes, named) in cases {
            assert_eq!(name(&bytes), Some(named));
        }
        assert_eq!(name(b"zzz"), None);
    }

    #[test]
    fn the_queue_sorts_by_time_also_across_zero() {
        let times = [i64::MIN, -1, 0, 1, i64::MAX];
        let keys: Vec<_> = times.iter().map(|at| queued(Shard(1), Timestamp(*at), "b")).collect();
        assert!(keys.is_sorted());
        assert!(queue_due_end(Shard(1), Timestamp(0)) > queued(Shard(1), Timestamp(0), "zzz"));
        assert!(queue_due_end(Shard(1), Timestamp(0)) <= queued(Shard(1), Timestamp(1), ""));
        assert!(queue_due_end(Shard(1), Timestamp(i64::MAX)) > queued(Shard(1), Timestamp(i64::MAX), "z"));
        assert_eq!(prefix_end(&[1, 255, 255]), vec![2]);
    }
}
