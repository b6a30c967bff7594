//! Did the context arrive before the human spoke?

use crate::model::{
    handoff::{Handoff, HandoffState, SourceAnswer},
    time::Timestamp,
};

/// A handoff whose next owner spoke before the briefing was there, or that has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Why, in words for an admin.
    pub cause: String,
    /// How long the next owner was without it, in milliseconds; `None` while it is not there.
    pub late_ms: Option<u64>,
}

/// How a handoff failed its next owner; `None` while it did not.
///
/// The helpdesk's own times count where both are known: when it says that the briefing was
/// written, and when it says that the next owner's first public message was.
pub fn breach(record: &Handoff) -> Option<Breach> {
    let spoke = record.first_reply.as_ref().map(|reply| reply.at).or(record.accepted_at);
    let there = record.visible.as_ref().map(|note| note.at).or_else(|| taken(record));
    match (spoke, there, record.state) {
        (_, None, HandoffState::Failed) => {
            let why = record.failure.clone().unwrap_or_else(|| "the briefing was not delivered".to_owned());
            Some(Breach { cause: why, late_ms: None })
        }
        (Some(_), None, _) => Some(Breach { cause: cause(record, None), late_ms: None }),
        (None, None, HandoffState::Expired) => {
            Some(Breach { cause: "it expired and no briefing was on the ticket".to_owned(), late_ms: None })
        }
        (Some(spoke), Some(there), _) if spoke < there => {
            Some(Breach { cause: cause(record, Some(spoke)), late_ms: Some(millis(spoke, there)) })
        }
        _ => None,
    }
}

/// Whether the context was there before the next owner spoke; `None` while nobody knows yet.
pub fn in_time(record: &Handoff) -> Option<bool> {
    record.accepted_at?;
    let looks_on = record.delivered_at.is_none() || super::wants_read_back(record);
    if looks_on && super::is_open(record) {
        return None;
    }
    Some(breach(record).is_none())
}

/// When the helpdesk took the briefing, while it may still show it. One that is never shown is not
/// there.
fn taken(record: &Handoff) -> Option<Timestamp> {
    record.delivered_at.filter(|_| super::wants_read_back(record))
}

fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from).as_millis()).unwrap_or(u64::MAX)
}

/// Why the briefing was not there in time.
fn cause(record: &Handoff, spoke: Option<Timestamp>) -> String {
    if spoke.is_some_and(|spoke| spoke < record.detected_at) {
        return "the next owner spoke before the handoff was known: announce it earlier, or set up webhooks"
            .to_owned();
    }
    if record.delivered_at.is_some()
        && record.visible.is_none()
        && let Some(why) = &record.failure
    {
        return why.clone();
    }
    let waited = record.sources.iter().find(|(_, answer)| **answer == SourceAnswer::Waiting);
    if record.briefing_key.is_none() {
        let whom = record.sources.iter().find(|(_, answer)| **answer == SourceAnswer::Waiting);
        return match whom {
            Some((account, _)) => format!("the next owner spoke while {account} was still asked"),
            None => "the next owner spoke before the briefing was written".to_owned(),
        };
    }
    if let Some(trouble) = &record.trouble {
        return format!("the helpdesk kept the briefing waiting: {trouble}");
    }
    match waited {
        Some((account, _)) => format!("{account} gave no answer until the deadline, and the briefing waited"),
        None => "the helpdesk took the briefing after the next owner spoke".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        handoff::tests,
        model::{handoff::SeenMessage, ids::TicketKey},
    };

    #[test]
    fn the_helpdesks_own_times_decide() {
        let seen = |ms: i64| {
            Some(SeenMessage { ticket: TicketKey::new("zd", "7"), id: "7".into(), at: Timestamp(ms) })
        };
        let record = |note: Option<i64>, reply: Option<i64>| Handoff {
            visible: note.and_then(seen),
            first_reply: reply.and_then(seen),
            detected_at: Timestamp(1_000),
            began_at: None,
            delivered_at: None,
            accepted_at: None,
            ..tests::delivered()
        };
        assert_eq!(breach(&record(Some(2_000), Some(2_001))), None);
        assert_eq!(breach(&record(Some(2_000), None)), None);
        assert_eq!(breach(&record(None, None)), None);
        assert_eq!(breach(&record(Some(2_000), Some(1_500))).and_then(|breach| breach.late_ms), Some(500));
        assert!(breach(&record(None, Some(1_500))).is_some_and(|breach| breach.late_ms.is_none()));
        let early = breach(&record(Some(2_000), Some(900))).expect("a breach");
        assert!(early.cause.contains("before the handoff was known"), "{}", early.cause);
    }
}
