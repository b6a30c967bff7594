//! What the elements of HTML are.

use super::{
    build::Holder,
    model::{CODE, EM, STRONG, STRUCK, UNDER},
};

/// What an element does to the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Inline,
    /// Begins and ends a line.
    Line,
    /// Stands apart by an empty line.
    Part,
    /// Preformatted.
    Pre,
    /// A cell of a table.
    Cell,
    /// A quote, list or item.
    Holds(Holder),
}

/// What this element does to the lines.
pub fn shape(name: &str) -> Shape {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" => Shape::Part,
        "pre" | "listing" | "xmp" => Shape::Pre,
        "td" | "th" => Shape::Cell,
        "blockquote" => Shape::Holds(Holder::Quote),
        "ul" | "menu" | "dir" => Shape::Holds(Holder::List { ordered: false }),
        "ol" => Shape::Holds(Holder::List { ordered: true }),
        "li" => Shape::Holds(Holder::Item),
        "address" | "article" | "aside" | "caption" | "center" | "dd" | "details" | "div" | "dl" | "dt"
        | "fieldset" | "figcaption" | "figure" | "footer" | "form" | "header" | "hgroup" | "legend"
        | "main" | "nav" | "option" | "section" | "summary" | "tbody" | "tfoot" | "thead" | "tr" => {
            Shape::Line
        }
        _ => Shape::Inline,
    }
}

/// The marks this element sets.
pub fn marks(name: &str) -> u8 {
    match name {
        "b" | "strong" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => STRONG,
        "i" | "em" | "cite" | "var" | "dfn" => EM,
        "u" | "ins" => UNDER,
        "s" | "strike" | "del" => STRUCK,
        "code" | "tt" | "kbd" | "samp" => CODE,
        _ => 0,
    }
}

/// Elements without content.
pub fn is_void(name: &str) -> bool {
    matches!(
        name,
        "area"
            | "base"
            | "basefont"
            | "bgsound"
            | "br"
            | "col"
            | "embed"
            | "frame"
            | "hr"
            | "image"
            | "img"
            | "input"
            | "keygen"
            | "link"
            | "meta"
            | "param"
            | "source"
            | "track"
            | "wbr"
    )
}

/// Elements whose content is never read, or only where scripts run.
pub fn is_unread(name: &str) -> bool {
    matches!(
        name,
        "script"
            | "style"
            | "title"
            | "template"
            | "svg"
            | "math"
            | "object"
            | "iframe"
            | "noembed"
            | "noframes"
            | "audio"
            | "video"
            | "canvas"
            | "applet"
            | "datalist"
    )
}

/// Elements that go on in the next block if they were not closed.
pub fn is_formatting(name: &str) -> bool {
    matches!(
        name,
        "a" | "b"
            | "big"
            | "code"
            | "em"
            | "font"
            | "i"
            | "nobr"
            | "s"
            | "small"
            | "strike"
            | "strong"
            | "tt"
            | "u"
    )
}

/// Blocks, which the end of an inline element does not close.
pub fn is_special(name: &str) -> bool {
    shape(name) != Shape::Inline
        || is_marker(name)
        || matches!(name, "body" | "button" | "colgroup" | "select")
}

/// Where open formatting ends.
pub fn is_marker(name: &str) -> bool {
    matches!(name, "td" | "th" | "caption" | "object" | "template" | "applet" | "marquee" | "svg" | "math")
}

/// What the end of a block outside does not close.
pub fn is_barrier(name: &str) -> bool {
    name == "table" || is_marker(name)
}

/// Whether its start closes an open paragraph.
pub fn closes_paragraph(name: &str) -> bool {
    let in_tables =
        matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "caption" | "option" | "legend");
    name == "hr" || (shape(name) != Shape::Inline && !in_tables)
}

/// Which open elements the start of this one closes, and within what.
pub fn closes(name: &str) -> Option<(&'static [&'static str], &'static [&'static str])> {
    const ROWS: &[&str] = &["tr", "td", "th", "caption"];
    const GROUPS: &[&str] = &["tbody", "thead", "tfoot", "tr", "td", "th", "caption"];
    match name {
        "li" => Some((&["li"], &["ul", "ol", "menu", "dir", "table", "td", "th", "blockquote"])),
        "dd" | "dt" => Some((&["dd", "dt"], &["dl", "table", "td", "th", "blockquote"])),
        "option" => Some((&["option"], &["select"])),
        "td" | "th" => Some((&["td", "th", "caption"], &["table"])),
        "tr" => Some((ROWS, &["table"])),
        "tbody" | "thead" | "tfoot" | "caption" => Some((GROUPS, &["table"])),
        _ => None,
    }
}

/// Whether a table's end is what ends it at the latest.
pub fn is_of_table(name: &str) -> bool {
    matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "caption")
}
