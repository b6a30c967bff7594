//! The vendors' HTML, our canonical HTML, and plain text: the one place where
//! each is made from another.
//!
//! What a vendor shows is tokenized as browsers do (`html5ever`), followed to
//! blocks of lines as a reader sees them, and written from there: as text and
//! as canonical HTML, which goes through `ammonia` once more before it leaves.
//! Time and memory grow with the length of what is read, whatever it is.
//!
//! Canonical HTML has `p`, `br`, `strong`, `em`, `u`, `s`, `code`, `pre`,
//! `blockquote`, `ul`, `ol`, `li` and `a` with an `href` that is `http`,
//! `https` or `mailto`, and nothing else: headings are bold paragraphs, rows
//! of tables are lines, images are text. What style sheets on the element
//! itself hide from a reader is in neither.

mod build;
mod elements;
mod emit;
mod model;
mod scan;
mod stack;
mod strip;
mod style;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::LazyLock,
};

use build::Builder;
use model::{Document, Look};

/// The longest HTML that is read as browsers do, in bytes. Of a longer one
/// only the text between its tags is read.
pub const READ_MAX: usize = 4 << 20;

/// What a vendor's HTML comes to.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Plain text, lines parted by `\n`.
    pub text: String,
    /// Canonical HTML; `None` when it says no more than the text.
    pub html: Option<String>,
    /// The attachments that the text names as `[image: name]`, in its order.
    pub images: Vec<ImageRef>,
}

/// What customers write is not for logs.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let html = self.html.as_ref().map(String::len);
        write!(
            f,
            "Reading(text: {} bytes, html: {html:?} bytes, images: {})",
            self.text.len(),
            self.images.len()
        )
    }
}

/// An attachment that was shown where the text says `[image: name]`.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageRef {
    /// Where the markup has it from.
    pub src: String,
    /// The name that is shown.
    pub name: String,
}

/// Places of files can be keys to them.
impl fmt::Debug for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ImageRef")
    }
}

/// An `img` element of a vendor's HTML.
#[derive(Clone, Copy)]
pub struct ImgTag<'a> {
    /// Where the image is, without spaces around; empty if it does not say.
    pub src: &'a str,
    /// The words in its place; empty if there are none.
    pub alt: &'a str,
    /// As the attribute says.
    pub width: Option<&'a str>,
    /// As the attribute says.
    pub height: Option<&'a str>,
}

/// What an image is to a message.
#[derive(Clone, PartialEq, Eq)]
pub enum Image {
    /// One of its attachments.
    Attachment {
        /// The name to show.
        name: String,
    },
    /// Anything else. It is never loaded; its words stand for it, and without
    /// words it is gone.
    Foreign,
}

/// Reads what a vendor shows. `image` tells attachments from other images; it
/// is not asked about images that nobody sees.
pub fn read(html: &str, image: &dyn Fn(&ImgTag<'_>) -> Image) -> Reading {
    let Some((document, images)) = scanned(html, image) else {
        return Reading { text: strip::strip(html), html: None, images: Vec::new() };
    };
    let html = (!document.is_plain()).then(|| sanitised(&document.html()));
    Reading { text: document.text(), html, images }
}

/// HTML that shows this text: paragraphs and lines. Addresses in it stay
/// text. Tabs become four spaces, and characters that show nothing go.
pub fn from_text(text: &str) -> String {
    lines_of(text).html()
}

/// The same for vendors whose paragraphs are lines in one `<div>`: an empty
/// line is an empty line, whatever space they set between paragraphs.
pub fn lines(text: &str) -> String {
    lines_of(text).lines_in_div()
}

fn lines_of(text: &str) -> Document {
    let mut builder = Builder::new();
    builder.text(&text.replace("\r\n", "\n"), Look::default(), true);
    builder.finish()
}

/// Canonical HTML of any: of canonical HTML, the same.
pub fn clean(html: &str) -> String {
    match scanned(html, &|_| Image::Foreign) {
        Some((document, _)) => sanitised(&document.html()),
        None => from_text(&strip::strip(html)),
    }
}

/// The plain text that HTML shows, as [`read`] gives it without attachments.
pub fn to_text(html: &str) -> String {
    match scanned(html, &|_| Image::Foreign) {
        Some((document, _)) => document.text(),
        None => strip::strip(html),
    }
}

fn scanned(html: &str, image: &dyn Fn(&ImgTag<'_>) -> Image) -> Option<(Document, Vec<ImageRef>)> {
    if html.len() > READ_MAX { None } else { scan::scan(html, image) }
}

/// Our own writing through a sanitiser, which finds nothing to take away.
fn sanitised(html: &str) -> String {
    SANITISER.clean(html).to_string()
}

static SANITISER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let tags = ["a", "blockquote", "br", "code", "em", "li", "ol", "p", "pre", "s", "strong", "u", "ul"];
    let mut sanitiser = ammonia::Builder::empty();
    sanitiser
        .tags(HashSet::from(tags))
        .clean_content_tags(["script", "style"].into())
        .tag_attributes(HashMap::from([("a", ["href"].into())]))
        .url_schemes(["http", "https", "mailto"].into())
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(None)
        .strip_comments(true);
    sanitiser
});
