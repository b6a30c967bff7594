//! Rows of a decision table as text, and one way to check them.
//!
//! A row starts from two tickets, `a` and `b` (and `c` where the options say
//! `three`), each in step with the base at version 10. `b` is the lossy
//! helpdesk: it knows neither `new`, `on_hold` nor `closed`, and writes tags in
//! lower case with `_`. Texts are items, split by `;`:
//!
//! - before: the base; then per side what differs: `f=v` shadow (`f=?` none),
//!   `!f` behind, `~f:v` in flight, `out` an outstanding write, `over:f`, `rw:f:n`,
//!   `seen=n`, `parked`, `gone`;
//! - act: views, as `a@11 f=v feed|fetch|answer` (fetch when unsaid); or
//!   `settle b f=v ?10 -> outcome`; or `gone b`, `moved a z`, `add z`;
//! - after: the base; per side that is not just in step: shadow values that
//!   differ from what the base looks like there, `!f`, `~f:v`; then writes,
//!   decisions, and what is to be read, in any order.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, CommentsSeen, Field, Fields, GroupId, Observed, OpKey, Person, Priority, Rating, ReadBy,
    RemoteId, Status, TicketKey, Timestamp, Typed, Value, Version,
    decision::{Decision, DropReason, Who},
    intent::{Applied, Intent, Outcome, Update},
    link::{Link, Side, Standing},
    policy::{AccountPolicy, Agents, Can, ConflictRule, Deletions, FieldRule, Normalize, Route, SyncPolicy},
    reconcile::{add_side, gone, moved, reconcile, settle, start_link},
};

/// Two helpdesks that keep everything and one that does not.
pub struct Vendors;

impl Normalize for Vendors {
    fn normalize(&self, account: &AccountId, fields: &Fields) -> Fields {
        if account.as_str() == "b" { fields.iter().filter_map(coarse).collect() } else { fields.clone() }
    }
}

fn coarse((field, value): (&Field, &Value)) -> Option<(Field, Value)> {
    let value = match value {
        Value::StatusDetail { status, .. } => return coarse((field, &Value::Status(*status))),
        Value::Status(Status::New) => Value::Status(Status::Open),
        Value::Status(Status::OnHold) => Value::Status(Status::Pending),
        Value::Status(Status::Closed) => Value::Status(Status::Solved),
        Value::Priority(None) => return None,
        Value::Tags(tags) => Value::Tags(
            tags.iter()
                .filter(|tag| !tag.starts_with('!'))
                .map(|tag| tag.to_lowercase().replace(' ', "_"))
                .collect(),
        ),
        other => other.clone(),
    };
    Some((*field, value))
}

pub fn ticket(name: &str) -> TicketKey {
    TicketKey::new(name, "1")
}

/// Everything travels both ways, the newest wins, both vendors check conditions.
pub fn policy(accounts: &[&str]) -> SyncPolicy {
    let ids: BTreeSet<AccountId> = accounts.iter().map(|name| AccountId::from(*name)).collect();
    let account = AccountPolicy {
        conditional_writes: true,
        writes_armed: true,
        creates_armed: true,
        can: Can::default(),
    };
    let rule = FieldRule { from: ids.clone(), to: ids.clone(), conflict: ConflictRule::Newest };
    SyncPolicy {
        group: GroupId::from("g"),
        accounts: ids.iter().map(|id| (id.clone(), account.clone())).collect(),
        customer_facing: AccountId::from("a"),
        fields: Field::SYNCED.into_iter().map(|field| (field, rule.clone())).collect(),
        routes: Vec::new(),
        private_notes: true,
        deletions: Deletions::Keep,
        agents: Agents::new(),
        importing: BTreeMap::new(),
        at_once: false,
    }
}

fn field(name: &str) -> Field {
    Field::try_from(name.to_owned()).unwrap_or_else(|_| panic!("no field {name}"))
}

