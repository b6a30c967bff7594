//! Stripe's records as facts.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, Fact, FactKey, FactValue, Match, Resolved, Sensitivity, Timestamp,
    briefing::{
        money_text,
        text::{day_text, one_line, shortened},
    },
};

use super::{
    settings::Livemode,
    wire::{Charge, Customer, Invoice, Item, List, Named, Price, Product, Ref, Subscription},
};

/// How many plans are told; the running ones first.
const PLANS_MAX: usize = 3;
/// How many failed payments are told, the newest.
const FAILED_MAX: usize = 2;
/// How many records that tie are told.
const MATCHES_MAX: usize = 10;
/// The longest text of a record that goes into a fact, in characters.
const TEXT_CHARS_MAX: usize = 80;

/// The ways to write an address that are asked for: as written, then in lower
/// case. The list is searched with regard to letter case.
pub fn spellings(email: &str) -> Vec<String> {
    let written = email.trim().to_owned();
    let lower = written.to_lowercase();
    if lower == written { vec![written] } else { vec![written, lower] }
}

/// The customers among `found` that really have this address, each once.
pub fn with_email(found: Vec<Customer>, email: &str, livemode: Livemode) -> Vec<Customer> {
    let wanted = email.trim().to_lowercase();
    let mut seen = BTreeSet::new();
    found
        .into_iter()
        .filter(|customer| customer.deleted != Some(true) && livemode.admits(customer.livemode))
        .filter(|customer| {
            customer.email.as_deref().is_some_and(|email| email.trim().to_lowercase() == wanted)
        })
        .filter(|customer| seen.insert(customer.id.clone()))
        .collect()
}

/// One customer is found; of several none is picked, the newest is told first.
pub fn resolved(mut customers: Vec<Customer>) -> Resolved {
    customers.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
    let mut matches: Vec<Match> = customers.iter().take(MATCHES_MAX).map(as_match).collect();
    match matches.len() {
        0 => Resolved::None,
        1 => Resolved::One(matches.remove(0)),
        _ => Resolved::Ambiguous(matches),
    }
}

fn as_match(customer: &Customer) -> Match {
    let since = customer.created.map(|secs| format!(", since {}", day(secs))).unwrap_or_default();
    Match {
        id: customer.id.clone(),
        label: format!("{}{since}", customer_name(customer)),
        rule: "email".to_owned(),
    }
}

fn customer_name(customer: &Customer) -> String {
    let name = customer.name.as_deref().map(text).filter(|name| !name.is_empty());
    let email = || customer.email.as_deref().map(text).filter(|email| !email.is_empty());
    name.or_else(email).unwrap_or_else(|| customer.id.clone())
}

/// What was asked of one customer. A part that could not be read says why.
pub struct Read {
    /// The customer's record.
    pub customer: Result<Customer, String>,
    /// Subscriptions, the newest first.
    pub subscriptions: Result<List<Subscription>, String>,
    /// Open invoices, the newest first.
    pub invoices: Result<List<Invoice>, String>,
    /// Charges, the newest first.
    pub charges: Result<List<Charge>, String>,
}

/// Makes facts of one customer's records.
pub struct Facts<'a> {
    /// The account that is asked.
    pub source: &'a AccountId,
    /// The customer's id.
    pub customer: &'a str,
    /// When it was asked.
    pub at: Timestamp,
    /// Which records count.
    pub livemode: Livemode,
    /// The names of products, by id.
    pub products: BTreeMap<String, String>,
}

