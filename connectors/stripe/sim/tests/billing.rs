//! Subscriptions, invoices and charges.

use serde_json::json;

use super::*;

#[test]
fn a_card_that_pays() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    let made = shop.subscribe(&ada, "&expand[]=latest_invoice.payments&expand[]=customer");
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(made.body["status"], "active");
    assert_eq!(made.body["customer"]["email"], "ada@example.com");
    let invoice = &made.body["latest_invoice"];
    assert_eq!((&invoice["status"], &invoice["amount_paid"]), (&json!("paid"), &json!(9_800)));
    assert_eq!(invoice["payments"]["data"][0]["status"], "paid");
    assert_eq!(
        invoice["lines"]["data"][0]["pricing"]["price_details"]["price"],
        made.body["items"]["data"][0]["price"]["id"]
    );
    let charges = shop.get(&format!("charges?customer={ada}"));
    assert_eq!(charges.body["data"][0]["status"], "succeeded");
    assert_eq!(shop.get(&format!("customers/{ada}")).body["currency"], "eur");
}

#[test]
fn the_version_decides_where_things_are() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    let id = shop.subscribe(&ada, "").id();
    let invoice = format!("invoices?subscription={id}");
    let (new, new_invoice) =
        (shop.get(&format!("subscriptions/{id}")).body, shop.get(&invoice).body["data"][0].clone());
    shop.version = OLD.to_owned();
    let (old, old_invoice) =
        (shop.get(&format!("subscriptions/{id}")).body, shop.get(&invoice).body["data"][0].clone());
    assert_eq!(old["current_period_end"], json!(START + 30 * 86_400));
    assert!(old["items"]["data"][0].get("current_period_end").is_none());
    assert_eq!(new["items"]["data"][0]["current_period_end"], old["current_period_end"]);
    assert!(new.get("current_period_end").is_none());
    assert_eq!(old_invoice["subscription"], json!(id));
    assert_eq!((&old_invoice["paid"], old_invoice.get("parent")), (&json!(true), None));
    assert_eq!(new_invoice["parent"]["subscription_details"]["subscription"], json!(id));
    assert!(new_invoice.get("subscription").is_none() && new_invoice.get("charge").is_none());
    let expanded = shop.get(&format!("subscriptions/{id}?expand[]=latest_invoice.charge"));
    assert_eq!(expanded.body["latest_invoice"]["charge"]["status"], "succeeded");
    shop.version = NEW.to_owned();
    assert_eq!(shop.get(&format!("subscriptions/{id}?expand[]=latest_invoice.charge")).status, 400);
    assert_eq!(shop.get(&format!("subscriptions/{id}?expand[]=a.b.c.d.e")).status, 400);
}

#[test]
fn a_declined_card_leaves_the_first_bill_open() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "&metadata[sim_card]=declined");
    let made = shop.subscribe(&ada, "&expand[]=latest_invoice");
    assert_eq!(made.body["status"], "incomplete");
    let invoice = &made.body["latest_invoice"];
    assert_eq!(
        (&invoice["status"], &invoice["attempted"], &invoice["attempt_count"]),
        (&json!("open"), &json!(true), &json!(1))
    );
    assert_eq!(
        (&invoice["amount_remaining"], &invoice["next_payment_attempt"]),
        (&json!(9_800), &Value::Null)
    );
    let charge = &shop.get(&format!("charges?customer={ada}")).body["data"][0];
    assert_eq!((&charge["status"], &charge["failure_code"]), (&json!("failed"), &json!("card_declined")));
    assert_eq!(shop.get(&format!("customers/{ada}")).body["delinquent"], true);
    let id = invoice["id"].as_str().unwrap().to_owned();
    assert_eq!(shop.get(&format!("invoice_payments?invoice={id}")).body["data"][0]["status"], "open");
    let pay = shop.post(&format!("invoices/{id}/pay"), "");
    assert_eq!(
        (pay.status, pay.error("type"), pay.error("decline_code")),
        (402, "card_error", "generic_decline")
    );
    shop.post(&format!("customers/{ada}"), "metadata[sim_card]=");
    assert_eq!(shop.post(&format!("invoices/{id}/pay"), "").body["status"], "paid");
    assert_eq!(shop.get(&format!("subscriptions/{}", made.id())).body["status"], "active");
    assert_eq!(shop.get(&format!("customers/{ada}")).body["delinquent"], false);
    assert_eq!(shop.get(&format!("invoices/{id}")).body["attempt_count"], 3);
}

