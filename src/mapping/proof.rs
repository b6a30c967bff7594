//! The proof that a mapping comes to rest: every value that a side can show is carried
//! round every tour of the sides, and back, until nothing changes any more.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use handoffd_connectors::contract::{Helpdesk, Opened};
use handoffd_core::{AccountId, Field, Fields, Value, policy::FieldRule};

use super::{
    samples::{Sample, is_listed, kind, native_word, samples},
    translate::Translator,
    values::canonical,
};
use crate::{app::OpenAccount, config::GroupConfig};

/// How often a value is carried round a tour before it counts as never resting.
const ROUNDS_MAX: usize = 8;

/// The most sides of which every order is walked; of more, only every three.
const ALL_ORDERS_MAX: usize = 4;

/// One account in the proof.
pub struct Party<'a> {
    /// Its name.
    pub account: AccountId,
    /// Its translation.
    pub translator: &'a Translator,
    /// What the account shows after it is sent these fields of its own.
    pub vendor: &'a dyn Fn(&Fields) -> Fields,
    /// Values that the account is known to have, beside those that the configuration names.
    pub known: BTreeMap<Field, Vec<Value>>,
}

/// What the proof found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// How many values were carried round.
    pub values: usize,
    /// Maps that never come to rest.
    pub flaws: Vec<Flaw>,
    /// What a side cannot show as it is.
    pub losses: Vec<Loss>,
}

/// A value that never comes to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Of which field.
    pub field: Field,
    /// Where it goes: what each account shows, and what the group makes of it.
    pub path: Vec<String>,
    /// Whether the account's own form of the value already is sent back as another one.
    pub drifts: bool,
}

impl Flaw {
    /// The key in the link group's configuration.
    pub fn key(&self) -> String {
        match self.field {
            Field::Custom(name) => format!("custom.{}", name.as_str()),
            field => format!("fields.{field}"),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.join(" → ");
        match self.drifts {
            true => write!(
                out,
                "{path}: what is shown there is sent back as something else; make `read` and `write` each other's inverse"
            ),
            false => write!(
                out,
                "{path} → …: this goes round and never ends; map each value back to the one that it comes from"
            ),
        }
    }
}

/// A value that a side cannot show as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Of which field.
    pub field: Field,
    /// Whose value.
    pub from: AccountId,
    /// The value, by the account's own word; of text what is peculiar about it.
    pub value: String,
    /// Where it cannot be shown.
    pub at: AccountId,
    /// What stands there instead; `None`: nothing, the field is left as it is.
    pub becomes: Option<String>,
}

impl fmt::Display for Loss {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, from, value, at, becomes } = self;
        match becomes {
            Some(becomes) if from == at => {
                write!(out, "{field}: {from}'s {value} is the same as its {becomes}")
            }
            Some(becomes) => write!(out, "{field}: {from}'s {value} is {becomes} at {at}"),
            None => write!(out, "{field}: {from}'s {value} is not carried to {at}"),
        }
    }
}

/// Proves the maps of a link group whose accounts are open.
pub fn prove_group(group: &GroupConfig, accounts: &BTreeMap<AccountId, OpenAccount>) -> Proof {
    prove_known(group, accounts, &BTreeMap::new())
}

/// As [`prove_group`], with values that accounts are known to have.
pub fn prove_known(
    group: &GroupConfig,
    accounts: &BTreeMap<AccountId, OpenAccount>,
    known: &BTreeMap<AccountId, BTreeMap<Field, Vec<Value>>>,
) -> Proof {
    let desks: Vec<(AccountId, &Translator, &dyn Helpdesk)> = group
        .accounts
        .iter()
        .filter_map(|name| {
            let id = AccountId::new(name);
            let one = accounts.get(&id)?;
            match (&one.opened, &one.translator) {
                (Opened::Helpdesk(helpdesk), Some(translator)) => Some((id, translator, &**helpdesk)),
                _ => None,
            }
        })
        .collect();
    let vendors: Vec<_> =
        desks.iter().map(|(_, _, helpdesk)| |fields: &Fields| helpdesk.normalize(fields)).collect();
    let parties: Vec<Party<'_>> = desks
        .iter()
        .zip(&vendors)
        .map(|((account, translator, _), vendor)| Party {
            account: account.clone(),
            translator,
            vendor,
            known: known.get(account).cloned().unwrap_or_default(),
        })
        .collect();
    let holds = |name: &str, field: Field| {
        let desk = desks.iter().find(|(id, _, _)| id.as_str() == name);
        desk.is_some_and(|(_, _, helpdesk)| helpdesk.capabilities().fields.contains(&field))
    };
    prove(&group.field_rules(&holds), &parties)
}

