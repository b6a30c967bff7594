//! Every body that a vendor shows, read by the adapter; and each once more with
//! what real traffic does and the descriptions forbid.
//!
//! Readings go through the contract: a vendor says which request the body
//! answers and which method of the contract reads it.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Fetched, Fields, Match, Person, RemoteId};
use serde_json::Value as Json;

use super::{
    canned::{Canned, Route},
    description::{Sample, entries},
    mutants::{Mutant, mutants},
};
use crate::{
    client::TokioClock,
    conformance::{
        bench::{ANN, NOW, key, private, update},
        create::mirror,
        shop::{subject, unknown},
    },
    contract::{Attempted, Call, ContextSource, CustomField, FeedRow, FeedStart, Helpdesk, Lane, Opened},
};

/// The bodies of a vendor and how they are read.
pub struct Sampled {
    /// The connector's name.
    pub name: &'static str,
    /// Settings beside those that the simulator suggests, a JSON object.
    pub settings: &'static str,
    /// What stands before the vendor's id of a record in ours.
    pub prefix: &'static str,
    /// The bodies; `None` where they are absent.
    pub samples: fn() -> Option<Vec<Sample>>,
    /// Custom fields of the account.
    pub custom: fn() -> Vec<CustomField>,
    /// What other requests are answered: the beginning of `METHOD /path?query`, and JSON.
    pub around: &'static [(&'static str, &'static str)],
    /// How the bodies are read.
    pub readings: &'static [Reading],
    /// Names of those that nothing in the adapter reads; `None` where they are too many to be named.
    pub unread: Option<&'static [&'static str]>,
    /// Values that real traffic has at a place, as JSON; `*` in the place is any part.
    pub odd: &'static [(&'static str, &'static [&'static str])],
}

/// How one kind of body is read.
pub struct Reading {
    /// Its name, for failures.
    pub name: &'static str,
    /// The body as the vendor would answer with it, if the sample is of this kind.
    pub of: fn(&Sample) -> Option<Json>,
    /// The beginning of `METHOD /path?query` of the request that it answers.
    pub answers: &'static str,
    /// Who reads it.
    pub by: By,
    /// Where its rows are, as a JSON pointer; `None` where it is one thing.
    pub rows: Option<&'static str>,
    /// Fields without which a row has no identity or no place in the order: it may be refused without them.
    pub needs: &'static [&'static str],
}

/// A method of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each vendor uses those that its bodies are for")]
pub enum By {
    /// `changes` of the feed with this number.
    Feed(usize),
    /// `fetch_many` of the ids in the rows.
    Fetch,
    /// `comments`.
    Comments,
    /// `history`.
    History,
    /// `catalog`.
    Catalog,
    /// `apply` of an update with a note.
    Update,
    /// `apply` of a creation.
    Create,
    /// `find_applied` of an update.
    FindUpdate,
    /// `find_applied` of a creation.
    FindCreate,
    /// `ensure_person`.
    Person,
    /// `probe`.
    Probe,
    /// `resolve` of a context source.
    Resolve,
    /// `fetch` of a context source.
    Facts,
}

/// Why something was not read.
#[derive(Debug)]
enum Unread {
    /// A row, or the one thing.
    Row(String),
    /// Everything, because of one row.
    Whole(String),
}

/// Reads every body that has a reader.
pub fn all_are_read(sampled: &Sampled) {
    let Some(samples) = (sampled.samples)() else { return };
    let mut read: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut failed, mut left) = (Vec::new(), BTreeSet::new());
    for sample in samples.iter().filter(|sample| sample.is_good()) {
        let before = read.values().sum::<usize>();
        for (reading, body) in fitting(sampled, sample) {
            *read.entry(reading.name).or_default() += 1;
            if let Err(why) = check(sampled, reading, &body) {
                failed.push(format!("{} as {}: {why}\n    {body}", sample.name, reading.name));
            }
        }
        if read.values().sum::<usize>() == before {
            left.insert(sample.name.as_str());
        }
    }
    println!("{}: read {read:?}, {} bodies have no reader", sampled.name, left.len());
    assert!(failed.is_empty(), "{} cannot be read\n  {}", sampled.name, failed.join("\n  "));
    let idle: Vec<&str> =
        sampled.readings.iter().map(|one| one.name).filter(|name| !read.contains_key(name)).collect();
    assert!(idle.is_empty(), "no body is of the kinds {idle:?}");
    if let Some(unread) = sampled.unread {
        let expected: BTreeSet<&str> = unread.iter().copied().collect();
        assert_eq!(left, expected, "bodies that nothing reads are named, one by one");
    }
}

