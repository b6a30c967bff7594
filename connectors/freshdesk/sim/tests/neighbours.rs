//! Forms with files, companies, and work on several tickets.

use super::*;

const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"subject\"\r\n\r\nS\r\n\
    --b\r\nContent-Disposition: form-data; name=\"description\"\r\n\r\nline one\r\nline two\r\n\
    --b\r\nContent-Disposition: form-data; name=\"email\"\r\n\r\ne@example.com\r\n\
    --b\r\nContent-Disposition: form-data; name=\"status\"\r\n\r\n2\r\n\
    --b\r\nContent-Disposition: form-data; name=\"priority\"\r\n\r\n1\r\n\
    --b\r\nContent-Disposition: form-data; name=\"tags[]\"\r\n\r\none\r\n\
    --b\r\nContent-Disposition: form-data; name=\"tags[]\"\r\n\r\ntwo\r\n\
    --b\r\nContent-Disposition: form-data; name=\"custom_fields[cf_order_number]\"\r\n\r\n7\r\n\
    --b\r\nContent-Disposition: form-data; name=\"attachments[]\"; filename=\"a b.txt\"\r\n\
    Content-Type: text/plain\r\n\r\nfile\r\n\r\n--words\r\n--b--\r\n";

impl Desk {
    fn form(&mut self, path: &str, form: &str) -> Got {
        let credentials =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{}:X", self.key));
        let request = Request::post(format!("/api/v2/{path}"))
            .header("host", "127.0.0.1:9")
            .header("authorization", format!("Basic {credentials}"))
            .header("content-type", "multipart/form-data; boundary=b");
        self.send(request.body(Bytes::from(form.to_owned())).unwrap())
    }
}

#[test]
fn a_form_makes_the_ticket_that_its_json_would() {
    let mut desk = Desk::new("unlimited");
    let made = desk.form("tickets", FORM);
    assert_eq!(made.status, 201, "{}", made.body);
    let body = &made.body;
    assert_eq!(
        (&body["tags"], &body["custom_fields"]["cf_order_number"]),
        (&json!(["one", "two"]), &json!(7))
    );
    let file = &body["attachments"][0];
    assert_eq!((&file["name"], &file["content_type"]), (&json!("a b.txt"), &json!("text/plain")));
    let at: ::http::Uri = file["attachment_url"].as_str().unwrap().parse().unwrap();
    let signed = at.path_and_query().unwrap().as_str().to_owned();
    let get = |desk: &mut Desk, at: &str| desk.send(Request::get(at).body(Bytes::new()).unwrap());
    let read = get(&mut desk, &signed);
    assert_eq!(&read.response.body()[..], b"file\r\n\r\n--words");
    assert_eq!(read.header("content-type"), Some("text/plain"));
    assert_eq!(get(&mut desk, at.path()).status, 403, "unsigned");
    assert_eq!(
        get(&mut desk, &signed.replace("Expires=1", "Expires=2")).status,
        403,
        "the time is signed too"
    );
    let shown = desk.get(&format!("tickets/{}", body["id"]));
    assert_eq!(shown.body["attachments"][0]["id"], file["id"]);
    desk.now += 16 * 60;
    assert_eq!(get(&mut desk, &signed).status, 403, "the address has expired");
    let again = desk.get(&format!("tickets/{}", body["id"]));
    assert_ne!(again.body["attachments"], shown.body["attachments"], "and another one is told");
}

#[test]
fn a_note_can_carry_a_file() {
    let mut desk = Desk::new("unlimited");
    let id = desk.ticket("x");
    let form = "--b\r\nContent-Disposition: form-data; name=\"body\"\r\n\r\nsee\r\n\
        --b\r\nContent-Disposition: form-data; name=\"private\"\r\n\r\nfalse\r\n\
        --b\r\nContent-Disposition: form-data; name=\"attachments[]\"; filename=\"a\"\r\n\r\nx\r\n--b--\r\n";
    let note = desk.form(&format!("tickets/{id}/notes"), form);
    assert_eq!((note.status, &note.body["private"]), (201, &json!(false)));
    let said = desk.get(&format!("tickets/{id}/conversations"));
    assert_eq!(said.body[0]["attachments"][0]["size"], 1);
}

#[test]
fn a_broken_form_is_refused() {
    let mut desk = Desk::new("unlimited");
    for form in
        ["", "--b", "--b\r\nno header", "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", "junk"]
    {
        let got = desk.form("tickets", form);
        assert_eq!(got.status, 400, "{form:?}: {}", got.body);
    }
}

