//! The one thread that writes: many commits, one flush, then the answers.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use handoffd_connectors::client::Clock;
use handoffd_core::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::super::{
    Commit, CommitError, Lease, LeaseName, Seq,
    export::{self, ExportError, ExportReport},
    plan::{self, Stamp},
};
use super::{
    Health, Options, WriteFault,
    engine::{Engine, EngineError, guarded},
    files::{self, DirLock, Sidecar},
    open,
    shared::Shared,
};

/// The most commits that share one flush.
const BATCH_MAX: usize = 512;
/// How often a thread that waits to open again looks at its queue.
const DRAIN_EVERY: Duration = Duration::from_millis(20);

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, CommitError>>;

/// One thing to do, in order.
pub(super) enum Op {
    Commit(Commit, Reply<Seq>),
    Acquire {
        name: LeaseName,
        holder: String,
        ttl: Duration,
        reply: Reply<Option<Lease>>,
    },
    Release(Lease, Reply<()>),
    Export(PathBuf, oneshot::Sender<Result<ExportReport, ExportError>>),
    /// The next write fails, for tests.
    Break(WriteFault, Reply<()>),
    Close(Reply<()>),
}

/// An op and its place in the bounded queue, given back with the answer.
pub(super) struct Ask {
    pub(super) op: Op,
    pub(super) place: OwnedSemaphorePermit,
}

/// The answer to an op that was applied: told once it is on disk, or why it may not be.
type Waiting = Box<dyn FnOnce(Result<&Shared, &str>)>;

/// The thread's own state.
pub(super) struct Committer {
    pub(super) options: Options,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Receiver<Ask>,
    /// Held as long as the thread lives.
    pub(super) lock: DirLock,
    /// What the sidecar says, and when it was written.
    pub(super) noted: (Seq, Timestamp),
    /// Failures since the last commit that reached the disk.
    pub(super) failures: usize,
    pub(super) broken: Option<WriteFault>,
}

