//! Webhooks.

use bytes::Bytes;
use handoffd_core::{Priority, RemoteId, Status};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::bench::{ANN, Bench, Cannot, SECRET, Terms};
use crate::{
    contract::{Secret, WebhookError},
    sim::{HumanAct, Who},
};

/// The requests that are due after some time.
async fn due(bench: &Bench) -> Vec<http::Request<Bytes>> {
    bench.wait(10).await;
    let now = bench.now();
    bench.sim(|sim| {
        let out = sim.webhooks_due(now);
        for webhook in &out {
            sim.webhook_answered(webhook.id, Some((200, None)), now);
        }
        out.into_iter().map(|webhook| webhook.request).collect()
    })
}

async fn ringing(terms: &'static Terms) -> Bench {
    let bench = Bench::open(terms).await;
    bench.sim(|sim| sim.set_webhook("https://handoffd.test/webhooks/desk", SECRET));
    // Some vendors look first whether anybody answers there: that is the listener's affair.
    due(&bench).await;
    bench
}

/// Whatever a person does, a webhook names the ticket.
pub async fn every_act_rings(terms: &'static Terms) {
    let bench = ringing(terms).await;
    let ticket = bench.ticket_of("Ann", ANN, "A \"quoted\" <subject>\\", "Line\nbreaks \"and\" {more}");
    let bo = || Who::Agent("Bo".to_owned());
    let say = |who, text: &str, public| HumanAct::Say {
        ticket: ticket.clone(),
        who,
        text: text.to_owned(),
        public,
    };
    let acts = vec![
        say(Who::Customer, "Thanks", true),
        say(bo(), "An answer", true),
        say(bo(), "A note", false),
        say(Who::Bot, "A bot", true),
        HumanAct::SetSubject { ticket: ticket.clone(), subject: "Another \"one\"".to_owned() },
        HumanAct::SetStatus { ticket: ticket.clone(), status: Status::Pending },
        HumanAct::SetPriority { ticket: ticket.clone(), priority: Some(Priority::High) },
        HumanAct::Tag { ticket: ticket.clone(), add: vec!["vip".to_owned()], remove: Vec::new() },
        HumanAct::Tag { ticket: ticket.clone(), add: Vec::new(), remove: vec!["vip".to_owned()] },
        HumanAct::Assign { ticket: ticket.clone(), to: Some(Who::Bot) },
        HumanAct::Assign { ticket: ticket.clone(), to: Some(bo()) },
        HumanAct::Assign { ticket: ticket.clone(), to: None },
    ];
    rang(&bench, "opening", &ticket).await;
    for act in acts {
        if matches!(act, HumanAct::SetPriority { .. }) && !terms.can(Cannot::SetPriority) {
            assert!(bench.world.human(&super::bench::account(), act).is_err(), "there is no priority");
            continue;
        }
        bench.human(act.clone());
        let is_quiet = match &act {
            HumanAct::SetSubject { .. } => !terms.can(Cannot::RingForFields),
            HumanAct::Tag { add, .. } => {
                !terms.can(Cannot::ShowTags) || add.is_empty() && !terms.can(Cannot::RingForFields)
            }
            _ => false,
        };
        if is_quiet {
            assert!(due(&bench).await.is_empty(), "{act:?} rings");
            continue;
        }
        rang(&bench, &format!("{act:?}"), &ticket).await;
    }
}

async fn rang(bench: &Bench, what: &str, ticket: &RemoteId) {
    let requests = due(bench).await;
    assert!(!requests.is_empty(), "no webhook after {what}");
    for request in requests {
        let delivery = bench.desk.read_webhook(&request, bench.now());
        let delivery = delivery.unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(delivery.tickets, std::slice::from_ref(ticket), "{what}");
    }
}

/// One genuine request.
async fn genuine(bench: &Bench) -> http::Request<Bytes> {
    bench.ticket("Hello");
    due(bench).await.into_iter().next().expect("a new ticket rings")
}

