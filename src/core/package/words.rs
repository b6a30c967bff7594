//! Categories and product areas by the words that people use.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    package::Stated,
    turn::{Proof, Turn},
};

/// How many turns support a word's finding at most.
const PROOFS_MAX: usize = 3;

const CATEGORIES: [(&str, &str); 8] = [
    (
        "account access",
        "log in,login,logged out,password,passwort,locked out,sign in,two-factor,2fa,einloggen,anmelden,gesperrt",
    ),
    (
        "billing",
        "invoice,charge,charged,billing,refund,payment,pay,paid,card,subscription,price,rechnung,abgebucht,\
         erstattung,zahlung,vat",
    ),
    (
        "booking",
        "flight,booking,book,reservation,trip,seat,passenger,cabin,baggage,bag,hotel,appointment,flug,buchung,\
         reservierung,termin",
    ),
    ("cancellation", "cancel,cancelled,cancellation,terminate,kündigen,kündigung,stornieren,stornierung"),
    ("complaint", "complaint,complain,compensation,unacceptable,beschwerde,entschädigung"),
    (
        "delivery",
        "delivery,delivered,parcel,package,shipping,shipment,tracking,courier,lieferung,paket,versand,geliefert",
    ),
    ("returns", "return,returned,exchange,replacement,broken item,rückgabe,umtausch,zurückschicken"),
    (
        "technical problem",
        "error,bug,crash,crashes,broken,not working,does not work,doesn't work,fails,failed,export,sync,fehler,\
         funktioniert nicht,kaputt",
    ),
];

/// Common concerns by the words that tell of them.
pub(super) fn default_categories() -> BTreeMap<String, BTreeSet<String>> {
    let words = |words: &str| words.split(',').map(|word| word.trim().to_owned()).collect();
    CATEGORIES.iter().map(|(name, all)| ((*name).to_owned(), words(all))).collect()
}

/// The name most of whose words stand in these turns; of two, the one that was heard first.
pub(super) fn most_heard<'a>(
    names: impl Iterator<Item = (&'a str, Vec<&'a str>)>,
    turns: &[&Turn],
) -> Option<Stated<String>> {
    let texts: Vec<String> = turns.iter().map(|turn| turn.text.to_lowercase()).collect();
    let mut best: Option<(usize, usize, &str, Vec<Proof>)> = None;
    for (name, words) in names {
        let hits: Vec<usize> = (0..texts.len()).map(|at| heard(&texts[at], &words)).collect();
        let sum: usize = hits.iter().sum();
        let Some(first) = hits.iter().position(|hits| *hits > 0) else { continue };
        let is_better =
            best.as_ref().is_none_or(|(most, at, ..)| sum > *most || (sum == *most && first < *at));
        if is_better {
            let heard = turns.iter().zip(&hits).filter(|(_, hits)| **hits > 0);
            let proofs = heard.take(PROOFS_MAX).map(|(turn, _)| turn.proof.clone()).collect();
            best = Some((sum, first, name, proofs));
        }
    }
    best.map(|(_, _, name, proofs)| Stated::known(name.to_owned(), proofs))
}

/// How often words stand in a text, as words of it; an English plural counts.
fn heard(text: &str, words: &[&str]) -> usize {
    words.iter().map(|word| heard_word(text, &word.to_lowercase())).sum()
}

fn heard_word(text: &str, word: &str) -> usize {
    if word.is_empty() {
        return 0;
    }
    let is_whole = |at: &usize| {
        let behind = &text[at + word.len()..];
        let behind = behind.strip_prefix("es").or_else(|| behind.strip_prefix('s')).filter(|rest| ends(rest));
        let rest = behind.unwrap_or(&text[at + word.len()..]);
        ends(rest) && !text[..*at].chars().next_back().is_some_and(char::is_alphanumeric)
    };
    text.match_indices(word).map(|(at, _)| at).filter(is_whole).count()
}

fn ends(rest: &str) -> bool {
    !rest.starts_with(char::is_alphanumeric)
}
