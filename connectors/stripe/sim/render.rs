//! From the kept JSON to an answer of one API version, with what was asked to be expanded.

use serde_json::{Map, Value, json};

use super::{
    http::{Call, Fault},
    world::{Kind, World},
};

/// What an invoice had before 2025-03-31 and has no more.
const INVOICE_OLD: &[&str] = &[
    "application_fee_amount",
    "charge",
    "discount",
    "paid",
    "paid_out_of_band",
    "payment_intent",
    "quote",
    "rendering_options",
    "subscription",
    "subscription_details",
    "tax",
    "total_tax_amounts",
    "transfer_data",
];
const INVOICE_NEW: &[&str] =
    &["amount_overpaid", "automatically_finalizes_at", "confirmation_secret", "parent", "total_taxes"];
const LINE_OLD: &[&str] = &[
    "amount_excluding_tax",
    "invoice_item",
    "plan",
    "price",
    "proration",
    "proration_details",
    "subscription_item",
    "tax_amounts",
    "tax_rates",
    "type",
    "unit_amount_excluding_tax",
];
const LINE_NEW: &[&str] = &["invoice", "parent", "pretax_credit_amounts", "pricing", "subtotal", "taxes"];
const PERIOD: &[&str] = &["current_period_end", "current_period_start"];

/// An object or a list of one version, expanded.
pub(super) fn render(world: &World, call: &Call, answer: Value) -> Result<Value, Fault> {
    let mut shown = shape(answer, call.basil());
    for path in call.expand()? {
        let parts: Vec<&str> = path.split('.').collect();
        expand(world, call.basil(), &mut shown, &parts, &path)?;
    }
    Ok(shown)
}

/// Leaves out what the version does not have.
fn shape(value: Value, basil: bool) -> Value {
    let mut map = match value {
        Value::Object(map) => map,
        Value::Array(list) => return list.into_iter().map(|item| shape(item, basil)).collect(),
        other => return other,
    };
    let drop: &[&str] = match (map.get("object").and_then(Value::as_str), basil) {
        (Some("subscription"), true) | (Some("subscription_item"), false) => PERIOD,
        (Some("invoice"), true) => INVOICE_OLD,
        (Some("invoice"), false) => INVOICE_NEW,
        (Some("line_item"), true) => LINE_OLD,
        (Some("line_item"), false) => LINE_NEW,
        (Some("charge" | "payment_intent"), true) => &["invoice"],
        _ => &[],
    };
    for name in drop {
        map.remove(*name);
    }
    Value::Object(map.into_iter().map(|(name, held)| (name, shape(held, basil))).collect::<Map<_, _>>())
}

fn expand(world: &World, basil: bool, at: &mut Value, path: &[&str], whole: &str) -> Result<(), Fault> {
    let Some((name, rest)) = path.split_first() else { return Ok(()) };
    if let Value::Array(list) = at {
        for item in list {
            expand(world, basil, item, path, whole)?;
        }
        return Ok(());
    }
    let refuse = || {
        let message = format!("This property cannot be expanded ({whole}).");
        Err(Fault::bad("expand", message))
    };
    add_included(world, at, name, basil);
    let Some(slot) = at.as_object_mut().and_then(|map| map.get_mut(*name)) else { return refuse() };
    let target = slot.as_str().map(|id| world.any(id).map(|(_, object)| object.clone()));
    match target {
        Some(Some(object)) => *slot = shape(object, basil),
        Some(None) => return refuse(),
        None if slot.is_number() || slot.is_boolean() => return refuse(),
        None => {}
    }
    if slot.is_null() { Ok(()) } else { expand(world, basil, slot, rest, whole) }
}

/// Lists that an object has only when they are asked for.
fn add_included(world: &World, at: &mut Value, name: &str, basil: bool) {
    let id = at["id"].as_str().unwrap_or("").to_owned();
    let kind = at["object"].as_str().unwrap_or("");
    let list = match (kind, name) {
        ("invoice", "payments") if basil => {
            let ids = world.where_is(Kind::InvoicePayment, "invoice", &id);
            list(world, Kind::InvoicePayment, &ids, format!("/v1/invoices/{id}/payments"))
        }
        ("customer", "subscriptions") => {
            let ids = world.where_is(Kind::Subscription, "customer", &id);
            let live = |id: &String| {
                world.get(Kind::Subscription, id).is_some_and(|object| object["status"] != "canceled")
            };
            let ids: Vec<String> = ids.into_iter().filter(live).collect();
            list(world, Kind::Subscription, &ids, format!("/v1/customers/{id}/subscriptions"))
        }
        ("customer", "sources" | "tax_ids") => {
            list(world, Kind::Customer, &[], format!("/v1/customers/{id}/{name}"))
        }
        _ => return,
    };
    if let Some(map) = at.as_object_mut() {
        map.insert(name.to_owned(), shape(list, basil));
    }
}

fn list(world: &World, kind: Kind, ids: &[String], url: String) -> Value {
    let data: Vec<Value> = ids.iter().filter_map(|id| world.get(kind, id).cloned()).collect();
    json!({"object": "list", "data": data, "has_more": false, "url": url})
}
