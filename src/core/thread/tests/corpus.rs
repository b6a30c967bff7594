//! A hundred real conversations with an AI agent, which lie beside the checkout.

use super::*;
use crate::transcript::{ChatMessage, ChatRole};

#[derive(serde::Deserialize)]
struct Chat {
    conversation_id: String,
    messages: Vec<ChatMessage>,
}

fn chats() -> Option<Vec<Chat>> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus");
    let folder = std::env::var("HANDOFFD_CORPUS").unwrap_or_else(|_| beside.to_owned());
    let path = std::path::Path::new(&folder).join("airline-agent-chats.jsonl");
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().map(|line| serde_json::from_str(line).expect("a conversation")).collect())
}

/// Messages as turns; tools without inputs and answers, which are no matter here.
fn turns(chat: &Chat) -> Vec<Turn> {
    let mut found = Vec::new();
    for (at, message) in chat.messages.iter().enumerate() {
        let who = match message.role {
            ChatRole::User => "customer",
            ChatRole::Assistant => "bot",
            ChatRole::Tool | ChatRole::Other => continue,
        };
        if !message.text.is_empty() {
            found.push(turn(at + 1, who, &message.text));
        }
        for call in &message.tool_calls {
            found.push(turn(at + 1, "tool", &format!("{}|||worked", call.name)));
        }
    }
    found
}

#[test]
fn real_conversations_are_read() {
    let Some(chats) = chats() else {
        println!(
            "not run: the corpus lies in ../shared/corpus beside the checkout, or where HANDOFFD_CORPUS says"
        );
        return;
    };
    let mut known = std::collections::BTreeMap::<&str, usize>::new();
    for chat in &chats {
        let found = read_thread(&turns(chat), &rules());
        let mut count = |name, is: bool| *known.entry(name).or_default() += usize::from(is);
        count("goal", found.goal.value().is_some());
        count("blocker", found.blocker.value().is_some());
        count("blocker not applicable", matches!(found.blocker, Stated::NotApplicable { .. }));
        count("open question", found.open_question.value().is_some());
        count("English", found.language.value().is_some_and(|code| code == "en"));
        count("mood", found.mood.value().is_some());
        count("given", !found.given.is_empty());
        count("attempts", !found.attempts.is_empty());
        count("promises", !found.promises.is_empty());
        count("asked for a person", found.asked_for_human.is_some());
        if std::env::var("HANDOFFD_CORPUS_SHOW").is_ok() {
            show(chat, &found);
        }
    }
    println!("of {} conversations: {known:#?}", chats.len());
    let share = |name| known[name] * 100 / chats.len();
    assert!(share("goal") >= 95 && share("English") >= 95 && share("mood") == 100);
    assert!(share("given") >= 85 && share("attempts") >= 80);
}

fn show(chat: &Chat, found: &Findings) {
    println!("== {}", chat.conversation_id);
    println!("goal    {:?}\nblocker {:?}", found.goal.value(), found.blocker.value());
    println!("open    {:?}", found.open_question.value());
    found.promises.iter().for_each(|promise| println!("promise {}", promise.text));
    let given: Vec<String> =
        found.given.iter().map(|given| format!("{}={}", given.topic, given.value)).collect();
    println!("given   {given:?}\nmood    {:?} human {}", found.mood.value(), found.asked_for_human.is_some());
    let said = |tried: &&Tried| tried.action.split_whitespace().count() > 5;
    found
        .attempts
        .iter()
        .filter(said)
        .for_each(|tried| println!("tried   {} {:?}", tried.action, tried.result));
}
