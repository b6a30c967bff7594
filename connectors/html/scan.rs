//! From markup to blocks of lines: html5ever's tokenizer reads tags, text and
//! entities as browsers do, in time that grows with the length alone, and the
//! stack of open elements follows them without a tree.

use std::cell::{Cell, RefCell};

use html5ever::{
    Attribute,
    buffer_queue::BufferQueue,
    tendril::StrTendril,
    tokenizer::{
        Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
        states::{RawKind, Rawtext, Rcdata, ScriptData},
    },
};
use url::Url;

use super::{
    Image, ImageRef, ImgTag, elements,
    model::{Document, Look},
    stack::Stack,
    style::{self, Style},
};

/// How much is fed at once, in bytes.
const CHUNK: usize = 2_048;

/// How many attributes a tag may have, at a guess that is never too low: each
/// is compared with all before.
const ATTRIBUTES_MAX: usize = 3_000;

/// The longest target of a link, in bytes.
const HREF_MAX: usize = 2_000;

/// The longest description of an image, in characters.
const ALT_MAX: usize = 200;

/// What the markup says, and the attachments it shows; `None` if a tag has
/// more attributes than can be read.
pub fn scan(html: &str, image: &dyn Fn(&ImgTag<'_>) -> Image) -> Option<(Document, Vec<ImageRef>)> {
    let sink = Sink {
        state: RefCell::new(State { stack: Stack::new(), images: Vec::new(), image }),
        tokens: Cell::new(0),
    };
    let tokenizer = Tokenizer::new(sink, TokenizerOpts::default());
    let mut attributes = 0;
    for chunk in chunks(&with_tail_as_text(html)) {
        let before = tokenizer.sink.tokens.get();
        let queue = BufferQueue::default();
        queue.push_back(StrTendril::from(chunk));
        let _ = tokenizer.feed(&queue);
        let starts =
            chunk.bytes().filter(|c| c.is_ascii_whitespace() || matches!(c, b'/' | b'"' | b'\'')).count();
        attributes = if tokenizer.sink.tokens.get() == before { attributes + starts } else { starts };
        if attributes > ATTRIBUTES_MAX {
            return None;
        }
    }
    tokenizer.end();
    let State { stack, images, .. } = tokenizer.sink.state.into_inner();
    let mut document = stack.finish().finish();
    document.limit_links(html.len());
    Some((document, images))
}

fn chunks(html: &str) -> impl Iterator<Item = &str> {
    let mut rest = html;
    std::iter::from_fn(move || {
        let (chunk, after) = rest.split_at(rest.floor_char_boundary(CHUNK));
        rest = after;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// A tag that never ends is text somebody wrote: nothing is lost with it.
fn with_tail_as_text(html: &str) -> std::borrow::Cow<'_, str> {
    let tail = html.rfind('>').map_or(0, |at| at + 1);
    match html.split_at(tail) {
        (head, tail) if tail.contains('<') && !tail.contains("<!") && !tail.contains("<?") => {
            format!("{head}{}", tail.replace('<', "&lt;")).into()
        }
        _ => html.into(),
    }
}

struct Sink<'a> {
    state: RefCell<State<'a>>,
    /// How many tokens came, without errors.
    tokens: Cell<u64>,
}

struct State<'a> {
    stack: Stack,
    images: Vec<ImageRef>,
    image: &'a dyn Fn(&ImgTag<'_>) -> Image,
}

