//! Contacts.

use super::*;

#[test]
fn a_second_user_of_an_address_is_a_conflict_that_names_the_first() {
    let mut desk = Desk::new();
    let id = desk.contact("Ada@Example.com");
    assert_eq!(id.len(), 24);
    let again = desk.post("contacts", json!({"role": "user", "email": "ada@example.com"}));
    let message = format!("A contact matching those details already exists with id={id}");
    assert_eq!(again.error(), (409, "conflict", message.as_str()));
    let lead = desk.post("contacts", json!({"role": "lead", "email": "ada@example.com"}));
    assert_eq!(lead.status, 200, "leads may have the address of others");
    let one = json!({"external_id": "70", "name": "Bob"});
    assert_eq!(desk.post("contacts", one.clone()).body["external_id"], "70");
    assert_eq!(desk.post("contacts", one).error().0, 409);
    assert_eq!(desk.post("contacts", json!({"name": "Nobody"})).error().1, "parameter_not_found");
    assert_eq!(desk.post("contacts", json!({"email": "nobody"})).error().1, "parameter_invalid");
}

#[test]
fn contacts_are_read_changed_and_found() {
    let mut desk = Desk::new();
    let id = desk.contact("ada@example.com");
    desk.now += 5;
    let got = desk
        .put(&format!("contacts/{id}"), json!({"external_id": "70", "custom_attributes": {"plan": "pro"}}));
    assert_eq!((&got.body["external_id"], &got.body["updated_at"]), (&json!("70"), &json!(START + 5)));
    assert_eq!((&got.body["email"], &got.body["name"]), (&json!("ada@example.com"), &json!("Ada")));
    assert_eq!(desk.get("contacts/find_by_external_id/70").body["id"], id);
    assert_eq!(desk.get("contacts/find_by_external_id/71").error(), (404, "not_found", "User Not Found"));
    assert_eq!(desk.get("contacts").ids(), [id.as_str()]);
    assert_eq!(desk.get("contacts/0").error(), (404, "not_found", "User Not Found"));
}

#[test]
fn new_contacts_are_found_late() {
    let mut desk = Desk::new();
    let id = desk.contact("ada@example.com");
    let query = filter("email", "=", "ADA@example.com");
    desk.now += 119;
    assert!(desk.post("contacts/search", query.clone()).ids().is_empty());
    desk.now += 1;
    assert_eq!(desk.post("contacts/search", query).ids(), [id.as_str()]);
}

#[test]
fn dates_of_contacts_count_by_day() {
    let mut desk = Desk::prompt();
    let id = desk.contact("ada@example.com");
    let day = 86_400;
    let cases = [
        (">", START - 1, false),
        (">", START - day, true),
        ("<", START + 1, false),
        ("<", START + day, true),
        ("=", START + 3_600, true),
    ];
    for (operator, value, found) in cases {
        let got = desk.post("contacts/search", filter("created_at", operator, value));
        assert_eq!(got.ids() == [id.as_str()], found, "{operator} {value}");
    }
    for operator in [">=", "<=", "!=", "IN"] {
        assert_eq!(
            desk.post("contacts/search", filter("created_at", operator, START)).status,
            400,
            "{operator}"
        );
    }
    assert_eq!(desk.post("contacts/search", filter("role", "=", "user")).body["total_count"], 1);
}

#[test]
fn a_lead_goes_into_a_user_with_its_conversations() {
    let mut desk = Desk::new();
    let user = desk.contact("ada@example.com");
    let lead = desk.post("contacts", json!({"role": "lead", "email": "ada@work.example"})).body["id"].clone();
    let made = desk.post("conversations", json!({"from": {"type": "lead", "id": lead}, "body": "x"}));
    let id = made.body["conversation_id"].as_str().unwrap().to_owned();
    assert_eq!(desk.post("contacts/merge", json!({"from": user, "into": lead})).status, 400);
    assert_eq!(desk.post("contacts/merge", json!({"from": lead, "into": user})).body["id"], user);
    let moved = desk.get(&format!("conversations/{id}"));
    assert_eq!(moved.body["contacts"]["contacts"][0]["id"], user);
}

#[test]
fn archived_and_deleted_contacts_are_not_written_for() {
    let mut desk = Desk::new();
    let id = desk.contact("ada@example.com");
    let from = json!({"from": {"type": "user", "id": id}, "body": "x"});
    assert_eq!(desk.post(&format!("contacts/{id}/archive"), json!({})).body["archived"], true);
    assert_eq!(desk.post("conversations", from.clone()).status, 404);
    assert_eq!(desk.post(&format!("contacts/{id}/unarchive"), json!({})).body["archived"], false);
    assert_eq!(desk.post("conversations", from).status, 200);
    assert_eq!(desk.delete(&format!("contacts/{id}"), json!({})).body["deleted"], true);
    assert_eq!(desk.get(&format!("contacts/{id}")).status, 404);
}

#[test]
fn contacts_are_tagged_and_have_nothing_else_attached() {
    let mut desk = Desk::new();
    let id = desk.contact("ada@example.com");
    let tag = desk.post("tags", json!({"name": "vip"})).body["id"].clone();
    let path = format!("contacts/{id}/tags");
    assert_eq!(desk.post(&path, json!({"id": "1"})).status, 404);
    for _ in 0..2 {
        assert_eq!(desk.post(&path, json!({"id": tag})).body["name"], "vip");
    }
    assert_eq!(desk.get(&path).ids(), [tag.as_str().unwrap()]);
    assert_eq!(desk.get(&format!("contacts/{id}")).body["tags"]["total_count"], 1);
    let off = format!("{path}/{}", tag.as_str().unwrap());
    assert_eq!(desk.delete(&off, json!({})).body["name"], "vip");
    assert_eq!(desk.delete(&off, json!({})).status, 404);
    desk.post(&path, json!({"id": tag}));
    desk.delete(&format!("tags/{}", tag.as_str().unwrap()), json!({}));
    for list in ["tags", "companies", "segments", "subscriptions", "notes"] {
        assert_eq!(desk.get(&format!("contacts/{id}/{list}")).body["data"], json!([]), "{list}");
    }
    assert_eq!(desk.get("contacts/1/tags").status, 404);
}
