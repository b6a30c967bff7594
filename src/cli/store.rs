//! `handoffd store`.

use std::path::Path;

use super::Failure;
use crate::{
    app::StartError,
    config::Config,
    store::{
        export::{self, ExportError, ExportReport},
        verify,
    },
};

pub(super) fn verify(config: &Config, json: bool) -> Result<(), Failure> {
    let dir = config.store.data_dir.join("store");
    let report = verify::verify(&dir).map_err(StartError::from)?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}: commit {}, {} jobs", dir.display(), report.commit_seq, report.jobs);
        for (table, rows) in &report.tables {
            println!("  {table}: {rows} rows");
        }
        for finding in &report.findings {
            println!("  wrong: {finding}");
        }
        println!("{}", if report.ok { "nothing is wrong" } else { "something is wrong" });
    }
    match report.ok {
        true => Ok(()),
        false => Err(Failure::Start(StartError::Store(crate::store::sled::OpenError::Damaged {
            dir,
            what: format!("{} findings", report.findings_total),
        }))),
    }
}

pub(super) fn export(config: &Config, out: &Path, json: bool) -> Result<(), Failure> {
    let report = done(export::export(&config.store.data_dir.join("store"), out))?;
    tell("written to", out, &report, json)
}

pub(super) fn import(config: &Config, from: &Path, json: bool) -> Result<(), Failure> {
    let report = done(export::import(from, &config.store.data_dir.join("store")))?;
    tell("restored from", from, &report, json)
}

fn done(outcome: Result<ExportReport, ExportError>) -> Result<ExportReport, Failure> {
    outcome.map_err(|error| match error {
        ExportError::Open(error) => StartError::from(error).into(),
        error => Failure::Other(error.into()),
    })
}

fn tell(what: &str, file: &Path, report: &ExportReport, json: bool) -> Result<(), Failure> {
    match json {
        true => println!("{}", serde_json::to_string_pretty(report)?),
        false => println!("{what} {}: {report:?}", file.display()),
    }
    Ok(())
}