/// Reads every body with each of its fields `null`, with words and fields that nobody knows, and with
/// the values that real traffic has.
pub fn odd_ones_are_read(sampled: &Sampled) {
    let Some(samples) = (sampled.samples)() else { return };
    let (mut count, mut failed) = (0, Vec::new());
    let mut met = BTreeSet::new();
    for sample in samples.iter().filter(|sample| sample.is_good()) {
        for (reading, body) in fitting(sampled, sample) {
            let ids = ids(sampled, &body, reading);
            let Ok(whole) = read(sampled, reading, &body, &ids) else { continue };
            for mutant in mutants(&body, sampled.odd) {
                count += 1;
                met.extend(mutant.odd);
                let came = read(sampled, reading, &mutant.body, &ids);
                if let Err(why) = judged(reading, &mutant, whole, came) {
                    failed.push(format!("{} as {}: {}: {why}", sample.name, reading.name, mutant.what()));
                }
            }
        }
    }
    println!("{}: {count} odd bodies were read", sampled.name);
    let shown = failed.iter().take(40).cloned().collect::<Vec<_>>().join("\n  ");
    assert!(failed.is_empty(), "{} odd bodies spoil the reading\n  {shown}", failed.len());
    let unmet: Vec<&str> =
        sampled.odd.iter().map(|(place, _)| *place).filter(|place| !met.contains(place)).collect();
    assert!(unmet.is_empty(), "no body has anything at {unmet:?}");
}

fn fitting<'a>(sampled: &'a Sampled, sample: &'a Sample) -> impl Iterator<Item = (&'a Reading, Json)> {
    sampled.readings.iter().filter_map(|reading| Some((reading, (reading.of)(sample)?)))
}

/// Reads a body as it is shown: all of its rows must come out.
fn check(sampled: &Sampled, reading: &Reading, body: &Json) -> Result<(), String> {
    let came = match read(sampled, reading, body, &ids(sampled, body, reading)) {
        Ok(came) => came,
        // Some bodies are shortened for print; what they lack is named.
        Err(Unread::Row(why))
            if reading.needs.iter().any(|need| lacks(body, reading, need) && why.contains(need)) =>
        {
            return Ok(());
        }
        Err(why) => return Err(format!("{why:?}")),
    };
    let expected = rows(body, reading).map_or(1, Vec::len);
    match reading.by {
        By::Feed(_) | By::Fetch | By::History if came != expected => {
            Err(format!("{came} of {expected} rows were read"))
        }
        _ if came == 0 && expected > 0 => Err("nothing came of it".to_owned()),
        _ => Ok(()),
    }
}

/// Whether the reading of a body that is odd in one place came out as it should.
fn judged(
    reading: &Reading,
    mutant: &Mutant,
    whole: usize,
    came: Result<usize, Unread>,
) -> Result<(), String> {
    let parts: Vec<&str> = mutant.place.iter().map(String::as_str).collect();
    let needed = parts.last().is_some_and(|last| reading.needs.contains(last));
    let list: Vec<&str> = reading.rows.unwrap_or_default().split('/').skip(1).collect();
    // A row that is `null`, or a page without its list, says nothing.
    let below_row = reading.rows.is_none() && !parts.is_empty()
        || parts.starts_with(&list) && parts.len() > list.len() + 1
        || !list.starts_with(&parts) && !parts.starts_with(&list);
    let is_list = !parts.is_empty() && list.starts_with(&parts);
    match came {
        // Nothing at all is not read as "there is none".
        Err(Unread::Whole(_)) if is_list => Ok(()),
        Err(Unread::Whole(why)) => Err(why),
        Err(Unread::Row(_)) if needed || !below_row => Ok(()),
        Err(Unread::Row(why)) => Err(why),
        Ok(came) if came < whole && below_row && !needed && is_counted(reading.by) => {
            Err(format!("{came} rows came of it, not {whole}"))
        }
        Ok(_) => Ok(()),
    }
}

/// Whether rows come out one by one.
fn is_counted(by: By) -> bool {
    matches!(by, By::Feed(_) | By::Fetch | By::Comments | By::History)
}

fn rows<'a>(body: &'a Json, reading: &Reading) -> Option<&'a Vec<Json>> {
    body.pointer(reading.rows?)?.as_array()
}

/// Whether a row, or the one thing, has no such field.
fn lacks(body: &Json, reading: &Reading, need: &str) -> bool {
    match rows(body, reading) {
        Some(rows) => rows.iter().any(|row| row.get(need).is_none()),
        None => body.get(need).is_none() && !entries(Some(body)).any(|(_, below)| below.get(need).is_some()),
    }
}

fn ids(sampled: &Sampled, body: &Json, reading: &Reading) -> Vec<RemoteId> {
    let one = std::slice::from_ref(body);
    let rows = rows(body, reading).map_or(one, Vec::as_slice);
    let text = |id: &Json| id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let ours = |id: &Json| RemoteId::new(format!("{}{}", sampled.prefix, text(id)));
    rows.iter().filter_map(|row| row.get("id")).map(ours).collect()
}