/// Proves that every value that a side can show comes to rest, and names what is lost.
pub fn prove(rules: &BTreeMap<Field, FieldRule>, parties: &[Party<'_>]) -> Proof {
    let mut proof = Proof::default();
    for (field, rule) in rules {
        let words = group_words(*field, parties);
        let field = FieldProof { field: *field, rule, parties, words };
        field.run(&mut proof);
    }
    proof.losses.sort();
    proof.losses.dedup();
    proof
}

/// Every word that the group has for a field.
fn group_words(field: Field, parties: &[Party<'_>]) -> BTreeSet<String> {
    let maps = parties.iter().filter_map(|party| party.translator.fields.get(&field));
    maps.flat_map(|map| map.values.read.values().chain(map.values.write.keys())).cloned().collect()
}

struct FieldProof<'a> {
    field: Field,
    rule: &'a FieldRule,
    parties: &'a [Party<'a>],
    words: BTreeSet<String>,
}

/// One value of one side on its way.
struct Start<'a> {
    party: usize,
    sample: &'a Sample,
    value: Value,
}

impl FieldProof<'_> {
    fn run(&self, proof: &mut Proof) {
        proof.flaws.extend(self.find_drift_of_words());
        for (at, party) in self.parties.iter().enumerate() {
            if !self.rule.from.contains(&party.account) {
                continue;
            }
            let samples = samples(party, self.field, &self.words);
            let read = samples.iter().filter_map(|sample| {
                let value = party.translator.to_canonical(&sample.shown).remove(&self.field)?;
                Some(Start { party: at, sample, value })
            });
            let starts: Vec<_> = read.collect();
            self.find_twins(&starts, proof);
            for start in &starts {
                proof.values += 1;
                self.find_losses(start, proof);
                let flaw =
                    self.find_drift(&start.value, &self.begin(start)).or_else(|| self.find_flapping(start));
                let is_first = proof.flaws.iter().all(|known| known.field != self.field);
                proof.flaws.extend(flaw.filter(|_| is_first));
            }
        }
    }

    fn receives(&self, at: usize) -> bool {
        self.rule.to.contains(&self.parties[at].account)
    }

    fn sends(&self, at: usize) -> bool {
        self.rule.from.contains(&self.parties[at].account)
    }

    /// What a side shows, in the group's values, after it is sent one; `None` if it cannot hold it.
    fn shown(&self, at: usize, value: &Value) -> Option<Value> {
        let party = &self.parties[at];
        let wanted = Fields::from([(self.field, value.clone())]);
        party.translator.normalize(&wanted, party.vendor).remove(&self.field)
    }

    /// A side's own word for a value of the group.
    fn word_at(&self, at: usize, value: &Value) -> String {
        let party = &self.parties[at];
        let native = party.translator.to_native(&Fields::from([(self.field, value.clone())]));
        let shown = (party.vendor)(&native);
        let word = shown.values().next().map_or_else(|| "nothing".to_owned(), native_word);
        format!("{} {}", party.account, short(&word))
    }

    /// What a side shows for a value must be what it shows for that again.
    fn find_drift(&self, value: &Value, begin: &[String]) -> Option<Flaw> {
        (0..self.parties.len()).filter(|at| self.receives(*at)).find_map(|at| {
            let once = self.shown(at, value)?;
            let twice = self.shown(at, &once)?;
            let path = || {
                let mut path = begin.to_vec();
                path.extend([self.word_at(at, value), group_word(&once)]);
                path.extend([self.word_at(at, &once), group_word(&twice)]);
                path
            };
            (once != twice).then(|| Flaw { field: self.field, path: path(), drifts: true })
        })
    }

    /// Words of the group that only maps to an account name must come to rest too.
    fn find_drift_of_words(&self) -> Option<Flaw> {
        let party = self.parties.first()?;
        let kind = self.parties.iter().find_map(|party| kind(party, self.field));
        self.words.iter().find_map(|word| {
            let value = canonical(self.field, kind, &party.translator.words, word)?;
            self.find_drift(&value, std::slice::from_ref(word))
        })
    }

    fn begin(&self, start: &Start<'_>) -> Vec<String> {
        let account = &self.parties[start.party].account;
        vec![format!("{account} {}", short(&start.sample.label)), group_word(&start.value)]
    }

    fn find_flapping(&self, start: &Start<'_>) -> Option<Flaw> {
        let both = |at: &usize| self.receives(*at) && self.sends(*at);
        let others: Vec<usize> =
            (0..self.parties.len()).filter(both).filter(|at| *at != start.party).collect();
        if !self.receives(start.party) {
            return None;
        }
        let longest = if others.len() < ALL_ORDERS_MAX { others.len() } else { 2 };
        orders(&others, longest).into_iter().find_map(|mut tour| {
            tour.push(start.party);
            self.walk(start, &tour)
        })
    }

    /// Carries a value round a tour until it rests.
    fn walk(&self, start: &Start<'_>, tour: &[usize]) -> Option<Flaw> {
        let mut path = self.begin(start);
        let mut value = start.value.clone();
        let mut seen = Vec::new();
        for _ in 0..ROUNDS_MAX {
            if seen.last() == Some(&value) {
                return None;
            }
            if seen.contains(&value) {
                break;
            }
            seen.push(value.clone());
            for at in tour {
                let Some(shown) = self.shown(*at, &value) else { continue };
                path.extend([self.word_at(*at, &value), group_word(&shown)]);
                value = shown;
            }
        }
        Some(Flaw { field: self.field, path, drifts: false })
    }

    fn find_losses(&self, start: &Start<'_>, proof: &mut Proof) {
        let from = &self.parties[start.party];
        for at in (0..self.parties.len()).filter(|at| *at != start.party && self.receives(*at)) {
            let shown = self.shown(at, &start.value);
            if shown.as_ref() == Some(&start.value) || self.is_default(at, start) {
                continue;
            }
            let becomes = match &shown {
                None => None,
                Some(_) if !is_listed(self.field, kind(from, self.field)) => Some("changed".to_owned()),
                Some(shown) => Some(group_word(shown)),
            };
            proof.losses.push(Loss {
                field: self.field,
                from: from.account.clone(),
                value: start.sample.label.clone(),
                at: self.parties[at].account.clone(),
                becomes,
            });
        }
    }

    /// Whether nothing is there, and a default is written on purpose.
    fn is_default(&self, at: usize, start: &Start<'_>) -> bool {
        let map = self.parties[at].translator.fields.get(&self.field);
        super::values::is_empty(&start.value) && map.is_some_and(|map| map.default.is_some())
    }

    /// Two values of one side that are one to the group.
    fn find_twins(&self, starts: &[Start<'_>], proof: &mut Proof) {
        for (at, one) in starts.iter().enumerate() {
            let account = &self.parties[one.party].account;
            let listed = is_listed(self.field, kind(&self.parties[one.party], self.field));
            let twin = starts[..at].iter().find(|other| other.value == one.value);
            if let Some(twin) = twin.filter(|_| listed) {
                proof.losses.push(Loss {
                    field: self.field,
                    from: account.clone(),
                    value: one.sample.label.clone(),
                    at: account.clone(),
                    becomes: Some(twin.sample.label.clone()),
                });
            }
        }
    }
}

/// The group's word for a value.
fn group_word(value: &Value) -> String {
    match value {
        Value::StatusDetail { detail, .. } => detail.clone(),
        value => short(&native_word(value)),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Every ordered choice of one up to `longest` of these.
fn orders(of: &[usize], longest: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<Vec<usize>> = of.iter().map(|one| vec![*one]).collect();
    let mut last = all.clone();
    for _ in 1..longest {
        let longer = last.iter().flat_map(|order| {
            let rest = of.iter().filter(|one| !order.contains(one));
            rest.map(|one| order.iter().copied().chain([*one]).collect::<Vec<_>>()).collect::<Vec<_>>()
        });
        last = longer.collect();
        all.extend(last.iter().cloned());
    }
    all
}