#[test]
fn a_companys_tickets_are_its_contacts() {
    let mut desk = Desk::new("unlimited");
    let made = desk.post("companies", json!({"name": "Acme", "domains": ["acme.example"]}));
    assert_eq!(made.status, 201);
    let company = made.body["id"].clone();
    assert_eq!(desk.post("companies", json!({"name": "ACME"})).status, 409);
    assert_eq!(desk.post("companies", json!({})).wrong(), [pair("name", "missing_field")]);
    let contact =
        desk.post("contacts", json!({"name": "Bo", "email": "bo@example.com", "company_id": company}));
    assert_eq!(contact.body["company_id"], company);
    let mut ticket = new_ticket("x");
    ticket["email"] = json!("bo@example.com");
    let ticket = desk.post("tickets", ticket);
    desk.ticket("somebody else's");
    assert_eq!(ticket.body["company_id"], company);
    assert_eq!(
        desk.get(&format!("tickets?company_id={company}")).ids(),
        [ticket.body["id"].as_i64().unwrap()]
    );
    assert_eq!(desk.get(&format!("contacts?company_id={company}")).ids().len(), 1);
    let shown = desk.get(&format!("tickets/{}?include=company", ticket.body["id"]));
    assert_eq!(shown.body["company"], json!({"id": company, "name": "Acme"}));
    desk.now += 60;
    let found = desk.get("search/companies?query=%22domain:%27acme.example%27%22");
    assert_eq!(found.body["results"][0]["id"], company);
    assert_eq!(desk.call("DELETE", &format!("companies/{company}"), None).status, 204);
    assert_eq!(desk.get(&format!("contacts/{}", contact.body["id"])).body["company_id"], Value::Null);
    assert_eq!(desk.get(&format!("tickets?company_id={company}")).status, 400);
}

#[test]
fn several_tickets_are_changed_deleted_and_merged() {
    let mut desk = Desk::new("unlimited");
    let ids = [desk.ticket("one"), desk.ticket("two"), desk.ticket("three")];
    let bulk =
        json!({"bulk_action": {"ids": ids[..2], "properties": {"priority": 4}, "reply": {"body": "hi"}}});
    let job = desk.post("tickets/bulk_update", bulk);
    assert_eq!(job.status, 202);
    let href = job.body["href"].as_str().unwrap().split_once("/api/v2/").unwrap().1.to_owned();
    assert_eq!(desk.get(&href).body["status"], "COMPLETED");
    let priorities = ids.map(|id| desk.get(&format!("tickets/{id}")).body["priority"].clone());
    assert_eq!(priorities, [json!(4), json!(4), json!(1)]);
    assert_eq!(desk.get(&format!("tickets/{}/conversations", ids[1])).body[0]["body_text"], "hi");
    let merged = json!({"primary_id": ids[0], "ticket_ids": [ids[1]]});
    assert_eq!(desk.put("tickets/merge", merged).status, 204);
    assert_eq!(desk.get(&format!("tickets/{}", ids[1])).body["status"], 5);
    let bulk = json!({"bulk_action": {"ids": [ids[2]]}});
    assert_eq!(desk.post("tickets/bulk_delete", bulk).status, 202);
    assert_eq!(desk.get("tickets?filter=deleted").ids(), [ids[2]]);
    assert_eq!(desk.post("tickets/bulk_delete", json!({})).status, 400);
}

#[test]
fn a_ticket_that_we_begin_is_mailed() {
    let mut desk = Desk::new("unlimited");
    let config = desk.get("email_configs").body[0]["id"].clone();
    let mut mail = json!({"email": "cy@example.com", "subject": "Hello", "description": "we write first"});
    assert_eq!(
        desk.post("tickets/outbound_email", mail.clone()).wrong(),
        [pair("email_config_id", "missing_field")]
    );
    mail["email_config_id"] = config.clone();
    let made = desk.post("tickets/outbound_email", mail);
    assert_eq!(
        (made.status, &made.body["source"], &made.body["email_config_id"]),
        (201, &json!(10), &config)
    );
    assert_eq!(desk.sim.mails_sent().len(), 1);
    assert_eq!(desk.sim.mails_sent()[0].to, "cy@example.com");
}

#[test]
fn a_contact_becomes_an_agent_or_nobody() {
    let mut desk = Desk::new("unlimited");
    let made = |desk: &mut Desk, name: &str| {
        let body = json!({"name": name, "email": format!("{name}@example.com")});
        desk.post("contacts", body).body["id"].clone()
    };
    let (agent, gone) = (made(&mut desk, "di"), made(&mut desk, "ed"));
    let shown = desk.put(&format!("contacts/{agent}/make_agent"), json!({}));
    assert_eq!(shown.body["agent"]["contact"]["email"], "di@example.com");
    assert_eq!(desk.get(&format!("agents/{agent}")).status, 200);
    assert_eq!(desk.call("DELETE", &format!("contacts/{gone}/hard_delete"), None).status, 405);
    assert_eq!(desk.call("DELETE", &format!("contacts/{gone}/hard_delete?force=true"), None).status, 204);
    assert_eq!(desk.get("contacts?email=ed@example.com").body, json!([]));
}

#[test]
fn time_is_kept_by_ticket() {
    let mut desk = Desk::new("unlimited");
    let (one, two) = (desk.ticket("one"), desk.ticket("two"));
    let kept = desk.post(&format!("tickets/{one}/time_entries"), json!({"time_spent": "00:10", "note": "n"}));
    assert_eq!((kept.status, &kept.body["ticket_id"]), (201, &json!(one)));
    assert_eq!(desk.get(&format!("tickets/{one}/time_entries")).ids().len(), 1);
    assert_eq!(desk.get(&format!("tickets/{two}/time_entries")).body, json!([]));
    assert_eq!(desk.get("time_entries").ids().len(), 1);
}
