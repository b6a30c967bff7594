//! Subscriptions.

use serde_json::{Map, Value, json};

use super::{
    charges::declined,
    customers::{metadata, price_from, texts},
    http::{Call, Fault, integer},
    ledger::{Bill, bill},
    world::{Kind, World, both},
};

const KNOWN: &[&str] = &[
    "add_invoice_items",
    "application_fee_percent",
    "automatic_tax",
    "backdate_start_date",
    "billing_cycle_anchor",
    "billing_mode",
    "billing_thresholds",
    "cancel_at",
    "cancel_at_period_end",
    "cancellation_details",
    "collection_method",
    "coupon",
    "currency",
    "customer",
    "days_until_due",
    "default_payment_method",
    "default_source",
    "default_tax_rates",
    "description",
    "discounts",
    "invoice_settings",
    "items",
    "metadata",
    "off_session",
    "on_behalf_of",
    "pause_collection",
    "payment_behavior",
    "payment_settings",
    "pending_invoice_item_interval",
    "promotion_code",
    "proration_behavior",
    "proration_date",
    "transfer_data",
    "trial_end",
    "trial_from_plan",
    "trial_period_days",
    "trial_settings",
];

/// What a customer's card does, from metadata `sim_card`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Pays,
    Declined,
    DeclinedOnRenewal,
}

/// The card of a customer.
pub(super) fn card(world: &World, customer: &str) -> Card {
    let metadata =
        world.get(Kind::Customer, customer).map(|customer| customer["metadata"]["sim_card"].clone());
    match metadata.as_ref().and_then(Value::as_str) {
        Some("declined") => Card::Declined,
        Some("declined_on_renewal") => Card::DeclinedOnRenewal,
        _ => Card::Pays,
    }
}

/// `POST /v1/subscriptions`.
///
/// The first bill comes at once. `send_invoice` leaves it open. A declined card
/// leaves it open after one attempt and the subscription `incomplete`; one
/// declined on renewal has paid a period ago and is `past_due` now.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(KNOWN)?;
    let customer = call.need("customer")?.to_owned();
    world.given(Kind::Customer, &customer, "customer")?;
    let (send, days) = collection(call)?;
    let trial_end = trial_end(call)?;
    let card = card(world, &customer);
    if card == Card::Declined && !send && call.text("payment_behavior") == Some("error_if_incomplete") {
        return Err(declined(None));
    }
    let id = world.new_id(Kind::Subscription);
    let items = items(world, call, &id)?;
    let renewed = card == Card::DeclinedOnRenewal && !send && trial_end.is_none();
    let length = period_seconds(&items);
    let start = if renewed { call.now - length } else { call.now };
    let mut subscription = blank(&id, &customer, items, start);
    subscription["collection_method"] = json!(if send { "send_invoice" } else { "charge_automatically" });
    subscription["days_until_due"] = json!(days);
    if let Some(end) = trial_end {
        subscription["status"] = json!("trialing");
        subscription["trial_start"] = json!(start);
        subscription["trial_end"] = json!(end);
    }
    set(&mut subscription, call)?;
    set_period(&mut subscription, start, trial_end.unwrap_or(start + length));
    world.put(Kind::Subscription, subscription, call.now);
    bill(world, &id, Bill { at: start, renewal: false, pays: renewed || card != Card::Declined });
    if renewed {
        world.edit(Kind::Subscription, &id, call.now, |subscription| {
            set_period(subscription, call.now, call.now + length);
        });
        bill(world, &id, Bill { at: call.now, renewal: true, pays: false });
    }
    world.named(Kind::Subscription, &id)
}