impl Committer {
    /// Works until it is closed or nobody can ask any more.
    pub(super) fn run(mut self) {
        let closed = loop {
            match self.queue.recv_timeout(self.options.sidecar_every) {
                Ok(Ask { op: Op::Close(reply), .. }) => break Some(reply),
                Ok(Ask { op: Op::Export(out, reply), .. }) => drop(reply.send(self.export(&out))),
                Ok(first) => {
                    if let Some(reply) = self.batch(first) {
                        break Some(reply);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.idle(),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        let done = self.close();
        if let Some(reply) = closed {
            let _ = reply.send(done);
        }
    }

    /// Takes what else is queued, applies it all, brings it to the disk, answers.
    /// Gives back the reply of a close that was queued.
    fn batch(&mut self, first: Ask) -> Option<Reply<()>> {
        if *self.shared.health.borrow() != Health::Ready {
            return match first.op {
                Op::Close(reply) => Some(reply),
                op => {
                    self.refuse(Ask { op, place: first.place });
                    None
                }
            };
        }
        let mut waiting = Vec::new();
        let mut closing = None;
        let shared = Arc::clone(&self.shared);
        // After a panic only `waiting` is used again, which holds finished answers.
        let done = catch_unwind(AssertUnwindSafe(|| self.apply_all(first, &mut waiting, &mut closing)))
            .unwrap_or(Err(EngineError::Panicked("commit")));
        match done {
            Ok(synced) => {
                if synced {
                    self.failures = 0;
                }
                waiting.into_iter().for_each(|tell| tell(Ok(&shared)));
                self.note_if_due();
            }
            Err(error) => {
                let why = error.to_string();
                self.make_room(&error);
                // Whoever is told of the failure finds the health changed.
                self.shared.failing(Health::Reopening { why: why.clone(), failures: self.failures + 1 });
                waiting.into_iter().for_each(|tell| tell(Err(&why)));
                if closing.is_none() {
                    self.poisoned(&error);
                }
            }
        }
        closing
    }

    fn apply_all(
        &mut self,
        first: Ask,
        waiting: &mut Vec<Waiting>,
        closing: &mut Option<Reply<()>>,
    ) -> Result<bool, EngineError> {
        let Ok(engine) = self.shared.engine() else {
            self.refuse(first);
            return Ok(false);
        };
        if self.shared.take_suspicion() {
            let error = EngineError::Panicked("read");
            self.shared.failing(Health::Reopening { why: error.to_string(), failures: self.failures + 1 });
            self.refuse(first);
            return Err(error);
        }
        let mut last = None;
        let mut next = Some(first);
        while let Some(ask) = next {
            match ask.op {
                Op::Close(reply) => {
                    *closing = Some(reply);
                    break;
                }
                Op::Export(out, reply) => {
                    engine.sync()?;
                    drop(reply.send(export::write(&engine, &out)));
                }
                op => last = self.apply(&engine, op, ask.place, waiting)?.or(last),
            }
            next = if waiting.len() < BATCH_MAX { self.queue.try_recv().ok() } else { None };
        }
        if let Some(seq) = last {
            self.break_on(&[WriteFault::Flush])?;
            engine.sync()?;
            self.shared.durable.send_modify(|durable| durable.seq = seq);
        }
        Ok(last.is_some())
    }

    /// Applies one op. Its answer is among the waiting ones also after an error.
    fn apply(
        &mut self,
        engine: &Engine,
        op: Op,
        place: OwnedSemaphorePermit,
        waiting: &mut Vec<Waiting>,
    ) -> Result<Option<Seq>, EngineError> {
        let applied = match op {
            Op::Commit(commit, reply) => self.apply_commit(engine, commit, reply),
            Op::Acquire { name, holder, ttl, reply } => {
                let until = self.clock.now().plus(ttl);
                self.apply_acquire(engine, name, &holder, until, reply)
            }
            Op::Release(lease, reply) => {
                self.shared.hands().let_go(&lease.name, lease.token);
                Ok((None, answered(reply, Ok(()))))
            }
            Op::Break(fault, reply) => {
                self.broken = Some(fault);
                Ok((None, answered(reply, Ok(()))))
            }
            Op::Export(..) | Op::Close(_) => return Ok(None),
        };
        let (seq, tell) = match applied {
            Ok((seq, tell)) => (Ok(seq), tell),
            Err((error, tell)) => (Err(error), tell),
        };
        waiting.push(Box::new(move |fate| {
            tell(fate);
            drop(place);
        }));
        seq
    }

    fn apply_commit(
        &mut self,
        engine: &Engine,
        commit: Commit,
        reply: Reply<Seq>,
    ) -> Result<(Option<Seq>, Waiting), (EngineError, Waiting)> {
        // Read before the transaction: a claim holds the hands while it waits for sled.
        let held = self.shared.hands().tokens();
        let planned = guarded("commit", || {
            self.break_on(&[WriteFault::Apply, WriteFault::Full, WriteFault::Panic])?;
            let stamp = Stamp { node: &self.options.node, now: self.clock.now() };
            engine.transact(|read| plan::commit(read, &commit, &held, stamp).map(|plan| (plan, ())))
        });
        let seq = match planned {
            Ok(Ok((plan, ()))) => plan.seq,
            Ok(Err(error)) => return Ok((None, answered(reply, Err(error)))),
            Err(error) => return Err(broken(error, reply)),
        };
        let tell = move |fate: Result<&Shared, &str>| {
            if let Ok(shared) = fate {
                announce(shared, &commit);
            }
            let _ = reply.send(fate.map(|_| seq).map_err(indeterminate));
        };
        Ok((Some(seq), Box::new(tell)))
    }

    fn apply_acquire(
        &mut self,
        engine: &Engine,
        name: LeaseName,
        holder: &str,
        until: Timestamp,
        reply: Reply<Option<Lease>>,
    ) -> Result<(Option<Seq>, Waiting), (EngineError, Waiting)> {
        let now = self.clock.now();
        if !self.shared.hands().free(&name, holder, now) {
            return Ok((None, answered(reply, Ok(None))));
        }
        let stamp = Stamp { node: &self.options.node, now };
        let (plan, token) = match engine.transact(|read| plan::next_token(read, &name, stamp)) {
            Ok(Ok(planned)) => planned,
            Ok(Err(error)) => return Ok((None, answered(reply, Err(error)))),
            Err(error) => return Err(broken(error, reply)),
        };
        let lease = self.shared.hands().hold(name, holder, token, until);
        let shared = Arc::clone(&self.shared);
        let tell = move |fate: Result<&Shared, &str>| {
            if fate.is_err() {
                shared.hands().let_go(&lease.name, lease.token);
            }
            let _ = reply.send(fate.map(|_| Some(lease)).map_err(indeterminate));
        };
        Ok((Some(plan.seq), Box::new(tell)))
    }

    /// Fails here if a test asked for it.
    fn break_on(&mut self, here: &[WriteFault]) -> Result<(), EngineError> {
        match self.broken.take_if(|fault| here.contains(fault)) {
            None => Ok(()),
            Some(WriteFault::Full) => Err(EngineError::Full),
            Some(WriteFault::Panic) => panic!("a panic that a test asked for"),
            Some(WriteFault::Apply | WriteFault::Flush) => {
                Err(EngineError::Io("a test asked for it".to_owned()))
            }
        }
    }

    fn export(&self, out: &std::path::Path) -> Result<ExportReport, ExportError> {
        let engine = self.shared.engine().map_err(|error| ExportError::Read { why: error.to_string() })?;
        export::write(&engine, out)
    }

    fn refuse(&self, ask: Ask) {
        let why = self.shared.health.borrow().to_string();
        let error = CommitError::Unavailable { why: why.clone() };
        match ask.op {
            Op::Commit(_, reply) => drop(reply.send(Err(error))),
            Op::Acquire { reply, .. } => drop(reply.send(Err(error))),
            Op::Release(_, reply) | Op::Break(_, reply) | Op::Close(reply) => drop(reply.send(Err(error))),
            Op::Export(_, reply) => drop(reply.send(Err(ExportError::Read { why }))),
        }
    }

    fn idle(&mut self) {
        if self.shared.take_suspicion() {
            self.poisoned(&EngineError::Panicked("read"));
        } else {
            self.note_if_due();
        }
    }

    /// Says in the sidecar how far the disk is.
    fn note_if_due(&mut self) {
        let seq = self.shared.durable.borrow().seq;
        let now = self.clock.now();
        if seq > self.noted.0 && now.since(self.noted.1) >= self.options.sidecar_every {
            match self.note(false) {
                Ok(()) => self.noted = (seq, now),
                Err(error) => {
                    self.make_room(&error);
                    self.poisoned(&error);
                }
            }
        }
    }

    fn note(&self, clean: bool) -> Result<(), EngineError> {
        let commit_seq = self.shared.durable.borrow().seq.0;
        let sidecar = Sidecar { commit_seq, clean, wall: self.clock.now() };
        Ok(files::write_sidecar(&self.options.dir, &sidecar)?)
    }

    fn make_room(&self, error: &EngineError) {
        if *error == EngineError::Full
            && let Err(fault) = files::free_ballast(&self.options.dir)
        {
            tracing::warn!(%fault, "Cannot free the ballast file.");
        }
    }

    /// The handle is not used for writing again: waits, opens a new one, checks it.
    fn poisoned(&mut self, error: &EngineError) {
        let mut why = error.to_string();
        loop {
            self.failures += 1;
            let Some(wait) = self.options.reopen_waits.get(self.failures - 1).copied() else {
                tracing::error!(%why, "The store has failed for good.");
                self.shared.failing(Health::Failed { why });
                return;
            };
            tracing::error!(%why, failures = self.failures, "The store failed and is opened again.");
            self.shared.failing(Health::Reopening { why: why.clone(), failures: self.failures });
            self.wait(wait);
            match self.reopen() {
                Ok(()) => {
                    self.shared.health.send_replace(Health::Ready);
                    return;
                }
                Err(error) => why = error,
            }
        }
    }

    /// Waits, and refuses what comes meanwhile. Reads go on.
    fn wait(&self, wait: Duration) {
        let mut left = wait;
        loop {
            while let Ok(ask) = self.queue.try_recv() {
                self.refuse(ask);
            }
            if left.is_zero() {
                return;
            }
            let step = left.min(DRAIN_EVERY);
            std::thread::sleep(step);
            left -= step;
        }
    }

    fn reopen(&mut self) -> Result<(), String> {
        if let Some(engine) = self.shared.remove() {
            // It failed already: what it says while closing adds nothing.
            let _ = engine.close();
        }
        let begun = open::begin(&self.options, self.clock.now()).map_err(|error| error.to_string())?;
        let durable = self.shared.durable.borrow().seq;
        if begun.commit_seq < durable.0 {
            return Err(format!("commit {} was on disk, the log ends at {}", durable.0, begun.commit_seq));
        }
        self.noted = (Seq(begun.commit_seq), self.clock.now());
        self.shared.install(begun.engine, Seq(begun.commit_seq));
        Ok(())
    }

    fn close(self) -> Result<(), CommitError> {
        let unavailable = |why: String| CommitError::Unavailable { why };
        let failed = *self.shared.health.borrow() != Health::Ready;
        self.shared.failing(Health::Closed);
        let Some(engine) = self.shared.remove() else {
            return Err(unavailable("a read did not end, or the store had failed".to_owned()));
        };
        engine.close().map_err(|error| unavailable(error.to_string()))?;
        if failed {
            return Err(unavailable("the store had failed".to_owned()));
        }
        self.note(true).map_err(|error| unavailable(error.to_string()))?;
        drop(self.lock);
        Ok(())
    }
}

/// What others learn of a commit that is on disk.
fn announce(shared: &Shared, commit: &Commit) {
    let mut hands = shared.hands();
    for done in &commit.done {
        hands.finished(done);
    }
    drop(hands);
    if !commit.jobs.is_empty() || !commit.done.is_empty() {
        shared.hints.send_modify(|count| *count += 1);
    }
}

fn answered<T: 'static>(reply: Reply<T>, answer: Result<T, CommitError>) -> Waiting {
    Box::new(move |_| drop(reply.send(answer)))
}

fn broken<T: 'static>(error: EngineError, reply: Reply<T>) -> (EngineError, Waiting) {
    let answer = Err(indeterminate(&error.to_string()));
    (error, answered(reply, answer))
}

fn indeterminate(why: &str) -> CommitError {
    CommitError::Indeterminate { why: why.to_owned() }
}
