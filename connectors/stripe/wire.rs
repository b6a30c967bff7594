//! Stripe's JSON, only the fields that are read. Everything but ids may be
//! missing or null. What moved on 2025-03-31 is read in its new place first,
//! then in its old one. Nothing here prints: it is all about customers.

use serde::{Deserialize, de::IgnoredAny};

/// A page of a list or a search.
#[derive(Deserialize)]
pub struct List<T> {
    /// The rows.
    pub data: Option<Vec<T>>,
    /// Whether there are more.
    pub has_more: Option<bool>,
}

/// A reference that may be expanded.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Ref<T> {
    /// Only the id.
    Id(String),
    /// The object.
    Object(Box<T>),
    /// Something else, which is not read.
    Unread(IgnoredAny),
}

impl<T> Ref<T> {
    /// The object, where it was expanded.
    pub fn object(&self) -> Option<&T> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Anything with an id.
#[derive(Deserialize)]
pub struct Named {
    /// Its id.
    pub id: String,
}

impl Ref<Named> {
    /// The id.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Id(id) => Some(id),
            Self::Object(object) => Some(&object.id),
            Self::Unread(_) => None,
        }
    }
}

/// A customer.
#[derive(Deserialize)]
pub struct Customer {
    /// `cus_…`.
    pub id: String,
    /// The address as written.
    pub email: Option<String>,
    /// The name.
    pub name: Option<String>,
    /// In seconds.
    pub created: Option<i64>,
    /// A tombstone, with nothing but its id.
    pub deleted: Option<bool>,
    /// Live or test.
    pub livemode: Option<bool>,
    /// Whether the latest charge failed or is late.
    pub delinquent: Option<bool>,
}

/// A subscription.
#[derive(Deserialize)]
pub struct Subscription {
    /// `sub_…`.
    pub id: String,
    /// Whose.
    pub customer: Option<Ref<Named>>,
    /// `active`, `past_due` and so on.
    pub status: Option<String>,
    /// Live or test.
    pub livemode: Option<bool>,
    /// Whether it ends with the period.
    pub cancel_at_period_end: Option<bool>,
    /// When it will end, in seconds.
    pub cancel_at: Option<i64>,
    /// When somebody cancelled it, in seconds.
    pub canceled_at: Option<i64>,
    /// When it ended, in seconds.
    pub ended_at: Option<i64>,
    /// When the trial ends, in seconds.
    pub trial_end: Option<i64>,
    /// Old place of the period's end.
    current_period_end: Option<i64>,
    /// What is subscribed to.
    pub items: Option<List<Item>>,
    /// The newest invoice.
    pub latest_invoice: Option<Ref<Invoice>>,
    /// Payments are not collected.
    pub pause_collection: Option<IgnoredAny>,
}

impl Subscription {
    /// What is subscribed to.
    pub fn items(&self) -> &[Item] {
        self.items.as_ref().and_then(|items| items.data.as_deref()).unwrap_or_default()
    }

    /// When the period ends, in seconds: the first end of its items.
    pub fn period_end(&self) -> Option<i64> {
        self.items().iter().filter_map(|item| item.current_period_end).min().or(self.current_period_end)
    }
}

/// One thing that a subscription holds.
#[derive(Deserialize)]
pub struct Item {
    /// How many; none for metered ones.
    pub quantity: Option<i64>,
    current_period_end: Option<i64>,
    /// At what price.
    pub price: Option<Price>,
}

/// A price.
#[derive(Deserialize)]
pub struct Price {
    /// `price_…`.
    pub id: Option<String>,
    /// The merchant's own name for it.
    pub nickname: Option<String>,
    /// The merchant's own key for it.
    pub lookup_key: Option<String>,
    /// What it is the price of.
    pub product: Option<Ref<Product>>,
    /// For one, in Stripe's minor units; none for tiers.
    pub unit_amount: Option<i64>,
    /// Lower case.
    pub currency: Option<String>,
    /// How often.
    pub recurring: Option<Recurring>,
}

/// How often a price is charged.
#[derive(Deserialize)]
pub struct Recurring {
    /// `day`, `week`, `month` or `year`.
    pub interval: Option<String>,
    /// Every how many of them.
    pub interval_count: Option<i64>,
}

/// A product.
#[derive(Deserialize)]
pub struct Product {
    /// `prod_…`.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// An invoice.
#[derive(Deserialize)]
pub struct Invoice {
    /// `in_…`.
    pub id: String,
    /// The number that the customer sees.
    pub number: Option<String>,
    /// Whose.
    pub customer: Option<Ref<Named>>,
    /// `open`, `paid` and so on. There is no "failed".
    pub status: Option<String>,
    /// What is still to be paid, in Stripe's minor units.
    pub amount_remaining: Option<i64>,
    /// Lower case.
    pub currency: Option<String>,
    /// Whether a payment was tried.
    pub attempted: Option<bool>,
    /// How often.
    pub attempt_count: Option<i64>,
    /// When it is tried next, in seconds.
    pub next_payment_attempt: Option<i64>,
    /// By when it is to be paid, in seconds.
    pub due_date: Option<i64>,
    /// Live or test.
    pub livemode: Option<bool>,
    parent: Option<Parent>,
    subscription: Option<Ref<Named>>,
}

#[derive(Deserialize)]
struct Parent {
    subscription_details: Option<SubscriptionDetails>,
}

#[derive(Deserialize)]
struct SubscriptionDetails {
    subscription: Option<Ref<Named>>,
}

impl Invoice {
    /// The subscription that it bills.
    pub fn subscription(&self) -> Option<&str> {
        let details = self.parent.as_ref().and_then(|parent| parent.subscription_details.as_ref());
        let new = details.and_then(|details| details.subscription.as_ref());
        new.or(self.subscription.as_ref()).and_then(Ref::id)
    }

    /// Whether it is open, was tried and is not paid: Stripe's form of a failed payment.
    pub fn payment_failed(&self) -> bool {
        self.status.as_deref() == Some("open")
            && self.attempted == Some(true)
            && self.attempt_count.unwrap_or(0) > 0
            && self.amount_remaining.unwrap_or(0) > 0
    }
}

/// A charge.
#[derive(Deserialize)]
pub struct Charge {
    /// `ch_…`.
    pub id: String,
    /// Whose.
    pub customer: Option<Ref<Named>>,
    /// `succeeded`, `pending` or `failed`.
    pub status: Option<String>,
    /// In Stripe's minor units.
    pub amount: Option<i64>,
    /// Lower case.
    pub currency: Option<String>,
    /// In seconds.
    pub created: Option<i64>,
    /// Why it failed, as a code.
    pub failure_code: Option<String>,
    /// Why it failed, in words.
    pub failure_message: Option<String>,
    /// Live or test.
    pub livemode: Option<bool>,
}

/// The body of an answer outside 2xx.
#[derive(Default, Deserialize)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: Option<Problem>,
}

/// What went wrong.
#[derive(Default, Deserialize)]
pub struct Problem {
    /// For instance `invalid_request_error`.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// For instance `resource_missing`.
    pub code: Option<String>,
    /// In words. May hold an address or part of the key: never shown.
    pub message: Option<String>,
    /// The parameter that is wrong.
    pub param: Option<String>,
}
