//! Markup and files of messages.

use handoffd_core::{
    Attachment, Body, Comment, Fields, Mail, Message, PrivateMessage, PrivateText, PublicText, RemoteId,
    fold_text, intent::Intent,
};

use super::{
    bench::{
        ANN, Bench, Cannot, Terms, account, bo, carried, private, public, public_by, supplies, update,
        with_files,
    },
    create::{author, mirror},
};
use crate::{
    contract::{Error, Sink},
    html,
    sim::{HumanAct, SimFile, Who},
};

/// A file's name, media type and bytes.
pub type File<'a> = (&'a str, &'a str, &'a [u8]);

/// Two files.
pub const FILES: [File<'static>; 2] = [
    ("a report.txt", "text/plain", b"Line one\nLine two\n"),
    ("büro.png", "image/png", b"\x89PNG\r\n\x1a\n\0\x01\x02\xff\xfe"),
];

/// As an editor makes it.
const MARKUP: &str = "<p>See <b>this</b> <a href=\"https://example.test/a?b=1&amp;c=2\">page</a>:</p>\
    <ul><li>one</li><li>two</li></ul><blockquote><p>as you said</p></blockquote>";

fn sim_files(files: &[File<'_>]) -> Vec<SimFile> {
    let file = |(name, content_type, bytes): &File<'_>| SimFile {
        name: (*name).to_owned(),
        content_type: (*content_type).to_owned(),
        bytes: bytes.to_vec(),
    };
    files.iter().map(file).collect()
}

