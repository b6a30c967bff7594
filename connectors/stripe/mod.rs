//! Stripe as a context source: who a customer is, which plan they pay for, what is unpaid.

mod api;
mod auth;
mod map;
mod probe;
mod settings;
pub mod sim;
#[cfg(test)]
mod tests;
mod wire;

use std::{collections::BTreeMap, sync::Arc};

use futures_util::future::{BoxFuture, join_all, join4};
use handoffd_core::{Fact, Match, Resolved, Subject};
use serde::de::DeserializeOwned;

use crate::{
    client::{Ask, Client, ClientParts, json},
    contract::{
        AccountSetup, AuthSpec, BadSettings, Call, Connector, ContextSource, Error, Opened, Probe, Result,
    },
    sim::{SimSetup, VendorSim},
};
use api::Requests;
pub use settings::{Livemode, Settings};
use wire::{Customer, List, Product, Subscription};

/// Stripe as a connector.
pub struct Stripe;

/// The registry's entry.
pub static STRIPE: Stripe = Stripe;

impl Connector for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn auth(&self) -> AuthSpec {
        auth::spec()
    }

    fn open(&self, setup: AccountSetup, http: ClientParts) -> Result<Opened, BadSettings> {
        let settings = Settings::read(&setup.id, &setup.settings)?;
        let http = Client::new(setup.id, setup.base_url, api::profile(), http);
        Ok(Opened::ContextSource(Arc::new(Source { http, settings })))
    }

    fn simulator(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        sim::start(setup)
    }
}

/// One account of Stripe.
struct Source {
    http: Client,
    settings: Settings,
}

impl ContextSource for Source {
    fn resolve<'a>(&'a self, call: Call, subject: &'a Subject) -> BoxFuture<'a, Result<Resolved>> {
        Box::pin(self.find(call, subject))
    }

    fn fetch<'a>(&'a self, call: Call, found: &'a Match) -> BoxFuture<'a, Result<Vec<Fact>>> {
        Box::pin(self.read_facts(call, &found.id))
    }

    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>> {
        Box::pin(self.look_around(call))
    }
}

impl Source {
    async fn read<T: DeserializeOwned>(&self, call: Call, ask: Result<Ask>) -> Result<T> {
        json::read_json(&self.http.send(call, ask?).await?)
    }

    fn requests(&self) -> Requests<'_> {
        Requests(&self.settings)
    }

    async fn find(&self, call: Call, subject: &Subject) -> Result<Resolved> {
        let email = subject.email.as_deref().map(str::trim).unwrap_or_default();
        if email.is_empty() {
            return Ok(Resolved::None);
        }
        let mut found = Vec::new();
        for spelling in map::spellings(email) {
            let page: List<Customer> = self.read(call, self.requests().customers_by_email(&spelling)).await?;
            found.extend(page.data.unwrap_or_default());
        }
        if self.settings.search {
            let page = self.read::<List<Customer>>(call, self.requests().customers_search(email)).await;
            found.extend(searched(page, found.is_empty())?);
        }
        Ok(map::resolved(map::with_email(found, email, self.settings.livemode)))
    }

    async fn read_facts(&self, call: Call, id: &str) -> Result<Vec<Fact>> {
        let at = self.http.now();
        let requests = self.requests();
        let (customer, subscriptions, invoices, charges) = join4(
            self.read::<Customer>(call, requests.customer(id)),
            self.subscriptions(call, id),
            self.read(call, requests.open_invoices(id)),
            self.read(call, requests.charges(id)),
        )
        .await;
        if matches!(&customer, Ok(customer) if customer.deleted == Some(true)) {
            return Err(Error::Gone);
        }
        let failures = [
            customer.as_ref().err(),
            subscriptions.as_ref().err(),
            invoices.as_ref().err(),
            charges.as_ref().err(),
        ];
        if let Some(error) = hopeless(&failures) {
            return Err(error);
        }
        let mut facts = map::Facts {
            source: self.http.account(),
            customer: id,
            at,
            livemode: self.settings.livemode,
            products: BTreeMap::new(),
        };
        if let Ok(list) = &subscriptions {
            let unnamed = map::products_without_name(&facts.shown_subscriptions(list).0);
            facts.products = self.product_names(call, unnamed).await;
        }
        let read = map::Read {
            customer: customer.map_err(unread),
            subscriptions: subscriptions.map_err(unread),
            invoices: invoices.map_err(unread),
            charges: charges.map_err(unread),
        };
        Ok(facts.of(&read))
    }

    /// A key that may not read invoices is refused the whole list when they are
    /// to come with it, so the list is asked for alone then.
    async fn subscriptions(&self, call: Call, customer: &str) -> Result<List<Subscription>> {
        match self.read(call, self.requests().subscriptions(customer, true)).await {
            Err(Error::Forbidden { .. }) => {
                self.read(call, self.requests().subscriptions(customer, false)).await
            }
            answer => answer,
        }
    }

    /// The names of products, as far as they can be had: a plan without one is told by its id.
    async fn product_names(
        &self,
        call: Call,
        ids: impl IntoIterator<Item = String>,
    ) -> BTreeMap<String, String> {
        let asked = ids.into_iter().map(|id| async move {
            let product: Product = self.read(call, self.requests().product(&id)).await.ok()?;
            Some((id, map::product_name(&product)?))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }
}

/// A search that is refused, or fails where the list found somebody, is done without.
fn searched(page: Result<List<Customer>>, is_needed: bool) -> Result<Vec<Customer>> {
    match page {
        Ok(page) => Ok(page.data.unwrap_or_default()),
        Err(Error::Refused { .. } | Error::Forbidden { .. } | Error::Gone) => Ok(Vec::new()),
        Err(error @ Error::Unauthorized { .. }) => Err(error),
        Err(_) if !is_needed => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The error to give up with: a refused credential, or the first when nothing could be read.
fn hopeless(failures: &[Option<&Error>]) -> Option<Error> {
    let refused = failures.iter().flatten().find(|error| matches!(error, Error::Unauthorized { .. }));
    let all = failures.iter().all(Option::is_some);
    let first = failures.first().copied().flatten().filter(|_| all);
    refused.copied().or(first).cloned()
}

/// Why a part is unknown, in words for the next owner.
fn unread(error: Error) -> String {
    match error {
        Error::Forbidden { missing } => format!("the key lacks {missing}"),
        Error::Malformed { .. } => "the answer cannot be read".to_owned(),
        Error::Throttled { .. } => "the rate limit is used up".to_owned(),
        _ => "no answer".to_owned(),
    }
}
