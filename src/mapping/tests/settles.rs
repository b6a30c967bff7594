//! What the proof calls stable settles: random maps, random edits, the engine's own decisions.

use handoffd_core::{
    AccountId, CommentsSeen, GroupId, Observed, Person, ReadBy, TicketKey, Timestamp, Version,
    intent::{Applied, Intent, Outcome},
    link::Link,
    policy::{AccountPolicy, Can, Deletions, Normalize, SyncPolicy},
    reconcile::{add_side, reconcile, settle, start_link},
};
use proptest::prelude::*;

use super::{proof::rules, *};
use crate::mapping::proof::{Party, prove};

const NAMES: [&str; 3] = ["a", "b", "c"];
const ROUNDS_MAX: usize = 12;

fn plain(fields: &Fields) -> Fields {
    fields.clone()
}

struct Vendors(BTreeMap<AccountId, Translator>);

impl Normalize for Vendors {
    fn normalize(&self, account: &AccountId, fields: &Fields) -> Fields {
        self.0[account].normalize(fields, &plain)
    }
}

/// Tickets on paper: what each account shows, in its own values.
struct World {
    policy: SyncPolicy,
    vendors: Vendors,
    tickets: BTreeMap<TicketKey, (Fields, i64)>,
    link: Link,
}

impl World {
    fn new(group: &GroupConfig, vendors: Vendors, first: &str) -> Self {
        let account = AccountPolicy {
            conditional_writes: true,
            writes_armed: true,
            creates_armed: true,
            can: Can::default(),
        };
        let policy = SyncPolicy {
            agents: handoffd_core::policy::Agents::new(),
            importing: BTreeMap::new(),
            at_once: false,
            group: GroupId::new("g"),
            accounts: NAMES.iter().map(|name| (AccountId::from(*name), account.clone())).collect(),
            customer_facing: "a".into(),
            fields: rules(group),
            routes: Vec::new(),
            private_notes: true,
            deletions: Deletions::Keep,
        };
        let shown = Fields::from([(Field::Type, choice(first))]);
        let tickets: BTreeMap<_, _> =
            NAMES.iter().map(|name| (TicketKey::new(*name, "1"), (shown.clone(), 1))).collect();
        let link =
            start_link(policy.group.clone(), &view(&vendors, &TicketKey::new("a", "1"), &tickets), &policy);
        let link =
            NAMES[1..].iter().fold(link, |link, name| add_side(&link, &TicketKey::new(*name, "1"), &policy));
        Self { policy, vendors, tickets, link }
    }

    /// Decides and writes until nothing is left to do; how many writes it took.
    fn rest(&mut self) -> Result<usize, String> {
        let mut writes = 0;
        for round in 0..ROUNDS_MAX {
            let views: BTreeMap<_, _> = self
                .tickets
                .keys()
                .map(|key| (key.clone(), view(&self.vendors, key, &self.tickets)))
                .collect();
            let plan = reconcile(&self.link, &views, &self.policy, &self.vendors, Timestamp(round as i64));
            self.link = plan.link;
            if plan.intents.is_empty() {
                return Ok(writes);
            }
            for intent in plan.intents {
                writes += 1;
                let outcome = self.write(&intent);
                self.link = settle(&self.link, &intent, &outcome, &self.policy, &self.vendors).link;
            }
        }
        Err(format!("{writes} writes and no rest"))
    }

    fn write(&mut self, intent: &Intent) -> Outcome {
        let Intent::Update(update) = intent else { panic!("only updates here: {intent:?}") };
        let native = self.vendors.0[&update.at.account].to_native(&update.set);
        let (fields, version) = self.tickets.get_mut(&update.at).expect("a ticket");
        fields.extend(native);
        *version += 1;
        let shown = view(&self.vendors, &update.at, &self.tickets);
        Outcome::Applied(Box::new(Applied {
            ticket: update.at.clone(),
            version: Some(shown.version),
            shown: Some(shown),
            comment: None,
            written_at: None,
            imported: Vec::new(),
            unset: None,
        }))
    }
}

fn view(vendors: &Vendors, key: &TicketKey, tickets: &BTreeMap<TicketKey, (Fields, i64)>) -> Observed {
    let (fields, version) = &tickets[key];
    Observed {
        ticket: key.clone(),
        version: Version(*version),
        read_by: ReadBy::Fetch,
        read_at: Timestamp(*version),
        fields: vendors.0[&key.account].to_canonical(fields),
        requester: Some(Person::customer("Ann", "ann@shop.example")),
        comments: CommentsSeen::All(Vec::new()),
        comment_count: Some(0),
        marker: None,
        created_at: Timestamp(0),
        follows: None,
        rating: None,
    }
}

