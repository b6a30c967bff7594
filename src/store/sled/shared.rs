//! What the committing thread and the readers share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use super::super::{ReadError, Rev, hands::Hands};
use super::{Health, engine::Engine};

/// How long a closing engine's last readers are waited for.
const READERS_WAIT: Duration = Duration::from_secs(5);
const READERS_LOOK_EVERY: Duration = Duration::from_millis(5);

/// How far the disk is. A new `opening` means that what was not on disk may be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Durable {
    pub(super) seq: Rev,
    pub(super) opening: u64,
}

pub(super) struct Shared {
    engine: RwLock<Option<Arc<Engine>>>,
    hands: Mutex<Hands>,
    pub(super) durable: watch::Sender<Durable>,
    pub(super) hints: watch::Sender<u64>,
    pub(super) health: watch::Sender<Health>,
    /// A reader saw sled panic: the committing thread is to open it again.
    suspect: AtomicBool,
}

impl Shared {
    pub(super) fn new(engine: Engine, seq: Rev) -> Self {
        Self {
            engine: RwLock::new(Some(Arc::new(engine))),
            hands: Mutex::new(Hands::default()),
            durable: watch::Sender::new(Durable { seq, opening: 0 }),
            hints: watch::Sender::new(0),
            health: watch::Sender::new(Health::Ready),
            suspect: AtomicBool::new(false),
        }
    }

    pub(super) fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn engine(&self) -> Result<Arc<Engine>, ReadError> {
        let engine = self.engine.read().unwrap_or_else(PoisonError::into_inner).clone();
        engine.ok_or_else(|| ReadError::Unavailable { why: self.health.borrow().to_string() })
    }

    pub(super) fn install(&self, engine: Engine, seq: Rev) {
        *self.engine.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(engine));
        self.suspect.store(false, Ordering::Release);
        self.durable.send_modify(|durable| *durable = Durable { seq, opening: durable.opening + 1 });
    }

    /// Takes the engine away from readers and waits until the last has let go.
    pub(super) fn remove(&self) -> Option<Engine> {
        let mut engine = self.engine.write().unwrap_or_else(PoisonError::into_inner).take()?;
        let looks = READERS_WAIT.as_millis() / READERS_LOOK_EVERY.as_millis();
        for _ in 0..looks {
            match Arc::try_unwrap(engine) {
                Ok(engine) => return Some(engine),
                Err(shared) => engine = shared,
            }
            std::thread::sleep(READERS_LOOK_EVERY);
        }
        None
    }

    /// Commits are refused from now on. Readers that wait for the disk give up:
    /// what they saw may not come to it.
    pub(super) fn failing(&self, health: Health) {
        self.health.send_replace(health);
        self.durable.send_modify(|durable| durable.opening += 1);
    }

    pub(super) fn suspect(&self, error: &ReadError) {
        if matches!(error, ReadError::Corrupt { .. }) {
            self.suspect.store(true, Ordering::Release);
        }
    }

    pub(super) fn take_suspicion(&self) -> bool {
        self.suspect.swap(false, Ordering::AcqRel)
    }

    /// Waits until a commit that was seen is on disk.
    pub(super) async fn on_disk(&self, rev: Rev) -> Result<(), ReadError> {
        let begun = *self.durable.borrow();
        if begun.seq >= rev {
            return Ok(());
        }
        let mut durable = self.durable.subscribe();
        let lost = || ReadError::Unavailable { why: self.health.borrow().to_string() };
        if *self.health.borrow() != Health::Ready {
            return Err(lost());
        }
        let reached = durable
            .wait_for(|durable| durable.seq >= rev || durable.opening != begun.opening)
            .await
            .map_err(|_| lost())?
            .seq;
        if reached >= rev { Ok(()) } else { Err(lost()) }
    }
}
