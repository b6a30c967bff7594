use proptest::prelude::*;

use super::super::{area_of, redacted_page};

#[test]
fn addresses_lose_what_may_be_a_secret_and_keep_what_says_where() {
    let rows = [
        ("https://app.example.com/billing/invoices", "https://app.example.com/billing/invoices"),
        ("https://mia:hunter2@app.example.com/billing", "https://app.example.com/billing"),
        ("/settings?tab=team&token=abc123&page=2", "/settings?tab=team&token=*&page=2"),
        ("/settings?tab=mia@example.com", "/settings?tab=*"),
        ("/a?next=https://x.example/?code=1", "/a?next=*&code=*"),
        ("/users/mia@example.com/edit", "/users/*/edit"),
        ("/users/mia%40example.com/edit", "/users/*/edit"),
        ("/users/mia%2540example.com/edit", "/users/*/edit"),
        ("/reset-password/4711abc", "/reset-password/*"),
        ("/reset/confirm", "/reset/confirm"),
        ("/o/3f2504e0-4f89-11d3-9a0c-0305e82c3301/members", "/o/*/members"),
        ("/d/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc/x", "/d/*/x"),
        ("/s/sk_live_51H8xYz/x", "/s/*/x"),
        ("/orders/48213", "/orders/48213"),
        ("/organizationSettings/how-to-export-a-report", "/organizationSettings/how-to-export-a-report"),
        ("/x;jsessionid=8A7F6C5D/list", "/x/list"),
        ("/app#access_token=ya29.abc&expires=1", "/app"),
        ("/app#/billing/plans?code=9", "/app#/billing/plans?code=*"),
        ("/help#refunds", "/help#refunds"),
        ("myapp://billing/cards", "myapp://billing/cards"),
        ("//cdn.example.com/x", "//cdn.example.com/x"),
        ("https:\\\\app.example.com\\billing", "https://app.example.com/billing"),
        ("data:text/html,hello", "(address not shown)"),
        ("mailto:mia@example.com", "(address not shown)"),
        ("file:///etc/letters/mia", "(address not shown)"),
        ("https://exa mple.com/tok?x", "https://exa mple.com/tok"),
        ("https://bad^host/x", "(address not shown)"),
        ("/bad%zz/x", "/*/x"),
        ("Settings > Billing", "Settings > Billing"),
        ("Chat with mia@example.com", "Chat with *"),
        ("InvoiceScreen", "InvoiceScreen"),
        ("", ""),
    ];
    for (page, redacted) in rows {
        assert_eq!(redacted_page(page), redacted, "{page}");
    }
}

#[test]
fn one_text_on_three_pages_is_in_three_areas() {
    let areas: Vec<(String, String)> = [
        ("/billing", "Billing"),
        ("/billing/exports", "Exports"),
        ("/*/team", "Team"),
        ("Settings", "Settings"),
    ]
    .map(|(route, area)| (route.to_owned(), area.to_owned()))
    .to_vec();
    let rows = [
        ("https://app.example.com/billing/invoices?x=*", Some("Billing")),
        ("/Billing/Exports/9", Some("Exports")),
        ("/acme/team", Some("Team")),
        ("https://app.example.com/#/billing", Some("Billing")),
        ("myapp://billing/cards", Some("Billing")),
        ("Settings > Mail", Some("Settings")),
        ("/billings", None),
        ("https://billing.example.com/", None),
        ("", None),
    ];
    for (page, area) in rows {
        assert_eq!(area_of(page, &areas).as_deref(), area, "{page}");
    }
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-f0-9]{32}".prop_filter("has a digit", |text| text.contains(|c: char| c.is_ascii_digit())),
        "sk_live_[A-Za-z0-9]{16}",
        "eyJ[A-Za-z0-9_-]{20,40}",
        "[A-Z][a-z][0-9][A-Z][a-z][0-9][A-Za-z0-9]{20,30}",
        "[a-z]{3,8}@[a-z]{3,8}\\.example",
        "[0-9]{13,16}",
    ]
}

proptest! {
    #[test]
    fn no_planted_secret_stays(secret in secret(), place in 0usize..9, word in "[a-z]{1,8}") {
        let page = match place {
            0 => format!("https://app.example.com/{word}/{secret}/x"),
            1 => format!("/{word}?{word}={secret}"),
            2 => format!("/{word}?tab={secret}"),
            3 => format!("/{word}#{secret}"),
            4 => format!("/{word}#/{secret}?page={secret}"),
            5 => format!("https://{word}:{secret}@app.example.com/{word}"),
            6 => format!("Screen {secret} of {word}"),
            7 => format!("/{word};id={secret}/x?{secret}"),
            _ => format!("https://{word}.example.com/{word}?a=1&{secret}=2#token={secret}"),
        };
        let redacted = redacted_page(&page);
        prop_assert!(!redacted.contains(&secret), "{} became {}", page, redacted);
    }

    #[test]
    fn anything_is_read_and_read_again_alike(page in prop_oneof![any::<String>(), "[a-z/?&=#%@:.;]{0,60}", "(/[a-z ]{1,9}){0,60}"]) {
        let redacted = redacted_page(&page);
        prop_assert!(redacted.chars().count() <= 200);
        prop_assert_eq!(redacted_page(&redacted), redacted.clone());
    }
}
