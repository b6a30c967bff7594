//! Comments on two linked tickets, step by step: one row a story.
//!
//! Steps: `see a: 1 hello, 2 psst note` lists a ticket's comments (public, by an
//! agent and mailed, unless a word says `note`, `customer` or `unmailed`);
//! `late a:` does so much later; `newer a`, `count a 2` (`moved`: another field changed
//! too) and `same a` are views without comments; `again` is no
//! view at all; `settle b -> here 7 | unknown | not_applied | lost | refused`
//! ends the oldest write to a ticket, also with `closed`, and `here 7 8 9` where a
//! ticket is made with history; `brief b` sends a note of ours, `gone a`, `move a`
//! and `join b` are what they say. `b2` is the second ticket of `b`. A comment's
//! text has `_` for a space and is empty as `-`; `+x.pdf:10` is a file of ten
//! bytes, `redacted` and `at:7` (seconds) say what they say. After each step: what was decided, in any order.

#![expect(clippy::too_many_lines, reason = "tables")]

mod later;
mod made;

use std::collections::BTreeMap;

use handoffd_core::{
    Attachment, Body, Carried, Comment, CommentsSeen, Field, Mail, Message, Observed, OpKey, Person,
    PrivateComment, PrivateMessage, PrivateText, PublicComment, PublicText, RemoteId, Role, TicketKey,
    Timestamp, Value, Version,
    intent::{Amend, Amendment, Applied, Create, Intent, Outcome, Update},
    join::{JoinRules, join},
    link::{Link, Side},
    policy::{Can, Deletions, Route, SyncPolicy},
    reconcile::{gone, moved, reconcile, settle, start_link},
    settle::note_leaves,
};

use crate::rows::{Vendors, policy, show_decision, ticket, view_of};

struct Story {
    link: Link,
    policy: SyncPolicy,
    queue: Vec<Intent>,
    version: i64,
    briefs: u32,
}

/// What `b` can do: what the options name.
fn can(options: &str) -> Can {
    let has = |word: &str| options.contains(word);
    Can {
        hide: has("hides"),
        redact: has("redacts"),
        rewrite: has("rewrites"),
        notes_by_agents_only: false,
        lists_lack_deleted: has("loses"),
        import: has("imports"),
        follow_up: has("follows"),
        delete: has("deletes"),
        attachment_bytes_max: if has("files") { 1_000_000 } else { 0 },
        attachments_max: 2,
    }
}

/// `b` is the first ticket of `b`, `b2` its second.
fn key(name: &str) -> TicketKey {
    let (account, id) = name.split_at(1);
    TicketKey::new(account, if id.is_empty() { "1" } else { id })
}

fn subject() -> handoffd_core::Fields {
    handoffd_core::Fields::from([(Field::Subject, Value::subject("Hi"))])
}

impl Story {
    fn new(options: &str) -> Self {
        let mut policy = policy(&["a", "b"]);
        policy.private_notes = !options.contains("public only");
        if options.contains("facing b") {
            policy.customer_facing = "b".into();
        }
        let b = policy.accounts.get_mut(&"b".into()).unwrap();
        b.can = can(options);
        policy.accounts.get_mut(&"a".into()).unwrap().can.lists_lack_deleted = options.contains("loses");
        if options.contains("propagate") {
            policy.deletions = Deletions::Propagate;
        }
        if options.contains("importing") {
            let ordered = if options.contains("since 50") { Timestamp(50_000) } else { Timestamp(i64::MAX) };
            policy.importing.insert("a".into(), ordered);
        }
        if !options.contains("strangers") {
            let ids = ["a", "b"].map(|name| (name.into(), "5".into()));
            policy.agents.insert("bo@example.org".to_owned(), ids.into());
        }
        let mut link = start_link(policy.group.clone(), &view_of("a", 10, subject()), &policy);
        if options.contains("route") {
            policy.routes.push(Route {
                from: "a".into(),
                to: "b".into(),
                with_tags: Default::default(),
                when: Default::default(),
            });
        } else {
            let side =
                Side { shadow: subject(), seen: Version(10), comments_seen: Some(0), ..Side::default() };
            link.sides.insert(ticket("b"), side);
            let first = link.sides.get_mut(&ticket("a")).unwrap();
            first.comments_seen = Some(0);
        }
        let version = if options.contains("days later") { 3 * 86_400_000 } else { 1_000 };
        Self { link, policy, queue: Vec::new(), version, briefs: 0 }
    }

