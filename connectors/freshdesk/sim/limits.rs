//! The per-minute limits of Freshdesk's plans.
//!
//! Source: Freshdesk's article on API limits of 2024-03-14. One account has one
//! count, which deliveries of webhooks use up too.

use handoffd_core::Timestamp;

/// What kind of request counts against a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    TicketCreate,
    TicketUpdate,
    TicketsList,
    ContactsList,
    Other,
}

struct Plan {
    total: u32,
    subs: Option<[u32; 4]>,
    /// Some accounts write their numbers as `200.0`.
    floats: bool,
}

/// The counts of the current minute.
pub(super) struct Limits {
    plan: Option<Plan>,
    minute: i64,
    used: u32,
    subs: [u32; 4],
}

/// What the headers of an answer say.
pub(super) struct Counted {
    /// Header names and values; none without a limit.
    pub headers: Vec<(&'static str, String)>,
}

/// A request over a limit: its headers, with `Retry-After`.
pub(super) struct OverLimit {
    pub headers: Vec<(&'static str, String)>,
}

impl Limits {
    /// The limits of `plan`; a plan that is not one of the vendor's has none.
    pub fn new(plan: &str) -> Self {
        let limited = |total, subs, floats| Some(Plan { total, subs, floats });
        let plan = match plan {
            "free" => limited(0, None, false),
            "trial" => limited(50, None, false),
            "growth" => limited(200, Some([80, 80, 20, 20]), true),
            "pro" => limited(400, Some([160, 160, 100, 100]), false),
            "enterprise" => limited(700, Some([280, 280, 200, 200]), false),
            _ => None,
        };
        Self { plan, minute: i64::MIN, used: 0, subs: [0; 4] }
    }

    /// Counts one request of `cost` credits, or refuses it.
    pub fn take(&mut self, class: Class, cost: u32, now: Timestamp) -> Result<Counted, OverLimit> {
        let minute = now.as_secs().div_euclid(60);
        if minute != self.minute {
            self.minute = minute;
            self.used = 0;
            self.subs = [0; 4];
        }
        let Some(plan) = &self.plan else {
            return Ok(Counted { headers: Vec::new() });
        };
        let slot = match class {
            Class::TicketCreate => Some(0),
            Class::TicketUpdate => Some(1),
            Class::TicketsList => Some(2),
            Class::ContactsList => Some(3),
            Class::Other => None,
        };
        let sub_full =
            slot.zip(plan.subs).is_some_and(|(slot, subs)| self.subs[slot].saturating_add(1) > subs[slot]);
        if sub_full || self.used.saturating_add(cost) > plan.total {
            // A limit of its own has no header of its own: `Remaining` still counts the whole.
            let left = if sub_full { plan.total.saturating_sub(self.used) } else { 0 };
            let mut headers = headers(plan, left, 0);
            headers.push(("retry-after", (60 - now.as_secs().rem_euclid(60)).to_string()));
            return Err(OverLimit { headers });
        }
        self.used += cost;
        if let Some(slot) = slot {
            self.subs[slot] += 1;
        }
        Ok(Counted { headers: headers(plan, plan.total - self.used, cost) })
    }
}

fn headers(plan: &Plan, left: u32, used: u32) -> Vec<(&'static str, String)> {
    let shown = |number: u32| if plan.floats { format!("{number}.0") } else { number.to_string() };
    vec![
        ("x-ratelimit-total", shown(plan.total)),
        ("x-ratelimit-remaining", shown(left)),
        ("x-ratelimit-used-currentrequest", used.to_string()),
    ]
}