/// Opens the account anew, answers with the body, and counts what came of it.
fn read(sampled: &Sampled, reading: &Reading, body: &Json, ids: &[RemoteId]) -> Result<usize, Unread> {
    let mut routes = vec![Route::json(reading.answers, body)];
    let fixed = |(begins, body): &(&'static str, &'static str)| Route {
        begins,
        status: 200,
        body: bytes::Bytes::from_static(body.as_bytes()),
        version: None,
    };
    routes.extend(sampled.around.iter().map(fixed));
    let canned = Canned::new(routes);
    let came = in_paused_time(async {
        match canned.open(sampled.name, (sampled.custom)(), sampled.settings, TokioClock::starting_at(NOW)) {
            Opened::Helpdesk(desk) => by_helpdesk(&*desk, reading.by, sampled.prefix, ids).await,
            Opened::ContextSource(source) => by_source(&*source, reading.by).await,
        }
    });
    let came = came.map_err(|why| match why {
        Unread::Row(why) => Unread::Row(format!("{why} (asked {:?})", canned.asked())),
        Unread::Whole(why) => Unread::Whole(why),
    })?;
    assert!(
        canned.is_first_used(),
        "{}: nobody asked {}, but {:?}",
        reading.name,
        reading.answers,
        canned.asked()
    );
    Ok(came)
}

/// Runs it in a runtime whose time stands still while anything can be done.
pub fn in_paused_time<T>(doing: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime").block_on(doing)
}

/// A call with time enough for everything.
pub fn call() -> Call {
    Call { lane: Lane::Live, deadline: NOW.plus(std::time::Duration::from_secs(30)) }
}

fn row(error: impl std::fmt::Display) -> Unread {
    Unread::Row(error.to_string())
}

async fn by_helpdesk(desk: &dyn Helpdesk, by: By, prefix: &str, ids: &[RemoteId]) -> Result<usize, Unread> {
    let ticket = RemoteId::new(format!("{prefix}1"));
    let note = update(&ticket, Fields::new(), Some(private("Handed over.", None)), "l0-note");
    let made = mirror("Ann", ANN, Some("Hello"), "l0-made");
    let (claimed, author) = (BTreeSet::new(), RemoteId::from("1"));
    let lost = |intent| Attempted { intent, sent_at: NOW, claimed: &claimed, author: None };
    match by {
        By::Feed(at) => {
            let page = desk.changes(call(), desk.feeds()[at], FeedStart::Since(NOW)).await;
            counted(page.map_err(|why| Unread::Whole(why.to_string()))?.rows)
        }
        By::History => {
            let page = desk.history(call(), FeedStart::Since(NOW)).await;
            counted(page.map_err(|why| Unread::Whole(why.to_string()))?.rows)
        }
        By::Fetch => {
            let fetched = desk.fetch_many(call(), ids).await.map_err(row)?;
            Ok(fetched.iter().filter(|one| matches!(one, Fetched::Shown(_))).count())
        }
        By::Comments => Ok(desk.comments(call(), &ticket).await.map_err(row)?.len()),
        By::Catalog => {
            let found = desk.catalog(call()).await.map_err(row)?;
            let owners = found.agents.len() + found.teams.len();
            Ok(found.fields.len() + found.statuses.len() + found.types.len() + owners)
        }
        By::Update => desk.apply(call(), &note, None, &[]).await.map(|_| 1).map_err(row),
        By::Create => desk.apply(call(), &made, Some(&author), &[]).await.map(|_| 1).map_err(row),
        By::FindUpdate => desk.find_applied(call(), lost(&note)).await.map(|_| 1).map_err(row),
        By::FindCreate => desk.find_applied(call(), lost(&made)).await.map(|_| 1).map_err(row),
        By::Person => {
            let ann = Person::customer("Ann", ANN);
            desk.ensure_person(call(), &ann).await.map(|_| 1).map_err(row)
        }
        By::Probe => desk.probe(call()).await.map(|_| 1).map_err(row),
        By::Resolve | By::Facts => panic!("{} is a helpdesk", key(&ticket).account),
    }
}

/// Rows that came out; one that did not is told.
fn counted(rows: Vec<FeedRow>) -> Result<usize, Unread> {
    let count = rows.len();
    for row in rows {
        if let FeedRow::Unreadable { what, .. } = row {
            return Err(Unread::Row(what));
        }
    }
    Ok(count)
}

async fn by_source(source: &dyn ContextSource, by: By) -> Result<usize, Unread> {
    match by {
        By::Resolve => source.resolve(call(), &subject(ANN)).await.map(|_| 1).map_err(row),
        By::Facts => {
            let found = Match { id: "cus_1".to_owned(), label: String::new(), rule: "email".to_owned() };
            let facts = source.fetch(call(), &found).await.map_err(row)?;
            match facts.iter().find_map(unknown) {
                Some(why) => Err(Unread::Row(why.to_owned())),
                None => Ok(facts.len()),
            }
        }
        By::Probe => source.probe(call()).await.map(|_| 1).map_err(row),
        _ => panic!("a context source is not asked so"),
    }
}
