//! The story: what handoffd is for, in five scenes, each seen at the vendors.

use anyhow::{Context as _, Result, ensure};
use handoffd_connectors::sim::{HumanAct, ShownTicket, Who};
use handoffd_core::{Field, Priority, RemoteId, fold_text};
use serde_json::json;

use super::{FRESHDESK, INTERCOM, ZENDESK, player::Player};
use crate::store::{
    Key,
    tables::{self, JOURNAL, JournalRow},
};
use handoffd_core::reconcile::Decision;

const EMAIL: &str = "dana@example.com";
const QUESTION: &str = "Hello, I was charged twice for October. Can you look into it?";
const BOT_ANSWER: &str = "Hello Dana! I am the shop's assistant. Let me look at your invoices.";
const HUMAN_ANSWER: &str =
    "Hi Dana, Mara from billing here. One of the two charges was only reserved and is dropped by Friday.";
const NOTE: &str = "The bank confirms it: the second charge was never captured.";
const LAST_WORDS: &str =
    "Hi Dana, Tom here. I have seen what happened and what was tried; the refund is on its way.";

fn scene(number: u32, title: &str) {
    println!("\n{number}. {title}");
}

fn happens(text: &str) {
    println!("   · {text}");
}

fn seen(text: &str) {
    println!("   ✓ {text}");
}

pub(super) async fn play(player: &Player) -> Result<()> {
    println!(
        "handoffd demo: three helpdesks (Zendesk, Freshdesk, Intercom) and a billing system (Stripe), all simulated on \
         this machine."
    );
    println!("handoffd itself is the real thing. Every ✓ was read from the vendors' side.");
    prepare_billing(player).await?;
    let at = customer_writes(player).await?;
    human_answers(player, &at).await?;
    both_change(player, &at).await?;
    hands_over(player, &at).await?;
    println!("\nThe end: every step was seen to happen at the vendors.");
    Ok(())
}

/// The customer has a plan and an open invoice.
async fn prepare_billing(player: &Player) -> Result<()> {
    let customer = player.bill("/v1/customers", &[("email", EMAIL), ("name", "Dana Reyes")]).await?;
    let product = player.bill("/v1/products", &[("name", "Team plan")]).await?;
    let price = [
        ("product", product.as_str()),
        ("currency", "eur"),
        ("unit_amount", "4900"),
        ("recurring[interval]", "month"),
        ("nickname", "Team plan, monthly"),
    ];
    let price = player.bill("/v1/prices", &price).await?;
    let subscription = [
        ("customer", customer.as_str()),
        ("items[0][price]", price.as_str()),
        ("items[0][quantity]", "3"),
        ("collection_method", "send_invoice"),
        ("days_until_due", "14"),
    ];
    player.bill("/v1/subscriptions", &subscription).await?;
    Ok(())
}

/// Where the one conversation stands.
struct Places {
    zendesk: RemoteId,
    freshdesk: RemoteId,
    intercom: RemoteId,
}

async fn customer_writes(player: &Player) -> Result<Places> {
    scene(1, "A customer writes to the AI agent in Zendesk");
    let open = HumanAct::Open {
        name: "Dana Reyes".to_owned(),
        email: EMAIL.to_owned(),
        subject: "Charged twice".to_owned(),
        text: QUESTION.to_owned(),
        to_bot: true,
    };
    let zendesk = player.act(ZENDESK, open)?;
    happens(&format!("Dana: “{QUESTION}”"));
    player.say(ZENDESK, &zendesk, Who::Bot, BOT_ANSWER, true)?;
    happens(&format!("AI agent: “{BOT_ANSWER}”"));
    let freshdesk = mirrored(player, FRESHDESK, "Freshdesk").await?;
    let intercom = mirrored(player, INTERCOM, "Intercom").await?;
    Ok(Places { zendesk, freshdesk, intercom })
}

/// Waits for the mirror at a helpdesk, whole.
async fn mirrored(player: &Player, vendor: &str, name: &str) -> Result<RemoteId> {
    let is_it = |ticket: &ShownTicket| {
        ticket.requester == EMAIL && shows(ticket, QUESTION, true) && tells(ticket, vendor, BOT_ANSWER)
    };
    let what = format!("the ticket at {name}, with both messages");
    let mirror = player.until(&what, || player.sandbox.tickets(vendor).into_iter().find(is_it)).await?;
    let messages = mirror.comments.len();
    ensure!(messages == 2, "{name} shows {messages} messages instead of 2");
    seen(&format!("{name} shows the conversation as {}, from {}", mirror.id, mirror.requester));
    Ok(mirror.id)
}

