//! What real traffic does and the descriptions forbid, done to a body.

use serde_json::{Value as Json, json};

/// A body that is odd in one place.
pub struct Mutant {
    /// Where: keys and positions from the top.
    pub place: Vec<String>,
    /// The body.
    pub body: Json,
    /// The rule of the vendor's list that made it.
    pub odd: Option<&'static str>,
    /// What stands there now.
    value: String,
}

impl Mutant {
    /// Where it is odd, in words.
    pub fn what(&self) -> String {
        format!("/{} is {}", self.place.join("/"), self.value)
    }
}

/// Each field once `null`; each word once unknown; a field more in every object; and the vendor's own oddities.
pub fn mutants(body: &Json, odd: &[(&'static str, &'static [&'static str])]) -> Vec<Mutant> {
    let mut made = vec![Mutant {
        place: Vec::new(),
        body: with_more_fields(body),
        odd: None,
        value: "more than we know".to_owned(),
    }];
    let mut places = Vec::new();
    collect(body, &mut Vec::new(), &mut places);
    for (place, value) in places {
        let mut make = |now: Json, odd| {
            let body = with(body, &place, now.clone());
            made.push(Mutant { place: place.clone(), body, odd, value: now.to_string() });
        };
        // Fields are `null` where none is promised; nobody has seen it among the rows of a list.
        if place.last().is_some_and(|name| name.parse::<usize>().is_err()) {
            make(Json::Null, None);
        }
        if value.as_str().is_some_and(is_word) {
            make(json!("zz_unheard_of"), None);
        }
        for (pattern, values) in odd.iter().filter(|(pattern, _)| fits(pattern, &place)) {
            for value in *values {
                make(serde_json::from_str(value).expect("JSON"), Some(*pattern));
            }
        }
    }
    made
}

/// Whether it may be one of few: a status, a kind, a role.
fn is_word(text: &str) -> bool {
    text.len() > 1 && text.chars().all(|c| c.is_ascii_alphabetic() || "_-. ".contains(c)) && text.len() < 24
}

/// Whether the place ends so.
fn fits(pattern: &str, place: &[String]) -> bool {
    let parts: Vec<&str> = pattern.split('/').collect();
    let Some(begin) = place.len().checked_sub(parts.len()) else { return false };
    parts.iter().zip(&place[begin..]).all(|(part, own)| *part == "*" || part == own)
}

fn collect<'a>(json: &'a Json, at: &mut Vec<String>, places: &mut Vec<(Vec<String>, &'a Json)>) {
    let below: Vec<(String, &Json)> = match json {
        Json::Object(object) => object.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Json::Array(rows) => rows.iter().enumerate().map(|(at, row)| (at.to_string(), row)).collect(),
        _ => return,
    };
    for (name, value) in below {
        at.push(name);
        places.push((at.clone(), value));
        collect(value, at, places);
        at.pop();
    }
}

fn with(body: &Json, place: &[String], value: Json) -> Json {
    let mut body = body.clone();
    let mut at = &mut body;
    for part in place {
        at = match at {
            Json::Array(rows) => &mut rows[part.parse::<usize>().expect("a position")],
            other => &mut other[part.as_str()],
        };
    }
    *at = value;
    body
}

fn with_more_fields(json: &Json) -> Json {
    match json {
        Json::Object(object) => {
            let more = ("zz_new_field".to_owned(), json!({"deep": [1, null, "text"]}));
            object.iter().map(|(name, value)| (name.clone(), with_more_fields(value))).chain([more]).collect()
        }
        Json::Array(rows) => rows.iter().map(with_more_fields).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_is_odd_once() {
        let body = json!({"rows": [{"id": 7, "status": "open", "fields": [{"value": "a b 1"}]}]});
        let made = mutants(&body, &[("fields/*/value", &["true", "[1]"])]);
        let told: Vec<String> = made.iter().map(Mutant::what).collect();
        let unknown = r#"/rows/0/status is "zz_unheard_of""#;
        assert_eq!(
            told,
            [
                "/ is more than we know",
                "/rows is null",
                "/rows/0/fields is null",
                "/rows/0/fields/0/value is null",
                "/rows/0/fields/0/value is true",
                "/rows/0/fields/0/value is [1]",
                "/rows/0/id is null",
                "/rows/0/status is null",
                unknown,
            ]
        );
        let more = json!({"deep": [1, null, "text"]});
        assert_eq!(made[0].body["rows"][0]["fields"][0]["zz_new_field"], more);
        assert_eq!(
            made[8].body["rows"][0],
            json!({"id": 7, "status": "zz_unheard_of", "fields": [{"value": "a b 1"}]})
        );
    }
}
