//! Charges, payment intents and what they mean for an invoice.

use serde_json::{Value, json};

use super::{
    billing::{Card, card},
    customers::{metadata, texts},
    http::{Call, Fault, integer},
    ledger::mark_paid,
    world::{Kind, World, both},
};

/// The vendor tries a failed charge again after this long.
const NEXT_ATTEMPT: i64 = 3 * 86_400;

/// What an attempt to collect means for the customer and the subscription.
pub(super) fn settle(world: &mut World, invoice: &str, paid: bool, renewal: bool, now: i64) {
    let Some(held) = world.get(Kind::Invoice, invoice).cloned() else { return };
    let customer = held["customer"].as_str().unwrap_or("").to_owned();
    world.edit(Kind::Customer, &customer, now, |customer| {
        if customer["deleted"] != json!(true) {
            customer["delinquent"] = json!(!paid);
        }
    });
    let Some(subscription) = held["subscription"].as_str() else { return };
    world.edit(Kind::Subscription, subscription, now, |subscription| {
        let status = match (paid, renewal, subscription["status"].as_str()) {
            (_, _, Some("canceled" | "incomplete_expired")) => return,
            (true, _, Some("incomplete" | "past_due" | "unpaid")) => "active",
            (false, true, _) => "past_due",
            (false, false, Some("active")) => "incomplete",
            _ => return,
        };
        subscription["status"] = json!(status);
    });
    if !paid && renewal {
        world.edit(Kind::Invoice, invoice, now, |invoice| {
            invoice["next_payment_attempt"] = json!(now + NEXT_ATTEMPT);
        });
    }
}

/// The refusal of a declined card.
pub(super) fn declined(charge: Option<&str>) -> Fault {
    let mut fault = Fault::new(402, "Your card was declined.").code("card_declined");
    fault.error.insert("type".to_owned(), json!("card_error"));
    fault.error.insert("decline_code".to_owned(), json!("generic_decline"));
    if let Some(charge) = charge {
        fault.error.insert("charge".to_owned(), json!(charge));
    }
    fault
}

/// `GET /v1/charges/{id}`.
pub(super) fn retrieve_charge(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Charge, call.id())
}

/// `GET /v1/payment_intents/{id}`.
pub(super) fn retrieve_intent(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::PaymentIntent, call.id())
}

/// `GET /v1/invoice_payments/{id}`.
pub(super) fn retrieve_payment(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::InvoicePayment, call.id())
}

/// `POST /v1/charges`: one that no invoice asks for.
pub(super) fn create_charge(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let amount = integer(call.params.get("amount"), "amount")?.ok_or_else(|| Fault::missing("amount"))?;
    if !(1..=99_999_999).contains(&amount) {
        return Err(Fault::bad("amount", "Invalid positive integer").code("parameter_invalid_integer"));
    }
    let currency = call.need("currency")?.to_lowercase();
    let customer = call.need("customer")?.to_owned();
    world.given(Kind::Customer, &customer, "customer")?;
    let pays = card(world, &customer) == Card::Pays;
    let facts =
        Attempt { customer: json!(customer), amount, currency: json!(currency), invoice: Value::Null };
    let mut charge = attempt(world, facts, pays, call.now);
    texts(&mut charge, call, &["description", "receipt_email"])?;
    metadata(&mut charge, call)?;
    world.put(Kind::Charge, charge.clone(), call.now);
    if pays { Ok(charge) } else { Err(declined(charge["id"].as_str())) }
}