fn collection(call: &Call) -> Result<(bool, Option<i64>), Fault> {
    super::lists::check_one_of(call, "collection_method", &["charge_automatically", "send_invoice"])?;
    let send = call.text("collection_method") == Some("send_invoice");
    let days = call.integer("days_until_due")?;
    match (send, days) {
        (true, None) => {
            let message = "You must set `days_until_due` when `collection_method` is `send_invoice`.";
            Err(Fault::bad("days_until_due", message))
        }
        (true, Some(days)) if !(0..=1_000).contains(&days) => {
            Err(Fault::bad("days_until_due", "Invalid number of days"))
        }
        (false, Some(_)) => {
            let message = "`days_until_due` is only supported when `collection_method` is `send_invoice`.";
            Err(Fault::bad("days_until_due", message))
        }
        (send, days) => Ok((send, days)),
    }
}

fn trial_end(call: &Call) -> Result<Option<i64>, Fault> {
    let days = call.integer("trial_period_days")?;
    if days.is_some_and(|days| !(0..=730).contains(&days)) {
        return Err(Fault::bad("trial_period_days", "Invalid number of days"));
    }
    let by_days = days.filter(|days| *days > 0).map(|days| call.now + days * 86_400);
    if call.text("trial_end") == Some("now") {
        return Ok(None);
    }
    let end = call.integer("trial_end")?.or(by_days);
    Ok(end.filter(|end| *end > call.now))
}

fn items(world: &mut World, call: &Call, subscription: &str) -> Result<Vec<Value>, Fault> {
    let sent = match call.params.get("items") {
        Some(Value::Array(list)) if !list.is_empty() && list.len() <= 20 => list.clone(),
        _ => return Err(Fault::missing("items")),
    };
    let mut items: Vec<Value> = Vec::new();
    for (at, sent) in sent.iter().enumerate() {
        let name = format!("items[{at}]");
        let price = item_price(world, sent, &name, call.now)?;
        if price["recurring"].is_null() {
            let message = "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.";
            return Err(Fault::bad(&format!("{name}[price]"), message));
        }
        if items.first().is_some_and(|first| first["price"]["currency"] != price["currency"]) {
            return Err(Fault::bad("items", "All prices on a subscription must have the same `currency`."));
        }
        let quantity = quantity(sent, &name)?.unwrap_or(1);
        items.push(item(world, subscription, price, quantity, call.now));
    }
    Ok(items)
}

fn quantity(sent: &Value, at: &str) -> Result<Option<i64>, Fault> {
    let name = format!("{at}[quantity]");
    let quantity = integer(sent.get("quantity"), &name)?;
    if quantity.is_some_and(|quantity| !(0..=1_000_000).contains(&quantity)) {
        return Err(Fault::bad(&name, "Invalid quantity"));
    }
    Ok(quantity)
}

fn item_price(world: &mut World, sent: &Value, at: &str, now: i64) -> Result<Value, Fault> {
    let id = sent["price"].as_str().or_else(|| sent["plan"].as_str());
    if let Some(id) = id {
        return world.given(Kind::Price, id, &format!("{at}[price]"));
    }
    let Some(data) = sent["price_data"].as_object() else {
        return Err(Fault::missing(&format!("{at}[price]")));
    };
    let name = format!("{at}[price_data]");
    let product = data.get("product").and_then(Value::as_str).unwrap_or("");
    world.given(Kind::Product, product, &format!("{name}[product]"))?;
    price_from(world, data, product, &name, now)
}

fn item(world: &mut World, subscription: &str, price: Value, quantity: i64, now: i64) -> Value {
    let id = world.new_id(Kind::SubscriptionItem);
    let plan = json!({
        "id": price["id"], "object": "plan", "active": true, "aggregate_usage": null,
        "amount": price["unit_amount"], "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit", "created": price["created"], "currency": price["currency"],
        "interval": price["recurring"]["interval"], "interval_count": price["recurring"]["interval_count"],
        "livemode": false, "metadata": {}, "meter": null, "nickname": price["nickname"],
        "product": price["product"], "tiers_mode": null, "transform_usage": null,
        "trial_period_days": null, "usage_type": "licensed",
    });
    json!({
        "id": id, "object": "subscription_item", "billing_thresholds": null, "created": now,
        "discounts": [], "metadata": {}, "plan": plan, "price": price, "quantity": quantity,
        "subscription": subscription, "tax_rates": [], "current_period_start": now,
        "current_period_end": now,
    })
}

