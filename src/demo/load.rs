//! Plays recorded conversations: messages become public comments at Zendesk,
//! tool calls go only into the transcript of the handoff.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Context as _, Result, bail, ensure};
use handoffd_connectors::sim::{HumanAct, ShownTicket, Who};
use handoffd_core::{RemoteId, fold_text};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{FRESHDESK, ZENDESK, player::Player, story::is_briefing};

/// One recorded conversation.
#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    conversation_id: String,
    messages: Vec<Value>,
    #[serde(default)]
    transferred_to_human: bool,
}

/// Something that the customer or the AI agent said.
struct Line<'a> {
    by_customer: bool,
    text: &'a str,
}

/// Reads a file of one JSON object a line.
pub(super) fn read(path: &Path) -> Result<Vec<Chat>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let mut chats = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = format!("{}:{}", path.display(), number + 1);
        let chat: Chat =
            serde_json::from_str(line).with_context(|| format!("{place}: this is no conversation"))?;
        ensure!(!chat.lines().is_empty(), "{place}: nobody says anything in {}", chat.conversation_id);
        ensure!(ids.insert(chat.conversation_id.clone()), "{place}: {} comes twice", chat.conversation_id);
        chats.push(chat);
    }
    ensure!(!chats.is_empty(), "{}: there is no conversation", path.display());
    Ok(chats)
}

impl Chat {
    fn lines(&self) -> Vec<Line<'_>> {
        let said = self.messages.iter().filter_map(|message| {
            let by_customer = match message.get("role")?.as_str()? {
                "user" => true,
                "assistant" => false,
                _ => return None,
            };
            let text = message.get("content")?.as_str()?.trim();
            (!text.is_empty()).then_some(Line { by_customer, text })
        });
        said.collect()
    }

    /// The first e-mail address of the conversation, else one made from its id.
    fn email(&self) -> String {
        let texts = self.messages.iter().filter_map(|message| message.get("content")?.as_str());
        let found = texts.flat_map(words).find(|word| is_email(word));
        found.map_or_else(|| format!("{}@example.com", self.conversation_id), str::to_lowercase)
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "@._+-".contains(c)))
        .map(|word| word.trim_matches(['.', '-']))
}

fn is_email(word: &str) -> bool {
    word.split_once('@').is_some_and(|(name, host)| {
        !name.is_empty() && host.contains('.') && !host.contains('@') && !host.starts_with('.')
    })
}

/// Plays every conversation, then checks both helpdesks.
pub(super) async fn play(player: &Player, chats: &[Chat]) -> Result<()> {
    let messages: usize = chats.iter().map(|chat| chat.lines().len()).sum();
    println!("Playing {} conversations with {messages} public messages at Zendesk.", chats.len());
    let mut tickets = BTreeMap::new();
    for (number, chat) in chats.iter().enumerate() {
        let id =
            play_one(player, chat).await.with_context(|| format!("conversation {}", chat.conversation_id))?;
        tickets.insert(chat.conversation_id.as_str(), id);
        if (number + 1) % 10 == 0 {
            println!("  {} of {} played", number + 1, chats.len());
        }
    }
    println!("Waiting until both helpdesks show all of it.");
    let outcome = wait_for_all(player, chats, &tickets).await?;
    println!(
        "Done: {} conversations and {messages} messages complete and in order on both sides; {outcome} briefings, \
         one for each of the {} handoffs, none elsewhere.",
        chats.len(),
        chats.iter().filter(|chat| chat.transferred_to_human).count(),
    );
    Ok(())
}

async fn play_one(player: &Player, chat: &Chat) -> Result<RemoteId> {
    let lines = chat.lines();
    let email = chat.email();
    let subject = format!("Conversation {}", chat.conversation_id);
    let Some((first, rest)) = lines.split_first() else { bail!("nobody says anything") };
    let name = email.split('@').next().unwrap_or("Customer").to_owned();
    let text = first.text.to_owned();
    let id = match first.by_customer {
        true => player.act(ZENDESK, HumanAct::Open { name, email, subject, text, to_bot: true })?,
        false => player.open_as_agent(&name, &email, &subject, &text)?,
    };
    for line in rest {
        let who = if line.by_customer { Who::Customer } else { Who::Bot };
        player.say(ZENDESK, &id, who, line.text, true)?;
        // Let the daemon work meanwhile, as it would in life.
        tokio::task::yield_now().await;
    }
    if chat.transferred_to_human {
        let body = json!({
            "conversation": { "account": ZENDESK, "ticket_id": id.as_str() },
            "transcript": chat.messages,
        });
        player.announce(&chat.conversation_id, &body).await?;
        player
            .act(ZENDESK, HumanAct::Assign { ticket: id.clone(), to: Some(Who::Agent("Tom".to_owned())) })?;
    }
    Ok(id)
}

