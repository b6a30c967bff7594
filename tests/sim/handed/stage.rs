//! The world of a life: helpdesks, marks of AI agents, the net, and the daemon in it.

use std::{sync::Arc, time::Duration};

use handoffd_connectors::{
    client::{Clock, clock::TokioClock},
    connector,
    sim::{HumanAct, SimSetup, faults::Faults, world::World},
};
use handoffd_core::{AccountId, FieldKind};

use super::script::{SETTLED, SETTLED_LATE};
use crate::{
    setup::{Made, PRIORITY, fill_stripe, load},
    world::{FRESHDESK, Ground, INTERCOM, Life, Profile, START, STRIPE, Tamper, ZENDESK},
};

/// By what an AI agent is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Marks {
    Assignee,
    Group,
    Tag,
}

/// The tag of tickets that the AI agent has.
pub const BOT_TAG: &str = "ai_agent";

/// What the customer is told while the package is made.
pub const HOLDING: &str = "Thank you. Somebody will be with you shortly.";

/// How a life is.
#[derive(Clone, Debug)]
pub struct Setting {
    pub desks: Vec<&'static str>,
    pub marks: Marks,
    pub faults: Faults,
    /// The faults of the one who knows about bills.
    pub source: Faults,
    pub crashes: bool,
    /// Whether the customer is told to hold while the package is made.
    pub holds: bool,
    /// Whether tags and a priority go beside the briefing.
    pub places: bool,
    /// How many conversations there are.
    pub tales: u32,
    /// Within what time the daemon surely takes in what was done.
    pub settled: Duration,
}

/// Each combination of helpdesks, marks and trouble comes once in 168 seeds.
pub fn setting(seed: u64) -> Setting {
    let desks = match seed % 7 {
        0 => vec![ZENDESK],
        1 => vec![FRESHDESK],
        2 => vec![INTERCOM],
        3 => vec![ZENDESK, FRESHDESK],
        4 => vec![ZENDESK, INTERCOM],
        5 => vec![FRESHDESK, INTERCOM],
        _ => vec![ZENDESK, FRESHDESK, INTERCOM],
    };
    let marks = [Marks::Assignee, Marks::Group, Marks::Tag][usize::try_from(seed % 3).unwrap_or(0)];
    let calm = Faults { latency_ms: 5..=200, ..Faults::none() };
    let rough = Faults {
        refused: 5,
        lost: 5,
        answer_lost: 8,
        error_before: 5,
        error_after: 5,
        throttled: 5,
        answer_slow: 20,
        ..Faults::some()
    };
    let tales = if desks.len() == 1 { 2 } else { 1 };
    let base = Setting {
        desks,
        marks,
        faults: calm.clone(),
        source: calm.clone(),
        crashes: false,
        holds: seed % 5 < 2,
        places: seed % 3 < 2,
        tales,
        settled: SETTLED,
    };
    let late =
        Setting { faults: rough.clone(), source: rough.clone(), settled: SETTLED_LATE, ..base.clone() };
    let slow =
        |ms: std::ops::RangeInclusive<u64>| Faults { answer_slow: 1_000, answer_slow_ms: ms, ..calm.clone() };
    match seed % 8 {
        0 => base,
        1 => Setting { source: slow(1_000..=9_000), ..base },
        2 => late,
        // Whoever is asked about bills says nothing at all.
        3 => Setting { source: Faults { lost: 1_000, ..calm }, ..late },
        // Nothing but polls tells of changes.
        4 => Setting { faults: Faults { webhook_lost: 1_000, ..rough }, ..late },
        5 => Setting { crashes: true, settled: SETTLED_LATE, ..base },
        6 => Setting { crashes: true, ..late },
        _ => Setting { crashes: true, faults: Faults::some(), source: slow(2_000..=20_000), ..late },
    }
}

/// Nobody waits for the next owner longer than this.
pub const EXPIRES: Duration = Duration::from_secs(3_600);

/// The daemon in the seed's world.
pub async fn begin(seed: u64, setting: &Setting, verbose: bool) -> Life {
    let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(START));
    let world = World::new(seed, clock.clone());
    world.keep_log();
    for vendor in setting.desks.iter().chain([&STRIPE]) {
        let setup = SimSetup { seed, plan: "unlimited".to_owned(), now: clock.now() };
        let sim = connector(vendor).expect("a known vendor").simulator(setup);
        let faults = if *vendor == STRIPE { &setting.source } else { &setting.faults };
        world.add(AccountId::new(*vendor), sim, faults.clone());
    }
    fill_stripe(&world);
    if setting.desks.contains(&INTERCOM) {
        let (title, kind, options) = (PRIORITY.to_owned(), FieldKind::Text, Vec::new());
        let field = HumanAct::MakeField { title, kind, options };
        world.human(&AccountId::new(INTERCOM), field).expect("a field");
    }
    let more = format!("\n[handoff]\nexpire_after = \"{}s\"\n", EXPIRES.as_secs());
    let mut config = load(&world, &setting.desks, setting.desks[0], &more);
    for desk in &setting.desks {
        let bots = &mut config.accounts.get_mut(*desk).expect("an account").bots;
        match setting.marks {
            Marks::Assignee => bots.groups.clear(),
            Marks::Group => bots.assignees.clear(),
            Marks::Tag => {
                (bots.assignees, bots.groups) = Default::default();
                bots.tags.insert(BOT_TAG.to_owned());
            }
        }
    }
    if setting.places {
        for desk in &setting.desks {
            let placing = &mut config.accounts.get_mut(*desk).expect("an account").handoff;
            placing.tags.insert("handed_over".to_owned());
            placing.priority = Some("high".to_owned());
        }
    }
    if setting.holds {
        config.groups.get_mut("support").expect("the group").holding_message = Some(HOLDING.to_owned());
    }
    let profile = Profile {
        desks: setting.desks.clone(),
        facing: setting.desks[0],
        rich: false,
        faults: setting.faults.clone(),
        crashes: setting.crashes,
        expiries: false,
        deletes: false,
        talks_max: 0,
        draws: 0,
        pause_ms_max: 1,
        intake_within: setting.settled,
        quiet: EXPIRES + Duration::from_secs(1_800),
    };
    let tamper = Tamper::over(world.transport());
    Life::over(seed, profile, verbose, Ground { world, clock, config, made: Made::default(), tamper }).await
}
