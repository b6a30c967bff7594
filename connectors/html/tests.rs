//! What a reader sees is what is read, whoever wrote the markup.

use std::time::{Duration, Instant};

use handoffd_core::fold_text;
use proptest::prelude::*;

use super::*;

fn foreign(_: &ImgTag<'_>) -> Image {
    Image::Foreign
}

#[test]
fn text_becomes_paragraphs_and_lines() {
    let rows = [
        ("hello", "<p>hello</p>"),
        ("a < b & \"c\" > d", "<p>a &lt; b &amp; \"c\" &gt; d</p>"),
        ("one\n\ntwo\r\nthree", "<p>one</p><p>two<br>three</p>"),
        ("one\n\n\ntwo", "<p>one<br><br><br>two</p>"),
        ("  in\n\tdeep  er", "<p>&nbsp;&nbsp;in<br>&nbsp;&nbsp;&nbsp;&nbsp;deep &nbsp;er</p>"),
        ("no\u{0}thing\u{7}", "<p>nothing</p>"),
        ("see https://x.test/?a=1&b=2", "<p>see https://x.test/?a=1&amp;b=2</p>"),
        ("\n \n", ""),
        ("", ""),
    ];
    for (text, html) in rows {
        assert_eq!(from_text(text), html, "{text:?}");
    }
}

#[test]
fn text_becomes_lines_of_one_div() {
    let rows = [
        ("hello", "<div>hello</div>"),
        (
            "a < b & \"c\"\n\ntwo\nthree\n\n\nfour",
            "<div>a &lt; b &amp; \"c\"<br><br>two<br>three<br><br><br>four</div>",
        ),
        ("  in\n\tdeep  er", "<div>&nbsp;&nbsp;in<br>&nbsp;&nbsp;&nbsp;&nbsp;deep &nbsp;er</div>"),
        ("", "<div></div>"),
    ];
    for (text, html) in rows {
        assert_eq!(lines(text), html, "{text:?}");
    }
}

