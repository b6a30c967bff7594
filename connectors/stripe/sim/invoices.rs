//! Invoices and their items.

use serde_json::{Value, json};

use super::{
    billing::{Card, card},
    charges::{charge, declined, settle},
    customers::{metadata, texts},
    http::{Call, Fault},
    ledger::{attach, blank, finalize_now, mark_paid},
    world::{Kind, World},
};

const KNOWN: &[&str] = &[
    "account_tax_ids",
    "application_fee_amount",
    "auto_advance",
    "automatic_tax",
    "collection_method",
    "currency",
    "custom_fields",
    "customer",
    "days_until_due",
    "default_payment_method",
    "default_source",
    "default_tax_rates",
    "description",
    "discounts",
    "due_date",
    "effective_at",
    "footer",
    "from_invoice",
    "issuer",
    "metadata",
    "number",
    "on_behalf_of",
    "payment_settings",
    "pending_invoice_items_behavior",
    "rendering",
    "rendering_options",
    "shipping_cost",
    "shipping_details",
    "statement_descriptor",
    "subscription",
    "transfer_data",
];

/// `POST /v1/invoices`: a draft.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(KNOWN)?;
    let customer = call.need("customer")?.to_owned();
    let held = world.given(Kind::Customer, &customer, "customer")?;
    let currency = call.text("currency").map(|currency| json!(currency.to_lowercase()));
    let currency = currency.or_else(|| Some(held["currency"].clone()).filter(|held| !held.is_null()));
    let id = world.new_id(Kind::Invoice);
    let mut invoice = blank(world, &id, &customer, currency.unwrap_or(json!("usd")), call.now);
    super::lists::check_one_of(call, "collection_method", &["charge_automatically", "send_invoice"])?;
    if call.text("collection_method") == Some("send_invoice") {
        let days = call.integer("days_until_due")?.map(|days| call.now + days.clamp(0, 1_000) * 86_400);
        let due = call.integer("due_date")?.or(days);
        let due = due.ok_or_else(|| Fault::missing("days_until_due"))?;
        invoice["collection_method"] = json!("send_invoice");
        invoice["due_date"] = json!(due);
    }
    invoice["auto_advance"] = json!(call.flag("auto_advance")?.unwrap_or(false));
    texts(&mut invoice, call, &["description", "footer", "statement_descriptor"])?;
    metadata(&mut invoice, call)?;
    world.put(Kind::Invoice, invoice, call.now);
    if call.text("pending_invoice_items_behavior") == Some("include") {
        for item in world.where_is(Kind::InvoiceItem, "customer", &customer) {
            attach(world, &id, &item, call.now);
        }
    }
    world.named(Kind::Invoice, &id)
}

/// `POST /v1/invoiceitems`: on a draft, or pending for the next.
pub(super) fn create_item(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(&[
        "amount",
        "currency",
        "customer",
        "description",
        "discountable",
        "discounts",
        "invoice",
        "metadata",
        "period",
        "price",
        "price_data",
        "pricing",
        "quantity",
        "subscription",
        "tax_behavior",
        "tax_code",
        "tax_rates",
        "unit_amount",
        "unit_amount_decimal",
    ])?;
    let customer = call.need("customer")?.to_owned();
    world.given(Kind::Customer, &customer, "customer")?;
    if let Some(invoice) = call.text("invoice") {
        let held = world.given(Kind::Invoice, invoice, "invoice")?;
        if held["status"] != "draft" || held["customer"] != json!(customer) {
            return Err(Fault::bad(
                "invoice",
                "You can only add items to a draft invoice of the same customer.",
            ));
        }
    }
    let priced =
        call.text("price").or_else(|| call.params.get("pricing").and_then(|sent| sent["price"].as_str()));
    let price = match priced {
        Some(price) => world.given(Kind::Price, price, "price")?,
        None => Value::Null,
    };
    let quantity = call.integer("quantity")?.unwrap_or(1).clamp(0, 1_000_000);
    let unit = call.integer("unit_amount")?.or_else(|| price["unit_amount"].as_i64());
    let amount = call.integer("amount")?.or_else(|| unit.map(|unit| unit.saturating_mul(quantity)));
    let amount = amount.ok_or_else(|| Fault::missing("amount"))?.clamp(-99_999_999, 99_999_999);
    let currency = call.text("currency").map(str::to_lowercase);
    let currency = currency.or_else(|| price["currency"].as_str().map(str::to_owned));
    let currency = currency.ok_or_else(|| Fault::missing("currency"))?;
    let id = world.new_id(Kind::InvoiceItem);
    let mut item = json!({
        "id": id, "object": "invoiceitem", "amount": amount, "currency": currency, "customer": customer,
        "date": call.now, "description": null, "discountable": true, "discounts": [], "invoice": null,
        "livemode": false, "metadata": {}, "net_amount": amount, "parent": null,
        "period": {"start": call.now, "end": call.now}, "price": price, "pricing": null,
        "proration": false, "quantity": quantity, "subscription": null, "tax_rates": [],
        "test_clock": null, "unit_amount": unit,
    });
    texts(&mut item, call, &["description"])?;
    metadata(&mut item, call)?;
    world.put(Kind::InvoiceItem, item, call.now);
    if let Some(invoice) = call.text("invoice") {
        attach(world, invoice, &id, call.now);
    }
    world.named(Kind::InvoiceItem, &id)
}

