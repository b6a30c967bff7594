//! How bills are made up, opened and closed.

use serde_json::{Value, json};

use super::{
    charges::{charge, settle},
    world::{Kind, World, both, letters},
};

/// A bill of a subscription.
pub(super) struct Bill {
    pub at: i64,
    pub renewal: bool,
    pub pays: bool,
}

/// Bills a subscription's current period and collects.
pub(super) fn bill(world: &mut World, subscription: &str, bill: Bill) {
    let Some(held) = world.get(Kind::Subscription, subscription).cloned() else { return };
    let trial = held["status"] == "trialing";
    let customer = held["customer"].as_str().unwrap_or("").to_owned();
    let id = world.new_id(Kind::Invoice);
    let period = (held["current_period_start"].clone(), held["current_period_end"].clone());
    let items = held["items"]["data"].as_array().cloned().unwrap_or_default();
    let lines: Vec<Value> = items
        .iter()
        .map(|item| {
            let price = &item["price"];
            let unit = if trial { 0 } else { price["unit_amount"].as_i64().unwrap_or(0) };
            let quantity = item["quantity"].as_i64().unwrap_or(1);
            let draft = Line {
                amount: unit.saturating_mul(quantity),
                currency: price["currency"].clone(),
                description: Some(format!("{quantity} × {}", product_name(world, price))),
                quantity,
                price: price.clone(),
                period: (period.0.clone(), period.1.clone()),
                source: Source::Subscription { subscription, item: item["id"].clone() },
            };
            line(world, &id, draft)
        })
        .collect();
    let reason = if bill.renewal { "subscription_cycle" } else { "subscription_create" };
    let mut invoice = blank(world, &id, &customer, held["currency"].clone(), bill.at);
    invoice["subscription"] = json!(subscription);
    invoice["parent"] = json!({"type": "subscription_details", "quote_details": null,
        "subscription_details": {"subscription": subscription, "metadata": held["metadata"]}});
    invoice["subscription_details"] = json!({"metadata": held["metadata"]});
    invoice["billing_reason"] = json!(reason);
    invoice["auto_advance"] = json!(true);
    invoice["collection_method"] = held["collection_method"].clone();
    if let Some(days) = held["days_until_due"].as_i64() {
        invoice["due_date"] = json!(bill.at + days * 86_400);
    }
    invoice["lines"]["data"] = Value::Array(lines);
    total(&mut invoice);
    world.put(Kind::Invoice, invoice, bill.at);
    world.edit(Kind::Subscription, subscription, bill.at, |held| held["latest_invoice"] = json!(id));
    finalize_now(world, &id, bill.at);
    let open = world.get(Kind::Invoice, &id).is_some_and(|invoice| invoice["status"] == "open");
    if open && held["collection_method"] == "charge_automatically" {
        let paid = charge(world, &id, bill.pays, bill.at);
        settle(world, &id, paid, bill.renewal, bill.at);
    }
}

fn product_name(world: &World, price: &Value) -> String {
    let product = price["product"].as_str().and_then(|id| world.get(Kind::Product, id));
    product.and_then(|product| product["name"].as_str()).unwrap_or("Product").to_owned()
}

enum Source<'a> {
    Subscription { subscription: &'a str, item: Value },
    InvoiceItem(&'a str),
}

struct Line<'a> {
    amount: i64,
    currency: Value,
    description: Option<String>,
    quantity: i64,
    price: Value,
    period: (Value, Value),
    source: Source<'a>,
}

