//! Making what is left of a damaged store whole again: for an admin who accepts the loss.

use handoffd_core::Timestamp;

use super::super::{
    Shard,
    codec::{self, Corrupt},
    keys::{self, Named},
    plan::{self, Changes, Head},
    scan,
};
use super::engine::{Engine, EngineError};

/// How many rows are written at once.
const ROWS_AT_ONCE: usize = 500;

/// Removes what cannot be read, brings the jobs' queue in line with the jobs, and
/// counts what is left. Gives the last commit that is left. Interrupted, it
/// leaves a damaged store again.
pub(super) fn repair(engine: &Engine, node: &str, now: Timestamp) -> Result<u64, EngineError> {
    let mut changes = Changes::new();
    for row in engine.all() {
        let (key, stored) = row?;
        if let Err(Corrupt { place, what }) = mend(engine, &key, &stored, &mut changes)? {
            tracing::warn!(%place, what, "A damaged row is removed.");
            changes.insert(key, None);
        }
        if changes.len() >= ROWS_AT_ONCE {
            engine.load(std::mem::take(&mut changes))?;
        }
    }
    engine.load(changes)?;
    let head = count(engine, node, now)?;
    engine.load(Changes::from([(keys::HEAD.to_vec(), Some(plan::head_bytes(&head)))]))?;
    engine.sync()?;
    Ok(head.commit_seq)
}

/// Whether a row can stay, and what else it asks for.
fn mend(
    engine: &Engine,
    key: &[u8],
    stored: &[u8],
    changes: &mut Changes,
) -> Result<Result<(), Corrupt>, EngineError> {
    let kept = match keys::name(key) {
        Some(Named::Head) => plan::head(Some(stored)).map(drop),
        Some(Named::Job(id)) => plan::job(&id, stored).map(|(job, rev)| {
            let place = keys::queued(Shard::of(&job.order_key), job.run_at, &id);
            let entry = codec::encode(&place, rev, job.order_key.as_bytes());
            changes.insert(place, Some(entry));
        }),
        Some(Named::Queued(_, _, id)) => {
            let job = engine.get(&keys::job(&id))?.map(|stored| plan::job(&id, &stored));
            scan::queued(key, stored).and_then(|queued| match job {
                Some(Ok((job, rev)))
                    if rev == queued.rev
                        && job.run_at == queued.run_at
                        && job.order_key == queued.order_key =>
                {
                    Ok(())
                }
                _ => Err(Corrupt { place: keys::shown(key), what: "it has no job" }),
            })
        }
        Some(Named::Lease(_) | Named::Row(..)) => codec::decode(key, stored).map(drop),
        None => Err(Corrupt { place: keys::shown(key), what: "no handoffd writes such a key" }),
    };
    Ok(kept)
}

fn count(engine: &Engine, node: &str, now: Timestamp) -> Result<Head, EngineError> {
    let before = engine.head()?.map_or(0, |head| head.commit_seq);
    let mut head = Head { commit_seq: before, wall: now, node: node.to_owned(), rows: 0, sum: 0 };
    for row in engine.all() {
        let (key, stored) = row?;
        if key != keys::HEAD {
            head.rows += 1;
            head.sum = head.sum.wrapping_add(u64::from(codec::stored_sum(&stored)));
            let rev = codec::decode(&key, &stored).map_or(0, |opened| opened.rev.0);
            head.commit_seq = head.commit_seq.max(rev);
        }
    }
    Ok(head)
}