impl Facts<'_> {
    /// Every fact. What could not be read is a fact too: unknown, with the reason.
    pub fn of(&self, read: &Read) -> Vec<Fact> {
        let mut facts = self.of_customer(&read.customer);
        facts.extend(self.plans(&read.subscriptions));
        facts.extend(self.open_invoices(&read.invoices, &read.subscriptions));
        facts.extend(self.failed_payments(read));
        facts
    }

    fn fact(&self, key: FactKey, value: FactValue, detail: Option<String>, record: &str) -> Fact {
        Fact {
            key,
            value,
            detail: detail.filter(|detail| !detail.is_empty()),
            source: self.source.clone(),
            record: record.to_owned(),
            fetched_at: self.at,
            sensitivity: Sensitivity::Agents,
        }
    }

    fn words(&self, key: FactKey, words: &str, detail: Option<String>) -> Fact {
        self.fact(key, FactValue::Text(words.to_owned()), detail, self.customer)
    }

    fn unknown(&self, key: FactKey, why: &str) -> Vec<Fact> {
        vec![self.words(key, "unknown", Some(why.to_owned()))]
    }

    fn of_customer(&self, customer: &Result<Customer, String>) -> Vec<Fact> {
        let customer = match customer {
            Ok(customer) => customer,
            Err(why) => return self.unknown(FactKey::Customer, why),
        };
        let notes = [
            customer.email.as_deref().map(text),
            (customer.delinquent == Some(true)).then(|| "delinquent".to_owned()),
            (customer.livemode == Some(false)).then(|| "test mode".to_owned()),
        ];
        let mut facts = vec![self.words(FactKey::Customer, &customer_name(customer), joined(notes))];
        let since = customer.created.map(|secs| FactValue::Time(Timestamp::from_secs(secs)));
        facts.extend(since.map(|since| self.fact(FactKey::CustomerSince, since, None, self.customer)));
        facts
    }

    fn counts(&self, owner: Option<&Ref<Named>>, livemode: Option<bool>) -> bool {
        let owner = owner.and_then(Ref::id);
        owner.is_none_or(|owner| owner == self.customer) && self.livemode.admits(livemode)
    }

    fn plans(&self, read: &Result<List<Subscription>, String>) -> Vec<Fact> {
        let list = match read {
            Ok(list) => list,
            Err(why) => return self.unknown(FactKey::Plan, why),
        };
        let (shown, left_out) = self.shown_subscriptions(list);
        let mut facts: Vec<Fact> = shown
            .iter()
            .map(|subscription| {
                let name = FactValue::Text(self.plan_name(subscription));
                self.fact(FactKey::Plan, name, Some(plan_detail(subscription)), &subscription.id)
            })
            .collect();
        if facts.is_empty() {
            facts.push(self.words(FactKey::Plan, "none", None));
        } else if left_out > 0 {
            facts.push(self.words(FactKey::Plan, &format!("{left_out} more"), Some("not shown".to_owned())));
        } else if list.has_more == Some(true) {
            facts.push(self.words(FactKey::Plan, "more", Some("only the newest were read".to_owned())));
        }
        facts
    }

    /// The subscriptions that are told, those that run or the last that ended,
    /// and how many that run are left out.
    pub fn shown_subscriptions<'a>(&self, list: &'a List<Subscription>) -> (Vec<&'a Subscription>, usize) {
        let mut mine: Vec<&Subscription> = rows(list)
            .iter()
            .filter(|subscription| self.counts(subscription.customer.as_ref(), subscription.livemode))
            .collect();
        mine.sort_by_key(|subscription| rank(subscription));
        let running = mine.iter().filter(|subscription| rank(subscription) < ENDED).count();
        mine.truncate(running.clamp(1, PLANS_MAX));
        (mine, running.saturating_sub(PLANS_MAX))
    }

    fn plan_name(&self, subscription: &Subscription) -> String {
        let names: Vec<String> =
            subscription.items().iter().filter_map(|item| self.price_name(item.price.as_ref()?)).collect();
        if names.is_empty() { subscription.id.clone() } else { shortened(&names.join(" + "), TEXT_CHARS_MAX) }
    }

    /// A price by the best name that it has.
    fn price_name(&self, price: &Price) -> Option<String> {
        let product = price.product.as_ref();
        let named = |text: &Option<String>| text.as_deref().map(one_line).filter(|name| !name.is_empty());
        named(&price.nickname)
            .or_else(|| named(&product?.object()?.name))
            .or_else(|| self.products.get(product_id(price)?).cloned())
            .or_else(|| named(&price.lookup_key))
            .or_else(|| product_id(price).map(str::to_owned))
            .or_else(|| price.id.clone())
    }

    fn open_invoices(
        &self,
        read: &Result<List<Invoice>, String>,
        subscriptions: &Result<List<Subscription>, String>,
    ) -> Vec<Fact> {
        let list = match read {
            Ok(list) => list,
            Err(why) => return self.unknown(FactKey::OpenInvoice, why),
        };
        let open = rows(list).iter().filter(|invoice| self.is_open(invoice));
        let mut facts: Vec<Fact> = open.map(|invoice| self.open_invoice(invoice, subscriptions)).collect();
        if facts.is_empty() {
            facts.push(self.words(FactKey::OpenInvoice, "none", None));
        } else if list.has_more == Some(true) {
            facts.push(self.words(
                FactKey::OpenInvoice,
                "more",
                Some("only the newest were read".to_owned()),
            ));
        }
        facts
    }

    fn is_open(&self, invoice: &Invoice) -> bool {
        self.counts(invoice.customer.as_ref(), invoice.livemode)
            && invoice.status.as_deref().is_none_or(|status| status == "open")
            && invoice.amount_remaining != Some(0)
    }

    fn open_invoice(&self, invoice: &Invoice, subscriptions: &Result<List<Subscription>, String>) -> Fact {
        let subscription = invoice.subscription().and_then(|id| {
            let list = subscriptions.as_ref().ok()?;
            rows(list).iter().find(|subscription| subscription.id == id)
        });
        let detail = joined([
            invoice.number.as_deref().map(text),
            subscription.map(|subscription| format!("for {}", self.plan_name(subscription))),
            invoice.due_date.map(|secs| format!("due {}", day(secs))),
            attempts_text(invoice),
        ]);
        let value = match (invoice.amount_remaining, &invoice.currency) {
            (Some(amount), Some(currency)) => money(amount, currency),
            _ => FactValue::Text("amount not told".to_owned()),
        };
        self.fact(FactKey::OpenInvoice, value, detail, &invoice.id)
    }

    /// Failed charges; where none can be read, invoices whose payment failed.
    fn failed_payments(&self, read: &Read) -> Vec<Fact> {
        match &read.charges {
            Ok(list) => rows(list)
                .iter()
                .filter(|charge| charge.status.as_deref() == Some("failed"))
                .filter(|charge| self.counts(charge.customer.as_ref(), charge.livemode))
                .take(FAILED_MAX)
                .map(|charge| self.failed_charge(charge))
                .collect(),
            Err(why) => {
                let latest = read.subscriptions.as_ref().map(rows).unwrap_or_default();
                let latest =
                    latest.iter().filter_map(|subscription| subscription.latest_invoice.as_ref()?.object());
                let open = read.invoices.as_ref().map(rows).unwrap_or_default();
                let failed: BTreeMap<&str, &Invoice> = latest
                    .chain(open)
                    .filter(|invoice| invoice.payment_failed() && self.is_open(invoice))
                    .map(|invoice| (invoice.id.as_str(), invoice))
                    .collect();
                let facts: Vec<Fact> = failed
                    .into_values()
                    .take(FAILED_MAX)
                    .map(|invoice| self.failed_invoice(invoice))
                    .collect();
                if facts.is_empty() { self.unknown(FactKey::FailedPayment, why) } else { facts }
            }
        }
    }

    fn failed_charge(&self, charge: &Charge) -> Fact {
        let reason = charge.failure_message.as_deref().or(charge.failure_code.as_deref()).map(text);
        let detail = joined([charge.created.map(day), reason]);
        let value = match (charge.amount, &charge.currency) {
            (Some(amount), Some(currency)) => money(amount, currency),
            _ => FactValue::Text("amount not told".to_owned()),
        };
        self.fact(FactKey::FailedPayment, value, detail, &charge.id)
    }

    fn failed_invoice(&self, invoice: &Invoice) -> Fact {
        let value = match (invoice.amount_remaining, &invoice.currency) {
            (Some(amount), Some(currency)) => money(amount, currency),
            _ => FactValue::Text("amount not told".to_owned()),
        };
        let number = invoice.number.as_deref().map(|number| format!("invoice {}", text(number)));
        self.fact(FactKey::FailedPayment, value, joined([number, attempts_text(invoice)]), &invoice.id)
    }
}

