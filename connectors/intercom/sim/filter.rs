//! The search's query language.

use serde_json::Value;

use super::{fields::Kind, http::Answer};

/// Groups within groups within groups are refused.
const DEPTH_MAX: usize = 2;
/// Filters of one group.
const WIDTH_MAX: usize = 15;
const DAY_SECS: i64 = 24 * 3_600;

/// A checked query.
#[derive(Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    One(Test),
}

/// A field, an operator and values of the field's kind.
#[derive(Debug)]
pub(super) struct Test {
    field: String,
    operator: Operator,
    values: Vec<Cell>,
    kind: Kind,
    /// Dates count by day.
    by_day: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    In,
    NotIn,
    Above,
    Below,
    AtLeast,
    AtMost,
    Contains,
    ContainsNot,
    Starts,
    Ends,
}

/// A value, of a row or of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell {
    Null,
    Number(i64),
    Flag(bool),
    Text(String),
}

/// A row that can be searched: the values of a field; several of a list.
pub(super) trait Cells {
    fn cells(&self, field: &str) -> Vec<Cell>;
}

/// Reads a query. `kind` says of what kind a field is, if there is one.
pub(super) fn read(
    query: &Value,
    kind: &dyn Fn(&str) -> Option<Kind>,
    by_day: bool,
) -> Result<Filter, Answer> {
    read_at(query, kind, by_day, 0)
}

fn read_at(
    query: &Value,
    kind: &dyn Fn(&str) -> Option<Kind>,
    by_day: bool,
    depth: usize,
) -> Result<Filter, Answer> {
    let group = matches!(query["operator"].as_str(), Some("AND" | "OR")) && query.get("field").is_none();
    if !group {
        return Ok(Filter::One(read_test(query, kind, by_day)?));
    }
    if depth >= DEPTH_MAX {
        return Err(Answer::invalid("There's a limit of max 2 nested filters"));
    }
    let parts = query["value"].as_array().filter(|parts| !parts.is_empty());
    let parts = parts.ok_or_else(|| Answer::invalid("value of AND and OR must be an array of filters"))?;
    if parts.len() > WIDTH_MAX {
        return Err(Answer::invalid("There's a limit of max 15 filters for each AND or OR group"));
    }
    let parts = parts.iter().map(|part| read_at(part, kind, by_day, depth + 1)).collect::<Result<_, _>>()?;
    Ok(if query["operator"] == "AND" { Filter::All(parts) } else { Filter::Any(parts) })
}

fn read_test(query: &Value, kind: &dyn Fn(&str) -> Option<Kind>, by_day: bool) -> Result<Test, Answer> {
    let field = query["field"].as_str().ok_or_else(|| Answer::missing("field"))?;
    let kind =
        kind(field).ok_or_else(|| Answer::invalid(&format!("The field '{field}' cannot be searched")))?;
    let operator = query["operator"].as_str().and_then(operator);
    let operator = operator.ok_or_else(|| Answer::invalid("The operator is not supported"))?;
    if !fits(operator, kind, by_day) {
        return Err(Answer::invalid(&format!("The operator does not fit the type of '{field}'")));
    }
    let value = query.get("value").ok_or_else(|| Answer::missing("value"))?;
    let wrong = || Answer::invalid(&format!("The value does not fit the type of '{field}'"));
    let many = matches!(operator, Operator::In | Operator::NotIn);
    let values = match value {
        Value::Array(values) if many => values.iter().map(|value| cell(value, kind)).collect(),
        Value::Array(_) => None,
        _ if many => None,
        value => cell(value, kind).map(|cell| vec![cell]),
    };
    let values: Vec<Cell> = values.ok_or_else(wrong)?;
    if !matches!(operator, Operator::Equal | Operator::NotEqual) && values.contains(&Cell::Null) {
        return Err(wrong());
    }
    let by_day = by_day && kind == Kind::Date;
    Ok(Test { field: field.to_owned(), operator, values, kind, by_day })
}

fn operator(name: &str) -> Option<Operator> {
    Some(match name {
        "=" => Operator::Equal,
        "!=" => Operator::NotEqual,
        "IN" => Operator::In,
        "NIN" => Operator::NotIn,
        ">" => Operator::Above,
        "<" => Operator::Below,
        ">=" => Operator::AtLeast,
        "<=" => Operator::AtMost,
        "~" => Operator::Contains,
        "!~" => Operator::ContainsNot,
        "^" => Operator::Starts,
        "$" => Operator::Ends,
        _ => return None,
    })
}

