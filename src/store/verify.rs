//! Whether everything in a store is what was written, and all of it.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::Serialize;

use super::{
    Shard, codec,
    codec::Corrupt,
    keys::{self, Named},
    plan::{self, Head},
    scan,
    sled::{
        OpenError,
        engine::{Engine, EngineError},
        files::{self, DirLock, Sidecar},
    },
};

/// The most findings that a report lists; the rest is counted.
pub const FINDINGS_MAX: usize = 100;

const CACHE_BYTES: u64 = 32 << 20;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The table and key, or the file.
    pub place: String,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.what)
    }
}

/// What a full check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Whether nothing is wrong.
    pub ok: bool,
    /// The last commit.
    pub commit_seq: u64,
    /// The last commit that the sidecar knows to have been on disk.
    pub sidecar_seq: Option<u64>,
    /// Whether the store was closed by its last process.
    pub closed_cleanly: bool,
    /// Whether commits that were on disk are missing.
    pub tail_lost: bool,
    /// Rows by table.
    pub tables: BTreeMap<String, u64>,
    /// Jobs.
    pub jobs: u64,
    /// Leases that were ever taken.
    pub leases: u64,
    /// What is wrong, at most [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub findings_total: u64,
}

/// Checks the store in `dir`, which no process may have open. Blocks: seconds for a million rows.
pub fn verify(dir: &Path) -> Result<VerifyReport, OpenError> {
    if !Engine::exists(dir) {
        return Err(OpenError::no_store(dir));
    }
    let _lock = DirLock::take(dir)?;
    let sidecar = files::read_sidecar(dir);
    let engine = Engine::open(dir, CACHE_BYTES).map_err(|error| OpenError::engine(dir, error))?;
    let report = check(dir, &engine, &sidecar);
    engine.close().map_err(|error| OpenError::engine(dir, error))?;
    Ok(report)
}

/// Checks everything that an open store holds.
pub(super) fn check(dir: &Path, engine: &Engine, sidecar: &Result<Option<Sidecar>, String>) -> VerifyReport {
    let mut check = Check::default();
    for row in engine.all() {
        match row {
            Ok((key, stored)) => check.row(&key, &stored),
            Err(error) => check.engine("the rows", &error),
        }
    }
    match engine.head() {
        Ok(Ok(head)) => check.head(&head),
        // A damaged head is a row like others and found already.
        Ok(Err(_)) => {}
        Err(error) => check.engine("the head record", &error),
    }
    check.sidecar(dir, sidecar);
    check.report.ok = check.report.findings_total == 0;
    check.report
}

#[derive(Default)]
struct Check {
    report: VerifyReport,
    rows: u64,
    sum: u64,
    /// The sum over the queue places that jobs ask for, less those that are there.
    queue_balance: u64,
}

impl Check {
    fn find(&mut self, place: String, what: impl Into<String>) {
        self.report.findings_total += 1;
        if self.report.findings.len() < FINDINGS_MAX {
            self.report.findings.push(Finding { place, what: what.into() });
        }
    }

    fn engine(&mut self, place: &str, error: &EngineError) {
        self.find(place.to_owned(), error.to_string());
    }

    fn row(&mut self, key: &[u8], stored: &[u8]) {
        if key != keys::HEAD {
            self.rows += 1;
            self.sum = self.sum.wrapping_add(u64::from(codec::stored_sum(stored)));
        }
        if let Err(Corrupt { place, what }) = self.named(key, stored) {
            self.find(place, what);
        }
    }

    fn named(&mut self, key: &[u8], stored: &[u8]) -> Result<(), Corrupt> {
        match keys::name(key) {
            Some(Named::Head) => plan::head(Some(stored)).map(drop),
            Some(Named::Job(id)) => {
                self.report.jobs += 1;
                let (job, _) = plan::job(&id, stored)?;
                let place = keys::queued(Shard::of(&job.order_key), job.run_at, &id);
                self.queue_balance = self.queue_balance.wrapping_add(u64::from(crc32c::crc32c(&place)));
                Ok(())
            }
            Some(Named::Queued(..)) => {
                self.queue_balance = self.queue_balance.wrapping_sub(u64::from(crc32c::crc32c(key)));
                scan::queued(key, stored).map(drop)
            }
            Some(Named::Lease(_)) => {
                self.report.leases += 1;
                codec::decode(key, stored).map(drop)
            }
            Some(Named::Row(table, _)) => {
                *self.report.tables.entry(table).or_default() += 1;
                codec::decode(key, stored).map(drop)
            }
            None => Err(Corrupt { place: keys::shown(key), what: "no handoffd writes such a key" }),
        }
    }

    fn head(&mut self, head: &Head) {
        self.report.commit_seq = head.commit_seq;
        if self.rows != head.rows {
            let what = format!("{} rows are there, {} were written", self.rows, head.rows);
            self.find("the rows".to_owned(), what);
        } else if self.sum != head.sum {
            self.find("the rows".to_owned(), "one of them is not the one that was written last");
        }
        if self.queue_balance != 0 {
            self.find("the jobs".to_owned(), "jobs and their queue do not match");
        }
    }

    fn sidecar(&mut self, dir: &Path, sidecar: &Result<Option<Sidecar>, String>) {
        let head = self.report.commit_seq;
        match sidecar {
            Ok(Some(sidecar)) => {
                self.report.sidecar_seq = Some(sidecar.commit_seq);
                self.report.closed_cleanly = sidecar.clean;
                if sidecar.commit_seq > head {
                    self.report.tail_lost = true;
                    let what = format!("commit {} was on disk, the log ends at {head}", sidecar.commit_seq);
                    self.find(dir.display().to_string(), what);
                }
            }
            Ok(None) if head == 0 => {}
            Ok(None) => self.find("the sidecar".to_owned(), "it is missing"),
            Err(why) => self.find("the sidecar".to_owned(), why.clone()),
        }
    }
}