fn blank(id: &str, customer: &str, items: Vec<Value>, start: i64) -> Value {
    let currency = items.first().map_or(Value::Null, |item| item["price"]["currency"].clone());
    both(
        json!({
               "id": id, "object": "subscription", "application": null, "application_fee_percent": null,
               "automatic_tax": {"enabled": false, "liability": null, "disabled_reason": null},
               "billing_cycle_anchor": start, "billing_cycle_anchor_config": null,
        "billing_mode": {"type": "classic"}, "invoice_settings": {"account_tax_ids": null, "issuer": {"type": "self"}}, "billing_thresholds": null, "cancel_at": null,
               "cancel_at_period_end": false, "canceled_at": null,
               "cancellation_details": {"comment": null, "feedback": null, "reason": null},
               "collection_method": "charge_automatically", "created": start, "currency": currency,
               "customer": customer, "days_until_due": null, "default_payment_method": null,
               "default_source": null, "default_tax_rates": [], "description": null, "discounts": [],
               }),
        json!({
            "ended_at": null, "latest_invoice": null, "livemode": false, "metadata": {},
            "next_pending_invoice_item_invoice": null, "on_behalf_of": null, "pause_collection": null,
            "payment_settings": {"payment_method_options": null, "payment_method_types": null,
                "save_default_payment_method": "off"},
            "pending_invoice_item_interval": null, "pending_setup_intent": null, "pending_update": null,
            "schedule": null, "start_date": start, "status": "active", "test_clock": null,
            "transfer_data": null, "trial_end": null,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": null, "current_period_start": start, "current_period_end": start,
            "items": {"object": "list", "data": items, "has_more": false,
                "url": format!("/v1/subscription_items?subscription={id}")},
        }),
    )
}

/// Sets the period in the old place and in the new one.
fn set_period(subscription: &mut Value, start: i64, end: i64) {
    subscription["current_period_start"] = json!(start);
    subscription["current_period_end"] = json!(end);
    if let Some(items) = subscription["items"]["data"].as_array_mut() {
        for item in items {
            item["current_period_start"] = json!(start);
            item["current_period_end"] = json!(end);
        }
    }
}

/// A period's length; months have 30 days and years 365 in this world.
fn period_seconds(items: &[Value]) -> i64 {
    let recurring = items.first().map_or(Value::Null, |item| item["price"]["recurring"].clone());
    let days = match recurring["interval"].as_str() {
        Some("day") => 1,
        Some("week") => 7,
        Some("year") => 365,
        _ => 30,
    };
    days * 86_400 * recurring["interval_count"].as_i64().unwrap_or(1)
}

fn set(subscription: &mut Value, call: &Call) -> Result<(), Fault> {
    texts(subscription, call, &["description"])?;
    if let Some(at_end) = call.flag("cancel_at_period_end")? {
        subscription["cancel_at_period_end"] = json!(at_end);
        let end = subscription["current_period_end"].clone();
        subscription["cancel_at"] = if at_end { end } else { Value::Null };
        subscription["canceled_at"] = if at_end { json!(call.now) } else { Value::Null };
        subscription["cancellation_details"]["reason"] =
            if at_end { json!("cancellation_requested") } else { Value::Null };
    }
    if let Some(at) = call.integer("cancel_at")? {
        subscription["cancel_at"] = json!(at);
    }
    if let Some(Value::Object(pause)) = call.params.get("pause_collection") {
        let behavior = pause.get("behavior").cloned().unwrap_or(json!("void"));
        subscription["pause_collection"] = json!({"behavior": behavior, "resumes_at": null});
    }
    cancellation(subscription, call);
    metadata(subscription, call)
}

fn cancellation(subscription: &mut Value, call: &Call) {
    let sent = call.params.get("cancellation_details");
    for name in ["comment", "feedback"] {
        if let Some(text) = sent.and_then(|sent| sent[name].as_str()) {
            subscription["cancellation_details"][name] = json!(text);
        }
    }
}

