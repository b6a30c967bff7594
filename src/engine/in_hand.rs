//! What workers have in hand, and whether that is nothing.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// Counts claims and jobs. Whoever asks whether all is done looks at the queue too, and a job is in
/// between for a moment: out of the queue and not begun, or ended and back in it.
#[derive(Debug, Default)]
pub(super) struct InHand {
    claims: AtomicU64,
    claiming: AtomicUsize,
    jobs: AtomicUsize,
}

/// That nothing was in hand at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Empty {
    claims: u64,
}

/// Jobs are being claimed. Hold it until they are begun.
pub(super) struct Claiming<'a>(&'a InHand);

impl InHand {
    /// How many jobs are in hand.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.load(SeqCst)
    }

    /// Jobs are about to be claimed.
    pub(super) fn claiming(&self) -> Claiming<'_> {
        self.claiming.fetch_add(1, SeqCst);
        self.claims.fetch_add(1, SeqCst);
        Claiming(self)
    }

    /// A job is in hand.
    pub(super) fn begin(&self) {
        self.jobs.fetch_add(1, SeqCst);
    }

    /// A job is done, or back in the queue.
    pub(super) fn end(&self) {
        self.jobs.fetch_sub(1, SeqCst);
    }

    /// `None` while anything is in hand. Look at the queue next, then ask whether it still holds.
    pub(super) fn empty(&self) -> Option<Empty> {
        let claims = self.claims.load(SeqCst);
        let is_empty = self.claiming.load(SeqCst) == 0 && self.jobs() == 0;
        is_empty.then_some(Empty { claims })
    }

    /// Whether nothing was taken in hand since.
    pub(super) fn still(&self, empty: Empty) -> bool {
        self.claims.load(SeqCst) == empty.claims
    }
}

impl Drop for Claiming<'_> {
    fn drop(&mut self) {
        self.0.claiming.fetch_sub(1, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    };

    use super::*;

    /// One job that is always put off again: there is never a moment at which all is done.
    #[test]
    fn a_job_that_comes_back_is_never_overlooked() {
        let (in_hand, queued) = (Arc::new(InHand::default()), Arc::new(AtomicBool::new(true)));
        let over = Arc::new(AtomicBool::new(false));
        let worker = {
            let (in_hand, queued, over) = (in_hand.clone(), queued.clone(), over.clone());
            std::thread::spawn(move || {
                while !over.load(SeqCst) {
                    let claiming = in_hand.claiming();
                    queued.store(false, SeqCst);
                    in_hand.begin();
                    drop(claiming);
                    queued.store(true, SeqCst);
                    in_hand.end();
                }
            })
        };
        let mut seen_empty = 0_u32;
        let mut overlooked = 0;
        for _ in 0..300_000 {
            let Some(empty) = in_hand.empty() else { continue };
            seen_empty += 1;
            let none_queued = !queued.load(SeqCst);
            overlooked += u32::from(none_queued && in_hand.still(empty));
        }
        over.store(true, SeqCst);
        worker.join().expect("it ends");
        assert_eq!(overlooked, 0);
        assert!(seen_empty > 0, "it was asked between two jobs too");
        assert!(in_hand.empty().is_some_and(|empty| in_hand.still(empty)));
    }
}