#[test]
fn a_card_declined_on_renewal_is_past_due() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "&metadata[sim_card]=declined_on_renewal");
    let made = shop.subscribe(&ada, "");
    assert_eq!(made.body["status"], "past_due");
    assert_eq!(made.body["items"]["data"][0]["current_period_start"], json!(START));
    let invoices = shop.get(&format!("invoices?customer={ada}"));
    let seen: Vec<(&Value, &Value)> = invoices.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (&row["status"], &row["billing_reason"]))
        .collect();
    assert_eq!(
        seen,
        [(&json!("open"), &json!("subscription_cycle")), (&json!("paid"), &json!("subscription_create"))]
    );
    assert_eq!(invoices.body["data"][0]["next_payment_attempt"], json!(START + 3 * 86_400));
}

#[test]
fn a_bill_that_is_sent_stays_open() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    assert_eq!(shop.subscribe(&ada, "&collection_method=send_invoice").error("param"), "days_until_due");
    let made =
        shop.subscribe(&ada, "&collection_method=send_invoice&days_until_due=30&expand[]=latest_invoice");
    let invoice = &made.body["latest_invoice"];
    assert_eq!((&made.body["status"], &invoice["status"]), (&json!("active"), &json!("open")));
    assert_eq!((&invoice["due_date"], &invoice["attempt_count"]), (&json!(START + 30 * 86_400), &json!(0)));
    assert_eq!(shop.get(&format!("invoices?customer={ada}&status=open")).ids().len(), 1);
    assert!(shop.get(&format!("invoices?customer={ada}&status=paid")).ids().is_empty());
}

#[test]
fn subscriptions_are_listed_by_status() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    let live = shop.subscribe(&ada, "").id();
    let trial = shop.subscribe(&ada, "&trial_period_days=14");
    assert_eq!(
        (&trial.body["status"], &trial.body["trial_end"]),
        (&json!("trialing"), &json!(START + 14 * 86_400))
    );
    let ended = shop.subscribe(&ada, "").id();
    let canceled = shop.delete(&format!("subscriptions/{ended}?cancellation_details[comment]=bye"));
    assert_eq!((&canceled.body["status"], &canceled.body["ended_at"]), (&json!("canceled"), &json!(START)));
    assert_eq!(canceled.body["cancellation_details"]["comment"], "bye");
    assert_eq!(shop.delete(&format!("subscriptions/{ended}")).status, 404);
    let mut ids = |status: &str| shop.get(&format!("subscriptions?customer={ada}{status}")).ids();
    assert_eq!(ids(""), [trial.id(), live.clone()]);
    assert_eq!(ids("&status=all").len(), 3);
    assert_eq!(ids("&status=canceled"), std::slice::from_ref(&ended));
    assert_eq!(ids("&status=ended"), [ended]);
    assert_eq!(ids("&status=trialing"), [trial.id()]);
    let at_end = shop.post(&format!("subscriptions/{live}"), "cancel_at_period_end=true");
    assert_eq!(
        (&at_end.body["status"], &at_end.body["cancel_at"]),
        (&json!("active"), &json!(START + 30 * 86_400))
    );
}

#[test]
fn a_subscriptions_items_change() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    let made = shop.subscribe(&ada, "");
    let item = made.body["items"]["data"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("subscriptions/{}", made.id());
    let more = shop.post(&path, &format!("items[0][id]={item}&items[0][quantity]=9"));
    assert_eq!(more.body["items"]["data"][0]["quantity"], 9);
    assert_eq!(more.body["items"]["data"][0]["id"], json!(item));
    assert_eq!(shop.post(&path, &format!("items[0][id]={item}&items[0][deleted]=true")).status, 400);
}

#[test]
fn an_invoice_by_hand() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    shop.post("invoiceitems", &format!("customer={ada}&amount=500&currency=eur&description=Setup"));
    let draft = shop.post("invoices", &format!("customer={ada}&pending_invoice_items_behavior=include"));
    assert_eq!((&draft.body["status"], &draft.body["total"]), (&json!("draft"), &json!(500)));
    let path = format!("invoices/{}", draft.id());
    shop.post("invoiceitems", &format!("customer={ada}&invoice={}&amount=250&currency=eur", draft.id()));
    let open = shop.post(&format!("{path}/finalize"), "");
    assert_eq!((&open.body["status"], &open.body["amount_due"]), (&json!("open"), &json!(750)));
    assert!(open.body["number"].as_str().unwrap().ends_with("-0001"));
    assert_eq!(shop.post(&format!("{path}/finalize"), "").status, 400);
    assert_eq!(shop.delete(&path).status, 400);
    assert_eq!(shop.post(&format!("{path}/void"), "").body["status"], "void");
    assert_eq!(shop.post(&format!("{path}/pay"), "").status, 400);
    let other = shop.post("invoices", &format!("customer={ada}")).id();
    assert_eq!(shop.delete(&format!("invoices/{other}")).body["deleted"], true);
    assert_eq!(shop.get(&format!("invoices/{other}")).status, 404);
}