async fn human_answers(player: &Player, at: &Places) -> Result<()> {
    scene(2, "A human answers in Freshdesk, another adds a note in Intercom");
    let before = mails_about(player);
    player.say(FRESHDESK, &at.freshdesk, Who::Agent("Mara".to_owned()), HUMAN_ANSWER, true)?;
    happens(&format!("Mara, in Freshdesk: “{HUMAN_ANSWER}”"));
    shown_at(player, ZENDESK, &at.zendesk, HUMAN_ANSWER, true).await?;
    seen("Zendesk shows Mara's answer");
    player
        .until("the answer at Intercom", || {
            player.ticket(INTERCOM, &at.intercom).filter(|ticket| tells(ticket, INTERCOM, HUMAN_ANSWER))
        })
        .await?;
    seen("Intercom shows it as a note, because Intercom would mail a reply a second time");
    player.say(INTERCOM, &at.intercom, Who::Agent("Ines".to_owned()), NOTE, false)?;
    happens(&format!("Ines, in Intercom, for colleagues only: “{NOTE}”"));
    for (vendor, ticket) in [(ZENDESK, &at.zendesk), (FRESHDESK, &at.freshdesk)] {
        player
            .until(&format!("the note at {vendor}"), || {
                let ticket = player.ticket(vendor, ticket)?;
                ticket.comments.into_iter().find(|one| one.text.contains(NOTE) && !one.public)
            })
            .await?;
    }
    seen("Zendesk and Freshdesk show Ines's note, privately");
    player.rest(std::time::Duration::from_millis(300)).await;
    let mails = mails_about(player) - before;
    ensure!(mails == 1, "Dana got {mails} mails with the answer instead of 1");
    seen("Dana got the answer by e-mail exactly once");
    Ok(())
}

/// Waits until a ticket shows a message.
async fn shown_at(
    player: &Player,
    vendor: &str,
    ticket: &RemoteId,
    text: &str,
    public: bool,
) -> Result<ShownTicket> {
    let what = format!("“{text}” at {vendor}");
    player.until(&what, || player.ticket(vendor, ticket).filter(|ticket| shows(ticket, text, public))).await
}

fn mails_about(player: &Player) -> usize {
    player.sandbox.mails().iter().filter(|(_, mail)| mail.to == EMAIL && mail.comment.is_some()).count()
}

async fn both_change(player: &Player, at: &Places) -> Result<()> {
    let Places { zendesk, freshdesk, .. } = at;
    scene(3, "Two helpdesks change the priority at once");
    // Vendors date changes by whole seconds: these fall into one that nothing else fell into.
    player.rest(std::time::Duration::from_millis(2_100)).await;
    let (high, urgent) = (Some(Priority::High), Some(Priority::Urgent));
    let acts = vec![
        (FRESHDESK, HumanAct::SetPriority { ticket: freshdesk.clone(), priority: urgent }),
        (ZENDESK, HumanAct::SetPriority { ticket: zendesk.clone(), priority: high }),
    ];
    player.sandbox.at_once(acts).map_err(|why| anyhow::anyhow!("a person's change is refused: {why}"))?;
    happens("Freshdesk: urgent. Zendesk: high.");
    let conflict = conflict_of(player, zendesk).await?;
    let agreed = player
        .until("one priority on both sides", || {
            let ours = player.ticket(ZENDESK, zendesk)?.priority;
            (ours.is_some() && ours == player.ticket(FRESHDESK, freshdesk)?.priority)
                .then_some(ours)
                .flatten()
        })
        .await?;
    seen(&format!("both show {}", agreed.name()));
    seen(&format!("the journal names the conflict: {conflict}"));
    Ok(())
}

