//! Every refusal that a vendor shows, named by what the caller may do.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use handoffd_core::{Fetched, Fields, Match, Person, RemoteId};
use serde_json::Value as Json;

use super::{
    bodies::{Sampled, in_paused_time},
    canned::{Canned, Route},
    description::Sample,
    mutants::mutants,
};
use crate::{
    client::{Clock as _, TokioClock},
    conformance::bench::{ANN, NOW, private, update},
    contract::{Call, ContextSource, Error, Helpdesk, Lane, Opened},
};

/// Statuses that any vendor answers with, and whose body may be empty.
const USUAL: [u16; 7] = [400, 401, 403, 404, 409, 422, 429];

/// Answers every request with each refusal that is shown, as it is, with `null` in each place, and
/// with no body at all.
pub fn all_are_named(sampled: &Sampled, more: &[Sample]) {
    let Some(samples) = (sampled.samples)() else { return };
    let shown = samples.iter().chain(more).filter(|sample| (400..500).contains(&sample.status));
    let mut refusals: BTreeSet<(u16, String, String)> = BTreeSet::new();
    for status in USUAL {
        refusals.insert((status, String::new(), "no body".to_owned()));
        refusals.insert((status, "<html>no</html>".to_owned(), "a gateway".to_owned()));
    }
    for sample in shown {
        refusals.insert((sample.status, sample.body.to_string(), sample.name.clone()));
        for mutant in mutants(&sample.body, &[]) {
            refusals.insert((
                sample.status,
                mutant.body.to_string(),
                format!("{}: {}", sample.name, mutant.what()),
            ));
        }
    }
    let mut failed = Vec::new();
    for (status, body, name) in &refusals {
        for (asked, came) in answered(sampled, *status, body) {
            match came {
                // An account that answers 404 to everything says nothing about its tickets.
                Err(Error::Transient { .. }) if *status == 404 && asked == "fetch_many" => {}
                Err(error) if !fits(*status, &error) => {
                    failed.push(format!("{name}: HTTP {status} to {asked} became {error:?}"));
                }
                Ok(false) => {
                    failed.push(format!("{name}: HTTP {status} to {asked} was taken for an answer"));
                }
                Err(_) | Ok(true) => {}
            }
        }
    }
    println!("{}: {} refusals were named", sampled.name, refusals.len());
    let shown = failed.iter().take(40).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(failed.is_empty(), "{} refusals are misnamed\n  {shown}", failed.len());
}

/// A list of `{method, path, status, name, body}` as samples.
pub fn listed(list: &Json) -> Vec<Sample> {
    let text = |row: &Json, key: &str| row.get(key).and_then(Json::as_str).unwrap_or_default().to_owned();
    let rows = list.as_array().expect("a list of refusals");
    let sample = |row: &Json| Sample {
        name: format!("{} {} {}", text(row, "method"), text(row, "path"), text(row, "name")),
        status: text(row, "status").parse().expect("a status"),
        body: row["body"].clone(),
    };
    rows.iter().map(sample).collect()
}

/// What came of a call: an error, or whether saying no more than this is right.
type Came = Result<bool, Error>;

fn answered(sampled: &Sampled, status: u16, body: &str) -> Vec<(&'static str, Came)> {
    let route = Route { begins: "", status, body: Bytes::copy_from_slice(body.as_bytes()), version: None };
    let canned = Canned::new(vec![route]);
    in_paused_time(async {
        let clock = TokioClock::starting_at(NOW);
        match canned.open(sampled.name, (sampled.custom)(), sampled.settings, clock) {
            Opened::Helpdesk(desk) => by_helpdesk(&*desk, &clock, sampled.prefix, status).await,
            Opened::ContextSource(source) => by_source(&*source, &clock).await,
        }
    })
}

/// A call with time enough: a throttled one before it may have waited.
fn call(clock: &TokioClock) -> Call {
    Call { lane: Lane::Live, deadline: clock.now().plus(Duration::from_secs(30)) }
}

async fn by_helpdesk(
    desk: &dyn Helpdesk,
    clock: &TokioClock,
    prefix: &str,
    status: u16,
) -> Vec<(&'static str, Came)> {
    let ticket = RemoteId::new(format!("{prefix}1"));
    let note = update(&ticket, Fields::new(), Some(private("Handed over.", None)), "l0-note");
    let fetched = desk.fetch_many(call(clock), std::slice::from_ref(&ticket)).await;
    let may_be_gone = matches!(status, 403 | 404 | 410);
    let gone =
        |fetched: Vec<Fetched>| may_be_gone && fetched.iter().all(|one| matches!(one, Fetched::Gone(_)));
    vec![
        ("fetch_many", fetched.map(gone)),
        ("comments", desk.comments(call(clock), &ticket).await.map(|_| false)),
        ("apply", desk.apply(call(clock), &note, None, &[]).await.map(|_| false)),
        (
            "ensure_person",
            desk.ensure_person(call(clock), &Person::customer("Ann", ANN)).await.map(|_| false),
        ),
        ("probe", desk.probe(call(clock)).await.map(|found| !found.problems.is_empty())),
    ]
}

async fn by_source(source: &dyn ContextSource, clock: &TokioClock) -> Vec<(&'static str, Came)> {
    let found = Match { id: "cus_1".to_owned(), label: String::new(), rule: "email".to_owned() };
    vec![
        ("fetch", source.fetch(call(clock), &found).await.map(|_| false)),
        ("probe", source.probe(call(clock)).await.map(|found| !found.problems.is_empty())),
    ]
}

/// Whether the error is one that this status may be. None is ever "cannot be read".
fn fits(status: u16, error: &Error) -> bool {
    match status {
        401 => matches!(error, Error::Unauthorized { .. }),
        // A ticket that we may not see is none.
        403 => matches!(error, Error::Forbidden { .. } | Error::Unauthorized { .. } | Error::Gone),
        404 | 410 => matches!(error, Error::Gone | Error::Forbidden { .. } | Error::Refused { .. }),
        409 => matches!(
            error,
            Error::Stale | Error::Transient { .. } | Error::Unknown { .. } | Error::Refused { .. }
        ),
        429 => matches!(error, Error::Throttled { .. }),
        _ => !matches!(error, Error::Malformed { .. } | Error::Throttled { .. } | Error::Stale),
    }
}