/// Tries to collect an open invoice. Says whether it is paid now.
pub(super) fn charge(world: &mut World, id: &str, pays: bool, now: i64) -> bool {
    let Some(invoice) = world.get(Kind::Invoice, id).cloned() else { return false };
    let facts = Attempt {
        customer: invoice["customer"].clone(),
        amount: invoice["amount_remaining"].as_i64().unwrap_or(0),
        currency: invoice["currency"].clone(),
        invoice: json!(id),
    };
    let made = attempt(world, facts, pays, now);
    let payment = world.where_is(Kind::InvoicePayment, "invoice", id).into_iter().next();
    let payment = payment.unwrap_or_else(|| world.new_id(Kind::InvoicePayment));
    let row = json!({
        "id": payment, "object": "invoice_payment", "amount_paid": pays.then_some(&made["amount"]),
        "amount_requested": made["amount"], "created": now, "currency": made["currency"], "invoice": id,
        "is_default": true, "livemode": false,
        "payment": {"type": "payment_intent", "payment_intent": made["payment_intent"]},
        "status": if pays { "paid" } else { "open" },
        "status_transitions": {"canceled_at": null, "paid_at": pays.then_some(now)},
    });
    world.put(Kind::InvoicePayment, row, now);
    world.edit(Kind::Invoice, id, now, |invoice| {
        invoice["attempted"] = json!(true);
        invoice["attempt_count"] = json!(invoice["attempt_count"].as_i64().unwrap_or(0) + 1);
        invoice["charge"] = made["id"].clone();
        invoice["payment_intent"] = made["payment_intent"].clone();
    });
    if pays {
        mark_paid(world, id, false, now);
    }
    pays
}

struct Attempt {
    customer: Value,
    amount: i64,
    currency: Value,
    invoice: Value,
}

/// Makes a charge and its payment intent.
fn attempt(world: &mut World, facts: Attempt, pays: bool, now: i64) -> Value {
    let (id, intent) = (world.new_id(Kind::Charge), world.new_id(Kind::PaymentIntent));
    let Attempt { customer, amount, currency, invoice } = facts;
    let held = customer.as_str().and_then(|id| world.get(Kind::Customer, id)).cloned().unwrap_or(Value::Null);
    let status = if pays { "succeeded" } else { "requires_payment_method" };
    let payment = json!({
        "id": intent, "object": "payment_intent", "amount": amount, "amount_received": if pays { amount } else { 0 },
        "capture_method": "automatic", "client_secret": null, "confirmation_method": "automatic",
        "created": now, "currency": currency, "customer": customer, "description": null,
        "invoice": invoice, "latest_charge": id, "livemode": false, "metadata": {},
        "payment_method": null, "payment_method_types": ["card"], "status": status,
    });
    world.put(Kind::PaymentIntent, payment, now);
    let outcome = if pays {
        json!({"network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "seller_message": "Payment complete.", "type": "authorized"})
    } else {
        json!({"network_status": "declined_by_network", "reason": "generic_decline", "risk_level": "normal",
            "seller_message": "The bank did not return any further details with this decline.",
            "type": "issuer_declined"})
    };
    let last4 = if pays { "4242" } else { "0341" };
    let charge = both(
        json!({
        "id": id, "object": "charge", "amount": amount, "amount_captured": if pays { amount } else { 0 },
        "amount_refunded": 0, "application": null, "application_fee": null, "application_fee_amount": null,
        "balance_transaction": null,
        "billing_details": {"address": {"city": null, "country": null, "line1": null, "line2": null,
            "postal_code": null, "state": null}, "email": held["email"], "name": held["name"],
            "phone": held["phone"], "tax_id": null},
        "calculated_statement_descriptor": "HANDOFFD", "captured": pays, "created": now,
        "currency": currency, "customer": customer, "description": null, "disputed": false,
        }),
        json!({
        "failure_balance_transaction": null,
               "failure_code": (!pays).then_some("card_declined"),
               "failure_message": (!pays).then_some("Your card was declined."),
               "fraud_details": {}, "invoice": invoice, "livemode": false, "metadata": {}, "on_behalf_of": null,
               "outcome": outcome, "paid": pays, "payment_intent": intent, "payment_method": null,
               "payment_method_details": {"type": "card", "card": {"brand": "visa", "checks": null,
                   "country": "US", "exp_month": 8, "exp_year": 2030, "funding": "credit", "last4": last4,
                   "network": "visa", "wallet": null}},
               "receipt_email": null, "receipt_number": null, "receipt_url": null, "refunded": false,
               "review": null, "shipping": null, "source_transfer": null, "statement_descriptor": null,
               "statement_descriptor_suffix": null, "status": if pays { "succeeded" } else { "failed" },
               "transfer_data": null, "transfer_group": null,
           }),
    );
    world.put(Kind::Charge, charge.clone(), now);
    charge
}
