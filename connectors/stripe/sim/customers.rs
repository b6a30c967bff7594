//! Customers, products and prices.

use serde_json::{Map, Value, json};

use super::{
    billing,
    http::{Call, Fault, integer},
    world::{Kind, World},
};

const CUSTOMER: &[&str] = &[
    "address",
    "balance",
    "cash_balance",
    "coupon",
    "default_source",
    "description",
    "email",
    "invoice_prefix",
    "invoice_settings",
    "metadata",
    "name",
    "next_invoice_sequence",
    "payment_method",
    "phone",
    "preferred_locales",
    "promotion_code",
    "shipping",
    "source",
    "tax",
    "tax_exempt",
    "tax_id_data",
    "test_clock",
];

/// `POST /v1/customers`.
///
/// Metadata `sim_card` decides how charges of this customer end: `declined`
/// from the first on, `declined_on_renewal` from the second on; any other card pays.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(CUSTOMER)?;
    let id = world.new_id(Kind::Customer);
    let prefix = id.get(4..12).unwrap_or("00000000").to_uppercase();
    let mut customer = json!({
        "id": id, "object": "customer", "address": null, "balance": 0, "created": call.now, "currency": null,
        "default_source": null, "delinquent": false, "description": null, "discount": null, "email": null,
        "invoice_prefix": prefix,
        "invoice_settings": {"custom_fields": null, "default_payment_method": null, "footer": null,
            "rendering_options": null},
        "livemode": false, "metadata": {}, "name": null, "next_invoice_sequence": 1, "phone": null,
        "preferred_locales": [], "shipping": null, "tax_exempt": "none", "test_clock": null,
    });
    set(&mut customer, call)?;
    world.put(Kind::Customer, customer.clone(), call.now);
    Ok(customer)
}

fn set(customer: &mut Value, call: &Call) -> Result<(), Fault> {
    if let Some(email) = call.text("email") {
        let fits = email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
        if !fits || email.chars().count() > 512 {
            let message = format!("Invalid email address: {email}");
            return Err(Fault::bad("email", message).code("email_invalid"));
        }
    }
    texts(customer, call, &["description", "email", "name", "phone"])?;
    if let Some(balance) = call.integer("balance")? {
        customer["balance"] = json!(balance);
    }
    if let Some(exempt) = call.text("tax_exempt") {
        super::lists::check_one_of(call, "tax_exempt", &["exempt", "none", "reverse"])?;
        customer["tax_exempt"] = json!(exempt);
    }
    if let Some(Value::Object(address)) = call.params.get("address") {
        let mut whole = json!({"city": null, "country": null, "line1": null, "line2": null,
            "postal_code": null, "state": null});
        for (name, value) in
            address.iter().filter(|(name, _)| whole.get(name.as_str()).is_some()).collect::<Vec<_>>()
        {
            whole[name.as_str()] = value.clone();
        }
        customer["address"] = whole;
    }
    metadata(customer, call)
}

/// Sets text fields; an empty text empties them.
pub(super) fn texts(object: &mut Value, call: &Call, names: &[&str]) -> Result<(), Fault> {
    for name in names {
        match call.params.get(*name) {
            None => {}
            Some(Value::String(text)) if text.is_empty() => object[*name] = Value::Null,
            Some(Value::String(text)) => object[*name] = json!(text),
            Some(_) => return Err(Fault::bad(name, "Invalid string")),
        }
    }
    Ok(())
}

/// Merges metadata; an empty value takes a key out, an empty whole takes all out.
pub(super) fn metadata(object: &mut Value, call: &Call) -> Result<(), Fault> {
    let sent = match call.params.get("metadata") {
        None => return Ok(()),
        Some(Value::String(text)) if text.is_empty() => {
            object["metadata"] = json!({});
            return Ok(());
        }
        Some(Value::Object(sent)) => sent.clone(),
        // Keys that are all numbers look like a list.
        Some(Value::Array(list)) => {
            list.iter().enumerate().map(|(at, value)| (at.to_string(), value.clone())).collect()
        }
        Some(_) => return Err(Fault::bad("metadata", "Invalid hash")),
    };
    let mut kept: Map<String, Value> = object["metadata"].as_object().cloned().unwrap_or_default();
    for (name, value) in sent {
        match value.as_str() {
            Some("") => {
                kept.remove(&name);
            }
            Some(_) => {
                kept.insert(name, value);
            }
            None => {
                let message = "Metadata values must be strings";
                return Err(Fault::bad(&format!("metadata[{name}]"), message));
            }
        }
    }
    object["metadata"] = Value::Object(kept);
    Ok(())
}

