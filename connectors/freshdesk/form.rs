//! Bodies of writes: JSON, or a form with files, which is streamed.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, header};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::{
    client::{Ask, Content, Kind, json::json},
    contract::{Error, Result, Supply},
};

/// The members of a body.
pub type Members = BTreeMap<&'static str, Json>;

/// A POST of these members: as JSON, or as a form where files go along.
pub fn post(path: &str, members: &Members, files: &[&Supply]) -> Result<Ask> {
    if files.is_empty() {
        return json(Method::POST, path, members, Kind::Write);
    }
    let boundary = boundary(members, files);
    let mut head = String::new();
    for (name, value) in members {
        flatten(name, value, &mut |name, text| head.push_str(&field(&boundary, name, text)));
    }
    let mut upload = Vec::with_capacity(files.len() * 2);
    let mut before = head;
    let mut first = None;
    for file in files {
        before.push_str(&file_head(&boundary, file));
        let bytes = Bytes::from(std::mem::take(&mut before));
        match &first {
            None => first = Some(bytes),
            Some(_) => upload.push(Content::Bytes(bytes)),
        }
        upload.push(file.content.clone());
        before.push_str("\r\n");
    }
    upload.push(Content::Bytes(Bytes::from(format!("{before}--{boundary}--\r\n"))));
    let request = http::Request::post(path)
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, format!("multipart/form-data; boundary={boundary}"))
        .body(first.unwrap_or_default())
        .map_err(|_| Error::Refused { why: "the request's path is not a URI".to_owned() })?;
    Ok(Ask { request, kind: Kind::Write, buckets: Vec::new(), cost: 1, upload })
}

/// A text that no part holds: it depends on every part, so that none can be made to hold it.
fn boundary(members: &Members, files: &[&Supply]) -> String {
    let mut digest = Sha256::new();
    for (name, value) in members {
        digest.update(format!("{name}={value}\n"));
    }
    for file in files {
        digest.update(format!("{}\n{}\n", file.name, file.content.len()));
        match &file.content {
            Content::Bytes(bytes) => digest.update(bytes),
            // Files are kept under the digest of their content.
            Content::File { path, .. } => digest.update(path.as_os_str().as_encoded_bytes()),
        }
    }
    format!("handoffd-{}", hex::encode(&digest.finalize()[..20]))
}

/// Nested members as forms name them: `tags[]`, `custom_fields[cf_x]`. What is null is left out.
fn flatten(name: &str, value: &Json, put: &mut dyn FnMut(&str, &str)) {
    match value {
        Json::Null => {}
        Json::String(text) => put(name, text),
        Json::Bool(_) | Json::Number(_) => put(name, &value.to_string()),
        Json::Array(list) => list.iter().for_each(|item| flatten(&format!("{name}[]"), item, put)),
        Json::Object(map) => {
            map.iter().for_each(|(key, item)| flatten(&format!("{name}[{key}]"), item, put));
        }
    }
}

fn field(boundary: &str, name: &str, text: &str) -> String {
    format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{text}\r\n", escaped(name))
}

fn file_head(boundary: &str, file: &Supply) -> String {
    let kind = Some(file.content_type.as_str())
        .filter(|kind| http::HeaderValue::from_str(kind).is_ok() && kind.contains('/'))
        .unwrap_or("application/octet-stream");
    format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"attachments[]\"; filename=\"{}\"\r\n\
         Content-Type: {kind}\r\n\r\n",
        escaped(&file.name)
    )
}

/// A name inside quotes, as browsers write it.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '"' => out.push_str("%22"),
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn supply(name: &str, kind: &str, bytes: &'static [u8]) -> Supply {
        let content = Content::Bytes(Bytes::from_static(bytes));
        Supply { name: name.to_owned(), content_type: kind.to_owned(), content }
    }

    fn sent(ask: &Ask) -> String {
        let mut all = String::from_utf8(ask.request.body().to_vec()).unwrap();
        for part in &ask.upload {
            let Content::Bytes(bytes) = part else { panic!("a file") };
            all.push_str(std::str::from_utf8(bytes).unwrap());
        }
        all
    }

    #[test]
    fn without_files_it_is_json() {
        let members = Members::from([("body", json!("x")), ("private", json!(true))]);
        let ask = post("/api/v2/tickets/7/notes", &members, &[]).unwrap();
        assert_eq!(ask.request.body().as_ref(), br#"{"body":"x","private":true}"#);
        assert!(ask.upload.is_empty());
    }

    #[test]
    fn a_form_flattens_members_and_streams_files() {
        let members = Members::from([
            ("custom_fields", json!({"cf_a": "x", "cf_b": null})),
            ("private", json!(false)),
            ("tags", json!(["one", "two"])),
            ("user_id", json!(43)),
        ]);
        let (one, two) =
            (supply("a \"1\".txt", "text/plain", b"AAA"), supply("b\r\n.bin", "bad\r\nx: y", b"BB"));
        let ask = post("/api/v2/tickets", &members, &[&one, &two]).unwrap();
        let kind = ask.request.headers()[header::CONTENT_TYPE].to_str().unwrap();
        let boundary = kind.strip_prefix("multipart/form-data; boundary=").unwrap();
        let name = "Content-Disposition: form-data; name=";
        let expected = [
            format!("{name}\"custom_fields[cf_a]\"\r\n\r\nx\r\n"),
            format!("{name}\"private\"\r\n\r\nfalse\r\n"),
            format!("{name}\"tags[]\"\r\n\r\none\r\n"),
            format!("{name}\"tags[]\"\r\n\r\ntwo\r\n"),
            format!("{name}\"user_id\"\r\n\r\n43\r\n"),
            format!(
                "{name}\"attachments[]\"; filename=\"a %221%22.txt\"\r\nContent-Type: text/plain\r\n\r\nAAA\r\n"
            ),
            format!(
                "{name}\"attachments[]\"; filename=\"b%0D%0A.bin\"\r\nContent-Type: application/octet-stream\r\n\r\nBB\r\n"
            ),
        ];
        let whole: String = expected.iter().map(|part| format!("--{boundary}\r\n{part}")).collect();
        assert_eq!(sent(&ask), format!("{whole}--{boundary}--\r\n"));
        assert_eq!(ask.upload.len(), 4, "each file is handed on as it is");
        let other = post("/api/v2/tickets", &members, &[&one]).unwrap();
        assert_ne!(other.request.headers()[header::CONTENT_TYPE], kind, "nobody can foresee the boundary");
    }
}