/// Accounts' words are `1` to `4`, the group's `w` to `z`.
fn table() -> impl Strategy<Value = String> {
    let pairs = |from: [&'static str; 4], to: [&'static str; 4]| {
        proptest::collection::vec(0..4_usize, 4).prop_map(move |picks| {
            let pair = |(at, pick): (usize, usize)| format!("{} = \"{}\"", from[at], to[pick]);
            picks.into_iter().enumerate().map(pair).collect::<Vec<_>>().join(", ")
        })
    };
    let (native, words) = (["1", "2", "3", "4"], ["w", "x", "y", "z"]);
    (pairs(native, words), pairs(words, native))
        .prop_map(|(read, write)| format!("{{ read = {{ {read} }}, write = {{ {write} }} }}"))
}

/// Each word back to one that it comes from: the maps that admins mean.
fn sound_table() -> impl Strategy<Value = String> {
    proptest::collection::vec(0..4_usize, 4).prop_map(|picks| {
        let (native, words) = (["1", "2", "3", "4"], ["w", "x", "y", "z"]);
        let read =
            picks.iter().enumerate().map(|(at, pick)| format!("{} = \"{}\"", native[at], words[*pick]));
        let write = (0..4).filter_map(|word| {
            let from = picks.iter().position(|pick| *pick == word)?;
            Some(format!("{} = \"{}\"", words[word], native[from]))
        });
        let (read, write) = (read.collect::<Vec<_>>().join(", "), write.collect::<Vec<_>>().join(", "));
        format!("{{ read = {{ {read} }}, write = {{ {write} }} }}")
    })
}

fn tables() -> impl Strategy<Value = Vec<String>> {
    let any = prop_oneof![1 => table(), 4 => sound_table()];
    proptest::collection::vec(any, 3)
}

fn set_up(tables: &[String]) -> (GroupConfig, Vendors, bool) {
    let maps = NAMES.iter().zip(tables).map(|(name, table)| format!("{name} = {table}"));
    let more = format!("fields.type = {{ values = {{ {} }} }}", maps.collect::<Vec<_>>().join(", "));
    let group = group(&more);
    let translators = NAMES.map(|name| Translator::of(&group, name).expect("a translation"));
    let party = |(name, translator)| Party {
        account: AccountId::from(name),
        translator,
        vendor: &plain,
        known: BTreeMap::new(),
    };
    let parties: Vec<Party<'_>> = NAMES.into_iter().zip(&translators).map(party).collect();
    let stable = prove(&rules(&group), &parties).flaws.is_empty();
    drop(parties);
    let vendors = NAMES.into_iter().map(AccountId::from).zip(translators).collect();
    (group, Vendors(vendors), stable)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_called_stable_settles(
        tables in tables(),
        first in 1..5_usize,
        edits in proptest::collection::vec((0..3_usize, 1..5_usize), 1..6),
    ) {
        let (group, vendors, stable) = set_up(&tables);
        prop_assume!(stable);
        for translator in vendors.0.values() {
            for word in ["w", "x", "y", "z"] {
                let once = translator.normalize(&one(Field::Type, choice(word)), &plain);
                prop_assert_eq!(&translator.normalize(&once, &plain), &once, "normalize twice");
            }
        }
        let mut world = World::new(&group, vendors, &first.to_string());
        let rested = world.rest();
        prop_assert!(rested.is_ok(), "{rested:?} at the start");
        for (at, word) in edits {
            let (fields, version) = world.tickets.get_mut(&TicketKey::new(NAMES[at], "1")).expect("a ticket");
            fields.insert(Field::Type, choice(&word.to_string()));
            *version += 1;
            let rested = world.rest();
            prop_assert!(rested.as_ref().is_ok_and(|writes| *writes <= 2), "{rested:?} after an edit");
        }
    }
}

/// The property is not empty: of the maps that are drawn, some are refused and many are not.
#[test]
fn maps_of_both_kinds_are_drawn() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let drawn = (0..200).map(|_| {
        let tables = tables().new_tree(&mut runner).expect("tables").current();
        set_up(&tables).2
    });
    let stable = drawn.filter(|stable| *stable).count();
    assert!((40..190).contains(&stable), "{stable} of 200 are stable");
}