/// The words of the conflict in the journal.
async fn conflict_of(player: &Player, zendesk: &RemoteId) -> Result<String> {
    let ticket = handoffd_core::TicketKey::new(ZENDESK, zendesk.clone());
    let give_up = player.now().plus(super::PATIENCE);
    let store = &*player.engine.parts().store;
    while player.now() < give_up {
        if let Some(link) = tables::link_of(store, &ticket).await? {
            let prefix: Key = tables::link_prefix(&link);
            let rows = tables::read_all::<JournalRow>(store, JOURNAL, &prefix, 10_000).await?;
            let found = rows.into_iter().find_map(|(_, row)| match row.value {
                JournalRow::Decided {
                    decision: Decision::Conflict { field: Field::Priority, kept, overruled, rule },
                    ..
                } => {
                    let losers: Vec<String> =
                        overruled.iter().map(|(who, value)| format!("{value} from {who}")).collect();
                    Some(format!("{} from {} was kept over {} ({rule})", kept.1, kept.0, losers.join(", ")))
                }
                _ => None,
            });
            if let Some(words) = found {
                return Ok(words);
            }
        }
        player.rest(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("the journal names no conflict about the priority")
}

async fn hands_over(player: &Player, at: &Places) -> Result<()> {
    let zendesk = &at.zendesk;
    scene(4, "The AI agent hands over to a human");
    let transcript = json!([
        { "role": "user", "content": QUESTION },
        { "role": "assistant", "content": BOT_ANSWER },
        { "role": "assistant", "content": null, "tool_calls": [
            { "id": "c1", "function": { "name": "find_charges", "arguments": "{\"month\":\"October\"}" } },
            { "id": "c2", "function": { "name": "refund_charge", "arguments": "{\"charge\":\"second\"}" } },
        ] },
        { "role": "tool", "tool_call_id": "c1", "content": "2 charges of 147.00 EUR, one of them reserved" },
        { "role": "tool", "tool_call_id": "c2", "content": "Error: refunds above 100 EUR need a person" },
    ]);
    let body = json!({
        "conversation": { "account": ZENDESK, "ticket_id": zendesk.as_str() },
        "reason": "the refund needs a person's approval",
        "transcript": transcript,
    });
    player.announce("demo-handoff-1", &body).await?;
    happens(
        "The AI agent posts its handoff to handoffd, then gives the ticket to the support team in Zendesk.",
    );
    let to = Some(Who::Agent("Tom".to_owned()));
    player.act(ZENDESK, HumanAct::Assign { ticket: zendesk.clone(), to })?;
    let briefed = player.until("the private briefing on the ticket", || {
        let ticket = player.ticket(ZENDESK, zendesk)?;
        let note = ticket.comments.iter().find(|comment| is_briefing(&comment.text))?;
        Some((note.public, note.text.clone()))
    });
    let (public, text) = briefed.await?;
    ensure!(!public, "the briefing is public");
    seen("before Tom wrote a word, this private note was on his ticket:");
    for line in text.lines() {
        println!("       │ {line}");
    }
    for part in ["Team plan", "147.00 EUR", "find charges", "refund charge"] {
        ensure!(text.contains(part), "the briefing lacks {part:?}");
    }
    scene(5, "The human answers");
    player.say(ZENDESK, zendesk, Who::Agent("Tom".to_owned()), LAST_WORDS, true)?;
    happens(&format!("Tom: “{LAST_WORDS}”"));
    let ticket = player.ticket(ZENDESK, zendesk).context("the ticket is gone")?;
    let position =
        |found: &dyn Fn(&str) -> bool| ticket.comments.iter().position(|comment| found(&comment.text));
    let (note, reply) = (position(&is_briefing), position(&|text| text == LAST_WORDS));
    ensure!(note.is_some() && note < reply, "the briefing is not before the reply");
    shown_at(player, FRESHDESK, &at.freshdesk, LAST_WORDS, true).await?;
    player
        .until("Tom's answer at Intercom", || {
            player.ticket(INTERCOM, &at.intercom).filter(|ticket| tells(ticket, INTERCOM, LAST_WORDS))
        })
        .await?;
    let notes = |vendor: &str| {
        let tickets = player.sandbox.tickets(vendor);
        tickets
            .iter()
            .flat_map(|ticket| &ticket.comments)
            .filter(|comment| is_briefing(&comment.text))
            .count()
    };
    let briefings = [ZENDESK, FRESHDESK, INTERCOM].map(notes);
    ensure!(briefings == [1, 0, 0], "there is not exactly one briefing: {briefings:?}");
    seen("Freshdesk and Intercom show Tom's answer too");
    seen("there is exactly one briefing, and no customer can read it");
    Ok(())
}

/// Whether a note is one of our briefings.
pub(super) fn is_briefing(text: &str) -> bool {
    text.starts_with(handoffd_core::briefing::TITLE)
}

/// Whether a ticket shows an agent's public words that the customer has already. At Intercom
/// they stand in a note, below a line that says whose they are.
fn tells(ticket: &ShownTicket, vendor: &str, text: &str) -> bool {
    if vendor != INTERCOM {
        return shows(ticket, text, true);
    }
    let says = |shown: &str| fold_text(shown).ends_with(&fold_text(text));
    ticket.comments.iter().any(|comment| !comment.public && says(&comment.text))
}

fn shows(ticket: &ShownTicket, text: &str, public: bool) -> bool {
    ticket
        .comments
        .iter()
        .any(|comment| comment.public == public && fold_text(&comment.text) == fold_text(text))
}
