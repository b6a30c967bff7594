//! `handoffd store`.

use std::path::Path;

use super::Failure;
use crate::{
    app::StartError,
    config::Config,
    store::{export, verify},
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
    let dir = config.store.data_dir.join("store");
    let report = match export::export(&dir, out) {
        Ok(report) => report,
        Err(export::ExportError::Open(error)) => return Err(StartError::from(error).into()),
        Err(error) => return Err(Failure::Other(error.into())),
    };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => println!("{}: {report:?}", out.display()),
    }
    Ok(())
}