/// `GET /v1/customers/{id}`: of a deleted one only that it is deleted.
pub(super) fn retrieve(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Customer, call.id())
}

/// `POST /v1/customers/{id}`.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(CUSTOMER)?;
    let mut customer = world.named(Kind::Customer, call.id())?;
    if customer["deleted"] == json!(true) {
        return Err(Fault::no_such("customer", call.id()));
    }
    set(&mut customer, call)?;
    world.put(Kind::Customer, customer.clone(), call.now);
    Ok(customer)
}

/// `DELETE /v1/customers/{id}`: cancels the subscriptions too.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, Fault> {
    let customer = world.named(Kind::Customer, call.id())?;
    if customer["deleted"] == json!(true) {
        return Err(Fault::no_such("customer", call.id()));
    }
    for subscription in world.where_is(Kind::Subscription, "customer", call.id()) {
        billing::end(world, &subscription, call.now);
    }
    let gone = json!({"id": call.id(), "object": "customer", "deleted": true});
    world.put(Kind::Customer, gone.clone(), call.now);
    Ok(gone)
}

const PRODUCT: &[&str] = &[
    "active",
    "default_price",
    "default_price_data",
    "description",
    "id",
    "images",
    "marketing_features",
    "metadata",
    "name",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "type",
    "unit_label",
    "url",
];

/// `POST /v1/products`.
pub(super) fn create_product(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(PRODUCT)?;
    let name = call.need("name")?;
    let id = match call.text("id") {
        Some(id) if world.get(Kind::Product, id).is_some() => {
            let message = format!("Product already exists: {id}");
            return Err(Fault::bad("id", message).code("resource_already_exists"));
        }
        Some(id) => id.to_owned(),
        None => world.new_id(Kind::Product),
    };
    let mut product = json!({
        "id": id, "object": "product", "active": true, "created": call.now, "default_price": null,
        "description": null, "images": [], "livemode": false, "marketing_features": [], "metadata": {},
        "name": name, "package_dimensions": null, "shippable": null, "statement_descriptor": null,
        "tax_code": null, "type": "service", "unit_label": null, "updated": call.now, "url": null,
    });
    set_product(&mut product, call)?;
    world.put(Kind::Product, product.clone(), call.now);
    if let Some(Value::Object(data)) = call.params.get("default_price_data") {
        let price = price_from(world, data, &id, "default_price_data", call.now)?;
        product["default_price"] = price["id"].clone();
        world.put(Kind::Product, product.clone(), call.now);
    }
    Ok(product)
}

fn set_product(product: &mut Value, call: &Call) -> Result<(), Fault> {
    texts(product, call, &["description", "statement_descriptor", "unit_label", "url"])?;
    if let Some(name) = call.text("name") {
        product["name"] = json!(name);
    }
    if let Some(active) = call.flag("active")? {
        product["active"] = json!(active);
    }
    metadata(product, call)
}

/// `GET /v1/products/{id}`.
pub(super) fn retrieve_product(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Product, call.id())
}

/// `POST /v1/products/{id}`.
pub(super) fn update_product(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(PRODUCT)?;
    let mut product = world.named(Kind::Product, call.id())?;
    set_product(&mut product, call)?;
    product["updated"] = json!(call.now);
    world.put(Kind::Product, product.clone(), call.now);
    Ok(product)
}

const PRICE: &[&str] = &[
    "active",
    "billing_scheme",
    "currency",
    "currency_options",
    "custom_unit_amount",
    "lookup_key",
    "metadata",
    "nickname",
    "product",
    "product_data",
    "recurring",
    "tax_behavior",
    "tiers",
    "tiers_mode",
    "transfer_lookup_key",
    "transform_quantity",
    "unit_amount",
    "unit_amount_decimal",
];

