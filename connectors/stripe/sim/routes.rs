//! Which path is answered by what, and which permission a restricted key needs for it.

use serde_json::{Value, json};

use super::{
    billing, charges, customers,
    http::{Call, Fault},
    invoices, lists, search,
    world::World,
};

/// Answers one kind of request.
pub(super) type Handler = fn(&mut World, &Call) -> Result<Value, Fault>;

/// A request that is known.
pub(super) struct Route {
    /// The path with `{id}` for ids.
    pub pattern: &'static str,
    pub ids: Vec<String>,
    pub handler: Handler,
}

type Entry = (&'static str, &'static str, Handler);

/// Every request. The first that fits counts.
const ROUTES: &[Entry] = &[
    ("GET", "account", account),
    ("GET", "balance", balance),
    ("GET", "customers", lists::customers),
    ("POST", "customers", customers::create),
    ("GET", "customers/search", search::customers),
    ("GET", "customers/{id}", customers::retrieve),
    ("POST", "customers/{id}", customers::update),
    ("DELETE", "customers/{id}", customers::delete),
    ("GET", "products", lists::products),
    ("POST", "products", customers::create_product),
    ("GET", "products/{id}", customers::retrieve_product),
    ("POST", "products/{id}", customers::update_product),
    ("GET", "prices", lists::prices),
    ("POST", "prices", customers::create_price),
    ("GET", "prices/{id}", customers::retrieve_price),
    ("POST", "prices/{id}", customers::update_price),
    ("GET", "subscriptions", lists::subscriptions),
    ("POST", "subscriptions", billing::create),
    ("GET", "subscriptions/search", search::subscriptions),
    ("GET", "subscriptions/{id}", billing::retrieve),
    ("POST", "subscriptions/{id}", billing::update),
    ("DELETE", "subscriptions/{id}", billing::cancel),
    ("GET", "invoices", lists::invoices),
    ("POST", "invoices", invoices::create),
    ("GET", "invoices/search", search::invoices),
    ("GET", "invoices/{id}", invoices::retrieve),
    ("POST", "invoices/{id}", invoices::update),
    ("DELETE", "invoices/{id}", invoices::delete),
    ("GET", "invoices/{id}/lines", invoices::lines),
    ("POST", "invoices/{id}/finalize", invoices::finalize),
    ("POST", "invoices/{id}/send", invoices::send),
    ("POST", "invoices/{id}/pay", invoices::pay),
    ("POST", "invoices/{id}/void", invoices::void),
    ("POST", "invoices/{id}/mark_uncollectible", invoices::mark_uncollectible),
    ("GET", "invoiceitems", lists::invoice_items),
    ("POST", "invoiceitems", invoices::create_item),
    ("GET", "invoiceitems/{id}", invoices::retrieve_item),
    ("GET", "invoice_payments", lists::invoice_payments),
    ("GET", "invoice_payments/{id}", charges::retrieve_payment),
    ("GET", "charges", lists::charges),
    ("POST", "charges", charges::create_charge),
    ("GET", "charges/search", search::charges),
    ("GET", "charges/{id}", charges::retrieve_charge),
    ("GET", "payment_intents", lists::payment_intents),
    ("GET", "payment_intents/{id}", charges::retrieve_intent),
    ("GET", "disputes", lists::none),
    ("GET", "events", lists::none),
    ("GET", "refunds", lists::none),
    ("GET", "balance_transactions", lists::none),
    ("GET", "checkout/sessions", lists::none),
    ("GET", "coupons", lists::none),
    ("GET", "credit_notes", lists::none),
    ("GET", "payment_methods", lists::none),
    ("GET", "plans", lists::none),
    ("GET", "promotion_codes", lists::none),
    ("GET", "setup_intents", lists::none),
    ("GET", "tax_rates", lists::none),
    ("GET", "webhook_endpoints", lists::none),
    ("GET", "customers/{id}/balance_transactions", lists::none_of_customer),
    ("GET", "customers/{id}/payment_methods", lists::none_of_customer),
    ("GET", "customers/{id}/sources", lists::none_of_customer),
    ("GET", "customers/{id}/tax_ids", lists::none_of_customer),
    ("GET", "customers/{id}/subscriptions", lists::subscriptions_of_customer),
];

/// The route of a request, if there is one.
pub(super) fn find(method: &str, path: &str) -> Option<Route> {
    let given: Vec<&str> = path.strip_prefix("/v1/")?.trim_end_matches('/').split('/').collect();
    ROUTES.iter().filter(|(wanted, _, _)| *wanted == method).find_map(|(_, pattern, handler)| {
        let parts: Vec<&str> = pattern.split('/').collect();
        if parts.len() != given.len() {
            return None;
        }
        let mut ids = Vec::new();
        for (part, given) in parts.iter().zip(&given) {
            match *part {
                "{id}" if !given.is_empty() => ids.push((*given).to_owned()),
                part if part == *given => {}
                _ => return None,
            }
        }
        Some(Route { pattern, ids, handler: *handler })
    })
}

/// What the vendor calls the permission for a request.
pub(super) fn permission(method: &str, pattern: &str) -> String {
    let resource = match pattern.split('/').next().unwrap_or("") {
        "account" => "accounts_kyc_basic",
        "balance" => "balance",
        "customers" => "customer",
        "products" => "product",
        "prices" => "plan",
        "subscriptions" => "subscription",
        "invoices" | "invoiceitems" | "invoice_payments" => "invoice",
        "charges" => "charge",
        "payment_intents" => "payment_intent",
        "disputes" => "dispute",
        "events" => "event",
        _ => "refund",
    };
    format!("rak_{resource}_{}", if method == "GET" { "read" } else { "write" })
}

/// What the restricted key of this world may do.
pub(super) const GRANTED: [&str; 5] =
    ["rak_customer_read", "rak_product_read", "rak_plan_read", "rak_subscription_read", "rak_charge_read"];

/// The permission that expanding a property needs.
pub(super) fn expand_permission(path: &str) -> Option<&'static str> {
    path.split('.').find_map(|part| match part {
        "latest_invoice" | "invoice" | "payments" => Some("rak_invoice_read"),
        "payment_intent" => Some("rak_payment_intent_read"),
        _ => None,
    })
}

fn account(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(&[])?;
    Ok(json!({
        "id": world.account, "object": "account", "business_type": null, "charges_enabled": true,
        "country": "DE", "created": 1_700_000_000, "default_currency": "eur", "details_submitted": true,
        "email": "owner@sandbox.example", "metadata": {}, "payouts_enabled": true, "type": "standard",
    }))
}

fn balance(_world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(&[])?;
    let none = json!([{"amount": 0, "currency": "eur", "source_types": {"card": 0}}]);
    Ok(json!({"object": "balance", "available": none, "livemode": false, "pending": none}))
}