/// Waits for everything; answers with the number of briefings.
async fn wait_for_all(player: &Player, chats: &[Chat], tickets: &BTreeMap<&str, RemoteId>) -> Result<usize> {
    let give_up = player.now().plus(std::time::Duration::from_secs(280));
    let mut last_said = player.now();
    loop {
        let missing = missing(player, chats, tickets);
        match missing.first() {
            None => break,
            Some(first) if player.now() > give_up => {
                bail!("{} conversations are not complete on both sides; {first}", missing.len());
            }
            Some(_) if player.now().since(last_said).as_secs() >= 2 => {
                println!("  {} of {} complete", chats.len() - missing.len(), chats.len());
                last_said = player.now();
            }
            Some(_) => {}
        }
        player.rest(std::time::Duration::from_millis(200)).await;
    }
    // What must not come would come now.
    player.rest(std::time::Duration::from_secs(2)).await;
    check_at_the_end(player, chats, tickets)
}

fn missing(player: &Player, chats: &[Chat], tickets: &BTreeMap<&str, RemoteId>) -> Vec<String> {
    let ours = by_subject(player, ZENDESK);
    let theirs = by_subject(player, FRESHDESK);
    let lacks = chats.iter().filter_map(|chat| {
        let id = &chat.conversation_id;
        let subject = format!("Conversation {id}");
        let known = tickets.get(id.as_str())?;
        let zendesk = ours.get(&subject).filter(|ticket| ticket.id == *known);
        let complete = |ticket: Option<&ShownTicket>| ticket.is_some_and(|ticket| is_complete(ticket, chat));
        let briefed = zendesk.map_or(0, briefings) >= usize::from(chat.transferred_to_human);
        match (complete(zendesk), complete(theirs.get(&subject)), briefed) {
            (true, true, true) => None,
            (false, ..) => Some(format!("{id} at Zendesk")),
            (_, false, _) => Some(format!("{id} at Freshdesk")),
            (.., false) => Some(format!("{id} has no briefing")),
        }
    });
    lacks.collect()
}

fn by_subject(player: &Player, vendor: &str) -> BTreeMap<String, ShownTicket> {
    player.sandbox.tickets(vendor).into_iter().map(|ticket| (ticket.subject.clone(), ticket)).collect()
}

/// Whether the public messages are those of the conversation, in order.
fn is_complete(ticket: &ShownTicket, chat: &Chat) -> bool {
    let lines = chat.lines();
    let shown: Vec<_> = ticket.comments.iter().filter(|comment| comment.public).collect();
    shown.len() == lines.len()
        && shown.iter().zip(&lines).all(|(comment, line)| fold_text(&comment.text) == fold_text(line.text))
}

fn briefings(ticket: &ShownTicket) -> usize {
    ticket.comments.iter().filter(|comment| is_briefing(&comment.text)).count()
}

/// Exactly one ticket a conversation on each side, exactly one private briefing
/// a handoff, each with what was tried.
fn check_at_the_end(player: &Player, chats: &[Chat], tickets: &BTreeMap<&str, RemoteId>) -> Result<usize> {
    for vendor in [ZENDESK, FRESHDESK] {
        let shown = player.sandbox.tickets(vendor).len();
        ensure!(shown == chats.len(), "{vendor} has {shown} tickets for {} conversations", chats.len());
    }
    let mut found = 0;
    let ours = by_subject(player, ZENDESK);
    for chat in chats {
        let id = &chat.conversation_id;
        let ticket = ours.get(&format!("Conversation {id}")).with_context(|| format!("{id} is gone"))?;
        ensure!(tickets.get(id.as_str()) == Some(&ticket.id), "{id} is another ticket");
        let count = briefings(ticket);
        ensure!(count == usize::from(chat.transferred_to_human), "{id} has {count} briefings");
        let note = ticket.comments.iter().find(|comment| is_briefing(&comment.text));
        if let Some(note) = note {
            ensure!(!note.public, "the briefing of {id} is public");
            for tool in tools_of(chat) {
                ensure!(
                    note.text.contains(&tool),
                    "the briefing of {id} does not say that {tool:?} was tried"
                );
            }
        }
        found += count;
    }
    let elsewhere: usize = player.sandbox.tickets(FRESHDESK).iter().map(briefings).sum();
    ensure!(elsewhere == 0, "Freshdesk has {elsewhere} briefings that belong to Zendesk");
    Ok(found)
}

/// The tools that the AI agent called, as a briefing writes them; not the handoff itself.
fn tools_of(chat: &Chat) -> Vec<String> {
    let calls = chat.messages.iter().filter_map(|message| message.get("tool_calls")?.as_array());
    let names = calls.flatten().filter_map(|call| call.pointer("/function/name")?.as_str());
    let tried = names.filter(|name| !name.starts_with("transfer") && *name != "think");
    tried.map(|name| name.replace('_', " ")).collect()
}