/// `POST /v1/prices`.
pub(super) fn create_price(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(PRICE)?;
    let product = match (call.text("product"), call.params.get("product_data")) {
        (Some(id), _) => world.given(Kind::Product, id, "product")?["id"].clone(),
        (None, Some(Value::Object(data))) => product_from(world, data, call)?,
        (None, _) => return Err(Fault::missing("product")),
    };
    let product = product.as_str().unwrap_or("").to_owned();
    let mut price = price_from(world, &call.params, &product, "", call.now)?;
    texts(&mut price, call, &["lookup_key", "nickname"])?;
    metadata(&mut price, call)?;
    world.put(Kind::Price, price.clone(), call.now);
    Ok(price)
}

fn product_from(world: &mut World, data: &Map<String, Value>, call: &Call) -> Result<Value, Fault> {
    let inner = Call {
        params: data.clone(),
        method: call.method.clone(),
        path: call.path.clone(),
        ids: Vec::new(),
        version: call.version.clone(),
        now: call.now,
    };
    create_product(world, &inner).map(|product| product["id"].clone())
}

/// Makes a price of `product` from price parameters; `at` is where they stand in the request.
pub(super) fn price_from(
    world: &mut World,
    data: &Map<String, Value>,
    product: &str,
    at: &str,
    now: i64,
) -> Result<Value, Fault> {
    let named = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}[{name}]") };
    let text = |name: &str| data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let currency = text("currency").ok_or_else(|| Fault::missing(&named("currency")))?.to_lowercase();
    if currency.len() != 3 || !currency.chars().all(|letter| letter.is_ascii_lowercase()) {
        return Err(Fault::bad(&named("currency"), format!("Invalid currency: {currency}.")));
    }
    let amount = integer(data.get("unit_amount"), &named("unit_amount"))?;
    let amount = match (amount, text("unit_amount_decimal").map(str::parse::<i64>)) {
        (Some(amount), _) | (None, Some(Ok(amount))) => amount,
        _ => return Err(Fault::missing(&named("unit_amount"))),
    };
    if !(0..=99_999_999).contains(&amount) {
        return Err(Fault::bad(&named("unit_amount"), "Invalid non-negative integer"));
    }
    let recurring = match data.get("recurring") {
        None => Value::Null,
        Some(sent) => recurring(sent, &named("recurring"))?,
    };
    let id = world.new_id(Kind::Price);
    let kind = if recurring.is_null() { "one_time" } else { "recurring" };
    let price = json!({
        "id": id, "object": "price", "active": true, "billing_scheme": "per_unit", "created": now,
        "currency": currency, "custom_unit_amount": null, "livemode": false, "lookup_key": null,
        "metadata": {}, "nickname": null, "product": product, "recurring": recurring,
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": kind,
        "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    });
    world.put(Kind::Price, price.clone(), now);
    Ok(price)
}

fn recurring(sent: &Value, at: &str) -> Result<Value, Fault> {
    let interval = sent["interval"].as_str().ok_or_else(|| Fault::missing(&format!("{at}[interval]")))?;
    if !["day", "week", "month", "year"].contains(&interval) {
        let message = format!("Invalid {at}[interval]: must be one of day, month, week, or year");
        return Err(Fault::bad(&format!("{at}[interval]"), message));
    }
    let name = format!("{at}[interval_count]");
    let count = integer(sent.get("interval_count"), &name)?.unwrap_or(1);
    if !(1..=156).contains(&count) {
        return Err(Fault::bad(&name, "Invalid interval count"));
    }
    Ok(json!({"aggregate_usage": null, "interval": interval, "interval_count": count, "meter": null,
        "trial_period_days": null, "usage_type": "licensed"}))
}

/// `GET /v1/prices/{id}`.
pub(super) fn retrieve_price(world: &mut World, call: &Call) -> Result<Value, Fault> {
    world.named(Kind::Price, call.id())
}

/// `POST /v1/prices/{id}`.
pub(super) fn update_price(world: &mut World, call: &Call) -> Result<Value, Fault> {
    call.only(&["active", "lookup_key", "metadata", "nickname", "tax_behavior", "transfer_lookup_key"])?;
    let mut price = world.named(Kind::Price, call.id())?;
    texts(&mut price, call, &["lookup_key", "nickname"])?;
    if let Some(active) = call.flag("active")? {
        price["active"] = json!(active);
    }
    metadata(&mut price, call)?;
    world.put(Kind::Price, price.clone(), call.now);
    Ok(price)
}
