//! The open elements. Tags may be missing or crossed: what browsers make of
//! that is followed as far as a reader can see it.

use std::collections::BTreeMap;

use super::{
    build::{Builder, Holder},
    elements::{self, Shape},
    model::{Look, STRONG},
    style::Style,
};

/// How many elements that were not closed go on in the next block. Browsers
/// know no bound, and take time for it that grows with the square.
const REOPENED_MAX: usize = 32;

const MARK_BITS: usize = 5;

/// One open element.
#[derive(Clone)]
struct Open {
    /// In lower case.
    name: String,
    /// What its attributes say.
    style: Style,
    /// Its link's number.
    link: Option<u32>,
    /// It ended, though blocks in it are still open.
    ended: bool,
    /// What closing it does to the lines.
    closing: Closing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    Nothing,
    Line,
    Part,
    Pre,
    Frames(u8),
}

/// The open elements and what they come to.
pub struct Stack {
    open: Vec<Open>,
    /// Where elements of each name stand.
    places: BTreeMap<String, Vec<usize>>,
    specials: Vec<usize>,
    barriers: Vec<usize>,
    markers: Vec<usize>,
    gone: usize,
    exact: usize,
    marks: [usize; MARK_BITS],
    links: Settings<u32>,
    invisible: Settings<bool>,
    sizeless: Settings<bool>,
    /// The lines.
    pub builder: Builder,
}

impl Stack {
    /// Nothing is open.
    pub fn new() -> Self {
        Self {
            open: Vec::new(),
            places: BTreeMap::new(),
            specials: Vec::new(),
            barriers: Vec::new(),
            markers: Vec::new(),
            gone: 0,
            exact: 0,
            marks: [0; MARK_BITS],
            links: Settings::default(),
            invisible: Settings::default(),
            sizeless: Settings::default(),
            builder: Builder::new(),
        }
    }

    /// Whether nothing here is part of the message.
    pub fn is_gone(&self) -> bool {
        self.gone > 0
    }

    /// Whether text here is not seen.
    pub fn is_hidden(&self) -> bool {
        let is = |settings: &Settings<bool>| settings.current().unwrap_or_default();
        self.is_gone() || is(&self.invisible) || is(&self.sizeless)
    }

    /// Whether spaces and line ends are kept here.
    pub fn is_exact(&self) -> bool {
        self.exact > 0
    }

    /// How text here looks.
    pub fn look(&self) -> Look {
        let bits = self.marks.iter().enumerate().filter(|(_, count)| **count > 0);
        Look { marks: bits.map(|(bit, _)| 1 << bit).sum(), link: self.links.current() }
    }

    /// Where the innermost element of this name stands.
    pub fn last(&self, name: &str) -> Option<usize> {
        self.places.get(name).and_then(|places| places.last().copied())
    }

    /// Where the innermost of these stands.
    fn last_of(&self, names: &[&str]) -> Option<usize> {
        names.iter().filter_map(|name| self.last(name)).max()
    }

    /// Where the outermost element of this name stands that is within `outer`.
    fn first_after(&self, name: &str, outer: Option<usize>) -> Option<usize> {
        let places = self.places.get(name)?;
        places.get(places.partition_point(|at| Some(*at) <= outer)).copied()
    }

    /// Begins an element, and ends those that cannot be around it.
    pub fn start(&mut self, name: &str, style: Style, link: Option<u32>) {
        self.make_room(name);
        let open = Open { name: name.to_owned(), style, link, ended: false, closing: Closing::Nothing };
        self.push(open);
    }

    /// Ends those elements that the start of this one ends.
    pub fn make_room(&mut self, name: &str) {
        if name == "a" {
            self.end_formatting("a");
        }
        if let Some((closed, within)) = elements::closes(name) {
            let outer = self.last_of(within);
            // The outermost of them takes the others with it.
            if let Some(at) = closed.iter().filter_map(|name| self.first_after(name, outer)).min() {
                self.pop_to(at);
            }
        }
        if elements::closes_paragraph(name)
            && let Some(at) = self.last("p").filter(|at| Some(*at) > self.barriers.last().copied())
        {
            self.pop_to(at);
        }
    }

    fn push(&mut self, mut open: Open) {
        let at = self.open.len();
        if elements::is_special(&open.name) {
            self.specials.push(at);
        }
        if elements::is_barrier(&open.name) {
            self.barriers.push(at);
        }
        if elements::is_marker(&open.name) {
            self.markers.push(at);
        }
        if !open.ended {
            self.places.entry(open.name.clone()).or_default().push(at);
            self.begin_effect(&open, at);
        }
        open.closing = if self.is_gone() { Closing::Nothing } else { self.shape(&open.name) };
        self.open.push(open);
    }

    fn begin_effect(&mut self, open: &Open, at: usize) {
        self.gone += usize::from(is_gone(open));
        self.exact += usize::from(is_exact(open));
        let marks = marks(open);
        self.marks.iter_mut().enumerate().for_each(|(bit, count)| *count += usize::from(marks >> bit & 1));
        self.links.set(at, open.link);
        self.invisible.set(at, open.style.invisible);
        self.sizeless.set(at, open.style.sizeless);
    }

    fn end_effect(&mut self, open: &Open, at: usize) {
        self.gone -= usize::from(is_gone(open));
        self.exact -= usize::from(is_exact(open));
        let marks = marks(open);
        self.marks.iter_mut().enumerate().for_each(|(bit, count)| *count -= usize::from(marks >> bit & 1));
        self.links.forget(at);
        self.invisible.forget(at);
        self.sizeless.forget(at);
        // What ends is the innermost of its name.
        if let Some(places) = self.places.get_mut(&open.name)
            && places.last() == Some(&at)
        {
            places.pop();
        }
    }