fn is_forged(bench: &Bench, request: &http::Request<Bytes>) -> bool {
    match bench.desk.read_webhook(request, bench.now()) {
        Err(WebhookError::BadSignature) => true,
        Err(other) => panic!("{other}"),
        Ok(_) => false,
    }
}

/// A changed byte, a missing header, a wrong secret.
pub async fn forged_webhooks_are_refused(terms: &'static Terms) {
    let bench = ringing(terms).await;
    let request = genuine(&bench).await;
    let delivery = bench.desk.read_webhook(&request, bench.now()).unwrap();
    // Somebody else's secret.
    let header = Secret::new("Bearer x");
    let other = bench.with_header(header, Some("another-s3cret-0123456789"));
    assert_eq!(other.read_webhook(&request, bench.now()), Err(WebhookError::BadSignature));
    // All headers gone, and what may carry a secret in the body changed.
    let mut bare = request.clone();
    bare.headers_mut().clear();
    *bare.body_mut() = Bytes::from(String::from_utf8_lossy(request.body()).replace(SECRET, "guess"));
    assert!(is_forged(&bench, &bare));
    // Each header without which it is refused: changed by one byte, it is refused too.
    let names: Vec<http::HeaderName> = request.headers().keys().cloned().collect();
    let mut proofs = 0;
    for name in names {
        let mut without = request.clone();
        *without.body_mut() = Bytes::from(String::from_utf8_lossy(request.body()).replace(SECRET, "guess"));
        if *without.body() != *request.body() {
            // The secret is in the body too: only then the header is what counts.
            assert!(!is_forged(&bench, &without), "the header is proof enough");
        }
        without.headers_mut().remove(&name);
        if !is_forged(&bench, &without) {
            continue;
        }
        proofs += 1;
        let value = request.headers()[&name].as_bytes().to_vec();
        for at in 0..value.len() {
            let mut flipped = value.clone();
            flipped[at] ^= 1;
            let Ok(flipped) = http::HeaderValue::from_bytes(&flipped) else { continue };
            let mut forged = without.clone();
            forged.headers_mut().insert(name.clone(), flipped);
            assert!(is_forged(&bench, &forged), "byte {at} of {name}");
        }
    }
    assert!(proofs > 0, "some header proves where it comes from");
    // A delivery id is told only where the signature covers the body.
    if delivery.id.is_some() {
        for at in 0..request.body().len() {
            let mut forged = request.clone();
            let mut body = request.body().to_vec();
            body[at] ^= 1;
            *forged.body_mut() = Bytes::from(body);
            assert!(is_forged(&bench, &forged), "byte {at} of the body");
        }
    }
}

/// Bytes of any kind, with genuine headers and without.
pub async fn garbage_is_refused(terms: &'static Terms) {
    let bench = ringing(terms).await;
    let request = genuine(&bench).await;
    let mut random = ChaCha8Rng::seed_from_u64(3);
    for round in 0..2_000 {
        let mut garbage = request.clone();
        let body: Vec<u8> = if round % 2 == 0 {
            (0..random.random_range(0..200)).map(|_| random.random()).collect()
        } else {
            // Cut short.
            request.body()[..random.random_range(0..request.body().len() / 4)].to_vec()
        };
        *garbage.body_mut() = Bytes::from(body);
        if round % 3 == 0 {
            garbage.headers_mut().clear();
        }
        assert!(bench.desk.read_webhook(&garbage, bench.now()).is_err());
    }
}

/// Without a secret nothing can be told from a forgery.
pub async fn nothing_is_believed_without_a_secret(terms: &'static Terms) {
    let bench = ringing(terms).await;
    let request = genuine(&bench).await;
    let desk = bench.with_header(Secret::new("Bearer x"), None);
    assert_eq!(desk.read_webhook(&request, bench.now()), Err(WebhookError::NoSecret));
}
