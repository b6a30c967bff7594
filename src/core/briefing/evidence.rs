//! Where a statement can be checked, as short as it can be said.

use super::text::{age_text, one_line, shortened};
use crate::model::{package::Package, time::Timestamp, turn::Proof};

/// The most marks behind one line of the head.
const MARKS_MAX: usize = 3;

/// The longest id in a mark, in characters.
const ID_CHARS_MAX: usize = 36;

/// The marks of these proofs as one word: `[zd#35436/7,3min][pay/cus_1,2s]`. Empty without any.
pub(super) fn marks(proofs: &[&Proof], package: &Package, now: Timestamp) -> String {
    let mut places: Vec<(String, Option<Timestamp>)> = Vec::new();
    for (place, at) in proofs.iter().map(|proof| (place(proof), moment(proof, package))) {
        if places.len() < MARKS_MAX && !places.iter().any(|(known, _)| *known == place) {
            places.push((place, at));
        }
    }
    let mark = |(place, at): &(String, Option<Timestamp>)| match at {
        Some(at) => format!("[{place},{}]", age_text(now, *at).replace(' ', "")),
        None => format!("[{place},age-unknown]"),
    };
    places.iter().map(mark).collect()
}

/// The places of these proofs with `; ` between them, and the newest moment.
pub(super) fn places(proofs: &[Proof], package: &Package) -> (String, Option<Timestamp>) {
    let mut named: Vec<String> = Vec::new();
    for place in proofs.iter().map(place) {
        if named.len() < MARKS_MAX && !named.contains(&place) {
            named.push(place);
        }
    }
    (named.join("; "), proofs.iter().filter_map(|proof| moment(proof, package)).max())
}

/// A place as one word.
fn place(proof: &Proof) -> String {
    match proof {
        Proof::Message { ticket, id, .. } => {
            format!("{}#{}/{}", word(ticket.account.as_str()), word(ticket.id.as_str()), word(id.as_str()))
        }
        Proof::Event { id, .. } => word(id),
        Proof::Told { agent, path } => format!("{}:{}", word(agent), word(path)),
        Proof::Ticket { ticket, field } => {
            format!("{}#{}:{}", word(ticket.account.as_str()), word(ticket.id.as_str()), word(field))
        }
        Proof::Fact { source, record, .. } => format!("{}/{}", word(source.as_str()), word(record)),
        Proof::Handoff { id } => format!("handoff:{}", word(id.as_str())),
    }
}

/// When it was so. What was told, and what a ticket shows, is as old as the handoff's first sign.
fn moment(proof: &Proof, package: &Package) -> Option<Timestamp> {
    match proof {
        Proof::Message { at, .. } | Proof::Fact { at, .. } => Some(*at),
        Proof::Event { at, .. } => *at,
        Proof::Told { .. } | Proof::Ticket { .. } => Some(package.handoff.detected_at),
        Proof::Handoff { id } => package.lineage.iter().find(|hop| hop.id == *id).map(|hop| hop.at),
    }
}

/// Somebody else's id as one word that holds no bracket.
pub(super) fn word(id: &str) -> String {
    // `attempts[0]` as `attempts.0`.
    let line = one_line(id).replace(", ", ",").replace('[', ".").replace(']', "");
    let plain = |c: char| match c {
        c if c.is_whitespace() => '-',
        '“' | '”' => '\'',
        c => c,
    };
    let line: String = line.chars().map(plain).collect();
    match line.is_empty() {
        true => "?".to_owned(),
        false => shortened(&line, ID_CHARS_MAX),
    }
}