fn value(field: Field, text: &str) -> Value {
    match field {
        Field::Subject => Value::subject(text),
        Field::Status if text.contains('(') => {
            let (status, detail) = text.trim_end_matches(')').split_once('(').unwrap();
            let status = Status::ALL.into_iter().find(|one| one.name() == status).unwrap();
            Value::StatusDetail { status, detail: detail.to_owned() }
        }
        Field::Status => Value::Status(Status::ALL.into_iter().find(|one| one.name() == text).unwrap()),
        Field::Priority => Value::Priority(Priority::ALL.into_iter().find(|one| one.name() == text)),
        Field::Tags if text == "-" => Value::Tags(BTreeSet::new()),
        Field::Tags => Value::Tags(text.split(',').map(|tag| tag.replace('+', " ")).collect()),
        Field::Assignee | Field::Group => Value::Owner((text != "-").then(|| RemoteId::from(text))),
        Field::Ccs if text == "-" => Value::Tags(BTreeSet::new()),
        Field::Ccs => Value::Tags(text.split(',').map(str::to_owned).collect()),
        Field::Type | Field::Requester | Field::Agent | Field::Team => {
            Value::Choice((text != "-").then(|| text.to_owned()))
        }
        Field::DueAt => Value::Time(text.parse().ok().map(Timestamp)),
        Field::OwnTags => Value::Tags(BTreeSet::new()),
        Field::Custom(_) => Value::text(text),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::StatusDetail { status, detail } => format!("{}({detail})", status.name()),
        Value::Typed(Some(Typed::Text(text))) => text.clone(),
        Value::Tags(tags) if tags.is_empty() => "-".to_owned(),
        Value::Tags(tags) => tags.iter().map(|tag| tag.replace(' ', "+")).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn fields(text: &str) -> Fields {
    let mut fields = Fields::new();
    for (name, text) in text.split_whitespace().filter_map(|word| word.split_once('=')) {
        fields.insert(field(name), value(field(name), text));
    }
    fields
}

fn show_fields(fields: &Fields) -> String {
    fields.iter().map(|(field, value)| format!("{field}={}", show(value))).collect::<Vec<_>>().join(" ")
}

fn items(text: &str) -> Vec<&str> {
    text.split(';').map(str::trim).filter(|item| !item.is_empty()).collect()
}

/// Options of a row that change the rules.
fn rules(options: &str) -> SyncPolicy {
    let three = items(options).contains(&"three");
    let mut policy = policy(if three { &["a", "b", "c"] } else { &["a", "b"] });
    for option in items(options) {
        let words: Vec<_> = option.split_whitespace().collect();
        let ids = |words: &[&str]| words.iter().map(|name| AccountId::from(*name)).collect::<BTreeSet<_>>();
        match words.as_slice() {
            ["three"] => {}
            ["wins", account] => {
                for rule in policy.fields.values_mut() {
                    rule.conflict = ConflictRule::Account(AccountId::from(*account));
                }
            }
            ["from", names @ ..] => policy.fields.values_mut().for_each(|rule| rule.from = ids(names)),
            ["to", names @ ..] => policy.fields.values_mut().for_each(|rule| rule.to = ids(names)),
            ["with", name] => {
                let rule = policy.fields[&Field::Subject].clone();
                policy.fields.insert(field(name), rule);
            }
            ["facing", account] => policy.customer_facing = AccountId::from(*account),
            ["unsynced", name] => drop(policy.fields.remove(&field(name))),
            ["route", from, to, tags @ ..] => policy.routes.push(Route {
                from: AccountId::from(*from),
                to: AccountId::from(*to),
                with_tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                when: Default::default(),
            }),
            ["only", status] => {
                for route in &mut policy.routes {
                    route.when.status.insert((*status).to_owned());
                }
            }
            [what, name] => {
                let account = policy.accounts.get_mut(&AccountId::from(*name)).expect("an account");
                match *what {
                    "blind" => account.conditional_writes = false,
                    "disarmed" => account.writes_armed = false,
                    "createless" => account.creates_armed = false,
                    other => panic!("no option {other}"),
                }
            }
            other => panic!("no option {other:?}"),
        }
    }
    policy
}

pub fn out_key() -> OpKey {
    OpKey::from("k-1")
}

fn link(before: &str, policy: &SyncPolicy, lone: bool) -> Link {
    let parts = before.split_once(';');
    let base = fields(parts.map_or(before, |(base, _)| base));
    let view = view_of("a", 10, base.clone());
    let mut link = start_link(GroupId::from("g"), &view, policy);
    link.base = base.clone();
    for account in policy.accounts.keys().filter(|account| !lone || account.as_str() == "a") {
        let shadow = Vendors.normalize(account, &base);
        let side = Side {
            shadow,
            seen: Version(10),
            comments_seen: Some(0),
            read_at: Timestamp::from_secs(900),
            ..Side::default()
        };
        link.sides.insert(ticket(account.as_str()), side);
    }
    for item in items(parts.map_or("", |(_, sides)| sides)) {
        let (name, words) = item.split_once(' ').expect("a side and words");
        let side = link.sides.get_mut(&ticket(name)).expect("a side");
        words.split_whitespace().for_each(|word| set(side, word));
    }
    link
}

fn set(side: &mut Side, word: &str) {
    match word {
        "out" => drop(side.outstanding.insert(out_key())),
        "gone" => side.standing = Standing::Gone,
        "closed" => side.standing = Standing::Closed,
        "parked" => side.parked = Some("why".to_owned()),
        _ => set_pair(side, word),
    }
}

fn set_pair(side: &mut Side, word: &str) {
    if let Some(name) = word.strip_prefix('!') {
        side.behind.insert(field(name));
    } else if let Some((name, text)) = word.strip_prefix('~').and_then(|pair| pair.split_once(':')) {
        side.in_flight.entry(field(name)).or_default().push(value(field(name), text));
    } else if let Some(name) = word.strip_prefix("over:") {
        side.overtaken.insert(field(name));
    } else if let Some((name, times)) = word.strip_prefix("rw:").and_then(|pair| pair.split_once(':')) {
        side.rewritten.insert(field(name), times.parse().unwrap());
    } else if let Some(seen) = word.strip_prefix("seen=") {
        side.seen = Version(seen.parse().unwrap());
    } else if let Some(name) = word.strip_suffix("=?") {
        side.shadow.remove(&field(name));
    } else {
        side.shadow.extend(fields(word));
    }
}

pub fn view_of(name: &str, version: i64, fields: Fields) -> Observed {
    Observed {
        ticket: ticket(name),
        version: Version(version),
        read_by: ReadBy::Fetch,
        read_at: Timestamp::from_secs(1_000),
        fields,
        requester: Some(Person::customer("Ann", "ann@example.org")),
        comments: CommentsSeen::NotLooked,
        comment_count: Some(0),
        marker: None,
        created_at: Timestamp(0),
        follows: None,
        rating: None,
    }
}

fn view(link: &Link, item: &str) -> Observed {
    let (head, words) = item.split_once(' ').unwrap_or((item, ""));
    let (name, version) = head.split_once('@').expect("side@version");
    let shadow = link.sides.get(&ticket(name)).map(|side| side.shadow.clone()).unwrap_or_default();
    let mut view = view_of(name, version.parse().unwrap(), shadow);
    for word in words.split_whitespace() {
        match word {
            "feed" => view.read_by = ReadBy::Feed,
            "fetch" => view.read_by = ReadBy::Fetch,
            "answer" => view.read_by = ReadBy::Answer,
            "early" => view.read_at = Timestamp::from_secs(1),
            "nobody" => view.requester = None,
            "rated" => {
                let label = "good".to_owned();
                view.rating = Some(Rating { percent: 75, label, comment: None, at: None });
            }
            "listed" => view.comments = CommentsSeen::All(Vec::new()),
            _ => match word.strip_suffix("=?") {
                Some(name) => drop(view.fields.remove(&field(name))),
                None => view.fields.extend(fields(word)),
            },
        }
    }
    view
}

fn update(text: &str) -> Intent {
    let (name, words) = text.split_once(' ').expect("a side and words");
    let condition = words.split_whitespace().find_map(|word| word.strip_prefix('?'));
    Intent::Update(Update {
        at: ticket(name),
        set: fields(words),
        message: None,
        if_version: condition.map(|version| Version(version.parse().unwrap())),
        key: out_key(),
    })
}

fn outcome(at: &TicketKey, text: &str) -> Outcome {
    let (head, words) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    match head {
        "not_applied" => Outcome::NotApplied,
        "lost" => Outcome::Lost,
        "closed" => Outcome::Closed,
        "refused" => Outcome::Refused(words.to_owned()),
        _ => {
            let version = head.strip_prefix("applied@").expect("an outcome").parse().ok().map(Version);
            let seen = version.unwrap_or_default().0;
            let shown =
                words.strip_prefix("shown ").map(|text| view_of(at.account.as_str(), seen, fields(text)));
            Outcome::Applied(Box::new(Applied {
                ticket: at.clone(),
                version,
                shown,
                comment: None,
                written_at: None,
                imported: Vec::new(),
                unset: None,
            }))
        }
    }
}

/// Checks one row: what `act` makes of `before` under the rules is `after`.
pub fn check(name: &str, options: &str, before: &str, act: &str, after: &str) -> Result<(), String> {
    let policy = rules(options);
    let link = link(before, &policy, policy.routes.iter().any(|_| !before.contains("; b ")));
    let mut found = Vec::new();
    let done = if let Some((intent, out)) = act.strip_prefix("settle ").and_then(|act| act.split_once("->")) {
        let intent = update(intent.trim());
        let out = outcome(intent.ticket().expect("a ticket"), out);
        let settled = settle(&link, &intent, &out, &policy, &Vendors);
        let again = settle(&settled.link, &intent, &out, &policy, &Vendors);
        assert_eq!(again.link, settled.link, "{name}: settling twice");
        found.extend(settled.decisions.iter().map(show_decision));
        found.extend(settled.read_again.iter().map(|ticket| format!("again {}", ticket.account)));
        found.extend(settled.withdraw.iter().map(|key| format!("withdraw {key}")));
        settled.link
    } else {
        let (start, views) = acts(&link, act, &policy);
        let plan = reconcile(&start, &views, &policy, &Vendors, Timestamp::from_secs(1_000));
        for (ticket, view) in &views {
            shadow_follows(name, &plan.link, ticket, view, &plan.decisions);
        }
        found.extend(plan.decisions.iter().map(show_decision));
        found.extend(plan.intents.iter().map(show_intent));
        found.extend(plan.must_read_first.iter().map(|ticket| format!("read {}", ticket.account)));
        found.extend(plan.look_at_comments.iter().map(|ticket| format!("look {}", ticket.account)));
        found.extend(plan.requeue_after.map(|_| "requeue".to_owned()));
        plan.link
    };
    found.extend(done.sides.iter().filter_map(|(ticket, side)| show_side(&done, ticket, side)));
    found.extend(done.former.iter().map(|ticket| format!("former {}", ticket.account)));
    found.sort();
    found.insert(0, show_fields(&done.base));
    let (base, rest) = after.split_once(';').unwrap_or((after, ""));
    let mut expected: Vec<_> = items(rest).into_iter().map(str::to_owned).collect();
    expected.sort();
    expected.insert(0, base.trim().to_owned());
    let (found, expected) = (found.join("; "), expected.join("; "));
    if found == expected {
        Ok(())
    } else {
        Err(format!("{name}:\n  expected {expected}\n  found    {found}"))
    }
}

/// The link after acts that are no views, and the views.
fn acts(link: &Link, act: &str, policy: &SyncPolicy) -> (Link, BTreeMap<TicketKey, Observed>) {
    let (mut start, mut views) = (link.clone(), BTreeMap::new());
    for item in items(act) {
        match item.split_whitespace().collect::<Vec<_>>().as_slice() {
            ["gone", name] => start = gone(&start, &ticket(name)),
            ["moved", from, to] => start = moved(&start, &ticket(from), &TicketKey::new(*from, *to)),
            ["add", name] => start = add_side(&start, &ticket(name), policy),
            ["drop", name] => drop(start.sides.remove(&ticket(name))),
            _ => {
                let view = view(&start, item);
                views.insert(view.ticket.clone(), view);
            }
        }
    }
    (start, views)
}

/// Whatever was taken in is the shadow; whatever was dropped has not touched it.
fn shadow_follows(name: &str, link: &Link, ticket: &TicketKey, view: &Observed, decisions: &[Decision]) {
    let refused = decisions.iter().any(|decision| match decision {
        Decision::Dropped { ticket: dropped, .. } | Decision::NeedsFetch { ticket: dropped } => {
            dropped == ticket
        }
        _ => false,
    });
    let Some(side) = link.sides.get(ticket) else { return };
    let follows = view.fields.iter().all(|(field, value)| side.shadow.get(field) == Some(value));
    assert!(refused || follows, "{name}: the shadow of {ticket} does not follow its view");
    assert!(refused || side.seen == view.version, "{name}: the version of {ticket}");
}

fn show_side(link: &Link, ticket: &TicketKey, side: &Side) -> Option<String> {
    let wanted = Vendors.normalize(&ticket.account, &link.base);
    let mut words = Vec::new();
    for (field, value) in &side.shadow {
        if field.may_be_synced() && wanted.get(field) != Some(value) {
            words.push(format!("{field}={}", show(value)));
        }
    }
    words.extend(side.behind.iter().map(|field| format!("!{field}")));
    for (field, values) in &side.in_flight {
        words.extend(values.iter().map(|value| format!("~{field}:{}", show(value))));
    }
    words.extend((side.standing == Standing::Gone).then(|| "gone".to_owned()));
    words.extend((side.standing == Standing::Closed).then(|| "closed".to_owned()));
    words.extend(side.parked.as_ref().map(|_| "parked".to_owned()));
    (!words.is_empty()).then(|| format!("{} {}", ticket.account, words.join(" ")))
}

fn show_intent(intent: &Intent) -> String {
    match intent {
        Intent::Create(create) => format!(
            "create {} {}{}",
            create.at,
            show_fields(&create.ticket.fields),
            if create.ticket.opening.is_some() { " opening" } else { "" }
        ),
        Intent::Update(update) => {
            let condition = update.if_version.map(|version| format!(" ?{}", version.0)).unwrap_or_default();
            format!("update {} {}{condition}", update.at.account, show_fields(&update.set))
        }
        Intent::EditNote(edit) => format!("edit {}", edit.at),
        Intent::Amend(amend) => format!("amend {}", amend.at),
        Intent::Delete(delete) => format!("delete {}", delete.at),
    }
}

fn show_claim((who, value): &(Who, Value)) -> String {
    match who {
        Who::Base => format!("base={}", show(value)),
        Who::Side(ticket) => format!("{}={}", ticket.account, show(value)),
    }
}

fn show_tags(sign: char, tags: &BTreeSet<String>) -> String {
    tags.iter().map(|tag| format!(" {sign}{}", tag.replace(' ', "+"))).collect()
}

pub fn show_decision(decision: &Decision) -> String {
    match decision {
        Decision::Took { field, from, value } => format!("took {field} {}={}", from.account, show(value)),
        Decision::Conflict { field, kept, overruled, .. } => {
            let overruled: Vec<_> = overruled.iter().map(show_claim).collect();
            format!("conflict {field} {} over {}", show_claim(kept), overruled.join(" "))
        }
        Decision::Overruled { field, ticket, value, kept } => {
            format!("overruled {field} {}={} by {}", ticket.account, show(value), show(kept))
        }
        Decision::Kept { field, ticket, value } => format!("kept {field} {}={}", ticket.account, show(value)),
        Decision::TagsMerged { field, from, added, removed } => {
            format!("{field} {}{}{}", from.account, show_tags('+', added), show_tags('-', removed))
        }
        Decision::Comment { number, comment, .. } => format!("comment {number} {comment}"),
        Decision::Arrived { number, comment } => format!("arrived {number} {comment}"),
        Decision::Hidden { number, comment } => format!("hidden {number} {comment}"),
        Decision::Redacted { number, comment } => format!("redacted {number} {comment}"),
        Decision::Deleted { number, comment } => format!("deleted {number} {comment}"),
        Decision::Edited { number, comment, original } => {
            format!("edited {number} {comment}{}", if *original { "" } else { " copy" })
        }
        Decision::NotAmended { number, ticket, change, .. } => {
            format!("alarm {} {number} {}", change.name(), ticket.account)
        }
        Decision::United { number, comment } => format!("united {number} {comment}"),
        Decision::Rated { ticket, percent, label } => format!("rated {} {percent} {label}", ticket.account),
        Decision::Closed { ticket } => format!("closed {}", ticket.account),
        Decision::Deleting { ticket } => format!("deleting {}", ticket.account),
        Decision::Create { at, .. } => format!("creating {at}"),
        Decision::Created { ticket } => format!("created {ticket}"),
        Decision::Dropped { ticket, why: DropReason::Older } => format!("dropped {}", ticket.account),
        Decision::Dropped { ticket, why: DropReason::NotASide } => format!("stranger {}", ticket.account),
        Decision::NeedsFetch { ticket } => format!("doubt {}", ticket.account),
        Decision::Parked { ticket, .. } => format!("parked {}", ticket.account),
        Decision::CommentParked { number, ticket, .. } => format!("parked {number} {}", ticket.account),
        Decision::CreateParked { at, .. } => format!("create parked {at}"),
        Decision::Unparked { ticket } => format!("unparked {}", ticket.account),
        Decision::Back { ticket } => format!("back {}", ticket.account),
    }
}