/// The products that only their ids are known of, among what will be told.
pub fn products_without_name(subscriptions: &[&Subscription]) -> BTreeSet<String> {
    subscriptions
        .iter()
        .flat_map(|subscription| subscription.items())
        .filter_map(|item| item.price.as_ref())
        .filter(|price| price.nickname.as_deref().is_none_or(|name| name.trim().is_empty()))
        .filter(|price| !matches!(price.product, Some(Ref::Object(_))))
        .filter_map(product_id)
        .map(str::to_owned)
        .take(PLANS_MAX)
        .collect()
}

/// The name of a product.
pub fn product_name(product: &Product) -> Option<String> {
    product.name.as_deref().map(text).filter(|name| !name.is_empty())
}

fn product_id(price: &Price) -> Option<&str> {
    match price.product.as_ref()? {
        Ref::Id(id) => Some(id),
        Ref::Object(product) => Some(&product.id),
        Ref::Unread(_) => None,
    }
}

/// From this rank on a subscription does not run any more.
const ENDED: u8 = 5;

/// Subscriptions that need attention or run come before those that ended. An
/// unknown status counts as running.
fn rank(subscription: &Subscription) -> u8 {
    match subscription.status.as_deref() {
        Some("past_due" | "unpaid") => 0,
        Some("active") => 1,
        Some("trialing") => 2,
        Some("incomplete") => 4,
        Some("canceled") => ENDED,
        Some("incomplete_expired" | "ended") => ENDED + 1,
        _ => 3,
    }
}

