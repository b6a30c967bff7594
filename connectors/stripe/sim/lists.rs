//! Lists with cursors, and the filters of each kind.

use serde_json::{Value, json};

use super::{
    http::{Call, Fault},
    world::{Kept, Kind, World},
};

/// The parameters that every list has.
const PAGING: [&str; 3] = ["limit", "starting_after", "ending_before"];

/// How many rows were asked for.
pub(super) fn limit(call: &Call) -> Result<usize, Fault> {
    match call.integer("limit")? {
        None => Ok(10),
        Some(limit) if limit < 1 => {
            Err(Fault::bad("limit", "This value must be greater than or equal to 1."))
        }
        Some(limit) if limit > 100 => {
            Err(Fault::bad("limit", "This value must be less than or equal to 100 (or 1 less than that)."))
        }
        Some(limit) => Ok(usize::try_from(limit).unwrap_or(100)),
    }
}

/// A page of the rows that `wanted` takes, newest first.
pub(super) fn page(
    world: &World,
    call: &Call,
    kind: Kind,
    known: &[&str],
    wanted: impl Fn(&Value) -> Result<bool, Fault>,
) -> Result<Value, Fault> {
    let names: Vec<&str> = known.iter().chain(&PAGING).copied().collect();
    call.only(&names)?;
    let limit = limit(call)?;
    let all = world.newest(kind);
    let mut rows: Vec<&Kept> = Vec::new();
    for kept in &all {
        if kept.now["deleted"] != json!(true) && wanted(&kept.now)? {
            rows.push(kept);
        }
    }
    // The cursor's row need not pass the filter any more: its age decides.
    let place = |param: &str, id: &str| {
        let seq = all.iter().find(|kept| kept.now["id"] == id).map(|kept| kept.seq);
        seq.ok_or_else(|| {
            Fault::new(400, format!("No such {}: '{id}'", kind.word())).code("resource_missing").param(param)
        })
    };
    let (page, has_more) = match (call.text("starting_after"), call.text("ending_before")) {
        (Some(_), Some(_)) => {
            let message =
                "Received both starting_after and ending_before parameters. Please pass in only one.";
            return Err(Fault::new(400, message));
        }
        (Some(id), None) => {
            let seq = place("starting_after", id)?;
            rows.retain(|row| row.seq < seq);
            (rows.iter().take(limit).copied().collect::<Vec<_>>(), rows.len() > limit)
        }
        (None, Some(id)) => {
            let seq = place("ending_before", id)?;
            rows.retain(|row| row.seq > seq);
            let skipped = rows.len().saturating_sub(limit);
            (rows.iter().skip(skipped).copied().collect(), skipped > 0)
        }
        (None, None) => (rows.iter().take(limit).copied().collect(), rows.len() > limit),
    };
    let data: Vec<&Value> = page.into_iter().map(|kept| &kept.now).collect();
    Ok(json!({"object": "list", "url": call.path, "has_more": has_more, "data": data}))
}

fn same(call: &Call, param: &str, row: &Value, field: &str) -> bool {
    call.text(param).is_none_or(|wanted| row[field] == wanted)
}

/// Checks that the customer of a filter exists, deleted or not.
fn check_customer(world: &World, call: &Call) -> Result<(), Fault> {
    match call.text("customer") {
        Some(id) if world.get(Kind::Customer, id).is_none() => {
            Err(Fault::new(400, format!("No such customer: '{id}'"))
                .code("resource_missing")
                .param("customer"))
        }
        _ => Ok(()),
    }
}

/// Refuses a value that is not one of a parameter's.
pub(super) fn check_one_of(call: &Call, param: &str, known: &[&str]) -> Result<(), Fault> {
    match call.text(param) {
        Some(given) if !known.contains(&given) => {
            Err(Fault::bad(param, format!("Invalid {param}: must be one of {}", known.join(", "))))
        }
        _ => Ok(()),
    }
}

/// `GET /v1/customers`. `email` is compared letter by letter.
pub(super) fn customers(world: &mut World, call: &Call) -> Result<Value, Fault> {
    page(world, call, Kind::Customer, &["email", "created", "test_clock"], |row| {
        Ok(same(call, "email", row, "email") && call.within("created", row["created"].as_i64())?)
    })
}

/// `GET /v1/products`.
pub(super) fn products(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let active = call.flag("active")?;
    page(world, call, Kind::Product, &["active", "created", "ids", "shippable", "url"], |row| {
        let listed = call.params.get("ids").and_then(Value::as_array);
        let listed = listed.is_none_or(|ids| ids.contains(&row["id"]));
        let active = active.is_none_or(|active| row["active"] == active);
        Ok(active && listed && call.within("created", row["created"].as_i64())?)
    })
}

/// `GET /v1/prices`.
pub(super) fn prices(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let active = call.flag("active")?;
    let known = &["active", "created", "currency", "lookup_keys", "product", "recurring", "type"];
    page(world, call, Kind::Price, known, |row| {
        let keys = call.params.get("lookup_keys").and_then(Value::as_array);
        let keyed = keys.is_none_or(|keys| keys.contains(&row["lookup_key"]));
        let active = active.is_none_or(|active| row["active"] == active);
        let rest = same(call, "product", row, "product")
            && same(call, "type", row, "type")
            && same(call, "currency", row, "currency");
        Ok(active && keyed && rest && call.within("created", row["created"].as_i64())?)
    })
}