#[test]
fn html_becomes_what_a_person_reads() {
    let rows = [
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree"),
        ("<div>one<br></div><div><br></div><div>two</div>", "one\n\ntwo"),
        ("<div><div>one<div>two</div></div>three</div>", "one\ntwo\nthree"),
        ("<p>one</p><p>&nbsp;</p><p>two</p>", "one\n\n\ntwo"),
        ("  a\n   <b>bold</b>  word ", "a bold word"),
        (
            "<a href=\"https://x.test/a?b=1&amp;c=2\">here</a>, please",
            "here (https://x.test/a?b=1&c=2), please",
        ),
        ("<a href=\"https://x.test/\" rel=\"noreferrer\">https://x.test</a>", "https://x.test"),
        ("<a href=\"mailto:ann@x.test\">Ann@x.test</a>", "Ann@x.test"),
        ("<a href=\"https://x.test\">two<br>lines</a>", "two\nlines (https://x.test)"),
        (
            "<a href='https://x.test'>a</a><a href='https://y.test'>b</a>",
            "a (https://x.test)b (https://y.test)",
        ),
        ("<a href=\"javascript:alert(1)\">click</a>", "click"),
        ("<a href=\"/relative\">click</a>", "click"),
        ("<ul><li>one<ul><li>deep</li></ul></li><li>two</li></ul>end", "- one\n  - deep\n- two\n\nend"),
        ("<ul><li>one</li><ul><li>deep</li></ul><li>two</ul>", "- one\n  - deep\n- two"),
        ("<ul><li>one<br>more</li><li></li><li>two</li></ul>", "- one\n  more\n- two"),
        ("<ol><li><p>first</p></li><li>second</li></ol>", "1. first\n\n2. second"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        (
            "<div>Thanks</div><blockquote>she wrote<br>this<blockquote>deep</blockquote></blockquote>",
            "Thanks\n\n> she wrote\n> this\n>\n> > deep",
        ),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a | b\nc"),
        ("<table><tr><td></td><td>a<td><td>b<td><tr><th>c</table>d", "a | | b\nc\n\nd"),
        ("<pre>if x:\n    y</pre>", "if x:\n    y"),
        ("<div style='white-space: pre-wrap'>if x:\n    y</div>", "if x:\n    y"),
        ("a<hr>b", "a\n---\nb"),
        ("<style>p{}</style><script>x('<p>')</script><!-- no -->seen<title>t</title>", "seen"),
        ("<svg><style></svg>seen", "seen"),
        ("<svg><text>drawn</text><p>seen", "seen"),
        ("a\u{200b}b\u{feff}c\u{ad}d \u{200c} e", "abcd  e"),
        ("👩\u{200d}💻 می\u{200c}خواهم", "👩\u{200d}💻 می\u{200c}خواهم"),
        ("x &lt;b&gt; &amp;amp; &#65;&#x42; &copy; &bogus;", "x <b> &amp; AB © &bogus;"),
        ("<div>unclosed <b>bold<p>next", "unclosed bold\n\nnext"),
        ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4"),
        ("if x <a then y", "if x <a then y"),
        ("<o:p>office</o:p>", "office"),
        ("<html><head><title>t</title></head><body>a</body></html>", "a"),
        ("", ""),
    ];
    for (html, text) in rows {
        assert_eq!(read(html, &foreign).text, text, "{html:?}");
    }
}

#[test]
fn what_a_reader_does_not_see_is_in_neither_form() {
    let rows = [
        "<div style=\"display: none !important\">secret<br>header</div>seen",
        "<div style=\"display/**/:none;DISPLAY : None\">secret</div>seen",
        "<div style=\"display:none!important;display:block\">secret</div>seen",
        "<span style='font-size:0px;color:#fff'>secret <b>too</b></span>seen",
        "<span style='font-size:0'><em style='font-size:2em'>secret</em></span>seen",
        "<span style='font:0/0 a'>secret</span>seen",
        "<i style='opacity:0.0'>secret</i>seen",
        "<p style='visibility:hidden'>secret<p>seen",
        "<p hidden>secret</p>seen",
        "<p hidden>secret<p>seen",
        "<b style=display:none><p>secret<p>secret</b>seen",
        "<div style='max-height:0;overflow:hidden'>secret</div>seen",
        "<div style='mso-hide:all'>secret</div>seen",
        "<table><tr style='display:none'><td>secret<tr><td>seen</table>",
        "<div style='display:none'><span>secret</div></span>seen",
        "<svg><desc>secret</desc></svg><template>secret</template>seen",
        "<textarea hidden><p>secret</textarea>seen",
        "<!-- secret --><!--[if mso]>secret<![endif]-->seen",
        "<div style='display:none'><img alt=secret src=https://x.test/a.png></div>seen",
    ];
    for html in rows {
        let reading = read(&format!("<b>{html}</b>"), &foreign);
        assert_eq!(reading.text, "seen", "{html:?}");
        assert!(!clean(html).contains("secret"), "{html:?}");
    }
}

#[test]
fn what_a_reader_sees_is_not_hidden() {
    let rows = [
        "<div style='font-size:0px'><div style='font-size:13px'>seen</div></div>",
        "<td style='font-size:0'><font size=3>seen</font></td>",
        "<div style='visibility:hidden'><p style='visibility:visible'>seen</p></div>",
        "<div style='display:none;display:block'>seen</div>",
        "<div style='opacity:0.9;max-width:600px;overflow:hidden;line-height:0'>seen</div>",
        "<b><span hidden></b>seen</span>",
        "<p>seen</p></div></td></li></ul>",
        "<noscript>seen</noscript>",
    ];
    for html in rows {
        assert_eq!(read(html, &foreign).text, "seen", "{html:?}");
    }
}

#[test]
fn canonical_html_keeps_what_was_meant_and_nothing_else() {
    let rows = [
        (
            "<div class=x onclick='e()'>a <strong style='color:red'>b</strong></div><div>c</div>",
            "<p>a <strong>b</strong><br>c</p>",
        ),
        ("<b><i>x</b>y</i>", "<p><strong><em>x</em></strong><em>y</em></p>"),
        ("<p><b>x<p>y</b>z", "<p><strong>x</strong></p><p><strong>y</strong>z</p>"),
        ("<b>x </b> <i> y</i>", "<p><strong>x</strong> <em>y</em></p>"),
        ("<h2>Title</h2>text", "<p><strong>Title</strong></p><p>text</p>"),
        ("<del>a</del><ins>b</ins><tt>c</tt>", "<p><s>a</s><u>b</u><code>c</code></p>"),
        (
            "<span style='font-weight:700;text-decoration: underline'>a</span>",
            "<p><strong><u>a</u></strong></p>",
        ),
        ("<b style='font-weight:normal'>a</b>", "<p>a</p>"),
        (
            "<a href=' HTTPS://x.test/a\tb c?\"&amp;' target=_blank onmouseover=x()>go<br>on</a>",
            "<p><a href=\"HTTPS://x.test/ab%20c?&quot;&amp;\">go</a><br>\
             <a href=\"HTTPS://x.test/ab%20c?&quot;&amp;\">on</a></p>",
        ),
        ("<a href='java\nscript:x()'>a</a><a href=data:text/html,x>b</a>", "<p>ab</p>"),
        ("<ul><li>a<p>b</p><ol><li>c</ol></ul>", "<ul><li>a<p>b</p><ol><li>c</li></ol></li></ul>"),
        ("<blockquote type=cite><div>q</div></blockquote>", "<blockquote><p>q</p></blockquote>"),
        ("<pre class=x><code>\n a\n\n<b>b</b></code></pre>", "<pre> a\n\n<strong>b</strong></pre>"),
        ("<table><tr><td>a<td><u>b</u></table>", "<p>a | <u>b</u></p>"),
        ("<form action=x><input value=v><button>go</button></form><iframe src=x></iframe>", "<p>go</p>"),
        ("<scr<script>x</script>ipt>alert(1)</script>", "<p>xipt&gt;alert(1)</p>"),
        ("<math><mtext><table><mglyph><style><img src=x onerror=x()>", ""),
        ("<p></p><ul><li><br></li></ul><blockquote> </blockquote>", ""),
    ];
    for (html, canonical) in rows {
        assert_eq!(clean(html), canonical, "{html:?}");
        assert_eq!(clean(canonical), canonical, "{html:?}");
    }
}

#[test]
fn html_is_given_only_where_it_says_more() {
    let plain = [
        "<div>a</div><p>b<br>c</p>",
        "<span class=x>a</span>",
        "see <a href='https://x.test/'>https://x.test</a>",
        "<table><tr><td>a<td>b</table>",
        "",
    ];
    for html in plain {
        assert_eq!(read(html, &foreign).html, None, "{html:?}");
    }
    let rich = [
        "<i>a</i>",
        "<a href='https://x.test/'>a</a>",
        "<ul><li>a</ul>",
        "<pre>a</pre>",
        "<blockquote>a</blockquote>",
    ];
    for html in rich {
        assert_eq!(read(html, &foreign).html, Some(clean(html)), "{html:?}");
    }
}

#[test]
fn images_are_words_or_gone() {
    let rows = [
        ("<img src=\"https://x.test/p.gif\">", ""),
        ("<img src=\"https://x.test/p.gif\" alt=\"\">", ""),
        ("<img src=\"https://x.test/p.gif\" alt=pixel width=1 height=1>", ""),
        ("<img src=\"https://x.test/p.gif\" alt=pixel height=0>", ""),
        ("<img src=\"https://x.test/p.gif\" alt=pixel style='display:none'>", ""),
        ("<img src=\"https://x.test/p.gif\" alt=pixel style='width:0;overflow:hidden'>", ""),
        ("<img src=\"https://x.test/p.gif\" alt=pixel hidden>", ""),
        ("<img src=x alt=\" the\n chart \">", "[image: the chart]"),
        ("<img src='data:image/png;base64,AAAA'>", "[image]"),
        ("<img src=https://x.test/e.png alt=🙂>", "🙂"),
        ("<img src=https://files.test/1 alt=ignored>", "[image: shot <1>.png]"),
        ("<img src=https://files.test/1 style='display:none'>", ""),
        (
            "<a href=https://x.test><img src=https://y.test/l.png alt=Logo></a>",
            "[image: Logo] (https://x.test)",
        ),
    ];
    let attached = |tag: &ImgTag<'_>| match tag.src {
        "https://files.test/1" => Image::Attachment { name: "shot <1>.png".to_owned() },
        _ => Image::Foreign,
    };
    for (html, text) in rows {
        let reading = read(&format!("<u>{html}</u>"), &attached);
        assert_eq!(reading.text, text, "{html:?}");
        assert_eq!(to_text(&reading.html.unwrap_or_default()), text, "{html:?}");
        let places: Vec<&str> = reading.images.iter().map(|image| image.src.as_str()).collect();
        assert_eq!(places.contains(&"https://files.test/1"), text.contains("shot"), "{html:?}");
        assert!(!clean(html).contains("<img") && !clean(html).contains("y.test"), "{html:?}");
    }
}

