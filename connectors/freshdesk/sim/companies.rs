//! Companies: `companies` and what lies below.

use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    http::{Answer, Call, Checks, Paging},
    world::World,
};

/// A company of contacts.
#[derive(Clone, Debug, Default)]
pub(super) struct Company {
    pub id: i64,
    pub name: String,
    pub domains: Vec<String>,
    description: Option<String>,
    note: Option<String>,
    health_score: Option<String>,
    account_tier: Option<String>,
    industry: Option<String>,
    renewal_date: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// `GET /companies`.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    call.only(&["updated_since", "_updated_since", "page", "per_page"])?;
    let paging = Paging::of(call, None)?;
    let found: Vec<&Company> = world.companies.values().collect();
    Ok(paging.answer(call, &found, |company| shape(company)))
}

/// `GET /companies/autocomplete?name=`: ids and names.
pub(super) fn autocomplete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let start = call.param("name").unwrap_or_default().to_lowercase();
    let found = world.companies.values().filter(|company| company.name.to_lowercase().starts_with(&start));
    let rows: Vec<Value> = found.map(|company| json!({"id": company.id, "name": company.name})).collect();
    Ok(Answer::ok(json!({ "companies": rows })))
}

/// `GET /companies/{id}`.
pub(super) fn view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    world.companies.get(&call.id).map(|found| Answer::ok(shape(found))).ok_or_else(Answer::not_found)
}

/// `POST /companies`. A name or domain that one has already is a 409.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let wanted = read(call, Company::default())?;
    if wanted.name.trim().is_empty() {
        let mut checks = Checks::default();
        checks.missing("name", "It should be a/an String");
        checks.done()?;
    }
    refuse_duplicate(world, &wanted)?;
    let id = world.person_id();
    let made = Company { id, created_at: call.now, updated_at: call.now, ..wanted };
    let shown = shape(&made);
    world.companies.insert(id, made);
    Ok(Answer::json(201, shown))
}

/// `PUT /companies/{id}`.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let old = world.companies.get(&call.id).cloned().ok_or_else(Answer::not_found)?;
    let wanted = Company { updated_at: call.now, ..read(call, old)? };
    refuse_duplicate(world, &wanted)?;
    let shown = shape(&wanted);
    world.companies.insert(call.id, wanted);
    Ok(Answer::ok(shown))
}

/// `DELETE /companies/{id}`: its contacts stay.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    world.companies.remove(&call.id).ok_or_else(Answer::not_found)?;
    for contact in world.contacts.values_mut().filter(|contact| contact.company_id == Some(call.id)) {
        contact.company_id = None;
    }
    Ok(Answer::empty(204))
}

fn refuse_duplicate(world: &World, wanted: &Company) -> Result<(), Answer> {
    let others = || world.companies.values().filter(|company| company.id != wanted.id);
    let named = others().any(|company| company.name.eq_ignore_ascii_case(&wanted.name));
    let shares = |company: &Company| company.domains.iter().any(|domain| wanted.domains.contains(domain));
    let field = match (named, others().any(shares)) {
        (true, _) => "name",
        (_, true) => "domains",
        _ => return Ok(()),
    };
    Err(Answer::json(
        409,
        json!({"description": "Validation failed", "errors": [{"field": field,
            "message": "It should be a unique value", "code": "duplicate_value"}]}),
    ))
}

fn read(call: &Call, old: Company) -> Result<Company, Answer> {
    let mut company = old;
    let mut checks = Checks::default();
    for (name, value) in &call.body {
        match (name.as_str(), value) {
            ("name", Value::String(text)) => company.name = text.clone(),
            ("domains", Value::Array(domains)) => {
                company.domains = domains.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            ("custom_fields" | "lookup_parameter", _) => {}
            ("name", other) => checks.mismatch("name", other, "String"),
            ("domains", other) => checks.mismatch("domains", other, "Array"),
            (other, value) => match (slot(&mut company, other), value) {
                (None, _) => checks.unknown(other),
                (Some(slot), Value::Null) => *slot = None,
                (Some(slot), Value::String(text)) => *slot = Some(text.clone()),
                (Some(_), value) => checks.mismatch(other, value, "String"),
            },
        }
    }
    checks.done().map(|()| company)
}

fn slot<'a>(company: &'a mut Company, name: &str) -> Option<&'a mut Option<String>> {
    Some(match name {
        "description" => &mut company.description,
        "note" => &mut company.note,
        "health_score" => &mut company.health_score,
        "account_tier" => &mut company.account_tier,
        "industry" => &mut company.industry,
        "renewal_date" => &mut company.renewal_date,
        _ => return None,
    })
}

/// A company.
pub(super) fn shape(company: &Company) -> Value {
    json!({
        "id": company.id, "name": company.name, "description": company.description, "note": company.note,
        "domains": company.domains, "custom_fields": Map::new(), "health_score": company.health_score,
        "account_tier": company.account_tier, "renewal_date": company.renewal_date,
        "industry": company.industry, "created_at": company.created_at.to_string(),
        "updated_at": company.updated_at.to_string(),
    })
}
