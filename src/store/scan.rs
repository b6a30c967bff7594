//! Reading ranges of stored bytes, the same for every backend.

use std::ops::Bound;

use handoffd_core::Timestamp;

use super::{
    CommitError, Key, Page, ReadError, Rev, Table, Versioned,
    codec::{self, Corrupt, Opened},
    keys,
};

/// The most rows of one page, whatever was asked for.
pub const PAGE_ROWS_MAX: u32 = 1_000;

/// The bytes behind a page's first row: a page ends after the row that passes them.
const PAGE_BYTES_SOFT: usize = 4 * 1024 * 1024;

impl From<Corrupt> for ReadError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt { why: corrupt.to_string() }
    }
}

impl From<Corrupt> for CommitError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt { why: corrupt.to_string() }
    }
}

impl From<ReadError> for CommitError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable { why } => Self::Unavailable { why },
            ReadError::Corrupt { why } => Self::Corrupt { why },
        }
    }
}

impl From<Opened> for Versioned {
    fn from(opened: Opened) -> Self {
        Self { value: opened.value, rev: opened.rev }
    }
}

/// The stored keys of a table that begin with `prefix` and lie behind `after`.
pub(super) fn page_range(
    table: Table,
    prefix: &Key,
    after: Option<&Key>,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let first = keys::row(table, prefix);
    let end = keys::prefix_end(&first);
    let start = match after.map(|after| keys::row(table, after)) {
        Some(after) if after >= end => Bound::Included(end.clone()),
        Some(after) if after >= first => Bound::Excluded(after),
        _ => Bound::Included(first),
    };
    (start, Bound::Excluded(end))
}

/// A page from stored rows in key order.
pub(super) fn page(
    table: Table,
    mut rows: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), ReadError>>,
    limit: u32,
) -> Result<Page, ReadError> {
    let limit = limit.clamp(1, PAGE_ROWS_MAX) as usize;
    let prefix_bytes = keys::table_prefix(table).len();
    let mut page = Page::default();
    let mut bytes = 0;
    while let Some((key, stored)) = rows.next().transpose()? {
        if page.rows.len() >= limit || bytes > PAGE_BYTES_SOFT {
            page.more = true;
            break;
        }
        let opened = codec::decode(&key, &stored)?;
        bytes += opened.value.len();
        page.rows.push((Key(key[prefix_bytes..].to_vec()), opened.into()));
    }
    Ok(page)
}

/// A job's place in the queue.
pub(super) struct Queued {
    pub(super) id: String,
    pub(super) run_at: Timestamp,
    pub(super) order_key: String,
    /// The commit that put it there.
    pub(super) rev: Rev,
}

/// Reads a queue entry.
pub(super) fn queued(key: &[u8], stored: &[u8]) -> Result<Queued, Corrupt> {
    let corrupt = |what| Corrupt { place: keys::shown(key), what };
    let opened = codec::decode(key, stored)?;
    let Some(keys::Named::Queued(_, run_at, id)) = keys::name(key) else {
        return Err(corrupt("it is no queue entry"));
    };
    let order_key = String::from_utf8(opened.value).map_err(|_| corrupt("the order key is not text"))?;
    Ok(Queued { id, run_at, order_key, rev: opened.rev })
}

/// The first jobs of a queue, as those who ask are told.
pub(super) fn first_queued(
    queue: impl Iterator<Item = Result<Queued, ReadError>>,
    limit: u32,
) -> Result<Vec<super::Queued>, ReadError> {
    let told = |queued: Queued| super::Queued { id: queued.id, run_at: queued.run_at };
    queue.take(limit as usize).map(|queued| queued.map(told)).collect()
}