const SUBSCRIPTION_STATUSES: &[&str] = &[
    "active",
    "all",
    "canceled",
    "ended",
    "incomplete",
    "incomplete_expired",
    "past_due",
    "paused",
    "trialing",
    "unpaid",
];

/// `GET /v1/subscriptions`. Without `status` the canceled ones are left out.
pub(super) fn subscriptions(world: &mut World, call: &Call) -> Result<Value, Fault> {
    check_customer(world, call)?;
    check_one_of(call, "status", SUBSCRIPTION_STATUSES)?;
    let known = &[
        "automatic_tax",
        "collection_method",
        "created",
        "current_period_end",
        "current_period_start",
        "customer",
        "price",
        "status",
        "test_clock",
    ];
    page(world, call, Kind::Subscription, known, |row| {
        let ended = row["status"] == "canceled" || row["status"] == "incomplete_expired";
        let status = match call.text("status") {
            None => !ended,
            Some("all") => true,
            Some("ended") => ended,
            Some(status) => row["status"] == status,
        };
        let items = row["items"]["data"].as_array();
        let priced = call.text("price").is_none_or(|price| {
            items.is_some_and(|items| items.iter().any(|item| item["price"]["id"] == price))
        });
        let rest = same(call, "customer", row, "customer")
            && same(call, "collection_method", row, "collection_method");
        Ok(status
            && priced
            && rest
            && call.within("created", row["created"].as_i64())?
            && call.within("current_period_end", row["current_period_end"].as_i64())?
            && call.within("current_period_start", row["current_period_start"].as_i64())?)
    })
}

const INVOICE_STATUSES: &[&str] = &["draft", "open", "paid", "uncollectible", "void"];

/// `GET /v1/invoices`.
pub(super) fn invoices(world: &mut World, call: &Call) -> Result<Value, Fault> {
    check_customer(world, call)?;
    check_one_of(call, "status", INVOICE_STATUSES)?;
    let known = &["collection_method", "created", "customer", "due_date", "status", "subscription"];
    page(world, call, Kind::Invoice, known, |row| {
        let rest = same(call, "customer", row, "customer")
            && same(call, "status", row, "status")
            && same(call, "subscription", row, "subscription")
            && same(call, "collection_method", row, "collection_method");
        Ok(rest
            && call.within("created", row["created"].as_i64())?
            && call.within("due_date", row["due_date"].as_i64())?)
    })
}

/// `GET /v1/invoiceitems`.
pub(super) fn invoice_items(world: &mut World, call: &Call) -> Result<Value, Fault> {
    check_customer(world, call)?;
    let pending = call.flag("pending")?;
    page(world, call, Kind::InvoiceItem, &["created", "customer", "invoice", "pending"], |row| {
        let pending = pending.is_none_or(|pending| row["invoice"].is_null() == pending);
        let rest = same(call, "customer", row, "customer") && same(call, "invoice", row, "invoice");
        Ok(pending && rest && call.within("created", row["date"].as_i64())?)
    })
}

/// `GET /v1/charges`. There is no filter for the status.
pub(super) fn charges(world: &mut World, call: &Call) -> Result<Value, Fault> {
    check_customer(world, call)?;
    page(world, call, Kind::Charge, &["created", "customer", "payment_intent", "transfer_group"], |row| {
        let rest = same(call, "customer", row, "customer")
            && same(call, "payment_intent", row, "payment_intent")
            && call.text("transfer_group").is_none();
        Ok(rest && call.within("created", row["created"].as_i64())?)
    })
}

/// `GET /v1/invoice_payments`.
pub(super) fn invoice_payments(world: &mut World, call: &Call) -> Result<Value, Fault> {
    check_one_of(call, "status", &["open", "paid", "canceled"])?;
    page(world, call, Kind::InvoicePayment, &["created", "invoice", "payment", "status"], |row| {
        let payment = call.params.get("payment").and_then(Value::as_object);
        let paid = payment
            .is_none_or(|wanted| wanted.iter().all(|(name, value)| row["payment"][name.as_str()] == *value));
        Ok(paid && same(call, "invoice", row, "invoice") && same(call, "status", row, "status"))
    })
}

/// Lists of things that this account has none of.
pub(super) fn none(_world: &mut World, call: &Call) -> Result<Value, Fault> {
    limit(call)?;
    Ok(json!({"object": "list", "url": call.path, "has_more": false, "data": []}))
}

/// Lists of things that a customer has none of.
pub(super) fn none_of_customer(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Customer, call.ids.first().map_or("", String::as_str))?;
    none(world, call)
}

/// `GET /v1/customers/{id}/subscriptions`, the old way to list them.
pub(super) fn subscriptions_of_customer(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let id = call.ids.first().cloned().unwrap_or_default();
    world.named(Kind::Customer, &id)?;
    let mut narrowed = call.clone();
    narrowed.params.insert("customer".to_owned(), Value::String(id));
    subscriptions(world, &narrowed)
}

/// `GET /v1/payment_intents`.
pub(super) fn payment_intents(world: &mut World, call: &Call) -> Result<Value, Fault> {
    check_customer(world, call)?;
    page(world, call, Kind::PaymentIntent, &["created", "customer"], |row| {
        Ok(same(call, "customer", row, "customer") && call.within("created", row["created"].as_i64())?)
    })
}