    fn step(&mut self, step: &str) -> String {
        let words: Vec<_> = step.split_whitespace().collect();
        self.version += 1_000;
        let mut found = match words.as_slice() {
            ["settle", name, "->", how @ ..] => self.settle(name, how),
            ["brief", name] => self.brief(name),
            ["gone", name] => {
                self.link = gone(&self.link, &ticket(name));
                Vec::new()
            }
            ["move", name] => {
                self.link = moved(&self.link, &ticket(name), &TicketKey::new(*name, "2"));
                Vec::new()
            }
            ["join", name] => {
                self.link = join(&self.link, &key(name), &self.policy, &JoinRules::default());
                Vec::new()
            }
            ["leave", name] => {
                self.link.sides.remove(&key(name));
                Vec::new()
            }
            _ => {
                let views = self.views(step, &words);
                self.reconcile(&views)
            }
        };
        found.sort();
        found.join("; ")
    }

    fn views(&self, step: &str, words: &[&str]) -> BTreeMap<TicketKey, Observed> {
        if words == ["again"] {
            return BTreeMap::new();
        }
        let name = words[1].trim_end_matches(':');
        let mut view = view_of(&name[..1], self.version, subject());
        view.ticket = key(name);
        view.comment_count = None;
        let age = match words[0] {
            "soon" => 1_000,
            "late" => 100_000,
            _ => 10_000,
        };
        view.read_at = Timestamp(self.version + age);
        match words[0] {
            "newer" => {}
            "same" => view.version = self.link.sides[&key(name)].seen,
            "count" => {
                view.comment_count = words[2].parse().ok();
                if words.contains(&"moved") {
                    let group = Some(RemoteId::new(self.version.to_string()));
                    view.fields.insert(Field::Group, Value::Owner(group));
                }
            }
            _ => {
                let list = step.split_once(':').expect("a list").1;
                let comments = list.split(',').filter(|item| !item.trim().is_empty()).map(comment);
                view.comments = CommentsSeen::All(comments.collect());
            }
        }
        BTreeMap::from([(key(name), view)])
    }

    fn reconcile(&mut self, views: &BTreeMap<TicketKey, Observed>) -> Vec<String> {
        let plan = reconcile(&self.link, views, &self.policy, &Vendors, Timestamp(self.version));
        self.link = plan.link;
        let mut found: Vec<_> = plan.decisions.iter().map(show_decision).collect();
        found.retain(|line| !line.starts_with("comment ") && !line.starts_with("creating"));
        found.extend(plan.intents.iter().map(show_intent));
        found.extend(plan.look_at_comments.iter().map(|ticket| format!("look {}", ticket.account)));
        found.extend(plan.must_read_first.iter().map(|ticket| format!("read {}", ticket.account)));
        found.extend(plan.requeue_after.map(|_| "requeue".to_owned()));
        self.queue.extend(plan.intents);
        found
    }

    fn settle(&mut self, name: &str, how: &[&str]) -> Vec<String> {
        let at = self.queue.iter().position(|intent| intent.account().as_str() == name).expect("a write");
        let intent = self.queue.remove(at);
        let outcome = match how {
            ["not_applied"] => Outcome::NotApplied,
            ["lost"] => Outcome::Lost,
            ["refused"] => Outcome::Refused("no".to_owned()),
            ["closed"] => Outcome::Closed,
            _ => Outcome::Applied(Box::new(Applied {
                ticket: match &intent {
                    Intent::Create(create) if create.ticket.follows.is_some() => TicketKey::new(name, "2"),
                    _ => ticket(name),
                },
                version: Some(Version(self.version)),
                shown: None,
                comment: how.get(1).map(|id| RemoteId::from(*id)),
                written_at: None,
                imported: how.iter().skip(2).map(|id| RemoteId::from(*id)).collect(),
                unset: None,
            })),
        };
        let settled = settle(&self.link, &intent, &outcome, &self.policy, &Vendors);
        let twice = settle(&settled.link, &intent, &outcome, &self.policy, &Vendors);
        assert_eq!(twice.link, settled.link, "settling twice");
        self.link = settled.link;
        let mut found: Vec<_> = settled.decisions.iter().map(show_decision).collect();
        for key in settled.withdraw {
            let at = self.queue.iter().position(|intent| *intent.key() == key).expect("a write");
            let intent = self.queue.remove(at);
            self.link = settle(&self.link, &intent, &Outcome::NotApplied, &self.policy, &Vendors).link;
            found.push("withdrawn".to_owned());
        }
        found
    }

