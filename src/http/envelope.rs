//! The envelope of CloudEvents 1.0 in its structured form
//! (<https://github.com/cloudevents/spec>): what is in `data` is the body.

use handoffd_core::Timestamp;

use super::form::{Form, Place};

/// What an envelope says of the body in it.
pub(super) struct Envelope<'a> {
    /// The body: what is in the envelope, or the whole where there is none.
    pub(super) inner: Place<'a>,
    /// Source and id together, which name an event once and for ever.
    pub(super) id: Option<String>,
    /// When it happened.
    pub(super) at: Option<Timestamp>,
    /// The last part of its type: `turn` of `com.example.chat.turn`.
    pub(super) kind: Option<String>,
}

/// Attributes that are read, or that say how the envelope is made.
const KNOWN: [&str; 6] = ["specversion", "id", "source", "type", "time", "datacontenttype"];

impl<'a> Envelope<'a> {
    /// Opens the envelope, if there is one. Attributes beyond the known ones are told as lost.
    pub(super) fn open(place: &Place<'a>, form: &mut Form) -> Self {
        if !place.at("specversion").is_there() || !place.at("data").is_there() {
            return Self { inner: place.clone(), id: None, at: None, kind: None };
        }
        let (id, source) = (form.needed(&place.at("id"), 200), form.needed(&place.at("source"), 200));
        let kind = form.line(&place.at("type"), 200);
        for key in KNOWN {
            form.take(&place.at(key));
        }
        for (key, attribute) in place.fields() {
            if key != "data" && !KNOWN.contains(&key) && attribute.has_leaf() {
                form.lose(&attribute.path, "is an attribute of the envelope that is not read");
            }
        }
        let at = place.at("time").peek().and_then(|words| Timestamp::parse(words).ok());
        let id = id.zip(source).map(|(id, source)| format!("{source} {id}"));
        let kind = kind.map(|kind| kind.rsplit('.').next().unwrap_or_default().to_owned());
        Self { inner: place.at("data"), id, at, kind }
    }
}