#[test]
fn no_line_is_wrapped() {
    let long = "word ".repeat(2_000);
    assert_eq!(to_text(&format!("<p>{long}</p>")), long.trim_end());
}

#[test]
fn debug_output_holds_no_text() {
    let reading = read("<b>private</b><img src=https://files.test/key>", &|_| Image::Attachment {
        name: "private".into(),
    });
    let shown = format!("{reading:?} {:?}", reading.images);
    assert!(!shown.contains("private") && !shown.contains("key"), "{shown}");
}

/// Markup that is made to take time, stack or memory.
fn hostile() -> Vec<(&'static str, String)> {
    let formats: String = (0..50_000).map(|at| format!("<b class=c{at}>")).collect();
    let long = "x".repeat(1_900);
    vec![
        ("deep", format!("{}core{}", "<div>".repeat(200_000), "</div>".repeat(200_000))),
        ("deep lists", "<ul><li>x".repeat(100_000)),
        ("deep quotes", "<blockquote>x".repeat(100_000)),
        ("deep tables", "<table><tr><td>".repeat(100_000)),
        ("formatting goes on", format!("{formats}{}", "<p>x".repeat(100_000))),
        (
            "crossed",
            format!("{}{}", "<b><div style=visibility:hidden>".repeat(50_000), "</b></div>".repeat(50_000)),
        ),
        (
            "formatting ends late",
            format!(
                "{}{}{}",
                "<b style=visibility:hidden>".repeat(50_000),
                "<div style=visibility:hidden>".repeat(50_000),
                "</b>".repeat(50_000)
            ),
        ),
        ("ends nothing", format!("{}{}", "<b>".repeat(300_000), "</i>".repeat(300_000))),
        ("links go on", format!("<a href=\"https://x.test/{long}\">{}", "<p>x".repeat(200_000))),
        ("never a tag", "<a".repeat(1_000_000)),
        (
            "many attributes",
            format!("<p {}>x", (0..400_000).map(|at| format!("a{at}=1 ")).collect::<String>()),
        ),
        (
            "quoted attributes",
            format!("<p {}>x", (0..300_000).map(|at| format!("a{at}='>'")).collect::<String>()),
        ),
        ("a huge attribute", format!("<img src=\"data:{}\">x", "A".repeat(4_000_000))),
        (
            "many rules",
            format!("<p style=\"{}\">x", (0..300_000).map(|at| format!("a{at}:1;")).collect::<String>()),
        ),
        ("unclosed comment", format!("x{}", "<!--".repeat(500_000))),
        ("scripts", "<b><STYLE>x</Style>".repeat(100_000)),
        ("too long", "<p>word".repeat(1_000_000)),
        ("entities", "&amp".repeat(1_000_000)),
        ("joiners", "a\u{200d}".repeat(1_000_000)),
        ("spaces", "&nbsp;<i> ".repeat(300_000)),
        ("marks", format!("<b><i><u><s><code>{}", "<p>x".repeat(300_000))),
    ]
}