/// `GET /v1/subscriptions/{id}`.
pub(super) fn retrieve(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Subscription, call.id())
}

/// `POST /v1/subscriptions/{id}`. Changed items are not prorated.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(KNOWN)?;
    let mut subscription = world.named(Kind::Subscription, call.id())?;
    if subscription["status"] == "canceled" {
        let message = "A canceled subscription can only update its cancellation_details and metadata.";
        if call
            .params
            .keys()
            .any(|name| !matches!(name.as_str(), "metadata" | "cancellation_details" | "expand"))
        {
            return Err(Fault::new(400, message));
        }
    }
    if let Some(Value::Array(sent)) = call.params.get("items") {
        for (at, sent) in sent.iter().enumerate() {
            update_item(world, call, &mut subscription, sent, &format!("items[{at}]"))?;
        }
    }
    set(&mut subscription, call)?;
    let (start, end) = (&subscription["current_period_start"], &subscription["current_period_end"]);
    let (start, end) = (start.as_i64().unwrap_or(call.now), end.as_i64().unwrap_or(call.now));
    set_period(&mut subscription, start, end);
    world.put(Kind::Subscription, subscription.clone(), call.now);
    Ok(subscription)
}

fn update_item(
    world: &mut World,
    call: &Call,
    subscription: &mut Value,
    sent: &Value,
    at: &str,
) -> Result<(), Fault> {
    let sent_map: &Map<String, Value> = sent.as_object().ok_or_else(|| Fault::bad(at, "Invalid hash"))?;
    let price = match sent_map.contains_key("price") || sent_map.contains_key("price_data") {
        true => Some(item_price(world, sent, at, call.now)?),
        false => None,
    };
    let quantity = quantity(sent, at)?;
    let mut items = subscription["items"]["data"].as_array().cloned().unwrap_or_default();
    match sent["id"].as_str() {
        None => {
            let price = price.ok_or_else(|| Fault::missing(&format!("{at}[price]")))?;
            items.push(item(world, call.id(), price, quantity.unwrap_or(1), call.now));
        }
        Some(id) => {
            let place = items.iter().position(|item| item["id"] == id);
            let place = place.ok_or_else(|| Fault::bad(&format!("{at}[id]"), "No such subscription item"))?;
            if sent["deleted"] == "true" {
                items.remove(place);
            } else {
                let price = price.unwrap_or_else(|| items[place]["price"].clone());
                let held = items[place]["quantity"].as_i64().unwrap_or(1);
                let fresh = item(world, call.id(), price, quantity.unwrap_or(held), call.now);
                let kept = items[place]["id"].clone();
                items[place] = fresh;
                items[place]["id"] = kept;
            }
        }
    }
    if items.is_empty() {
        return Err(Fault::bad("items", "A subscription must have at least one active plan."));
    }
    subscription["items"]["data"] = Value::Array(items);
    Ok(())
}

/// `DELETE /v1/subscriptions/{id}`: ends it now.
pub(super) fn cancel(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(&["cancellation_details", "invoice_now", "prorate"])?;
    let mut subscription = world.named(Kind::Subscription, call.id())?;
    if subscription["status"] == "canceled" {
        return Err(Fault::no_such("subscription", call.id()));
    }
    cancellation(&mut subscription, call);
    world.put(Kind::Subscription, subscription, call.now);
    end(world, call.id(), call.now);
    world.named(Kind::Subscription, call.id())
}

/// Ends a subscription.
pub(super) fn end(world: &mut World, id: &str, now: i64) {
    world.edit(Kind::Subscription, id, now, |subscription| {
        if subscription["status"] == "canceled" {
            return;
        }
        let unpaid = subscription["status"] == "incomplete";
        subscription["status"] = json!(if unpaid { "incomplete_expired" } else { "canceled" });
        subscription["canceled_at"] = json!(now);
        subscription["ended_at"] = json!(now);
        subscription["cancellation_details"]["reason"] = json!("cancellation_requested");
    });
}
