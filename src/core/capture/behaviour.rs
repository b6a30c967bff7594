//! Many product events, few facts.

use std::collections::BTreeMap;

use super::{
    CaptureEvent, CaptureRules, What,
    fold::{Folded, place},
    page,
};
use crate::{
    briefing::{one_line, shortened},
    model::{captured::Captured, turn::Proof},
};

/// How many areas, failed actions and error codes are kept.
const NAMES_MAX: usize = 16;

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 60;

pub(super) fn take(captured: &mut Captured, event: &CaptureEvent, rules: &CaptureRules) -> Folded {
    let What::Product { name, area, properties, ok, error_code, dwell_secs } = &event.what else {
        return Folded::Nothing;
    };
    let property = |names: [&str; 2]| names.iter().find_map(|name| properties.get(*name)).map(String::as_str);
    let named = |text: Option<&str>| {
        let text = text.map(|text| shortened(&page::redacted_page(&one_line(text)), NAME_CHARS_MAX));
        text.filter(|text| !text.is_empty())
    };
    let name = named(Some(&crate::transcript::json::words(name)));
    let area = named(area.as_deref().or_else(|| property(["area", "section"])));
    let code = named(error_code.as_deref().or_else(|| property(["error_code", "code"])));
    if name.is_none() && area.is_none() && code.is_none() {
        return Folded::Nothing;
    }
    let proof = Proof::Event { id: place(captured, event), at: event.at };
    captured.behaviour.events = captured.behaviour.events.saturating_add(1);
    let behaviour = &mut captured.behaviour;
    if let Some(area) = area {
        let area = page::area_of(&area, &rules.areas).unwrap_or(area);
        dwell(&mut behaviour.dwell_secs, area, dwell_secs.unwrap_or(0));
    }
    if *ok == Some(false)
        && let Some(name) = name
    {
        count(&mut behaviour.failed, name, &proof);
    }
    if let Some(code) = code.filter(|_| *ok != Some(true)) {
        count(&mut behaviour.errors, code, &proof);
    }
    Folded::Other
}

fn dwell(all: &mut BTreeMap<String, u64>, area: String, secs: u64) {
    if !all.contains_key(&area) && all.len() >= NAMES_MAX {
        let least = all.iter().min_by_key(|(_, secs)| **secs).map(|(name, _)| name.clone());
        least.map(|name| all.remove(&name));
    }
    let sum = all.entry(area).or_default();
    *sum = sum.saturating_add(secs);
}

fn count(all: &mut BTreeMap<String, (u32, Proof)>, name: String, proof: &Proof) {
    if !all.contains_key(&name) && all.len() >= NAMES_MAX {
        let least = all.iter().min_by_key(|(_, (times, _))| *times).map(|(name, _)| name.clone());
        least.map(|name| all.remove(&name));
    }
    let (times, last) = all.entry(name).or_insert_with(|| (0, proof.clone()));
    *times = times.saturating_add(1);
    *last = proof.clone();
}
