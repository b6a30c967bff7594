//! Stories that once went wrong, told deed by deed.

use std::time::Duration;

use handoffd_connectors::sim::{Who, faults::Faults};

use super::{
    judge::{Verdict, judge},
    oracle::Hands,
    play::Stage,
    script::{Deed, SETTLED, Script},
    stage::{Marks, Setting},
};
use crate::world::{FRESHDESK, ZENDESK};

/// A helpdesk whose changes only polls tell.
fn polled(desk: &'static str) -> Setting {
    Setting {
        desks: vec![desk],
        marks: Marks::Assignee,
        faults: Faults { webhook_lost: 1_000, ..Faults::none() },
        source: Faults::none(),
        crashes: false,
        holds: false,
        places: false,
        tales: 0,
        settled: SETTLED,
    }
}

/// Plays the deeds, each so many seconds after the beginning.
fn told(setting: Setting, deeds: Vec<(u64, Deed)>) -> Verdict {
    let mut verdict = Verdict::default();
    crate::past::run(async {
        let script: Script =
            deeds.into_iter().zip(0..).map(|((at, deed), number)| ((at * 1_000, number), deed)).collect();
        let mut stage = Stage::begin(1, setting, false).await;
        stage.play(script).await;
        stage.rest(Duration::from_secs(60)).await;
        verdict = judge(&stage, "").await;
    });
    verdict
}

fn opened(desk: &'static str) -> Deed {
    Deed::Open { tale: 1, account: desk, customer: 0, text: "qc1q my order does not arrive".to_owned() }
}

fn given(to: Hands) -> Deed {
    Deed::Give { tale: 1, to }
}

fn replied(desk: &'static str, name: &str, text: &str) -> Deed {
    let (who, text) = (Who::Agent(name.to_owned()), text.to_owned());
    Deed::Say { tale: 1, account: desk, who, public: true, text }
}

/// One look finds both that the AI agent got the conversation back and that it hands it over again.
#[test]
fn handed_back_and_announced_between_two_polls_is_a_handoff() {
    for desk in [ZENDESK, FRESHDESK] {
        let announced = |key: &str, reason: &str| Deed::Announce {
            tale: 1,
            key: key.to_owned(),
            reason: format!("{reason} a person must decide"),
        };
        let deeds = vec![
            (1, opened(desk)),
            (290, announced("k1", "qr4q")),
            (300, given(Hands::Person("Mara"))),
            (600, replied(desk, "Mara", "I have reset your parcel qp3q.")),
            (900, given(Hands::Bot)),
            (910, announced("k2", "qr2q")),
            (930, given(Hands::Person("Tom"))),
        ];
        let verdict = told(polled(desk), deeds);
        assert!(verdict.broken.is_empty(), "{desk}: {:?}", verdict.broken);
    }
}
