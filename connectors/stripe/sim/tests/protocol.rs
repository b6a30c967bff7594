//! Keys, versions, paging, search, refusals and limits.

use std::time::Duration;

use base64::Engine;
use serde_json::json;

use super::*;

#[test]
fn keys_are_taken_as_bearer_and_as_basic() {
    let mut shop = Shop::new("unlimited");
    assert_eq!(shop.get("account").status, 200);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:", shop.key));
    let request = Request::get("/v1/customers").header("authorization", format!("Basic {basic}"));
    assert_eq!(shop.send(request.body(Bytes::new()).unwrap()).status, 200);
    let nobody = shop.send(Request::get("/v1/customers").body(Bytes::new()).unwrap());
    assert_eq!((nobody.status, nobody.error("type")), (401, "invalid_request_error"));
    shop.key = "sk_test_wrong0123456789".to_owned();
    let wrong = shop.get("customers");
    assert_eq!(wrong.status, 401);
    assert!(!wrong.error("message").contains("wrong01"), "the key's middle is hidden");
    shop.sim.expire_tokens();
    let fresh = shop.sim.credentials()["api_key"].as_str().unwrap().to_owned();
    shop.key = fresh;
    assert_eq!(shop.get("customers").status, 200);
}

#[test]
fn a_restricted_key_names_the_permission_it_lacks() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    shop.subscribe(&ada, "");
    shop.key = shop.sim.credentials()["restricted_key"].as_str().unwrap().to_owned();
    assert_eq!(shop.get("customers?limit=1").status, 200);
    assert_eq!(shop.get("subscriptions").status, 200);
    for (path, permission) in [
        ("invoices", "rak_invoice_read"),
        ("subscriptions?expand[]=data.latest_invoice", "rak_invoice_read"),
        ("account", "rak_accounts_kyc_basic_read"),
    ] {
        let got = shop.get(path);
        assert_eq!(got.status, 403, "{path}");
        let message = format!("Having the '{permission}' permission would allow this request to continue.");
        assert!(got.error("message").contains(&message), "{}", got.body);
    }
    assert_eq!(shop.post("customers", "name=x").status, 403);
}

#[test]
fn refusals_have_the_vendors_envelope() {
    let mut shop = Shop::new("unlimited");
    let missing = shop.get("customers/cus_nope");
    assert_eq!((missing.status, missing.error("code")), (404, "resource_missing"));
    assert_eq!(missing.error("message"), "No such customer: 'cus_nope'");
    assert!(missing.header("request-id").unwrap().starts_with("req_"));
    assert!(missing.error("request_log_url").contains(missing.header("request-id").unwrap()));
    for (path, param) in [
        ("customers?limit=0", "limit"),
        ("customers?limit=101", "limit"),
        ("customers?limit=x", "limit"),
        ("customers?colour=red", "colour"),
        ("subscriptions?status=paid", "status"),
        ("subscriptions?customer=cus_nope", "customer"),
        ("customers?starting_after=cus_nope", "starting_after"),
        ("customers?expand[]=data.nothing", "expand"),
        ("customers/search?query=email", "query"),
        ("customers/search?query=city:'x'", "query"),
    ] {
        if path.contains("nothing") {
            shop.customer("x@example.com", "");
        }
        let got = shop.get(path);
        assert_eq!((got.status, got.error("param")), (400, param), "{path}: {}", got.body);
    }
    assert_eq!(shop.get("nothing").status, 404);
    assert_eq!(shop.post("customers", "email=nobody").error("code"), "email_invalid");
    assert_eq!(shop.post("prices", "product=x").error("code"), "resource_missing");
    assert_eq!(shop.post("subscriptions", "").error("message"), "Missing required param: customer.");
    let json = shop.request("POST", "customers").header("content-type", "application/json");
    let request = json.body(Bytes::from("{}")).unwrap();
    assert_eq!(shop.send(request).status, 400);
    shop.version = "tomorrow".to_owned();
    assert_eq!(shop.get("customers").status, 400);
}

