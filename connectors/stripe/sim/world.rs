//! The account's objects. Each is kept in one JSON that has both the old and
//! the new shape; rendering leaves one of them out.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::http::Fault;

/// A kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Customer,
    Product,
    Price,
    Subscription,
    SubscriptionItem,
    Invoice,
    LineItem,
    InvoiceItem,
    Charge,
    PaymentIntent,
    InvoicePayment,
}

impl Kind {
    /// What ids of this kind begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Customer => "cus_",
            Self::Product => "prod_",
            Self::Price => "price_",
            Self::Subscription => "sub_",
            Self::SubscriptionItem => "si_",
            Self::Invoice => "in_",
            Self::LineItem => "il_",
            Self::InvoiceItem => "ii_",
            Self::Charge => "ch_",
            Self::PaymentIntent => "pi_",
            Self::InvoicePayment => "inpay_",
        }
    }

    /// How messages call it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Product => "product",
            Self::Price => "price",
            Self::Subscription => "subscription",
            Self::SubscriptionItem => "subscription_item",
            Self::Invoice => "invoice",
            Self::LineItem => "line_item",
            Self::InvoiceItem => "invoiceitem",
            Self::Charge => "charge",
            Self::PaymentIntent => "payment_intent",
            Self::InvoicePayment => "invoice_payment",
        }
    }

    const ALL: [Self; 9] = [
        Self::Customer,
        Self::Product,
        Self::Price,
        Self::Subscription,
        Self::Invoice,
        Self::InvoiceItem,
        Self::Charge,
        Self::PaymentIntent,
        Self::InvoicePayment,
    ];
}

/// An object and what the search index knows of it.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    /// Counts up over every object: the order of creation.
    pub seq: u64,
    pub now: Value,
    pub changed_at: i64,
    /// How it was before the last change.
    pub before: Option<Value>,
}

/// The account.
pub(super) struct World {
    pub seed: u64,
    pub account: String,
    pub keys_made: u32,
    /// How long search stays behind, in seconds.
    pub search_lag: i64,
    objects: BTreeMap<Kind, BTreeMap<String, Kept>>,
    seq: u64,
}

impl World {
    pub fn new(seed: u64, search_lag: i64) -> Self {
        let account = format!("acct_1{}", letters(seed, "account", 15));
        Self { seed, account, keys_made: 0, search_lag, objects: BTreeMap::new(), seq: 0 }
    }

    /// A new id.
    pub fn new_id(&mut self, kind: Kind) -> String {
        self.seq += 1;
        format!("{}{}", kind.prefix(), letters(self.seed, &format!("{}{}", kind.prefix(), self.seq), 24))
    }

    /// Keeps an object under its `id`.
    pub fn put(&mut self, kind: Kind, object: Value, at: i64) {
        let id = object["id"].as_str().unwrap_or("").to_owned();
        let rows = self.objects.entry(kind).or_default();
        let old = rows.remove(&id);
        let seq = match &old {
            Some(old) => old.seq,
            None => {
                self.seq += 1;
                self.seq
            }
        };
        let settled = old.map(|old| {
            // Two changes within the lag: the index still has what it had.
            if at - old.changed_at >= self.search_lag { Some(old.now) } else { old.before }
        });
        rows.insert(id, Kept { seq, now: object, changed_at: at, before: settled.flatten() });
    }

    /// Forgets an object.
    pub fn remove(&mut self, kind: Kind, id: &str) {
        if let Some(rows) = self.objects.get_mut(&kind) {
            rows.remove(id);
        }
    }

    /// An object of this kind.
    pub fn get(&self, kind: Kind, id: &str) -> Option<&Value> {
        self.objects.get(&kind)?.get(id).map(|kept| &kept.now)
    }

    /// The object of any kind that an id in a field names.
    pub fn any(&self, id: &str) -> Option<(Kind, &Value)> {
        let kind = Kind::ALL.into_iter().find(|kind| self.get(*kind, id).is_some())?;
        self.get(kind, id).map(|object| (kind, object))
    }

    /// The object that the path names, or the 404.
    pub fn named(&self, kind: Kind, id: &str) -> Result<Value, Fault> {
        self.get(kind, id).cloned().ok_or_else(|| Fault::no_such(kind.word(), id))
    }

    /// The object that a parameter names, or the 400.
    pub fn given(&self, kind: Kind, id: &str, param: &str) -> Result<Value, Fault> {
        let found = self.get(kind, id).filter(|object| object["deleted"] != json!(true)).cloned();
        found.ok_or_else(|| {
            let message = format!("No such {}: '{id}'", kind.word());
            Fault::new(400, message).code("resource_missing").param(param)
        })
    }

    /// Every object of a kind, newest first.
    pub fn newest(&self, kind: Kind) -> Vec<&Kept> {
        let mut rows: Vec<&Kept> = self.objects.get(&kind).into_iter().flat_map(BTreeMap::values).collect();
        rows.sort_by_key(|kept| std::cmp::Reverse(kept.seq));
        rows
    }

    /// Ids of objects whose field has this value, newest first.
    pub fn where_is(&self, kind: Kind, field: &str, value: &str) -> Vec<String> {
        let rows = self.newest(kind).into_iter().filter(|kept| kept.now[field] == value);
        rows.filter_map(|kept| kept.now["id"].as_str().map(str::to_owned)).collect()
    }

    /// Changes an object in place.
    pub fn edit(&mut self, kind: Kind, id: &str, at: i64, edit: impl FnOnce(&mut Value)) {
        if let Some(mut object) = self.get(kind, id).cloned() {
            edit(&mut object);
            self.put(kind, object, at);
        }
    }

    /// The secret key.
    pub fn secret_key(&self) -> String {
        format!("sk_test_51{}", letters(self.seed, &format!("sk {}", self.keys_made), 40))
    }

    /// A key that may read customers, subscriptions, charges, products and prices, and nothing else.
    pub fn restricted_key(&self) -> String {
        format!("rk_test_51{}", letters(self.seed, &format!("rk {}", self.keys_made), 40))
    }
}

/// Letters and digits that only the seed decides.
pub(super) fn letters(seed: u64, label: &str, length: usize) -> String {
    const LETTERS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = String::new();
    let mut round = 0_u64;
    while out.len() < length {
        let digest = Sha256::digest(format!("stripe {seed} {label} {round}").as_bytes());
        out.extend(digest.iter().map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
        round += 1;
    }
    out.truncate(length);
    out
}

/// One object with the names of both.
pub(super) fn both(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (one, _) => one,
    }
}