fn line(world: &mut World, invoice: &str, draft: Line<'_>) -> Value {
    let id = world.new_id(Kind::LineItem);
    let unit = draft.price["unit_amount_decimal"].clone();
    let pricing = json!({"type": "price_details", "unit_amount_decimal": unit,
        "price_details": {"price": draft.price["id"], "product": draft.price["product"]}});
    let mut shown = json!({
        "id": id, "object": "line_item", "amount": draft.amount, "amount_excluding_tax": draft.amount,
        "currency": draft.currency, "description": draft.description, "discount_amounts": [],
        "discountable": true, "discounts": [], "invoice": invoice, "livemode": false, "metadata": {},
        "period": {"start": draft.period.0, "end": draft.period.1}, "price": draft.price,
        "proration": false, "proration_details": {"credited_items": null}, "quantity": draft.quantity,
        "subscription": null, "tax_amounts": [], "tax_rates": [], "type": "invoiceitem",
        "unit_amount_excluding_tax": unit, "pretax_credit_amounts": [], "taxes": [],
        "subtotal": draft.amount,
        "pricing": if draft.price.is_null() { Value::Null } else { pricing },
    });
    let details = json!({"proration": false, "proration_details": {"credited_items": null}});
    match draft.source {
        Source::Subscription { subscription, item } => {
            shown["type"] = json!("subscription");
            shown["subscription"] = json!(subscription);
            shown["subscription_item"] = item.clone();
            let mut details = details;
            details["subscription"] = json!(subscription);
            details["subscription_item"] = item;
            details["invoice_item"] = Value::Null;
            shown["parent"] = json!({"type": "subscription_item_details",
                "invoice_item_details": null, "subscription_item_details": details});
        }
        Source::InvoiceItem(item) => {
            shown["invoice_item"] = json!(item);
            let mut details = details;
            details["invoice_item"] = json!(item);
            details["subscription"] = Value::Null;
            shown["parent"] = json!({"type": "invoice_item_details",
                "invoice_item_details": details, "subscription_item_details": null});
        }
    }
    shown
}

pub(super) fn blank(world: &World, id: &str, customer: &str, currency: Value, now: i64) -> Value {
    let held = world.get(Kind::Customer, customer).cloned().unwrap_or(Value::Null);
    both(
        json!({
        "id": id, "object": "invoice", "account_country": "DE", "account_name": "handoffd sandbox",
        "account_tax_ids": null, "amount_due": 0, "amount_overpaid": 0, "amount_paid": 0,
        "amount_remaining": 0, "amount_shipping": 0, "application": null, "application_fee_amount": null,
        "attempt_count": 0, "attempted": false, "auto_advance": false,
        "automatic_tax": {"enabled": false, "liability": null, "status": null, "disabled_reason": null,
            "provider": null},
        "automatically_finalizes_at": null, "billing_reason": "manual", "charge": null,
        "collection_method": "charge_automatically", "created": now, "currency": currency,
        "custom_fields": null, "customer": customer, "customer_address": held["address"],
        "customer_email": held["email"], "customer_name": held["name"], "customer_phone": held["phone"],
        "customer_shipping": null, "customer_tax_exempt": "none", "customer_tax_ids": [],
        "default_payment_method": null, "default_source": null, "default_tax_rates": [],
        "description": null, "discount": null, "discounts": [], "due_date": null, "effective_at": null,
        }),
        both(
            json!({
            "ending_balance": null, "footer": null, "from_invoice": null, "hosted_invoice_url": null,
            "invoice_pdf": null, "issuer": {"type": "self"}, "last_finalization_error": null,
            "latest_revision": null,
            "lines": {"object": "list", "data": [], "has_more": false, "url": format!("/v1/invoices/{id}/lines")},
            "livemode": false, "metadata": {}, "next_payment_attempt": null, "number": null,
            "on_behalf_of": null, "paid": false, "paid_out_of_band": false, "parent": null,
            "payment_intent": null,
            "payment_settings": {"default_mandate": null, "payment_method_options": null,
                "payment_method_types": null},
            "period_end": now, "period_start": now, }),
            json!({
            "post_payment_credit_notes_amount": 0,
                       "pre_payment_credit_notes_amount": 0, "quote": null, "receipt_number": null, "rendering": null,
                       "rendering_options": null, "shipping_cost": null, "shipping_details": null,
                       "starting_balance": 0, "statement_descriptor": null, "status": "draft",
                       "status_transitions": {"finalized_at": null, "marked_uncollectible_at": null, "paid_at": null,
                           "voided_at": null},
                       "subscription": null, "subtotal": 0, "subtotal_excluding_tax": 0, "tax": null,
                       "test_clock": null, "total": 0, "total_discount_amounts": [], "total_excluding_tax": 0,
                       "total_pretax_credit_amounts": [], "total_tax_amounts": [], "total_taxes": [],
                       "transfer_data": null, "webhooks_delivered_at": null,
                   }),
        ),
    )
}