    /// Does to the lines what the start of this element does.
    fn shape(&mut self, name: &str) -> Closing {
        match elements::shape(name) {
            Shape::Inline => Closing::Nothing,
            Shape::Cell => {
                self.builder.cell();
                Closing::Nothing
            }
            Shape::Pre => {
                self.builder.open_pre();
                Closing::Pre
            }
            Shape::Holds(holder) => self.hold(holder),
            Shape::Part => {
                self.builder.open_paragraph();
                Closing::Part
            }
            Shape::Line => {
                self.builder.break_line();
                Closing::Line
            }
        }
    }

    fn hold(&mut self, holder: Holder) -> Closing {
        match holder {
            Holder::Item if self.builder.in_list() => {
                self.builder.open(Holder::Item);
                Closing::Frames(1)
            }
            Holder::Item if self.builder.may_open() => {
                self.builder.open(Holder::List { ordered: false });
                self.builder.open(Holder::Item);
                Closing::Frames(2)
            }
            Holder::Item => {
                self.builder.break_line();
                Closing::Line
            }
            holder if self.builder.may_open() => {
                self.builder.open(holder);
                Closing::Frames(1)
            }
            _ => {
                self.builder.open_paragraph();
                Closing::Part
            }
        }
    }

    fn pop(&mut self) -> Option<Open> {
        let open = self.open.pop()?;
        let at = self.open.len();
        for places in [&mut self.specials, &mut self.barriers, &mut self.markers] {
            if places.last() == Some(&at) {
                places.pop();
            }
        }
        if !open.ended {
            self.end_effect(&open, at);
        }
        match open.closing {
            Closing::Nothing => {}
            Closing::Line => self.builder.break_line(),
            Closing::Part => self.builder.close_paragraph(),
            Closing::Pre => self.builder.close_pre(),
            Closing::Frames(count) => (0..count).for_each(|_| self.builder.close()),
        }
        Some(open)
    }

    /// Ends the element that stands here and all in it; formatting that was
    /// not closed goes on.
    pub fn pop_to(&mut self, at: usize) {
        let mut unclosed: Vec<Open> = Vec::new();
        while self.open.len() > at + 1 {
            let Some(open) = self.pop() else { break };
            if elements::is_marker(&open.name) {
                unclosed.clear();
            } else if elements::is_formatting(&open.name) && !open.ended && unclosed.len() < REOPENED_MAX {
                unclosed.push(open);
            }
        }
        let target = self.pop();
        if target.is_none_or(|target| !elements::is_marker(&target.name)) {
            unclosed.into_iter().rev().for_each(|open| self.push(open));
        }
    }

    /// Takes in an end tag.
    pub fn end(&mut self, name: &str) {
        if elements::is_formatting(name) {
            return self.end_formatting(name);
        }
        let barrier = match name {
            "table" | "svg" | "math" | "object" | "template" | "applet" => None,
            name if elements::is_of_table(name) => self.last("table"),
            name if elements::is_special(name) => self.barriers.last().copied(),
            _ => self.specials.last().copied(),
        };
        let headings = ["h1", "h2", "h3", "h4", "h5", "h6"];
        let found = if headings.contains(&name) { self.last_of(&headings) } else { self.last(name) };
        match found.filter(|at| Some(*at) > barrier) {
            Some(at) => self.pop_to(at),
            None if name == "p" && !self.is_gone() => self.builder.part(),
            None => {}
        }
    }

    /// Ends the innermost formatting of this name, though blocks may be open
    /// in it that stay open.
    fn end_formatting(&mut self, name: &str) {
        let Some(at) = self.last(name).filter(|at| Some(*at) > self.markers.last().copied()) else { return };
        let blocked = self.specials.last().is_some_and(|special| *special > at);
        let far = self.open.len() - at > REOPENED_MAX;
        if !blocked && !far {
            return self.pop_to(at);
        }
        if let Some(open) = self.open.get_mut(at) {
            open.ended = true;
            let open = open.clone();
            self.end_effect(&open, at);
        }
    }

    /// Ends everything.
    pub fn finish(mut self) -> Builder {
        while self.pop().is_some() {}
        self.builder
    }
}

/// What open elements set, by where they stand; the innermost counts.
struct Settings<T> {
    /// `None` where the element ended, but not the ones in it.
    set: Vec<(usize, Option<T>)>,
}

impl<T> Default for Settings<T> {
    fn default() -> Self {
        Self { set: Vec::new() }
    }
}

impl<T: Copy> Settings<T> {
    fn current(&self) -> Option<T> {
        self.set.last().and_then(|(_, value)| *value)
    }

    fn set(&mut self, at: usize, value: Option<T>) {
        if value.is_some() {
            self.set.push((at, value));
        }
    }

    fn forget(&mut self, at: usize) {
        if let Ok(found) = self.set.binary_search_by_key(&at, |(place, _)| *place)
            && let Some(entry) = self.set.get_mut(found)
        {
            entry.1 = None;
        }
        while self.set.last().is_some_and(|(_, value)| value.is_none()) {
            self.set.pop();
        }
    }
}

fn is_gone(open: &Open) -> bool {
    open.style.gone || elements::is_unread(&open.name)
}

fn is_exact(open: &Open) -> bool {
    open.style.exact || elements::shape(&open.name) == Shape::Pre || open.name == "textarea"
}

fn marks(open: &Open) -> u8 {
    let own = elements::marks(&open.name);
    open.style.marks | if open.style.light { own & !STRONG } else { own }
}