fn say(ticket: &RemoteId, who: Who, html: &str, public: bool, files: &[File<'_>]) -> HumanAct {
    let (ticket, html) = (ticket.clone(), html.to_owned());
    HumanAct::SayRich { ticket, who, html, public, files: sim_files(files) }
}

/// Canonical HTML of [`MARKUP`] has all of this.
fn assert_marked_up(html: &str) {
    for part in
        ["<strong>this</strong>", "href=\"https://example.test/a?b=1&amp;c=2\"", "<li>", "two", "as you said"]
    {
        assert!(html.contains(part), "{part} is not in {html}");
    }
}

/// Emphasis, links and lists; scripts, styles and spies are not markup.
pub async fn markup_of_people_is_read(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let spied = format!(
        "{MARKUP}<script>alert(1)</script><img src=\"https://spy.test/p.gif\" width=\"1\" height=\"1\">\
         <p onclick=\"x()\">bye</p>"
    );
    let bo = || Who::Agent("Bo".to_owned());
    for (who, public) in [(bo(), true), (bo(), false), (Who::Customer, true)] {
        bench.wait(2).await;
        bench.human(say(&ticket, who, &spied, public, &[]));
    }
    let comments = bench.comments(&ticket).await;
    assert_eq!(comments.len(), 4);
    for comment in &comments[1..] {
        let html = comment.body().html().expect("it has markup");
        assert_marked_up(html);
        assert_eq!(html, html::clean(html), "it is canonical");
        assert!(!html.contains("alert") && !html.contains("spy") && !html.contains("onclick"), "{html}");
        let text = comment.body().text().unwrap();
        assert!(text.contains("this") && text.contains("bye") && !text.contains('<'), "{text}");
        assert!(comment.attachments().is_empty(), "{:?}", comment.attachments());
    }
    assert_eq!(comments[0].body().html(), None, "plain words stay plain");
}

fn rich() -> Body {
    let html = html::clean(MARKUP);
    Body::rich(&html::to_text(&html), Some(html))
}

/// In the vendor's dialect, and read back the same.
pub async fn markup_is_written(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let public = |mail| {
        let mut message = public_by(bo(), "", mail);
        message.text = PublicText::shown_publicly(rich());
        Message::Public(message)
    };
    let note = |author| {
        Message::Private(PrivateMessage { author, text: PrivateText::new(rich()), attachments: Vec::new() })
    };
    let messages = [public(Mail::Silent), public(Mail::Send), note(Some(bo())), note(None)];
    for (at, message) in messages.into_iter().enumerate() {
        bench.wait(2).await;
        let is_ours = matches!(&message, Message::Private(note) if note.author.is_none());
        let intent = update(&ticket, Fields::new(), Some(message.clone()), &format!("l0-{at}"));
        bench.apply(&intent, None).await;
        let shown = bench.shown(&ticket);
        let last = shown.comments.last().unwrap();
        assert!(last.html.contains("https://example.test/a?b=1&amp;c=2"), "{}", last.html);
        assert!(fold_text(&last.text).contains("one"), "{}", last.text);
        assert!(!last.text.contains("<li>"), "markup is no text: {}", last.text);
        let comments = bench.comments(&ticket).await;
        let read = comments.last().unwrap().body();
        assert_marked_up(read.html().expect("it has markup"));
        let (text, wrote) = (fold_text(read.text().unwrap()), fold_text(message.body().text().unwrap()));
        // Words of our own may end with a line by which they are found.
        assert!(text == wrote || (is_ours && text.starts_with(&wrote)), "{text:?}, not {wrote:?}");
    }
}

fn names(attachments: &[Attachment]) -> Vec<&str> {
    let mut names: Vec<&str> = attachments.iter().map(|attachment| attachment.name.as_str()).collect();
    names.sort_unstable();
    names
}

async fn assert_files(bench: &Bench, ticket: &RemoteId, comment: &Comment, files: &[File<'_>]) {
    assert_eq!(comment.attachments().len(), files.len(), "{:?}", comment.attachments());
    for (name, kind, bytes) in files {
        let found = comment.attachments().iter().find(|attachment| attachment.name == *name);
        let found = found.unwrap_or_else(|| panic!("{name} is not among {:?}", names(comment.attachments())));
        assert_eq!((found.content_type.as_str(), found.size), (*kind, Some(bytes.len() as u64)), "{name}");
        assert_eq!(bench.download(ticket, found).await.unwrap(), *bytes, "{name}");
    }
}

/// Beside the text and in it.
pub async fn files_of_people_are_read(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.wait(2).await;
    bench.human(say(&ticket, Who::Customer, "<p>Two files</p>", true, &FILES));
    bench.wait(2).await;
    let with_image = "<p>Look: <img src=\"cid:shot.png\"> there</p>";
    let files: [File<'_>; 1] = [("shot.png", "image/png", b"\x89PNG and more")];
    bench.human(say(&ticket, Who::Agent("Bo".to_owned()), with_image, false, &files));
    let comments = bench.comments(&ticket).await;
    assert_eq!(comments.len(), 3);
    assert_files(&bench, &ticket, &comments[1], &FILES).await;
    assert!(comments[1].attachments().iter().all(|attachment| !attachment.inline));
    assert_files(&bench, &ticket, &comments[2], &files).await;
    let text = comments[2].body().text().unwrap();
    assert!(text.contains("Look:") && text.contains("[image: shot.png]"), "{text}");
    assert!(bench.net.strangers().iter().all(|(_, is_signed)| !is_signed), "{:?}", bench.net.strangers());
}

/// With every kind of message; where there are no files, the write is refused.
pub async fn files_are_written(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let able = bench.desk.capabilities();
    let messages = [
        public("Public and silent", Mail::Silent),
        public("Public and mailed", Mail::Send),
        private("A note", Some(bo())),
        private("Our own", None),
    ];
    for (at, message) in messages.into_iter().enumerate() {
        bench.wait(2).await;
        let before = bench.shown(&ticket);
        let message = with_files(message, &FILES);
        let intent = update(&ticket, Fields::new(), Some(message), &format!("l0-{at}"));
        let done = bench.try_apply(&intent, None, &supplies(&FILES)).await;
        if able.attachments_max == 0 {
            assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
            assert_eq!(bench.shown(&ticket), before);
            continue;
        }
        assert!(able.attachment_bytes_max > 1_000_000 && able.attachments_max >= 2);
        let done = done.unwrap();
        let shown = bench.shown(&ticket);
        let last = shown.comments.last().unwrap();
        assert_eq!((done.comment.as_ref(), last.files.len()), (Some(&last.id), 2));
        let read = bench.comments(&ticket).await;
        assert_files(&bench, &ticket, read.last().unwrap(), &FILES).await;
        // A supply that is missing would lose a file.
        let short = bench.try_apply(&intent, None, &supplies(&FILES[..1])).await;
        assert!(matches!(short, Err(Error::Refused { .. })), "{short:?}");
        assert_eq!(bench.shown(&ticket).comments.len(), shown.comments.len());
    }
}

/// On the opening.
pub async fn files_go_with_a_creation(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let mut intent = mirror("Ann", ANN, Some("It is broken"), "l0-new");
    let Intent::Create(create) = &mut intent else { panic!() };
    let opening = create.ticket.opening.as_mut().unwrap();
    opening.attachments = FILES.iter().map(|(name, kind, bytes)| carried(name, kind, bytes)).collect();
    let author = author(&bench, &intent).await;
    let done = bench.try_apply(&intent, author.as_ref(), &supplies(&FILES)).await;
    if bench.desk.capabilities().attachments_max == 0 {
        assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
        assert!(bench.sim(|sim| sim.tickets().is_empty()));
        return;
    }
    let made = done.unwrap().ticket;
    assert_eq!(made.account, account());
    let comments = bench.comments(&made.id).await;
    if !terms.can(Cannot::CreateWithFiles) {
        let text = comments[0].body().text().unwrap();
        assert!(text.starts_with("It is broken") && FILES.iter().all(|file| text.contains(file.0)), "{text}");
        assert_eq!((comments.len(), bench.mails()), (1, 0));
        return;
    }
    assert_eq!(bench.shown(&made.id).comments[0].files.len(), 2);
    assert_files(&bench, &made.id, &comments[0], &FILES).await;
    assert_eq!(bench.mails(), 0);
}

/// A file with a ticket.
async fn one_file(bench: &Bench) -> (RemoteId, Attachment) {
    let ticket = bench.ticket("Hello");
    bench.human(say(&ticket, Who::Customer, "<p>A file</p>", true, &FILES[..1]));
    let comments = bench.comments(&ticket).await;
    (ticket, comments.last().unwrap().attachments()[0].clone())
}

/// Its address leads nowhere (any more): the comments tell another.
pub async fn a_file_that_is_not_there_is_stale(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (ticket, attachment) = one_file(&bench).await;
    let nowhere = Attachment { at: "/attachments/nowhere".to_owned(), ..attachment };
    let came = bench.download(&ticket, &nowhere).await;
    assert!(matches!(came, Err(Error::Stale)), "{came:?}");
}

struct Unwilling;

impl Sink for Unwilling {
    fn take(&mut self, _: &[u8]) -> Result<(), String> {
        Err("the disk is full".to_owned())
    }
}

/// With words for an admin.
pub async fn who_takes_a_file_may_refuse_it(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (ticket, attachment) = one_file(&bench).await;
    let came = bench.desk.download(bench.call(), &ticket, &attachment, &mut Unwilling).await;
    assert_eq!(came, Err(Error::Refused { why: "the disk is full".to_owned() }));
}

/// Whatever address a comment names.
pub async fn credentials_go_to_no_other_host(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (ticket, attachment) = one_file(&bench).await;
    let foreign = Attachment { at: "https://elsewhere.test/file".to_owned(), ..attachment };
    let came = bench.download(&ticket, &foreign).await;
    assert!(matches!(came, Err(Error::Transient { .. })), "{came:?}");
    assert!(
        bench.net.strangers().contains(&("elsewhere.test".to_owned(), false)),
        "{:?}",
        bench.net.strangers()
    );
    assert!(bench.net.strangers().iter().all(|(_, is_signed)| !is_signed));
}