/// Times here are many times what it takes: they part linear from quadratic.
#[test]
#[allow(clippy::disallowed_methods, reason = "how long it takes is what is tested")]
fn hostile_markup_is_bounded() {
    let worker = std::thread::Builder::new().stack_size(512 << 10).spawn(|| {
        for (name, html) in hostile() {
            let start = Instant::now();
            let reading = read(&html, &foreign);
            let took = start.elapsed();
            eprintln!(
                "{name}: {took:?}, {} -> {} {:?}",
                html.len(),
                reading.text.len(),
                reading.html.as_ref().map(String::len)
            );
            assert!(took < Duration::from_secs(30), "{name}: {took:?}");
            assert!(reading.text.len() <= 8 * html.len(), "{name}: {}", reading.text.len());
            let html_len = reading.html.map_or(0, |html| html.len());
            assert!(html_len <= 16 * html.len(), "{name}: {html_len}");
        }
    });
    worker.unwrap().join().unwrap();
}

#[test]
fn hostile_markup_still_says_what_it_says() {
    let read = |sought: &str| {
        let (_, html) = hostile().into_iter().find(|(name, _)| *name == sought).unwrap();
        to_text(&html)
    };
    assert_eq!(read("deep"), "core");
    assert_eq!(read("never a tag").len(), 2_000_000);
    assert_eq!(read("scripts"), "");
    assert_eq!(read("a huge attribute"), "[image]x");
    assert_eq!(read("many attributes"), "x");
    assert!(read("too long").starts_with("word\nword\n"));
    let hidden =
        format!("{}<style>x</style>secret</div>secret<!--", "<div style=\"display:none\">".repeat(5_000));
    assert_eq!(to_text(&hidden), "");
}