#[test]
fn the_list_filter_minds_the_case_and_search_does_not() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("Ada@Example.com", "&metadata[user_id]=42&name=O%27Hara");
    assert_eq!(shop.get("customers?email=Ada@Example.com").ids(), std::slice::from_ref(&ada));
    assert!(shop.get("customers?email=ada@example.com").ids().is_empty());
    for query in [
        "email:'ada@example.com'",
        "metadata['user_id']:'42'",
        "metadata[\"user_id\"]:\"42\" AND email~'example'",
        "name:'o\\'hara'",
        "-email:'x' AND created>1",
        "phone:null",
    ] {
        let path = format!("customers/search?query={}", urlencode(query));
        assert_eq!(shop.get(&path).ids(), std::slice::from_ref(&ada), "{query}");
    }
    let path = format!("customers/search?query={}", urlencode("email:'a' OR name:'b' AND phone:'c'"));
    assert_eq!(shop.get(&path).status, 400);
}

fn urlencode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[test]
fn search_can_stay_behind() {
    let mut shop = Shop::with("unlimited", Options { search_lag: Duration::from_secs(60) });
    let ada = shop.customer("ada@example.com", "");
    let by_email = "customers/search?query=email:%27ada@example.com%27";
    assert!(shop.get(by_email).ids().is_empty());
    shop.now += 60;
    assert_eq!(shop.get(by_email).ids(), std::slice::from_ref(&ada));
    shop.post(&format!("customers/{ada}"), "email=new@example.com");
    assert_eq!(shop.get(by_email).ids(), [ada], "still found by what it was");
    shop.now += 60;
    assert!(shop.get(by_email).ids().is_empty());
}

#[test]
fn cursors_page_both_ways() {
    let mut shop = Shop::new("unlimited");
    let mut made: Vec<String> = (0..5).map(|n| shop.customer(&format!("u{n}@example.com"), "")).collect();
    made.reverse();
    let first = shop.get("customers?limit=2");
    assert_eq!((first.ids(), &first.body["has_more"]), (made[..2].to_vec(), &json!(true)));
    let next = shop.get(&format!("customers?limit=2&starting_after={}", made[1]));
    assert_eq!((next.ids(), &next.body["has_more"]), (made[2..4].to_vec(), &json!(true)));
    let last = shop.get(&format!("customers?limit=2&starting_after={}", made[3]));
    assert_eq!((last.ids(), &last.body["has_more"]), (made[4..].to_vec(), &json!(false)));
    let back = shop.get(&format!("customers?limit=2&ending_before={}", made[4]));
    assert_eq!((back.ids(), &back.body["has_more"]), (made[2..4].to_vec(), &json!(true)));
    assert_eq!(shop.get("customers?starting_after=a&ending_before=b").status, 400);
    let page = shop.get("customers/search?query=created%3E0&limit=3");
    assert_eq!((page.ids(), &page.body["object"]), (made[..3].to_vec(), &json!("search_result")));
    let token = page.body["next_page"].as_str().unwrap();
    let rest = shop.get(&format!("customers/search?query=created%3E0&limit=3&page={token}"));
    assert_eq!((rest.ids(), &rest.body["next_page"]), (made[3..].to_vec(), &Value::Null));
    assert_eq!(shop.get("customers/search?query=created%3E0&page=zz").status, 400);
}

#[test]
fn a_deleted_customer_is_only_a_mark() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    let subscription = shop.subscribe(&ada, "").id();
    let gone = json!({"id": ada, "object": "customer", "deleted": true});
    assert_eq!(shop.delete(&format!("customers/{ada}")).body, gone);
    assert_eq!(shop.get(&format!("customers/{ada}")).body, gone);
    assert!(shop.get("customers").ids().is_empty());
    assert_eq!(shop.get(&format!("subscriptions/{subscription}")).body["status"], "canceled");
    assert_eq!(shop.delete(&format!("customers/{ada}")).status, 404);
    assert_eq!(shop.post(&format!("customers/{ada}"), "name=x").status, 404);
}