    /// A briefing; announced unless the ticket is named with a `?`.
    fn brief(&mut self, name: &str) -> Vec<String> {
        self.briefs += 1;
        let key = OpKey(format!("h{}", self.briefs));
        let text = PrivateText::new(Body::inline("facts"));
        let message = Some(Message::Private(PrivateMessage { author: None, text, attachments: Vec::new() }));
        let at = ticket(name.trim_end_matches('?'));
        let update = Update { at, set: Default::default(), message, if_version: None, key };
        if !name.ends_with('?') {
            self.link = note_leaves(&self.link, &update, Timestamp(self.version));
        }
        self.queue.push(Intent::Update(update));
        Vec::new()
    }
}

fn comment(item: &str) -> Comment {
    let words: Vec<_> = item.split_whitespace().collect();
    let has = |word: &str| words.contains(&word);
    let role = if has("customer") { Role::Customer } else { Role::Agent };
    let author = Person { role, ..Person::customer("Bo", "bo@example.org") };
    let text = if words[1] == "-" { String::new() } else { words[1].replace('_', " ") };
    let (id, body) = (RemoteId::from(words[0]), Body::inline(&text));
    let secs = words.iter().find_map(|word| word.strip_prefix("at:"));
    let at = Timestamp::from_secs(secs.map_or(0, |secs| secs.parse().unwrap()));
    let attachments = words.iter().filter_map(|word| attachment(word)).collect();
    let redacted = has("redacted");
    if has("note") {
        return Comment::Private(PrivateComment {
            id,
            author,
            text: PrivateText::new(body),
            at,
            attachments,
            redacted,
        });
    }
    let text = PublicText::shown_publicly(body);
    let mailed = !has("unmailed") && !has("customer");
    Comment::Public(PublicComment { id, author, text, at, mailed, attachments, redacted })
}

fn attachment(word: &str) -> Option<Attachment> {
    let (name, size) = word.strip_prefix('+')?.split_once(':')?;
    let (id, name, size) = (RemoteId::from(name), name.to_owned(), size.parse().ok());
    Some(Attachment {
        id,
        name,
        content_type: "text/plain".to_owned(),
        size,
        inline: false,
        at: String::new(),
    })
}

fn show_text(body: &Body, files: &[Carried]) -> String {
    let text = body.text().unwrap_or("?").replace('\n', "|");
    let files = files.iter().map(|file| format!(" +{}", file.attachment.name));
    std::iter::once(text).chain(files).collect()
}

fn show_message(message: &Message) -> String {
    let text = show_text(message.body(), message.attachments());
    match message {
        Message::Public(message) if message.mail == Mail::Send => format!("says {text} mailed"),
        Message::Public(_) => format!("says {text}"),
        Message::Private(_) => format!("notes {text}"),
    }
}

fn show_create(create: &Create) -> String {
    let ticket = &create.ticket;
    let opening =
        ticket.opening.iter().map(|one| format!(" with {}", show_text(one.text.body(), &one.attachments)));
    let follows = ticket.follows.iter().map(|id| format!(" after {id}"));
    let past = ticket.import.iter().flat_map(|import| &import.messages);
    let past = past.map(|one| format!(" then {}", show_message(&one.message)));
    opening.chain(follows).chain(past).fold(format!("create {}", create.at), |line, words| line + &words)
}

fn show_intent(intent: &Intent) -> String {
    match intent {
        Intent::Update(Update { at, message: Some(message), .. }) => {
            format!("{} {}", at.account, show_message(message))
        }
        Intent::Create(create) => show_create(create),
        Intent::Amend(Amend { at, comment, change, .. }) => {
            let what = match change {
                Amendment::Hide(note) => format!("hides {comment}: {}", show_text(note.text.body(), &[])),
                Amendment::Redact => format!("redacts {comment}"),
                Amendment::Rewrite(message) => format!("rewrites {comment}: {}", show_message(message)),
            };
            format!("{} {what}", at.account)
        }
        Intent::Delete(delete) => format!("delete {}", delete.at),
        other => format!("{other:?}"),
    }
}

type Steps = &'static [(&'static str, &'static str)];

fn check(name: &str, options: &str, steps: &[(&str, &str)]) {
    let mut story = Story::new(options);
    for (at, (step, expected)) in steps.iter().enumerate() {
        let mut expected: Vec<_> = expected.split("; ").filter(|item| !item.is_empty()).collect();
        expected.sort_unstable();
        assert_eq!(story.step(step), expected.join("; "), "{name}: step {at}, {step}");
    }
}