/// `GET /v1/invoiceitems/{id}`.
pub(super) fn retrieve_item(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::InvoiceItem, call.id())
}

/// `GET /v1/invoices/{id}`.
pub(super) fn retrieve(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Invoice, call.id())
}

/// `POST /v1/invoices/{id}`.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(KNOWN)?;
    let mut invoice = world.named(Kind::Invoice, call.id())?;
    texts(&mut invoice, call, &["description", "footer", "statement_descriptor"])?;
    if let Some(due) = call.integer("due_date")? {
        invoice["due_date"] = json!(due);
    }
    if let Some(advance) = call.flag("auto_advance")? {
        invoice["auto_advance"] = json!(advance);
    }
    metadata(&mut invoice, call)?;
    world.put(Kind::Invoice, invoice.clone(), call.now);
    Ok(invoice)
}

/// `DELETE /v1/invoices/{id}`: drafts only.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, Fault> {
    expect(world, call, &["draft"], "You can only delete draft invoices.")?;
    world.remove(Kind::Invoice, call.id());
    Ok(json!({"id": call.id(), "object": "invoice", "deleted": true}))
}

fn expect(world: &World, call: &Call, statuses: &[&str], message: &str) -> Result<Value, Fault> {
    let invoice = world.named(Kind::Invoice, call.id())?;
    if invoice["status"].as_str().is_some_and(|status| statuses.contains(&status)) {
        return Ok(invoice);
    }
    Err(Fault::new(400, message).code("invoice_not_editable"))
}

/// `POST /v1/invoices/{id}/finalize`, and `/send` of a draft.
pub(super) fn finalize(world: &mut World, call: &Call) -> Result<Value, Fault> {
    expect(
        world,
        call,
        &["draft"],
        "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
    )?;
    finalize_now(world, call.id(), call.now);
    world.named(Kind::Invoice, call.id())
}

/// `POST /v1/invoices/{id}/send`.
pub(super) fn send(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let invoice = expect(world, call, &["draft", "open"], "You can only send draft and open invoices.")?;
    if invoice["status"] == "draft" {
        finalize_now(world, call.id(), call.now);
    }
    world.named(Kind::Invoice, call.id())
}

/// `POST /v1/invoices/{id}/pay`.
pub(super) fn pay(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(&["forgive", "mandate", "off_session", "paid_out_of_band", "payment_method", "source"])?;
    let message = "Invoice is not in a payable state.";
    let invoice = expect(world, call, &["draft", "open", "uncollectible"], message)?;
    if invoice["status"] == "draft" {
        finalize_now(world, call.id(), call.now);
    }
    let customer = invoice["customer"].as_str().unwrap_or("");
    if call.flag("paid_out_of_band")? == Some(true) {
        mark_paid(world, call.id(), true, call.now);
        settle(world, call.id(), true, false, call.now);
    } else if world.get(Kind::Invoice, call.id()).is_some_and(|invoice| invoice["status"] != "paid") {
        let pays = call.text("payment_method").is_some() || card(world, customer) == Card::Pays;
        let paid = charge(world, call.id(), pays, call.now);
        settle(world, call.id(), paid, false, call.now);
        if !paid {
            let charge = world.named(Kind::Invoice, call.id())?["charge"].clone();
            return Err(declined(charge.as_str()));
        }
    }
    world.named(Kind::Invoice, call.id())
}

/// `POST /v1/invoices/{id}/void`.
pub(super) fn void(world: &mut World, call: &Call) -> Result<Value, Fault> {
    close(world, call, "void", "voided_at", &["open", "uncollectible"])
}

/// `POST /v1/invoices/{id}/mark_uncollectible`.
pub(super) fn mark_uncollectible(world: &mut World, call: &Call) -> Result<Value, Fault> {
    close(world, call, "uncollectible", "marked_uncollectible_at", &["open"])
}

fn close(world: &mut World, call: &Call, status: &str, at: &str, from: &[&str]) -> Result<Value, Fault> {
    expect(world, call, from, "You can only pass in open invoices.")?;
    world.edit(Kind::Invoice, call.id(), call.now, |invoice| {
        invoice["status"] = json!(status);
        invoice["status_transitions"][at] = json!(call.now);
        invoice["next_payment_attempt"] = Value::Null;
    });
    world.named(Kind::Invoice, call.id())
}

/// `GET /v1/invoices/{id}/lines`.
pub(super) fn lines(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Invoice, call.id()).map(|invoice| invoice["lines"].clone())
}
