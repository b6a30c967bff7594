//! Freshdesk's JSON, as far as it is used. Nulls, missing keys, ids as numbers
//! or text and unknown values are all tolerated: what a row really needs is
//! asked for in `map.rs`, which names the place.

use std::{collections::BTreeMap, fmt};

use handoffd_core::{RemoteId, Timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Any JSON value of which only the simple ones count.
#[derive(Clone, Default, PartialEq)]
pub enum Scalar {
    /// `null`, or the key is missing.
    #[default]
    Nothing,
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Whole(i64),
    /// Any other number.
    Real(f64),
    /// A text.
    Text(String),
    /// A list; of a long one the beginning.
    List(Vec<Scalar>),
    /// An object.
    Other,
}

/// The longest list of simple values that is kept.
const LIST_MAX: usize = 500;

impl fmt::Debug for Scalar {
    /// Values are ticket text: only their kind is shown.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Nothing => "null",
            Self::Flag(_) => "flag",
            Self::Whole(_) | Self::Real(_) => "number",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Other => "object",
        })
    }
}

impl Scalar {
    /// A whole number, written as a number or as text.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Whole(number) => Some(*number),
            Self::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                format!("{number:.0}").parse().ok()
            }
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// An id: a positive whole number.
    pub fn id(&self) -> Option<RemoteId> {
        self.whole().filter(|number| *number > 0).map(RemoteId::from)
    }

    /// A text that is not blank; numbers and flags as they are written.
    pub fn text(&self) -> Option<String> {
        let text = match self {
            Self::Text(text) => text.clone(),
            Self::Whole(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Nothing | Self::List(_) | Self::Other => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    /// Yes, in any spelling; everything else is no.
    pub fn flag(&self) -> bool {
        match self {
            Self::Flag(flag) => *flag,
            Self::Whole(number) => *number == 1,
            Self::Text(text) => matches!(text.trim(), "true" | "1"),
            _ => false,
        }
    }

    /// [`Self::flag`]; `None` where nothing is told.
    pub fn told_flag(&self) -> Option<bool> {
        (*self != Self::Nothing).then(|| self.flag())
    }

    /// The texts of a list; one text is a list of itself, and nothing an empty one.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::Nothing => Some(Vec::new()),
            Self::List(list) => Some(list.iter().filter_map(Self::text).collect()),
            Self::Text(_) => Some(self.text().into_iter().collect()),
            _ => None,
        }
    }

    /// A moment, with any offset.
    pub fn moment(&self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => Timestamp::parse(text.trim()).ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any value")
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Scalar, E> {
        Ok(Scalar::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(i64::try_from(number).map_or(Scalar::Other, Scalar::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Real(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Scalar, E> {
        Ok(Scalar::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Scalar, A::Error> {
        let mut kept = Vec::new();
        while kept.len() < LIST_MAX {
            match list.next_element::<Scalar>()? {
                Some(item) => kept.push(item),
                None => return Ok(Scalar::List(kept)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::List(kept))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }
}

/// A ticket, from a list, by id, or from the answer to a write.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Ticket {
    /// Its id.
    pub id: Scalar,
    /// The subject.
    #[serde(deserialize_with = "told")]
    pub subject: Option<Scalar>,
    /// The first message as HTML; absent from lists.
    pub description: Scalar,
    /// The first message as text.
    pub description_text: Scalar,
    /// The status's number.
    pub status: Scalar,
    /// 1 to 4.
    pub priority: Scalar,
    /// One of the account's own types.
    #[serde(rename = "type", deserialize_with = "told")]
    pub kind: Option<Scalar>,
    /// When it is due.
    #[serde(deserialize_with = "told")]
    pub due_by: Option<Scalar>,
    /// The addresses in copy.
    #[serde(deserialize_with = "told")]
    pub cc_emails: Option<Scalar>,
    /// How it came in; an open set of numbers.
    pub source: Scalar,
    /// The contact who asked.
    pub requester_id: Scalar,
    /// The agent who owns it.
    #[serde(deserialize_with = "told")]
    pub responder_id: Option<Scalar>,
    /// The group that owns it.
    #[serde(deserialize_with = "told")]
    pub group_id: Option<Scalar>,
    /// In the spam folder.
    pub spam: Scalar,
    /// In the trash; may be missing when it is not.
    pub deleted: Scalar,
    /// Labels.
    pub tags: Option<Vec<Scalar>>,
    /// Custom fields: text, number, flag or null, even under one key.
    pub custom_fields: Option<BTreeMap<String, Scalar>>,
    /// When it was made.
    pub created_at: Scalar,
    /// When it changed last, in whole seconds.
    pub updated_at: Scalar,
    /// With `include=requester`.
    pub requester: Option<Person>,
    /// With `include=conversations`: the oldest ten.
    pub conversations: Option<Vec<Conversation>>,
    /// Files of the first message.
    pub attachments: Option<Vec<Attachment>>,
}

/// A value that is told, be it `null`: a key that is missing stays `None`.
fn told<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Scalar>, D::Error> {
    Scalar::deserialize(from).map(Some)
}

/// A contact, or an agent as a contact.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Person {
    /// Its id.
    pub id: Scalar,
    /// The display name.
    pub name: Scalar,
    /// The address.
    pub email: Scalar,
    /// In the trash.
    pub deleted: Scalar,
}

/// A file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Attachment {
    /// Its id.
    pub id: Scalar,
    /// Its name.
    pub name: Scalar,
    /// Its media type.
    pub content_type: Scalar,
    /// Its length in bytes.
    pub size: Scalar,
    /// Its length in bytes, as some bodies name it.
    pub file_size: Scalar,
    /// Where it is to be had, for a while.
    pub attachment_url: Scalar,
}

/// A reply, a note or a message of the customer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Conversation {
    /// Its id.
    pub id: Scalar,
    /// Who wrote it.
    pub user_id: Scalar,
    /// The customer wrote it.
    pub incoming: Scalar,
    /// Only agents see it.
    pub private: Scalar,
    /// 0 reply, 2 note, 8 forwarded e-mail; an open set of numbers.
    pub source: Scalar,
    /// As HTML.
    pub body: Scalar,
    /// As text.
    pub body_text: Scalar,
    /// `Name <address>` of an incoming mail.
    pub from_email: Scalar,
    /// Whom it was mailed to.
    pub to_emails: Option<Vec<Scalar>>,
    /// Files.
    pub attachments: Option<Vec<Attachment>>,
    /// When it was written.
    pub created_at: Scalar,
}

/// `GET /agents/me`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Agent {
    /// Its id, which is the `user_id` of its conversations.
    pub id: Scalar,
    /// 1 sees every ticket, 2 those of its groups, 3 its own.
    pub ticket_scope: Scalar,
    /// Name and address.
    pub contact: Option<Person>,
}

/// One of `GET /groups`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Its id.
    pub id: Scalar,
    /// Its name.
    pub name: Scalar,
}

/// One of `GET /surveys/satisfaction_ratings`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Rated {
    /// The ticket that was rated.
    pub ticket_id: Scalar,
    /// What the customer wrote.
    pub feedback: Scalar,
    /// The answers; `default_question` is the rating.
    pub ratings: Option<BTreeMap<String, Scalar>>,
    /// When it came.
    pub created_at: Scalar,
}

/// The head of `GET /search/tickets`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Found {
    /// How many rows there are in all.
    pub total: Scalar,
}

/// One of `GET /ticket_fields`, and the answer to `POST /admin/ticket_fields`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct TicketField {
    /// The name as tickets write it.
    pub name: Scalar,
    /// What people see.
    pub label: Scalar,
    /// For instance `custom_text`.
    #[serde(rename = "type")]
    pub kind: Scalar,
    /// Whether customers see it.
    pub displayed_to_customers: Scalar,
    /// The values of a list, in one of several shapes.
    pub choices: serde_json::Value,
}

/// The body of an answer that is an error. Only identifiers of it are ever shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Problem {
    /// For instance `Validation failed`.
    pub description: Scalar,
    /// For instance `invalid_credentials`.
    pub code: Scalar,
    /// What is wrong, field by field.
    pub errors: Vec<FieldProblem>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct FieldProblem {
    /// The field's name.
    pub field: Scalar,
    /// For instance `missing_field`.
    pub code: Scalar,
    /// With the `user_id` of a duplicate.
    pub additional_info: Option<BTreeMap<String, Scalar>>,
}

impl Problem {
    /// Reads a body, which may be anything.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The words for an admin: names of fields and codes, never values.
    pub fn describe(&self) -> Option<String> {
        let fields: Vec<String> = self.errors.iter().take(20).map(FieldProblem::describe).collect();
        if fields.is_empty() {
            return self.code.text().and_then(|code| identifier(&code));
        }
        Some(format!("Validation failed: {}", fields.join(", ")))
    }

    /// The id of the record that a duplicate collides with.
    pub fn duplicate_of(&self) -> Option<RemoteId> {
        let info = |problem: &FieldProblem| problem.additional_info.as_ref()?.get("user_id")?.id();
        self.errors.iter().find_map(info)
    }
}

impl FieldProblem {
    fn describe(&self) -> String {
        let name = |scalar: &Scalar| scalar.text().and_then(|text| identifier(&text));
        let field = name(&self.field).unwrap_or_else(|| "a field".to_owned());
        format!("{field} {}", name(&self.code).unwrap_or_else(|| "is wrong".to_owned()))
    }
}

/// The text if it is a name, which cannot be ticket text.
fn identifier(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '-');
    (text.len() <= 100 && !text.is_empty() && text.chars().all(plain)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_read_in_any_spelling() {
        let read = |json: &str| serde_json::from_str::<Scalar>(json).expect("anything is read");
        let id = |text: &str| Some(RemoteId::from(text));
        let rows = [
            ("12", id("12"), Some("12"), false),
            ("\"12\"", id("12"), Some("12"), false),
            ("12.0", id("12"), Some("12"), false),
            ("1.5", None, Some("1.5"), false),
            ("null", None, None, false),
            ("true", None, Some("true"), true),
            ("\"true\"", None, Some("true"), true),
            ("1", id("1"), Some("1"), true),
            ("0", None, Some("0"), false),
            ("-3", None, Some("-3"), false),
            ("\" \"", None, None, false),
            ("[1,{\"a\":2}]", None, None, false),
            ("{\"a\":[1]}", None, None, false),
            ("18446744073709551615", None, None, false),
        ];
        for (json, id, text, flag) in rows {
            let scalar = read(json);
            assert_eq!(scalar.id(), id, "{json}");
            assert_eq!(scalar.text().as_deref(), text, "{json}");
            assert_eq!(scalar.flag(), flag, "{json}");
        }
        assert_eq!(read("\"2014-12-31T12:27:09+10:00\"").moment(), Some(Timestamp::from_secs(1_419_992_829)));
        assert_eq!(read("\"yesterday\"").moment(), None);
    }

    #[test]
    fn debug_shows_no_ticket_text() {
        let ticket: Ticket =
            serde_json::from_str(r#"{"id":1,"subject":"my secret","unknown":[{}]}"#).unwrap();
        assert!(!format!("{ticket:?}").contains("secret"));
    }
}