/// What a round trip may change: trailing spaces, the kind of a space, and
/// what nobody sees.
fn expected(text: &str) -> String {
    let plain = text.replace("\r\n", "\n").replace('\u{a0}', " ").replace('\t', "    ");
    let plain: String =
        plain.chars().filter(|c| *c == '\n' || !(c.is_control() || *c == '\u{34f}')).collect();
    let lines: Vec<&str> = plain.split('\n').map(|line| line.trim_end_matches(' ')).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

const TAGS: &str = "p div br b strong i em u s code pre blockquote ul ol li table tr td h2 span font a hr svg script \
                    style title o:p dd caption tbody";

const ATTRIBUTES: &[&str] = &[
    "",
    " class=x",
    " hidden",
    " style='display:none'",
    " style='visibility:hidden'",
    " style=\"font-size:0\"",
    " style=\"font-size:12px\"",
    " style='white-space:pre'",
    " style='font-weight:bold'",
    " href='https://x.test/a?b&amp;c'",
    " href=\"mailto:a@x.test\"",
    " href=\"javascript:x()\"",
];

const WORDS: &[&str] = &[
    "a",
    "b",
    " ",
    "  ",
    "\n",
    "\t",
    "&nbsp;",
    "&amp;",
    "&lt;b&gt;",
    "\"",
    "&#65;",
    "é",
    "漢",
    "🙂",
    "\u{200b}",
    "\u{200d}",
    "\u{200c}",
    "<",
    "- x",
    "1. y",
    "> q",
    "https://x.test/a?b&amp;c",
    "<!-- c -->",
    "<img src=q alt='c d'>",
    "<img src=q>",
    "|",
    "&shy;",
    "\u{3000}",
];

/// Markup as people's programs write it, and as they should not.
fn markup() -> impl Strategy<Value = String> {
    let tag = || prop::sample::select(TAGS.split(' ').collect::<Vec<_>>());
    let attributes = prop_oneof![Just(""), prop::sample::select(ATTRIBUTES)];
    let piece = prop_oneof![
        3 => (tag(), attributes).prop_map(|(tag, attributes)| format!("<{tag}{attributes}>")),
        2 => tag().prop_map(|tag| format!("</{tag}>")),
        4 => prop::sample::select(WORDS).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// The same markup as another writer would put it.
fn rewritten(html: &str) -> String {
    html.replace("<br>", "<br/>")
        .replace("&nbsp;", "\u{a0}")
        .replace(" class=x", " dir=\"auto\"  class='y'")
        .replace(
            " href='https://x.test/a?b&amp;c'",
            " target=_blank href=\"https://x.test/a?b&#38;c\" rel=\"noopener\"",
        )
}

proptest! {
    #[test]
    fn a_round_trip_keeps_the_text(
        text in prop_oneof![
            "[ a-c<>&;\"'*_#`~|>\\-\\n\\t(){}\\[\\]0-9.]{0,80}",
            "(\\PC|\\n){0,60}",
            "[\\n a\\t\\r]{0,40}",
            "((> )?[*#-]* ?(<b>|</div>|<br>|&amp;|&nbsp;|&#65;|<!--|-->|é|漢字|🙂)?[a-z ]{0,9}\\n){0,12}",
        ]
    ) {
        let html = from_text(&text);
        let reading = read(&html, &foreign);
        prop_assert_eq!(&reading.text, &expected(&text));
        prop_assert_eq!(reading.html, None);
        prop_assert_eq!(&clean(&html), &html);
        prop_assert_eq!(clean(&lines(&text)), html);
    }

    #[test]
    fn canonical_html_says_what_the_original_says(html in markup()) {
        let reading = read(&html, &foreign);
        let canonical = clean(&html);
        prop_assert_eq!(&to_text(&canonical), &reading.text);
        prop_assert_eq!(&clean(&canonical), &canonical);
        let again = read(&canonical, &foreign);
        prop_assert_eq!(&again.text, &reading.text);
        prop_assert_eq!(&again.html, &reading.html);
        if reading.html.is_none() {
            prop_assert_eq!(to_text(&from_text(&reading.text)), reading.text);
        }
    }

    #[test]
    fn the_sanitiser_finds_nothing_to_take_away(html in markup()) {
        let (document, _) = scanned(&html, &foreign).unwrap();
        let ours = document.html();
        prop_assert_eq!(sanitised(&ours), ours);
    }

    #[test]
    fn another_writing_says_the_same(html in markup()) {
        prop_assert_eq!(fold_text(&to_text(&rewritten(&html))), fold_text(&to_text(&html)));
        let canonical = clean(&html);
        prop_assert_eq!(fold_text(&to_text(&rewritten(&canonical))), fold_text(&to_text(&canonical)));
    }

    #[test]
    fn any_markup_is_read_without_panic(html in "(<[/a-z!-]{0,6}[ =\"a-z:]{0,12}>?|\\PC|&[#a-z0-9]{0,4};?){0,40}") {
        let canonical = clean(&html);
        prop_assert_eq!(&clean(&canonical), &canonical);
        let _ = strip::strip(&html);
    }
}
