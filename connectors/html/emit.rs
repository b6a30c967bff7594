//! From blocks of lines to canonical HTML and to plain text.

use super::model::{Block, CODE, Document, EM, Line, Look, Piece, STRONG, STRUCK, UNDER};

/// Marks and their elements, in the order in which they nest.
const MARKS: [(u8, &str); 5] = [(STRONG, "strong"), (EM, "em"), (UNDER, "u"), (STRUCK, "s"), (CODE, "code")];

impl Document {
    /// Canonical HTML.
    pub fn html(&self) -> String {
        let mut out = String::new();
        self.blocks.iter().for_each(|block| self.block_html(block, true, &mut out));
        out
    }

    /// All lines of a message without quotes or lists in one `div`.
    pub fn lines_in_div(&self) -> String {
        let mut out = String::from("<div>");
        for (at, block) in self.blocks.iter().enumerate() {
            if let Block::Text { lines, .. } = block {
                out.push_str(if at > 0 { "<br><br>" } else { "" });
                self.lines_html(lines, "<br>", &mut out);
            }
        }
        out.push_str("</div>");
        out
    }

    fn block_html(&self, block: &Block, in_flow: bool, out: &mut String) {
        match block {
            Block::Text { lines, loose } if in_flow || *loose => {
                out.push_str("<p>");
                self.lines_html(lines, "<br>", out);
                out.push_str("</p>");
            }
            Block::Text { lines, .. } => self.lines_html(lines, "<br>", out),
            Block::Pre(lines) => {
                out.push_str("<pre>");
                self.lines_html(lines, "\n", out);
                out.push_str("</pre>");
            }
            Block::Quote(blocks) => {
                out.push_str("<blockquote>");
                blocks.iter().for_each(|block| self.block_html(block, true, out));
                out.push_str("</blockquote>");
            }
            Block::List { ordered, items } => self.list_html(*ordered, items, out),
        }
    }

    fn list_html(&self, ordered: bool, items: &[Vec<Block>], out: &mut String) {
        out.push_str(if ordered { "<ol>" } else { "<ul>" });
        for item in items {
            out.push_str("<li>");
            item.iter().for_each(|block| self.block_html(block, false, out));
            out.push_str("</li>");
        }
        out.push_str(if ordered { "</ol>" } else { "</ul>" });
    }

    fn lines_html(&self, lines: &[Line], end: &str, out: &mut String) {
        for (at, line) in lines.iter().enumerate() {
            if at > 0 {
                out.push_str(end);
            }
            self.line_html(line, end == "\n", out);
        }
    }

    fn line_html(&self, line: &Line, exact: bool, out: &mut String) {
        let mut open = Look::default();
        let mut after_space = true;
        for Piece { text, look } in line {
            self.turn(open, *look, out);
            open = *look;
            for c in text.chars() {
                match c {
                    ' ' if after_space && !exact => out.push_str("&nbsp;"),
                    c => escape(c, false, out),
                }
                after_space = c == ' ';
            }
        }
        self.turn(open, Look::default(), out);
    }

    /// Closes the elements of one look and opens those of the next.
    fn turn(&self, from: Look, to: Look, out: &mut String) {
        let same_link = from.link == to.link;
        let names = |look: Look| MARKS.iter().filter(move |(mark, _)| look.marks & mark != 0);
        let shared =
            if same_link { names(from).zip(names(to)).take_while(|(a, b)| a == b).count() } else { 0 };
        let closing: Vec<_> = names(from).skip(shared).collect();
        closing.iter().rev().for_each(|(_, name)| out.extend(["</", name, ">"]));
        if !same_link {
            if from.link.is_some() {
                out.push_str("</a>");
            }
            if let Some(href) = self.href(to) {
                out.push_str("<a href=\"");
                href.chars().for_each(|c| escape(c, true, out));
                out.push_str("\">");
            }
        }
        names(to).skip(shared).for_each(|(_, name)| out.extend(["<", name, ">"]));
    }

    fn href(&self, look: Look) -> Option<&str> {
        self.links.get(look.link? as usize).map(String::as_str)
    }