/// Whether the operator is for such values. Dates that count by day have fewer.
fn fits(operator: Operator, kind: Kind, by_day: bool) -> bool {
    match operator {
        Operator::Equal => true,
        Operator::NotEqual | Operator::In | Operator::NotIn => !(by_day && kind == Kind::Date),
        Operator::Above | Operator::Below => matches!(kind, Kind::Integer | Kind::Date),
        Operator::AtLeast | Operator::AtMost => kind == Kind::Integer || (kind == Kind::Date && !by_day),
        Operator::Contains | Operator::ContainsNot | Operator::Starts | Operator::Ends => {
            matches!(kind, Kind::Text | Kind::Email | Kind::Words)
        }
    }
}

/// The value as the field has it. Numbers may come as digits.
fn cell(value: &Value, kind: Kind) -> Option<Cell> {
    match (kind, value) {
        (_, Value::Null) => Some(Cell::Null),
        (Kind::Integer | Kind::Date, Value::Number(number)) => number.as_i64().map(Cell::Number),
        (Kind::Integer | Kind::Date, Value::String(digits)) => digits.parse().ok().map(Cell::Number),
        (Kind::Flag, Value::Bool(flag)) => Some(Cell::Flag(*flag)),
        (Kind::Email, Value::String(text)) => Some(Cell::Text(text.to_lowercase())),
        (Kind::Text | Kind::Words, Value::String(text)) => Some(Cell::Text(text.clone())),
        _ => None,
    }
}

impl Filter {
    /// Whether a row is found.
    pub fn takes(&self, row: &impl Cells) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.takes(row)),
            Self::Any(parts) => parts.iter().any(|part| part.takes(row)),
            Self::One(test) => test.takes(row),
        }
    }
}

impl Test {
    fn takes(&self, row: &impl Cells) -> bool {
        let mut cells: Vec<Cell> =
            row.cells(&self.field).into_iter().filter(|cell| *cell != Cell::Null).collect();
        match self.kind {
            Kind::Email => cells.iter_mut().for_each(|cell| {
                if let Cell::Text(text) = cell {
                    *text = text.to_lowercase();
                }
            }),
            // Of a body only single words are equal to anything.
            Kind::Words if matches!(self.operator, Operator::Equal | Operator::NotEqual) => {
                let words = |cell: &Cell| match cell {
                    Cell::Text(text) => {
                        text.split_whitespace().map(|word| Cell::Text(word.to_owned())).collect()
                    }
                    _ => Vec::new(),
                };
                cells = cells.iter().flat_map(words).collect();
            }
            _ => {}
        }
        match self.operator {
            Operator::NotEqual | Operator::NotIn | Operator::ContainsNot => !self.any(&cells),
            _ => self.any(&cells),
        }
    }

    /// Whether the positive of the operator is true of any value.
    fn any(&self, cells: &[Cell]) -> bool {
        self.values.iter().any(|wanted| match wanted {
            Cell::Null => cells.is_empty(),
            wanted => cells.iter().any(|cell| self.is(cell, wanted)),
        })
    }

    fn is(&self, cell: &Cell, wanted: &Cell) -> bool {
        match (cell, wanted) {
            (Cell::Number(own), Cell::Number(wanted)) if self.by_day => {
                let (own, wanted) = (own.div_euclid(DAY_SECS), wanted.div_euclid(DAY_SECS));
                self.compares(own, wanted)
            }
            (Cell::Number(own), Cell::Number(wanted)) => self.compares(*own, *wanted),
            (Cell::Text(own), Cell::Text(wanted)) => match self.operator {
                Operator::Contains | Operator::ContainsNot => {
                    own.to_lowercase().contains(&wanted.to_lowercase())
                }
                Operator::Starts => own.to_lowercase().starts_with(&wanted.to_lowercase()),
                Operator::Ends => own.to_lowercase().ends_with(&wanted.to_lowercase()),
                _ => own == wanted,
            },
            (own, wanted) => own == wanted,
        }
    }

    fn compares(&self, own: i64, wanted: i64) -> bool {
        match self.operator {
            Operator::Above => own > wanted,
            Operator::Below => own < wanted,
            Operator::AtLeast => own >= wanted,
            Operator::AtMost => own <= wanted,
            _ => own == wanted,
        }
    }
}
