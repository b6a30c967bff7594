//! The query language of `search/…`: `(status:2 OR status:3) AND tag:'x'`.

/// A query, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Query {
    All(Vec<Query>),
    Any(Vec<Query>),
    Is(Term),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub field: String,
    pub how: How,
    /// The value without quotes.
    pub value: String,
    /// Whether it was in quotes.
    pub quoted: bool,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Equal,
    /// `:>`, which means at least.
    AtLeast,
    /// `:<`, which means at most.
    AtMost,
}

impl Query {
    /// Reads the value of `query=`, which stands in double quotes and has at most 512 characters.
    pub fn read(text: &str) -> Option<Self> {
        let inner = text.trim().strip_prefix('"')?.strip_suffix('"')?;
        if inner.chars().count() > 512 {
            return None;
        }
        let words = words(inner)?;
        let mut parser = Parser { words: &words };
        let query = parser.any()?;
        parser.words.is_empty().then_some(query)
    }

    /// Whether something matches; `None` when a term names an unknown field.
    pub fn matches(&self, term: &impl Fn(&Term) -> Option<bool>) -> Option<bool> {
        match self {
            Self::All(parts) => {
                parts.iter().try_fold(true, |all, part| part.matches(term).map(|is| all && is))
            }
            Self::Any(parts) => {
                parts.iter().try_fold(false, |any, part| part.matches(term).map(|is| any || is))
            }
            Self::Is(wanted) => term(wanted),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Open,
    Close,
    And,
    Or,
    Term(Term),
}

fn words(text: &str) -> Option<Vec<Word>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, tail) = match first {
            '(' => (Word::Open, &rest[1..]),
            ')' => (Word::Close, &rest[1..]),
            _ => named(rest)?,
        };
        out.push(word);
        rest = tail.trim_start();
    }
    Some(out)
}

fn named(text: &str) -> Option<(Word, &str)> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let end = text.find(|letter| !is_name(letter)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    match name {
        "" => return None,
        "AND" => return Some((Word::And, rest)),
        "OR" => return Some((Word::Or, rest)),
        _ => {}
    }
    let rest = rest.strip_prefix(':')?;
    let (how, rest) = match rest.chars().next()? {
        '>' => (How::AtLeast, &rest[1..]),
        '<' => (How::AtMost, &rest[1..]),
        _ => (How::Equal, rest),
    };
    let (value, quoted, rest) = match rest.strip_prefix('\'') {
        Some(inside) => {
            let (value, rest) = inside.split_once('\'')?;
            (value, true, rest)
        }
        None => {
            let end = rest.find(|letter: char| letter.is_whitespace() || letter == ')');
            let (value, rest) = rest.split_at(end.unwrap_or(rest.len()));
            (value, false, rest)
        }
    };
    if value.is_empty() && !quoted {
        return None;
    }
    let term = Term { field: name.to_owned(), how, value: value.to_owned(), quoted };
    Some((Word::Term(term), rest))
}

struct Parser<'a> {
    words: &'a [Word],
}

impl Parser<'_> {
    fn take(&mut self, wanted: &Word) -> bool {
        let next = self.words.split_first().filter(|(word, _)| *word == wanted);
        if let Some((_, rest)) = next {
            self.words = rest;
        }
        next.is_some()
    }

    fn any(&mut self) -> Option<Query> {
        let mut parts = vec![self.all()?];
        while self.take(&Word::Or) {
            parts.push(self.all()?);
        }
        Some(Query::Any(parts))
    }

    fn all(&mut self) -> Option<Query> {
        let mut parts = vec![self.one()?];
        while self.take(&Word::And) {
            parts.push(self.one()?);
        }
        Some(Query::All(parts))
    }

    fn one(&mut self) -> Option<Query> {
        if self.take(&Word::Open) {
            let inner = self.any()?;
            return self.take(&Word::Close).then_some(inner);
        }
        match self.words.split_first()? {
            (Word::Term(term), rest) => {
                self.words = rest;
                Some(Query::Is(term.clone()))
            }
            _ => None,
        }
    }
}