    /// Plain text.
    pub fn text(&self) -> String {
        self.flow_text(&self.blocks).join("\n")
    }

    fn flow_text(&self, blocks: &[Block]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for block in blocks {
            if !out.is_empty() {
                out.push(String::new());
            }
            out.extend(self.block_text(block));
        }
        out
    }

    fn block_text(&self, block: &Block) -> Vec<String> {
        match block {
            Block::Text { lines, .. } | Block::Pre(lines) => self.lines_text(lines),
            Block::Quote(blocks) => {
                let lines = self.flow_text(blocks).into_iter();
                lines.map(|line| if line.is_empty() { ">".to_owned() } else { format!("> {line}") }).collect()
            }
            Block::List { ordered, items } => self.list_text(*ordered, items),
        }
    }

    fn list_text(&self, ordered: bool, items: &[Vec<Block>]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        let mut before: Option<&Block> = None;
        for (at, item) in items.iter().enumerate() {
            let mark = if ordered { format!("{}. ", at + 1) } else { "- ".to_owned() };
            let mut first = true;
            for block in item {
                if before.is_some_and(|before| stands_apart(before) || stands_apart(block)) {
                    out.push(String::new());
                }
                before = Some(block);
                for line in self.block_text(block) {
                    let lead = if first { mark.as_str() } else { "  " };
                    first = false;
                    out.push(if line.is_empty() { line } else { format!("{lead}{line}") });
                }
            }
        }
        out
    }

    fn lines_text(&self, lines: &[Line]) -> Vec<String> {
        let next = lines.iter().skip(1).map(Some).chain([None]);
        lines.iter().zip(next).map(|(line, next)| self.line_text(line, next)).collect()
    }

    /// The line, each link followed by its target unless its words say it or
    /// the link goes on in the next line.
    fn line_text(&self, line: &Line, next: Option<&Line>) -> String {
        let mut out = String::new();
        let goes_on = next.and_then(|next| next.first()).and_then(|piece| piece.look.link);
        let groups: Vec<&[Piece]> = line.chunk_by(|a, b| a.look.link == b.look.link).collect();
        for (at, group) in groups.iter().enumerate() {
            let shown: String = group.iter().map(|piece| piece.text.as_str()).collect();
            let look = group.first().map_or_else(Look::default, |piece| piece.look);
            let last = at + 1 == groups.len();
            out.push_str(&shown);
            let Some(href) = self.href(look).filter(|_| !(last && goes_on == look.link)) else { continue };
            if !says(&shown, href) {
                out.extend([" (", href, ")"]);
            }
        }
        out
    }

    /// Whether the text alone says all of it.
    pub fn is_plain(&self) -> bool {
        let plain_link = |group: &[Piece]| {
            let shown: String = group.iter().map(|piece| piece.text.as_str()).collect();
            let href = group.first().and_then(|piece| self.href(piece.look));
            href.is_none_or(|href| says(&shown, href))
        };
        self.blocks.iter().all(|block| match block {
            Block::Text { lines, .. } => lines.iter().all(|line| {
                line.iter().all(|piece| piece.look.marks == 0)
                    && line.chunk_by(|a, b| a.look.link == b.look.link).all(plain_link)
            }),
            _ => false,
        })
    }
}

/// Whether an empty line parts the block from its neighbours in an item.
fn stands_apart(block: &Block) -> bool {
    match block {
        Block::Text { loose, .. } => *loose,
        Block::Pre(_) | Block::Quote(_) => true,
        Block::List { .. } => false,
    }
}

/// Whether a link's words are its target.
fn says(shown: &str, href: &str) -> bool {
    bare(shown.trim()) == bare(href)
}

fn bare(text: &str) -> String {
    let bare = ["https://", "http://", "mailto:"].iter().find_map(|scheme| text.strip_prefix(scheme));
    bare.unwrap_or(text).trim_end_matches('/').to_lowercase()
}

/// Writes as HTML parsers write, so that their writing changes nothing.
fn escape(c: char, quoted: bool, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' if quoted => out.push_str("&quot;"),
        c => out.push(c),
    }
}