fn plan_detail(subscription: &Subscription) -> String {
    let status = subscription.status.as_deref().map(|status| text(&status.replace('_', " ")));
    let ended = subscription.ended_at.or(subscription.canceled_at);
    let end = match subscription.status.as_deref() {
        Some("canceled" | "ended" | "incomplete_expired") => ended.map(|secs| format!("ended {}", day(secs))),
        _ if subscription.cancel_at_period_end == Some(true) => {
            let end = subscription.cancel_at.or(subscription.period_end());
            Some(end.map_or("ends with the period".to_owned(), |secs| format!("ends {}", day(secs))))
        }
        _ if subscription.cancel_at.is_some() => {
            subscription.cancel_at.map(|secs| format!("ends {}", day(secs)))
        }
        Some("trialing") => subscription.trial_end.map(|secs| format!("trial until {}", day(secs))),
        _ => subscription.period_end().map(|secs| format!("period ends {}", day(secs))),
    };
    let paused = subscription.pause_collection.is_some().then(|| "collection paused".to_owned());
    let prices = subscription.items().iter().filter_map(price_text).collect::<Vec<_>>().join(" + ");
    joined([status, Some(prices), end, paused]).unwrap_or_default()
}

/// `12 x 49.00 EUR per month`.
fn price_text(item: &Item) -> Option<String> {
    let price = item.price.as_ref()?;
    let (minor, currency) = canonical(price.unit_amount?, price.currency.as_deref()?);
    let times = match item.quantity {
        Some(quantity) if quantity != 1 => format!("{quantity} x "),
        _ => String::new(),
    };
    let each = price.recurring.as_ref().and_then(|recurring| {
        let interval = text(recurring.interval.as_deref()?);
        Some(match recurring.interval_count {
            Some(count) if count > 1 => format!(" every {count} {interval}s"),
            _ => format!(" per {interval}"),
        })
    });
    Some(format!("{times}{}{}", money_text(minor, &currency), each.unwrap_or_default()))
}

fn attempts_text(invoice: &Invoice) -> Option<String> {
    let next =
        invoice.next_payment_attempt.map(|secs| format!(", next try {}", day(secs))).unwrap_or_default();
    match invoice.attempt_count.unwrap_or(0) {
        _ if invoice.attempted != Some(true) => None,
        0 => None,
        1 => Some(format!("1 payment attempt failed{next}")),
        count => Some(format!("{count} payment attempts failed{next}")),
    }
}

fn money(amount: i64, currency: &str) -> FactValue {
    let (minor, currency) = canonical(amount, currency);
    FactValue::Money { minor, currency }
}

/// Stripe's amount in the minor unit of ISO 4217, with the currency in upper
/// case. Stripe writes two decimals for ISK and UGX, which have none, and none
/// for MGA, which has two (docs.stripe.com/currencies).
fn canonical(amount: i64, currency: &str) -> (i64, String) {
    let currency = text(currency).to_ascii_uppercase();
    let minor = match currency.as_str() {
        "ISK" | "UGX" => amount / 100,
        "MGA" => amount.saturating_mul(100),
        _ => amount,
    };
    (minor, currency)
}

fn day(secs: i64) -> String {
    day_text(Timestamp::from_secs(secs))
}

fn text(words: &str) -> String {
    shortened(&one_line(words), TEXT_CHARS_MAX)
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> Option<String> {
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn rows<T>(list: &List<T>) -> &[T] {
    list.data.as_deref().unwrap_or_default()
}
