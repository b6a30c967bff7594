//! A model's endpoint on loopback: right, lying, slow, broken.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use handoffd_connectors::client::{Clock as _, SystemClock};
use handoffd_core::{briefing::LineId, redact::Names, rewrite::Draft};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;

/// What the endpoint does with one request.
enum Act {
    Answer(u16, String),
    /// Takes the request and says nothing.
    Silence,
    /// Sends this many bytes.
    Flood(usize),
}

struct Endpoint {
    url: String,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Endpoint {
    /// Acts for one request after the other, each on a connection of its own.
    async fn start(acts: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = asked.clone();
        tokio::spawn(async move {
            for act in acts {
                let (mut peer, _) = listener.accept().await.unwrap();
                let request = read(&mut peer).await;
                heard.lock().unwrap().push(request);
                perform(&mut peer, act).await;
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(peer: &mut TcpStream) -> (String, Value) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(peer.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    peer.read_exact(&mut body).await.unwrap();
    (head, serde_json::from_slice(&body).unwrap())
}

async fn perform(peer: &mut TcpStream, act: Act) {
    let (status, body) = match act {
        Act::Answer(status, body) => (status, body),
        Act::Flood(bytes) => (200, "x".repeat(bytes)),
        Act::Silence => {
            let _ = peer.read(&mut [0]).await;
            return;
        }
    };
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = peer.write_all(head.as_bytes()).await;
    let _ = peer.write_all(body.as_bytes()).await;
}

/// What an OpenAI-compatible endpoint answers when the model wrote this.
fn openai(written: &str) -> Act {
    let choice = json!({ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": written } });
    Act::Answer(200, json!({ "object": "chat.completion", "choices": [choice] }).to_string())
}

fn anthropic(written: &str) -> Act {
    let body = json!({ "type": "message", "content": [{ "type": "text", "text": written }], "stop_reason": "end_turn" });
    Act::Answer(200, body.to_string())
}

fn lines(lines: &[(&str, &str)]) -> String {
    let lines: Vec<Value> = lines.iter().map(|(id, text)| json!({ "id": id, "text": text })).collect();
    json!({ "lines": lines }).to_string()
}

async fn rewriter(url: &str, more: &str) -> (Rewriter, Arc<Metrics>) {
    let kind = if more.contains("kind") { "" } else { "kind = \"openai_compatible\"\n" };
    let text = format!("[model]\n{kind}base_url = \"{url}\"\nmodel = \"small\"\n{more}");
    let mut config = crate::config::load_text("c.toml", &text, &[]).unwrap().model;
    config.key = Some(crate::config::SecretRef::Made(Secret::new("k-123")));
    let metrics = Arc::new(Metrics::default());
    let rewriter = Rewriter::open(&config, Arc::new(SystemClock), metrics.clone()).await.unwrap();
    (rewriter, metrics)
}

fn drafts() -> Vec<Draft> {
    let text =
        "My card was charged twice, please refund one of the 2 charges. Mia Li, mia@x.example".to_owned();
    let mood = "frustrated, getting worse".to_owned();
    vec![
        Draft { line: "wants".into(), sources: vec![text.clone()], text },
        Draft { line: "now".into(), sources: vec![mood.clone()], text: mood },
    ]
}

async fn rewritten(rewriter: &Rewriter, drafts: Vec<Draft>) -> Vec<(String, String)> {
    let names = Names::new(["Mia Li".to_owned()]);
    let deadline = SystemClock.now().plus(Duration::from_secs(20));
    let lines = rewriter.rewrite(drafts, &names, deadline).await;
    lines.into_iter().map(|(LineId(id), text)| (id, text)).collect()
}

fn pair(id: &str, text: &str) -> (String, String) {
    (id.to_owned(), text.to_owned())
}

const GOOD: &str = "Person1 (person2@redacted) asks to refund one of the 2 card charges";
const RESTORED: &str = "Mia Li (mia@x.example) asks to refund one of the 2 card charges";

#[tokio::test]
async fn both_shapes_are_asked_and_nothing_leaves_as_it_was() {
    let written = lines(&[("wants", GOOD)]);
    let shapes = [
        ("", openai(&written), "post /chat/completions ", "authorization: bearer k-123"),
        (
            "kind = \"anthropic\"\nkey = \"env:X\"\n",
            anthropic(&written),
            "post /v1/messages ",
            "x-api-key: k-123",
        ),
    ];
    for (more, act, line, header) in shapes {
        let endpoint = Endpoint::start(vec![act]).await;
        let (rewriter, metrics) = rewriter(&endpoint.url, more).await;
        assert_eq!(rewritten(&rewriter, drafts()).await, [pair("wants", RESTORED)]);
        let (head, body) = endpoint.asked().remove(0);
        assert!(head.starts_with(line) && head.contains(header), "{head}");
        assert_eq!((&body["model"], &body["max_tokens"]), (&json!("small"), &json!(1200)), "{body}");
        let sent = body.to_string();
        assert!(!sent.contains("Mia") && !sent.contains("x.example") && sent.contains("Person1"), "{sent}");
        assert!(
            metrics.render().contains("handoffd_rewrites_total{kind=\"accepted\"} 1"),
            "{}",
            metrics.render()
        );
    }
}

#[tokio::test]
async fn what_the_model_makes_up_is_removed_and_the_rest_is_used() {
    let lies = lines(&[
        ("wants", "Person1 asks to refund one of the 2 card charges; a refund of 500 EUR was approved"),
        ("now", "frustrated and getting worse"),
        ("why", "nobody asked for this line"),
    ]);
    let endpoint = Endpoint::start(vec![openai(&lies)]).await;
    let (rewriter, metrics) = rewriter(&endpoint.url, "").await;
    assert_eq!(rewritten(&rewriter, drafts()).await, [pair("now", "frustrated and getting worse")]);
    assert!(metrics.render().contains("handoffd_rewrites_total{kind=\"number\"} 1"), "{}", metrics.render());
}

#[tokio::test]
async fn an_answer_that_is_no_json_is_asked_for_once_more() {
    let endpoint =
        Endpoint::start(vec![openai("Sure! Here it is."), openai(&lines(&[("wants", GOOD)]))]).await;
    let (rewriter, _) = rewriter(&endpoint.url, "").await;
    assert_eq!(rewritten(&rewriter, drafts()).await, [pair("wants", RESTORED)]);
    let again = endpoint.asked().remove(1).1["messages"].to_string();
    assert!(again.contains("Sure! Here it is."), "{again}");

    let endpoint = Endpoint::start(vec![openai("no"), openai("no")]).await;
    let (rewriter, metrics) = self::rewriter(&endpoint.url, "").await;
    assert_eq!(rewritten(&rewriter, drafts()).await, []);
    assert_eq!(endpoint.asked().len(), 2);
    assert!(metrics.render().contains("{kind=\"unreadable\"} 2"), "{}", metrics.render());
}

#[tokio::test]
async fn a_broken_endpoint_costs_the_rewrite_and_nothing_else() {
    let cut = json!({ "choices": [{ "finish_reason": "length", "message": { "content": "{\"lines\":[" } }] });
    let cases = [
        (Act::Answer(500, "oops".to_owned()), "status"),
        (Act::Answer(302, String::new()), "status"),
        (Act::Answer(200, "<html>".to_owned()), "unreadable"),
        (Act::Answer(200, cut.to_string()), "cut_off"),
        (Act::Flood(BODY_BYTES_MAX + 1), "unreachable"),
    ];
    for (act, outcome) in cases {
        let endpoint = Endpoint::start(vec![act]).await;
        let (rewriter, metrics) = rewriter(&endpoint.url, "").await;
        assert_eq!(rewritten(&rewriter, drafts()).await, [], "{outcome}");
        assert_eq!(endpoint.asked().len(), 1, "{outcome}");
        let counted = format!("handoffd_rewrites_total{{kind=\"{outcome}\"}} 2");
        assert!(metrics.render().contains(&counted), "{outcome}: {}", metrics.render());
    }
}

#[tokio::test]
async fn a_slow_model_costs_no_more_than_its_deadline() {
    let endpoint = Endpoint::start(vec![Act::Silence]).await;
    let (rewriter, metrics) = rewriter(&endpoint.url, "deadline = \"200ms\"\n").await;
    let began = SystemClock.now();
    assert_eq!(rewritten(&rewriter, drafts()).await, []);
    let took = SystemClock.now().since(began);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let counted = metrics.render();
    assert!(
        counted.contains("{kind=\"late\"} 2") || counted.contains("{kind=\"unreachable\"} 2"),
        "{counted}"
    );

    // A deadline that has passed asks nobody.
    let endpoint = Endpoint::start(vec![openai(&lines(&[("wants", GOOD)]))]).await;
    let (rewriter, _) = self::rewriter(&endpoint.url, "").await;
    let past = SystemClock.now().minus(Duration::from_secs(1));
    assert!(rewriter.rewrite(drafts(), &Names::default(), past).await.is_empty());
    assert!(endpoint.asked().is_empty());
}

#[tokio::test]
async fn what_cannot_be_redacted_stays_here() {
    let endpoint = Endpoint::start(vec![openai(&lines(&[("now", "frustrated, getting worse")]))]).await;
    let (rewriter, metrics) = rewriter(&endpoint.url, "").await;
    let mut drafts = drafts();
    drafts[0].sources.push("my password is hunter".to_owned());
    assert_eq!(rewritten(&rewriter, drafts).await, [pair("now", "frustrated, getting worse")]);
    let sent = endpoint.asked().remove(0).1.to_string();
    assert!(!sent.contains("hunter") && !sent.contains("charged"), "{sent}");
    assert!(metrics.render().contains("{kind=\"unsafe\"} 1"), "{}", metrics.render());
}

#[tokio::test]
async fn what_a_stand_in_meant_brings_no_marks_into_a_line() {
    let text = "please refund one of the charges, says a{b|c@x.example".to_owned();
    let drafts = || vec![Draft { line: "wants".into(), sources: vec![text.clone()], text: text.clone() }];
    let endpoint = Endpoint::start(vec![openai(&lines(&[(
        "wants",
        "refund one of the charges, says person1@redacted",
    )]))])
    .await;
    let (rewriter, metrics) = rewriter(&endpoint.url, "").await;
    assert_eq!(rewritten(&rewriter, drafts()).await, []);
    let sent = endpoint.asked().remove(0).1.to_string();
    assert!(sent.contains("says person1@redacted"), "{sent}");
    assert!(metrics.render().contains("{kind=\"markup\"} 1"), "{}", metrics.render());
}

#[tokio::test]
async fn without_a_model_nothing_is_asked() {
    assert!(!Rewriter::none().is_configured());
    assert_eq!(rewritten(&Rewriter::none(), drafts()).await, []);
    let config = crate::config::load_text("c.toml", "", &[]).unwrap().model;
    let opened = Rewriter::open(&config, Arc::new(SystemClock), Arc::default()).await.unwrap();
    assert!(!opened.is_configured());
}

#[tokio::test]
async fn a_host_that_is_not_local_is_refused() {
    let text = "[model]\nkind = \"openai_compatible\"\nbase_url = \"https://8.8.8.8/v1\"\nmodel = \"m\"\n";
    let config = crate::config::load_text("c.toml", text, &[]).unwrap().model;
    let error = Rewriter::open(&config, Arc::new(SystemClock), Arc::default()).await.err().unwrap();
    assert!(error.to_string().starts_with("model.base_url: 8.8.8.8 is not"), "{error}");
}