#[test]
fn an_idempotency_key_replays_for_a_day() {
    let mut shop = Shop::new("unlimited");
    let first = shop.post_once("customers", "name=a", Some("k"));
    let again = shop.post_once("customers", "name=a", Some("k"));
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = shop.post_once("customers", "name=b", Some("k"));
    assert_eq!((other.status, other.error("type")), (400, "idempotency_error"));
    assert_eq!(shop.get("customers").ids().len(), 1);
    assert_eq!(shop.post_once("customers", "email=bad", Some("l")).status, 400);
    assert_eq!(
        shop.post_once("customers", "email=a@b.c", Some("l")).status,
        200,
        "a failed check is forgotten"
    );
    shop.now += 86_401;
    assert_ne!(shop.post_once("customers", "name=a", Some("k")).id(), first.id());
    assert_eq!(shop.post_once("customers", "name=a", Some(&"k".repeat(256))).status, 400);
}

#[test]
fn metadata_is_merged_and_emptied() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "&metadata[a]=1&metadata[b]=2");
    let path = format!("customers/{ada}");
    assert_eq!(
        shop.post(&path, "metadata[a]=&metadata[c]=3&name=A").body["metadata"],
        json!({"b": "2", "c": "3"})
    );
    assert_eq!(shop.post(&path, "metadata[0]=x").body["metadata"]["0"], "x");
    let emptied = shop.post(&path, "metadata=&name=");
    assert_eq!((&emptied.body["metadata"], &emptied.body["name"]), (&json!({}), &Value::Null));
}

#[test]
fn live_has_limits_by_endpoint_and_in_all() {
    let mut shop = Shop::new("live");
    for _ in 0..25 {
        assert_eq!(shop.get("customers").status, 200);
    }
    let over = shop.get("customers");
    assert_eq!((over.status, over.error("code")), (429, "rate_limit"));
    assert_eq!(over.header("stripe-rate-limited-reason"), Some("endpoint-rate"));
    assert_eq!(over.header("stripe-should-retry"), Some("true"));
    assert_eq!(over.header("retry-after"), None);
    for path in ["products", "prices", "charges"] {
        for _ in 0..25 {
            assert_eq!(shop.get(path).status, 200);
        }
    }
    assert_eq!(shop.get("invoices").header("stripe-rate-limited-reason"), Some("global-rate"));
    shop.now += 1;
    assert_eq!(shop.get("customers").status, 200);
    let mut free = Shop::new("unlimited");
    assert!((0..300).all(|_| free.get("customers").status == 200));
}

#[test]
fn requests_are_counted_and_a_person_can_do_nothing() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    shop.get(&format!("customers/{ada}"));
    shop.get("nothing");
    let served = shop.sim.requests_served();
    assert_eq!(served["GET /v1/customers/{id}"], 1);
    assert_eq!(served["POST /v1/customers"], 1);
    assert_eq!(served["GET /v1/other"], 1);
    let act = crate::sim::HumanAct::Delete { ticket: "1".into() };
    assert!(shop.sim.human(act, Timestamp::from_secs(START)).is_err());
    let mut again = Shop::new("unlimited");
    assert_eq!(again.customer("ada@example.com", ""), ada, "the seed decides the ids");
}

#[test]
fn lists_of_what_nobody_has_are_empty_and_ask_for_a_customer_that_exists() {
    let mut shop = Shop::new("unlimited");
    let ada = shop.customer("ada@example.com", "");
    shop.subscribe(&ada, "");
    for path in
        ["payment_methods?type=card".to_owned(), "coupons".to_owned(), format!("customers/{ada}/tax_ids")]
    {
        let got = shop.get(&path);
        assert_eq!((got.status, &got.body["data"]), (200, &json!([])), "{path}");
    }
    assert_eq!(shop.get("customers/cus_none/payment_methods").status, 404);
    let own = shop.get(&format!("customers/{ada}/subscriptions"));
    assert_eq!(own.body["data"][0]["customer"], ada.as_str());
    let other = shop.customer("bob@example.com", "");
    assert_eq!(shop.get(&format!("customers/{other}/subscriptions")).body["data"], json!([]));
    assert_eq!(
        shop.get(&format!("payment_intents?customer={ada}")).body["data"][0]["customer"],
        ada.as_str()
    );
}
