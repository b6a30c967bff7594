//! What a message says, as blocks of lines: the one form between the vendors'
//! markup, canonical HTML and plain text. Both are written from it, so they
//! cannot say different things.

/// Set in bold.
pub const STRONG: u8 = 1;
/// Set in italics.
pub const EM: u8 = 1 << 1;
/// Underlined.
pub const UNDER: u8 = 1 << 2;
/// Struck through.
pub const STRUCK: u8 = 1 << 3;
/// Set as code.
pub const CODE: u8 = 1 << 4;

/// How characters look and where they lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Bits such as [`STRONG`].
    pub marks: u8,
    /// The link's place in [`Document::links`].
    pub link: Option<u32>,
}

impl Look {
    /// What both have.
    fn shared(self, other: Self) -> Self {
        let link = if self.link == other.link { self.link } else { None };
        Self { marks: self.marks & other.marks, link }
    }
}

/// Characters of one look.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece {
    /// Never empty; its only white space is U+0020.
    pub text: String,
    /// How it looks.
    pub look: Look,
}

/// One line; it ends in no space.
pub type Line = Vec<Piece>;

/// Lines that stand together, or blocks in a quote or list.
#[derive(Debug, PartialEq, Eq)]
pub enum Block {
    /// A paragraph. Outside of lists every one is `loose`.
    Text {
        /// Neither the first nor the last is empty.
        lines: Vec<Line>,
        /// An empty line parts it from its neighbours.
        loose: bool,
    },
    /// Preformatted lines.
    Pre(Vec<Line>),
    /// A quote.
    Quote(Vec<Block>),
    /// A list.
    List {
        /// Whether its items are numbered.
        ordered: bool,
        /// None is empty.
        items: Vec<Vec<Block>>,
    },
}

/// A whole message.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// In reading order.
    pub blocks: Vec<Block>,
    /// Targets of links.
    pub links: Vec<String>,
}

impl Document {
    /// Takes links off as soon as their targets, each written as often as it
    /// is shown, come to more bytes than `budget`: unclosed links repeat.
    pub fn limit_links(&mut self, budget: usize) {
        let Self { blocks, links } = self;
        let mut left = budget;
        blocks.iter_mut().for_each(|block| each_line(block, &mut |line| limit_line(line, links, &mut left)));
    }
}

fn each_line(block: &mut Block, act: &mut dyn FnMut(&mut Line)) {
    match block {
        Block::Text { lines, .. } | Block::Pre(lines) => lines.iter_mut().for_each(act),
        Block::Quote(blocks) => blocks.iter_mut().for_each(|block| each_line(block, act)),
        Block::List { items, .. } => items.iter_mut().flatten().for_each(|block| each_line(block, act)),
    }
}

fn limit_line(line: &mut Line, links: &[String], left: &mut usize) {
    let mut before = None;
    let mut kept = true;
    for piece in line {
        let link = piece.look.link;
        if let Some(at) = link.filter(|_| link != before) {
            let cost = links.get(at as usize).map_or(0, String::len);
            kept = cost <= *left;
            *left = if kept { *left - cost } else { 0 };
        }
        before = link;
        if !kept {
            piece.look.link = None;
        }
    }
}

/// A line of these characters: without what nobody sees, and with each space
/// in the look that its neighbours share, wherever its markup stood.
pub fn line_of(chars: &mut Vec<(char, Look)>) -> Line {
    chars.retain(|(c, _)| !is_invisible(*c));
    drop_idle_joiners(chars);
    while chars.last().is_some_and(|(c, _)| *c == ' ') {
        chars.pop();
    }
    settle_spaces(chars);
    let mut line = Line::new();
    for (c, look) in chars.drain(..) {
        match line.last_mut() {
            Some(piece) if piece.look == look => piece.text.push(c),
            _ => line.push(Piece { text: c.to_string(), look }),
        }
    }
    line
}

/// Characters that show nothing: hyphenation hints, zero-width spaces, tags.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Joiners stay between letters and in emoji, where they mean something.
fn drop_idle_joiners(chars: &mut Vec<(char, Look)>) {
    let is_joiner = |c: char| matches!(c, '\u{200c}' | '\u{200d}');
    if !chars.iter().any(|(c, _)| is_joiner(*c)) {
        return;
    }
    let mut follows = vec![false; chars.len()];
    let mut next = None;
    for (at, (c, _)) in chars.iter().enumerate().rev() {
        follows[at] = next.is_some_and(|c: char| !c.is_whitespace());
        if !is_joiner(*c) {
            next = Some(*c);
        }
    }
    let mut last: Option<char> = None;
    let mut at = 0;
    chars.retain(|(c, _)| {
        let joins = follows[at] && last.is_some_and(|c| !c.is_whitespace());
        at += 1;
        if is_joiner(*c) {
            return joins;
        }
        last = Some(*c);
        true
    });
}

fn settle_spaces(chars: &mut [(char, Look)]) {
    let mut at = 0;
    while at < chars.len() {
        let run = chars[at..].iter().take_while(|(c, _)| *c == ' ').count();
        let look = match (at.checked_sub(1).and_then(|before| chars.get(before)), chars.get(at + run)) {
            (Some((_, before)), Some((_, after))) => before.shared(*after),
            _ => Look::default(),
        };
        chars[at..at + run].iter_mut().for_each(|(_, space)| *space = look);
        at += run.max(1);
    }
}

/// The paragraphs of a message or quote: as many empty lines between them as
/// were shown, one of them as the gap between two paragraphs.
pub fn settle_flow(blocks: Vec<Block>) -> Vec<Block> {
    let mut settled = Vec::new();
    let mut flow: Vec<Line> = Vec::new();
    for block in blocks {
        match block {
            Block::Text { lines, .. } => {
                if flow.last().is_some_and(|last| !last.is_empty()) {
                    flow.push(Line::new());
                }
                flow.extend(lines);
            }
            other => {
                settled.extend(paragraphs(std::mem::take(&mut flow)));
                settled.push(other);
            }
        }
    }
    settled.extend(paragraphs(flow));
    settled
}

fn paragraphs(flow: Vec<Line>) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    let mut empty = 0;
    for line in flow {
        if line.is_empty() {
            empty += 1;
            continue;
        }
        if empty == 1 && !lines.is_empty() {
            found.push(Block::Text { lines: std::mem::take(&mut lines), loose: true });
        } else if !lines.is_empty() {
            lines.extend((0..empty).map(|_| Line::new()));
        }
        empty = 0;
        lines.push(line);
    }
    if !lines.is_empty() {
        found.push(Block::Text { lines, loose: true });
    }
    found
}

/// The blocks of a list's item: two paragraphs are always parted by a gap.
pub fn settle_item(blocks: Vec<Block>) -> Vec<Block> {
    let mut settled: Vec<Block> = Vec::new();
    for block in blocks {
        let Block::Text { lines, mut loose } = block else {
            settled.push(block);
            continue;
        };
        let lines = trimmed(lines);
        if !lines.is_empty() {
            loose |= matches!(settled.last(), Some(Block::Text { loose: false, .. }));
            settled.push(Block::Text { lines, loose });
        }
    }
    settled
}

/// The lines without empty ones at either end.
pub fn trimmed(mut lines: Vec<Line>) -> Vec<Line> {
    while lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    let first = lines.iter().position(|line| !line.is_empty()).unwrap_or(lines.len());
    lines.drain(..first);
    lines
}
