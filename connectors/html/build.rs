//! From what is read, in reading order, to blocks of lines.

use std::collections::BTreeMap;

use super::model::{Block, CODE, Document, Line, Look, line_of, settle_flow, settle_item, trimmed};

/// How deep quotes and lists may nest; deeper ones are shown as paragraphs.
const NESTED_MAX: usize = 12;

/// What holds blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The message itself.
    Root,
    /// A quote.
    Quote,
    /// A list, which holds items.
    List {
        /// Whether they are numbered.
        ordered: bool,
    },
    /// One item of a list.
    Item,
}

struct Frame {
    holder: Holder,
    blocks: Vec<Block>,
    items: Vec<Vec<Block>>,
    /// How many paragraphs are open.
    paragraphs: usize,
}

impl Frame {
    fn new(holder: Holder) -> Self {
        Self { holder, blocks: Vec::new(), items: Vec::new(), paragraphs: 0 }
    }

    /// What a list holds beside its items belongs to the item before.
    fn add(&mut self, block: Block) {
        if !matches!(self.holder, Holder::List { .. }) {
            return self.blocks.push(block);
        }
        match self.items.last_mut() {
            Some(item) => item.push(block),
            None => self.items.push(vec![block]),
        }
    }

    fn block(self) -> Option<Block> {
        match self.holder {
            Holder::Root | Holder::Item => None,
            Holder::Quote => {
                let blocks = settle_flow(self.blocks);
                (!blocks.is_empty()).then_some(Block::Quote(blocks))
            }
            Holder::List { ordered } => {
                let items = self.items.into_iter().map(settle_item);
                let items: Vec<_> = items.filter(|item| !item.is_empty()).collect();
                (!items.is_empty()).then_some(Block::List { ordered, items })
            }
        }
    }
}

/// A document in the making.
pub struct Builder {
    root: Frame,
    /// The open quotes, lists and items, outermost first.
    frames: Vec<Frame>,
    lines: Vec<Line>,
    line: Vec<(char, Look)>,
    space_due: bool,
    /// Cells of a table begun since the last character.
    cells_due: usize,
    /// How many preformatted blocks are open.
    pre: usize,
    links: Vec<String>,
    known: BTreeMap<String, u32>,
}

impl Builder {
    /// An empty document.
    pub fn new() -> Self {
        Self {
            root: Frame::new(Holder::Root),
            frames: Vec::new(),
            lines: Vec::new(),
            line: Vec::new(),
            space_due: false,
            cells_due: 0,
            pre: 0,
            links: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The number of this target.
    pub fn link(&mut self, href: String) -> Option<u32> {
        if let Some(at) = self.known.get(&href) {
            return Some(*at);
        }
        let at = u32::try_from(self.links.len()).ok()?;
        self.links.push(href.clone());
        self.known.insert(href, at);
        Some(at)
    }

    /// Takes in text; `exact` text keeps its spaces and line ends.
    pub fn text(&mut self, text: &str, look: Look, exact: bool) {
        for c in text.chars() {
            match c {
                '\n' if exact => self.end_line(),
                '\t' if exact => (0..4).for_each(|_| self.push(' ', look)),
                ' ' if exact => self.push(' ', look),
                ' ' | '\t' | '\n' | '\r' | '\u{c}' if !exact => self.space_due |= !self.line.is_empty(),
                '\u{a0}' => self.push(' ', look),
                c if c.is_control() => {}
                c => self.push(c, look),
            }
        }
    }

    fn push(&mut self, c: char, look: Look) {
        let cells = std::mem::take(&mut self.cells_due);
        let space = std::mem::take(&mut self.space_due);
        if !self.line.is_empty() {
            for _ in 0..cells {
                self.line.extend([(' ', Look::default()), ('|', Look::default())]);
            }
            if space || cells > 0 {
                self.line.push((' ', Look::default()));
            }
        }
        let marks = if self.pre > 0 { look.marks & !CODE } else { look.marks };
        self.line.push((c, Look { marks, ..look }));
    }

    /// A cell of a table begins.
    pub fn cell(&mut self) {
        self.cells_due += usize::from(!self.line.is_empty());
        self.space_due = false;
    }

    /// Ends the line, empty or not.
    pub fn end_line(&mut self) {
        self.space_due = false;
        self.cells_due = 0;
        self.lines.push(line_of(&mut self.line));
    }

    /// Ends the line if something is on it.
    pub fn break_line(&mut self) {
        self.space_due = false;
        self.cells_due = 0;
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    /// Ends the block of lines.
    pub fn part(&mut self) {
        self.break_line();
        let lines = std::mem::take(&mut self.lines);
        let is_pre = self.pre > 0;
        let frame = self.top();
        if is_pre {
            let lines = trimmed(lines);
            if !lines.is_empty() {
                frame.add(Block::Pre(lines));
            }
        } else if !lines.is_empty() {
            let loose = frame.paragraphs > 0;
            frame.add(Block::Text { lines, loose });
        }
    }

    fn top(&mut self) -> &mut Frame {
        self.frames.last_mut().unwrap_or(&mut self.root)
    }

    /// A paragraph begins.
    pub fn open_paragraph(&mut self) {
        self.part();
        self.top().paragraphs += 1;
    }

    /// A paragraph ends.
    pub fn close_paragraph(&mut self) {
        self.part();
        let top = self.top();
        top.paragraphs = top.paragraphs.saturating_sub(1);
    }

    /// Preformatted lines begin.
    pub fn open_pre(&mut self) {
        self.part();
        self.pre += 1;
    }

    /// Preformatted lines end.
    pub fn close_pre(&mut self) {
        self.part();
        self.pre = self.pre.saturating_sub(1);
    }

    /// Whether one more may be opened; an item takes a list with it where
    /// none is open.
    pub fn may_open(&self) -> bool {
        self.frames.iter().filter(|frame| frame.holder != Holder::Item).count() < NESTED_MAX
    }

    /// Whether items may be opened here.
    pub fn in_list(&self) -> bool {
        self.frames.last().is_some_and(|frame| matches!(frame.holder, Holder::List { .. }))
    }

    /// A quote, list or item begins.
    pub fn open(&mut self, holder: Holder) {
        self.part();
        self.frames.push(Frame::new(holder));
    }

    /// The innermost quote, list or item ends.
    pub fn close(&mut self) {
        self.part();
        let Some(frame) = self.frames.pop() else { return };
        if frame.holder == Holder::Item {
            self.top().items.push(frame.blocks);
        } else if let Some(block) = frame.block() {
            self.top().add(block);
        }
    }

    /// The document, with whatever is still open closed.
    pub fn finish(mut self) -> Document {
        self.part();
        while !self.frames.is_empty() {
            self.close();
        }
        Document { blocks: settle_flow(self.root.blocks), links: self.links }
    }
}
