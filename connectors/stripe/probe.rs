//! Finds out what a key may read, by reading one row of each resource.

use serde::de::IgnoredAny;

use super::{
    Livemode, Source,
    wire::{Customer, List},
};
use crate::contract::{Call, Disarms, Error, Probe, Problem, Result};

/// What is read beside customers, with what is not known without it.
const RESOURCES: [(&str, &str, &str); 4] = [
    ("subscriptions", "Subscriptions", "plans are not known"),
    ("invoices", "Invoices", "open invoices are not known"),
    ("charges", "Charges", "failed payments are known from open invoices only"),
    ("products", "Products", "plans without a nickname are told by their ids"),
];

impl Source {
    pub(super) async fn look_around(&self, call: Call) -> Result<Probe> {
        let mut problems = Vec::new();
        let mode = match self.read::<List<Customer>>(call, self.requests().first_of("customers")).await {
            Ok(page) => page.data.unwrap_or_default().first().and_then(|customer| customer.livemode),
            Err(Error::Forbidden { missing }) => {
                problems.push(lacking(Disarms::Reads, "Customers", "nobody can be found", &missing));
                None
            }
            Err(error) => return Err(error),
        };
        if !self.settings.livemode.admits(mode) {
            problems.push(other_mode(mode));
        } else if mode == Some(false) && self.settings.livemode == Livemode::Any {
            problems.push(test_mode());
        }
        for (resource, name, effect) in RESOURCES {
            match self.read::<IgnoredAny>(call, self.requests().first_of(resource)).await {
                Ok(_) | Err(Error::Gone) => {}
                Err(Error::Forbidden { missing }) => {
                    problems.push(lacking(Disarms::Nothing, name, effect, &missing));
                }
                Err(error) => return Err(error),
            }
        }
        problems.extend(self.search_problem(call).await?);
        let mode = match mode {
            Some(true) => "live mode",
            Some(false) => "test mode",
            None => "mode not seen",
        };
        Ok(Probe { identity: format!("Stripe, {mode}"), problems })
    }

    async fn search_problem(&self, call: Call) -> Result<Option<Problem>> {
        if !self.settings.search {
            return Ok(None);
        }
        let ask = self.requests().customers_search("nobody@invalid.example");
        match self.read::<IgnoredAny>(call, ask).await {
            Err(Error::Forbidden { .. } | Error::Refused { .. } | Error::Gone) => Ok(Some(Problem {
                disarms: Disarms::Nothing,
                what: "customers cannot be searched: one whose address is stored in other letter case is not found"
                    .to_owned(),
                remedy: "set settings.search = false where Stripe does not offer the search (India)".to_owned(),
            })),
            Err(error) => Err(error),
            Ok(_) => Ok(None),
        }
    }
}

fn lacking(disarms: Disarms, resource: &str, effect: &str, missing: &str) -> Problem {
    Problem {
        disarms,
        what: format!("the key may not read {resource} ({missing}): {effect}"),
        remedy: format!("give the restricted key read access to {resource}"),
    }
}

fn test_mode() -> Problem {
    Problem {
        disarms: Disarms::Nothing,
        what: "the key is for test mode: briefings will show test data".to_owned(),
        remedy: "use a live key, or set settings.livemode = false if that is wanted".to_owned(),
    }
}

fn other_mode(mode: Option<bool>) -> Problem {
    let (is, wanted) = if mode == Some(true) { ("live", "false") } else { ("test", "true") };
    Problem {
        disarms: Disarms::Reads,
        what: format!("the key is for {is} mode, and settings.livemode is {wanted}: no record counts"),
        remedy: "use a key of the other mode, or set settings.livemode".to_owned(),
    }
}
