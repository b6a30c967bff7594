//! How complete packages of recorded conversations are. They are not in the tree: beside the
//! checkout, or where `HANDOFFD_CORPUS` says.

use super::*;
use crate::{
    capture::{CaptureRules, capture, events_from},
    transcript::{ChatMessage, TranscriptRules, statements_from},
};

#[derive(serde::Deserialize)]
struct Recorded {
    transferred_to_human: bool,
    messages: Vec<ChatMessage>,
}

fn recorded() -> Option<Vec<Recorded>> {
    let beside = || Some(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus").into());
    let folder: std::path::PathBuf = std::env::var_os("HANDOFFD_CORPUS").or_else(beside)?.into();
    let lines = std::fs::read_to_string(folder.join("airline-agent-chats.jsonl")).ok()?;
    Some(lines.lines().map(|line| serde_json::from_str(line).expect("every conversation reads")).collect())
}

/// A package with nothing but the transcript: no ticket that shows anything, no context source.
fn package(recorded: &Recorded) -> Package {
    let mut given = Given::new(HandoffKind::AiToHuman);
    given.ticket = TicketFacts::default();
    given.record.told = statements_from(&recorded.messages, &TranscriptRules::default());
    let mut captured = Captured::default();
    let rules = CaptureRules { agent: Some("helper".to_owned()), ..CaptureRules::default() };
    for event in events_from(&recorded.messages) {
        capture(&mut captured, &event, &rules);
    }
    given.captured = Some(captured);
    given.package()
}

fn report(name: &str, packages: &[Package]) -> (u32, u32) {
    let mut why: BTreeMap<(&str, String), u32> = BTreeMap::new();
    let mut missing: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut required, mut known) = (0, 0);
    for package in packages {
        let found = completeness(package);
        required += found.required;
        known += found.known;
        for (field, reason) in found.missing {
            *missing.entry(field).or_default() += 1;
            let plain = reason.replace(|c: char| c.is_ascii_digit(), "");
            *why.entry((field, plain)).or_default() += 1;
        }
    }
    let bytes: Vec<usize> =
        packages.iter().map(|package| serde_json::to_vec(package).unwrap().len()).collect();
    println!(
        "{name}: {} packages, {known} of {required} required fields known ({:.1} %)",
        packages.len(),
        f64::from(known) * 100.0 / f64::from(required)
    );
    println!("  bytes: {} to {}", bytes.iter().min().unwrap(), bytes.iter().max().unwrap());
    for ((field, reason), times) in why {
        println!("  {times:3} x {field}: {reason}");
    }
    println!("  thin: {}", packages.iter().filter(|package| is_thin(package).is_some()).count());
    (known, required)
}

#[test]
fn recorded_conversations_give_complete_packages() {
    let Some(recorded) = recorded() else {
        eprintln!("skipped: there is no corpus beside the checkout, and HANDOFFD_CORPUS names none");
        return;
    };
    let all: Vec<Package> = recorded.iter().map(package).collect();
    let handed: Vec<Package> =
        recorded.iter().filter(|recorded| recorded.transferred_to_human).map(package).collect();
    report("all conversations", &all);
    let (known, required) = report("handed over", &handed);
    if std::env::var_os("HANDOFFD_SHOW").is_some() {
        for package in &handed {
            println!("{}", serde_json::to_string_pretty(package).unwrap());
        }
    }
    assert!(handed.iter().all(|package| is_thin(package).is_none()), "a transfer that is thin");
    assert!(known * 100 >= required * 85, "{known} of {required}");
}
