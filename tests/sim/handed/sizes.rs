//! How large the notes are, over recorded conversations with an AI agent.
//!
//! `HANDOFFD_CORPUS=chats.jsonl cargo nextest run --test sim --run-ignored only note_sizes --no-capture`
//! plays each conversation (OpenAI chat format, one JSON object a line) at Zendesk up to its end,
//! hands it over with its transcript, and measures the note that stands on the ticket.

use std::time::Duration;

use handoffd_connectors::sim::{HumanAct, Who, faults::Faults};
use handoffd_core::{RemoteId, briefing::TITLE};
use serde_json::{Value, json};

use super::{
    play::Stage,
    stage::{Marks, Setting},
};
use crate::world::ZENDESK;

/// What a note measures.
struct Size {
    bytes: usize,
    head_lines: usize,
    head_words: usize,
}

/// The text of a message that the customer saw, and whether the customer wrote it.
fn said(message: &Value) -> Option<(bool, &str)> {
    let by_customer = match message["role"].as_str()? {
        "user" => true,
        "assistant" => false,
        _ => return None,
    };
    let text = message["content"].as_str()?.trim();
    (!text.is_empty()).then_some((by_customer, text))
}

async fn play(stage: &Stage, number: usize, chat: &Value) -> RemoteId {
    let messages = chat["messages"].as_array().expect("messages");
    let mut lines = messages.iter().filter_map(said);
    let (_, first) = lines.next().expect("somebody says something");
    let open = HumanAct::Open {
        name: format!("Customer {number}"),
        email: format!("customer-{number}@example.com"),
        subject: format!("Conversation {number}"),
        text: first.to_owned(),
        to_bot: true,
    };
    let ticket = stage.life.human(ZENDESK, open).expect("a ticket");
    for (by_customer, text) in lines {
        let who = if by_customer { Who::Customer } else { Who::Bot };
        let say = HumanAct::Say { ticket: ticket.clone(), who, text: text.to_owned(), public: true };
        stage.life.human(ZENDESK, say).expect("anybody may speak");
    }
    ticket
}

fn size_of(text: &str) -> Size {
    let head: Vec<&str> = text.lines().take_while(|line| !line.starts_with("----")).collect();
    let head_words = head.iter().map(|line| line.split_whitespace().count()).sum();
    Size { bytes: text.len(), head_lines: head.len(), head_words }
}

fn print(what: &str, mut all: Vec<usize>) {
    all.sort_unstable();
    let at = |percent: usize| all[(all.len() * percent).div_ceil(100) - 1];
    println!("{what}: p50 {}, p99 {}, max {}", at(50), at(99), at(100));
}

#[test]
#[ignore = "needs recorded conversations, named by HANDOFFD_CORPUS"]
fn note_sizes() {
    let path = std::env::var("HANDOFFD_CORPUS").expect("HANDOFFD_CORPUS names a file of conversations");
    let text = std::fs::read_to_string(&path).expect("the file can be read");
    let chats: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a conversation a line")).collect();
    let setting = Setting {
        desks: vec![ZENDESK],
        marks: Marks::Assignee,
        faults: Faults::none(),
        source: Faults::none(),
        crashes: false,
        holds: false,
        places: false,
        tales: 0,
        settled: Duration::from_secs(60),
    };
    let mut sizes = Vec::new();
    crate::past::run(async {
        let mut stage = Stage::begin(1, setting, false).await;
        for (number, chat) in chats.iter().enumerate() {
            let ticket = play(&stage, number, chat).await;
            stage.rest(Duration::from_secs(120)).await;
            let body = json!({
                "conversation": { "account": ZENDESK, "ticket_id": ticket.as_str() },
                "transcript": chat["messages"],
            });
            let answer = stage.post("/v1/handoffs", Some(&format!("chat-{number}")), &body).await;
            assert_eq!(answer.as_ref().map(|(status, _)| *status), Some(202), "{answer:?}");
            stage.rest(Duration::from_secs(60)).await;
            let tickets = stage.life.tickets(ZENDESK);
            let shown = tickets.iter().find(|shown| shown.id == ticket).expect("the ticket");
            let note =
                shown.comments.iter().find(|comment| !comment.public && comment.text.starts_with(TITLE));
            sizes.push(size_of(&note.expect("a briefing").text));
        }
    });
    println!("{} notes:", sizes.len());
    print("bytes", sizes.iter().map(|size| size.bytes).collect());
    print("lines of the head", sizes.iter().map(|size| size.head_lines).collect());
    print("words of the head", sizes.iter().map(|size| size.head_words).collect());
    assert!(sizes.iter().all(|size| size.head_lines <= 8 && size.head_words <= 120));
}