pub(super) fn total(invoice: &mut Value) {
    let lines = invoice["lines"]["data"].as_array().cloned().unwrap_or_default();
    let sum = lines.iter().fold(0_i64, |sum, line| sum.saturating_add(line["amount"].as_i64().unwrap_or(0)));
    for name in ["subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"] {
        invoice[name] = json!(sum);
    }
    let paid = invoice["amount_paid"].as_i64().unwrap_or(0);
    invoice["amount_due"] = json!(sum.max(0));
    invoice["amount_remaining"] = json!((sum.max(0) - paid).max(0));
}

pub(super) fn attach(world: &mut World, invoice: &str, item: &str, now: i64) {
    let Some(held) = world.get(Kind::InvoiceItem, item).cloned() else { return };
    if !held["invoice"].is_null() {
        return;
    }
    let draft = Line {
        amount: held["amount"].as_i64().unwrap_or(0),
        currency: held["currency"].clone(),
        description: held["description"].as_str().map(str::to_owned),
        quantity: held["quantity"].as_i64().unwrap_or(1),
        price: held["price"].clone(),
        period: (held["period"]["start"].clone(), held["period"]["end"].clone()),
        source: Source::InvoiceItem(item),
    };
    let line = line(world, invoice, draft);
    world.edit(Kind::Invoice, invoice, now, |invoice| {
        invoice["currency"] = held["currency"].clone();
        if let Some(lines) = invoice["lines"]["data"].as_array_mut() {
            lines.push(line);
        }
        total(invoice);
    });
    world.edit(Kind::InvoiceItem, item, now, |item| item["invoice"] = json!(invoice));
}

/// Gives an invoice its number and opens it; nothing to pay is paid at once.
pub(super) fn finalize_now(world: &mut World, id: &str, now: i64) {
    let Some(mut invoice) = world.get(Kind::Invoice, id).cloned() else { return };
    let customer = invoice["customer"].as_str().unwrap_or("").to_owned();
    let currency = invoice["currency"].clone();
    let mut number = String::new();
    world.edit(Kind::Customer, &customer, now, |customer| {
        let next = customer["next_invoice_sequence"].as_i64().unwrap_or(1);
        number = format!("{}-{next:04}", customer["invoice_prefix"].as_str().unwrap_or(""));
        if customer["deleted"] != json!(true) {
            customer["next_invoice_sequence"] = json!(next + 1);
            customer["currency"] = currency;
        }
    });
    let url = format!("https://invoice.stripe.com/i/{}/test_{}", world.account, letters(world.seed, id, 24));
    invoice["status"] = json!("open");
    invoice["number"] = json!(number);
    invoice["invoice_pdf"] = json!(format!("{url}/pdf"));
    invoice["hosted_invoice_url"] = json!(url);
    invoice["status_transitions"]["finalized_at"] = json!(now);
    invoice["effective_at"] = json!(now);
    invoice["ending_balance"] = json!(0);
    let nothing = invoice["amount_due"] == json!(0);
    world.put(Kind::Invoice, invoice, now);
    if nothing {
        mark_paid(world, id, false, now);
    }
}

pub(super) fn mark_paid(world: &mut World, id: &str, out_of_band: bool, now: i64) {
    world.edit(Kind::Invoice, id, now, |invoice| {
        invoice["status"] = json!("paid");
        invoice["paid"] = json!(true);
        invoice["paid_out_of_band"] = json!(out_of_band);
        invoice["attempted"] = json!(true);
        invoice["amount_paid"] = invoice["amount_due"].clone();
        invoice["amount_remaining"] = json!(0);
        invoice["next_payment_attempt"] = Value::Null;
        invoice["status_transitions"]["paid_at"] = json!(now);
    });
}