const HELLO: (&str, &str) = ("see a: 1 hello", "b says hello");
const HERE: (&str, &str) = ("settle b -> here 7", "");

#[test]
fn what_is_said_on_one_side_is_said_on_the_other() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "once",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> here 7", ""),
                ("see b: 7 hello", ""),
                ("see a: 1 hello", ""),
            ],
        ),
        (
            "in order, one update each",
            "",
            &[("see a: 1 one, 2 two, 3 three", "b says one; b says two; b says three")],
        ),
        (
            "both ways",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> here 7", ""),
                ("see b: 7 hello, 8 hi", "a says hi"),
            ],
        ),
        ("a note stays a note", "", &[("see a: 1 psst note", "b notes psst")]),
        (
            "notes stay at home where only public ones travel",
            "public only",
            &[("see a: 1 psst note, 2 hello", "b says hello")],
        ),
        ("the same words twice are two comments", "", &[("see a: 1 ok, 2 ok", "b says ok; b says ok")]),
        (
            "existing ones on both sides are united",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("see b: 1 hi", "requeue"),
                ("settle b -> here 2", ""),
                ("again", "look b"),
                ("see b: 1 hi, 2 hello", "a says hi"),
            ],
        ),
        (
            "made private at its origin: an alarm",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> here 7", ""),
                ("see a: 1 hello note", "alarm hide 0 b; hidden 0 a/1#1"),
                ("see a: 1 hello note", ""),
            ],
        ),
        (
            "made private before it travelled: a note",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> not_applied", ""),
                ("see a: 1 hello note", "hidden 0 a/1#1; b notes hello"),
            ],
        ),
        (
            "made public: what was private once stays so",
            "",
            &[
                ("see a: 1 hello note", "b notes hello"),
                ("settle b -> not_applied", ""),
                ("see a: 1 hello", "b notes hello"),
            ],
        ),
        (
            "deleted before it travelled",
            "",
            &[("see a: 1 hello", "b says hello"), ("settle b -> not_applied", ""), ("see a:", "parked 0 b")],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn who_mails_the_customer() {
    let rows: &[(&str, &str, Steps)] = &[
        ("mailed where it was written: silent", "facing b", &[("see a: 1 hello", "b says hello")]),
        (
            "mailed by nobody: the account that faces the customer",
            "facing b",
            &[("see a: 1 hello unmailed", "b says hello mailed")],
        ),
        ("not another one", "", &[("see a: 1 hello unmailed", "b says hello")]),
        ("never what the customer wrote", "facing b", &[("see a: 1 hello customer", "b says hello")]),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn when_comments_are_looked_at() {
    let rows: &[(&str, &str, Steps)] = &[
        ("a new version may hide some", "", &[("newer a", "look a"), ("see a: 1 hello", "b says hello")]),
        (
            "until they were looked at",
            "",
            &[("newer a", "look a"), ("again", "look a"), ("see a:", ""), ("again", "")],
        ),
        (
            "a count that is known says there are none, where something else changed",
            "",
            &[("count a 0 moved", ""), ("count a 0 moved", "")],
        ),
        ("a count that is not known says there are", "", &[("count a 1", "look a")]),
        (
            "as many as before may say something else: a view that counts none has them looked at",
            "",
            &[("see a:", ""), ("count a 0", ""), ("same a", "look a")],
        ),
        ("the version that was looked at holds no more", "", &[("see a:", ""), ("same a", "")]),
        ("unless it was looked at within its second", "", &[("soon a:", ""), ("same a", "look a")]),
        (
            "our own message counts",
            "",
            &[("see a: 1 hello", "b says hello"), ("settle b -> here 7", ""), ("count b 1 moved", "")],
        ),
        (
            "and another beside it does too",
            "",
            &[("see a: 1 hello", "b says hello"), ("settle b -> here 7", ""), ("count b 2", "look b")],
        ),
        (
            "while ours is on its way nobody can tell them apart",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("see b: 7 hello", "requeue"),
                ("newer b", ""),
                ("settle b -> here 7", ""),
                ("again", "look b"),
                ("see b: 7 hello", ""),
            ],
        ),
        (
            "a text that is not at hand is looked up",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> not_applied", ""),
                ("again", "look a"),
                ("see a: 1 hello", "b says hello"),
            ],
        ),
        (
            "the origin is gone",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> not_applied", ""),
                ("gone a", ""),
                ("again", "parked 0 b"),
            ],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn what_becomes_of_a_message() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "not applied: again, and in order",
            "",
            &[
                ("see a: 1 one, 2 two", "b says one; b says two"),
                ("settle b -> not_applied", "withdrawn"),
                ("see a: 1 one, 2 two", "b says one; b says two"),
            ],
        ),
        (
            "lost: never again",
            "",
            &[("see a: 1 hello", "b says hello"), ("settle b -> lost", "parked 0 b"), ("see a: 1 hello", "")],
        ),
        (
            "lost, and there after all",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> lost", "parked 0 b"),
                ("see b: 7 hello", "arrived 0 b/1#7"),
                ("see b: 7 hello", ""),
            ],
        ),
        (
            "lost, and somebody says something else",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> lost", "parked 0 b"),
                ("see b: 7 hi", "a says hi"),
            ],
        ),
        (
            "lost, and somebody notes the same",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> lost", "parked 0 b"),
                ("see b: 7 hello note", "a notes hello"),
            ],
        ),
        (
            "refused: parked, the next goes on",
            "",
            &[
                ("see a: 1 one, 2 two", "b says one; b says two"),
                ("settle b -> refused", "parked 0 b"),
                ("settle b -> here 8", ""),
                ("see b: 8 two", ""),
            ],
        ),
        (
            "applied without an id: found by its text",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> unknown", ""),
                ("again", "look b"),
                ("see b: 7 hello", "arrived 0 b/1#7"),
                ("again", ""),
            ],
        ),
        (
            "merged away: what stood there is not said again",
            "",
            &[
                ("see a: 1 hello", "b says hello"),
                ("settle b -> here 7", ""),
                ("move b", ""),
                ("see a: 1 hello, 2 more", "b says more; look b"),
            ],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn our_own_words_are_not_mirrored() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "a briefing that was announced",
            "",
            &[
                ("brief a", ""),
                ("see a: 1 facts note", "requeue"),
                ("settle a -> here 1", ""),
                ("see a: 1 facts note", ""),
            ],
        ),
        (
            "one that was not",
            "public only",
            &[("brief a?", ""), ("settle a -> here 1", ""), ("see a: 1 facts note", "")],
        ),
        (
            "one that was taken for somebody's words at first",
            "public only",
            &[
                ("brief a?", ""),
                ("see a: 1 facts note", ""),
                ("settle a -> here 1", ""),
                ("see a: 1 facts note", ""),
            ],
        ),
        (
            "lost, and found by its text",
            "",
            &[
                ("brief a", ""),
                ("settle a -> lost", "parked 0 a"),
                ("see a: 1 facts note", "arrived 0 a/1#1"),
            ],
        ),
        (
            "lost, and found by the name of its write",
            "",
            &[
                ("brief a", ""),
                ("settle a -> lost", "parked 0 a"),
                ("see a: 1 facts/h1 note", "arrived 0 a/1#1"),
            ],
        ),
        (
            "not applied: as if it had never left",
            "",
            &[("brief a", ""), ("settle a -> not_applied", ""), ("see a: 1 facts note", "b notes facts")],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn a_plan_is_bounded() {
    let mut story = Story::new("");
    let many: Vec<_> = (1..=50).map(|number| format!("{number} m{number}")).collect();
    let found = story.step(&format!("see a: {}", many.join(", ")));
    assert_eq!(found.matches("b says").count(), 20);
    assert!(found.contains("requeue"), "{found}");
    let said = |intent: &Intent| show_intent(intent).trim_start_matches("b says m").parse::<u32>().unwrap();
    assert_eq!(story.queue.iter().map(said).collect::<Vec<_>>(), (1..=20).collect::<Vec<_>>());
}

#[test]
fn a_merged_ticket_wins_with_its_fields() {
    let story = Story::new("");
    let to = TicketKey::new("b", "2");
    let link = moved(&story.link, &ticket("b"), &to);
    let mut view = view_of("b", 50, handoffd_core::Fields::from([(Field::Subject, Value::subject("Other"))]));
    view.ticket = to.clone();
    let views = BTreeMap::from([(to, view)]);
    let plan = reconcile(&link, &views, &story.policy, &Vendors, Timestamp(0));
    assert_eq!(plan.link.base[&Field::Subject], Value::subject("Other"));
    assert_eq!(plan.link.former, [ticket("b")]);
}