impl TokenSink for Sink<'_> {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if matches!(token, Token::ParseError(_)) {
            return TokenSinkResult::Continue;
        }
        self.tokens.set(self.tokens.get() + 1);
        let mut state = self.state.borrow_mut();
        match token {
            Token::CharacterTokens(text) => state.text(&text),
            Token::TagToken(tag) if tag.kind == TagKind::StartTag => {
                if let Some(kind) = state.start(&tag) {
                    return TokenSinkResult::RawData(kind);
                }
            }
            Token::TagToken(tag) => state.end(&tag.name),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

impl State<'_> {
    fn text(&mut self, text: &str) {
        if !self.stack.is_hidden() {
            let (look, exact) = (self.stack.look(), self.stack.is_exact());
            self.stack.builder.text(text, look, exact);
        }
    }

    /// Takes in a start tag; says how to read what follows, if not as markup.
    fn start(&mut self, tag: &Tag) -> Option<RawKind> {
        let name: &str = &tag.name;
        if matches!(name, "html" | "head" | "body") {
            return None;
        }
        let foreign = self.stack.last("svg").max(self.stack.last("math"));
        if let Some(at) = foreign {
            if leaves_drawing(name) {
                self.stack.pop_to(at);
            } else if tag.self_closing {
                return None;
            } else {
                self.stack.start(name, Style::default(), None);
                return None;
            }
        }
        if elements::is_void(name) {
            self.void(name, &tag.attrs);
            return None;
        }
        if tag.self_closing && matches!(name, "svg" | "math") {
            return None;
        }
        let style = style_of(name, &tag.attrs);
        let href = attribute(&tag.attrs, "href").filter(|_| name == "a").and_then(target);
        let link = href.and_then(|href| self.stack.builder.link(href));
        self.stack.start(name, style, link);
        match name {
            "script" => Some(ScriptData),
            "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(Rawtext),
            "title" | "textarea" => Some(Rcdata),
            _ => None,
        }
    }

    fn void(&mut self, name: &str, attributes: &[Attribute]) {
        match name {
            "br" if !self.stack.is_hidden() => self.stack.builder.end_line(),
            "hr" if !self.stack.is_gone() => {
                self.stack.make_room("hr");
                self.stack.builder.break_line();
                self.stack.builder.text("---", Look::default(), true);
                self.stack.builder.break_line();
            }
            "img" | "image" if !self.stack.is_hidden() => self.image(attributes),
            _ => {}
        }
    }

    fn image(&mut self, attributes: &[Attribute]) {
        let style = style_of("img", attributes);
        if style.gone || style.invisible == Some(true) {
            return;
        }
        let alt = attribute(attributes, "alt").unwrap_or_default();
        let src = attribute(attributes, "src").unwrap_or_default().trim();
        let (width, height) = (attribute(attributes, "width"), attribute(attributes, "height"));
        let shown = match (self.image)(&ImgTag { src, alt, width, height }) {
            Image::Attachment { name } => {
                let name = Some(one_line(&name)).filter(|name| !name.is_empty());
                let name = name.unwrap_or_else(|| "unnamed".to_owned());
                let shown = format!("[image: {name}]");
                self.images.push(ImageRef { src: src.to_owned(), name });
                Some(shown)
            }
            Image::Foreign => foreign_image(src, &one_line(alt), [width, height]),
        };
        if let Some(shown) = shown {
            let look = self.stack.look();
            self.stack.builder.text(&shown, look, false);
        }
    }

    fn end(&mut self, name: &str) {
        match name {
            "br" => self.void("br", &[]),
            "html" | "head" | "body" => {}
            name => self.stack.end(name),
        }
    }
}

/// What is shown in place of an image that is no attachment. One that says
/// nothing is a tracking pixel, unless its content came with the message.
fn foreign_image(src: &str, alt: &str, sides: [Option<&str>; 2]) -> Option<String> {
    let tiny = |side: &str| style::is_zero(side) || matches!(side.trim(), "1" | "1px");
    if sides.into_iter().flatten().any(tiny) {
        return None;
    }
    let scheme = src.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let came_along = matches!(scheme.as_str(), "cid" | "data" | "blob");
    if alt.is_empty() {
        return came_along.then(|| "[image]".to_owned());
    }
    let is_emoji = alt.chars().count() <= 8 && alt.chars().all(|c| !c.is_ascii() && !c.is_alphanumeric());
    Some(if is_emoji { alt.to_owned() } else { format!("[image: {alt}]") })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(ALT_MAX).collect()
}

fn attribute<'a>(attributes: &'a [Attribute], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| &*attribute.name.local == name).map(|attribute| &*attribute.value)
}

fn style_of(name: &str, attributes: &[Attribute]) -> Style {
    let mut style = attribute(attributes, "style").map_or_else(Style::default, style::of);
    style.gone |= attribute(attributes, "hidden").is_some();
    if name == "font" && attribute(attributes, "size").is_some() && style.sizeless.is_none() {
        style.sizeless = Some(false);
    }
    style
}

/// A link's target as it may be shown: an absolute one that opens a page or
/// a mail, without spaces or control characters.
fn target(href: &str) -> Option<String> {
    let href: String =
        href.trim().chars().filter(|c| !c.is_control()).collect::<String>().replace(' ', "%20");
    let scheme = href.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase())?;
    let allowed = matches!(scheme.as_str(), "http" | "https" | "mailto");
    let whole = href.len() <= HREF_MAX && !href.contains(char::is_whitespace) && Url::parse(&href).is_ok();
    (allowed && whole).then_some(href)
}

/// Whether this element ends a drawing or formula that was not closed.
fn leaves_drawing(name: &str) -> bool {
    elements::is_formatting(name) && name != "a"
        || (elements::is_special(name) && !elements::is_unread(name))
        || matches!(name, "br" | "img" | "span" | "hr")
}
