//! Attachments, whose addresses work for half an hour.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    html,
    http::{Answer, Call},
    world::{World, next, secret},
};
use crate::sim::SimFile;

/// Files of one message.
const FILES_MAX: usize = 10;

/// A kept file.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub name: String,
    pub kind: String,
    pub place: Place,
}

/// Where a file is.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Here(Bytes),
    /// At somebody else's; nothing is fetched here.
    There(String),
}

/// The files of a message, before they are kept.
pub(super) fn read(call: &Call) -> Result<Vec<File>, Answer> {
    let mut files = Vec::new();
    for url in list(call, "attachment_urls")? {
        files.push(from_url(url)?);
    }
    for file in list(call, "attachment_files")? {
        files.push(from_data(file)?);
    }
    Ok(files)
}

fn list<'a>(call: &'a Call, name: &str) -> Result<&'a [Value], Answer> {
    let Some(given) = call.given(name) else { return Ok(&[]) };
    let many = given.as_array().ok_or_else(|| Answer::invalid(&format!("{name} must be an array")))?;
    if many.len() > FILES_MAX {
        return Err(Answer::invalid(&format!("{name} can hold up to {FILES_MAX} entries")));
    }
    Ok(many)
}

fn from_url(url: &Value) -> Result<File, Answer> {
    let wrong = || Answer::invalid("attachment_urls must be URLs");
    let url = url::Url::parse(url.as_str().ok_or_else(wrong)?).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong());
    }
    let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let name = if name.is_empty() { "attachment" } else { name }.to_owned();
    let kind = "application/octet-stream".to_owned();
    Ok(File { name, kind, place: Place::There(url.to_string()) })
}

fn from_data(file: &Value) -> Result<File, Answer> {
    let text = |name: &str| file[name].as_str().filter(|text| !text.is_empty());
    let (Some(name), Some(kind), Some(data)) = (text("name"), text("content_type"), text("data")) else {
        return Err(Answer::invalid("attachment_files need content_type, name and data"));
    };
    let data = STANDARD.decode(data).map_err(|_| Answer::invalid("data must be encoded in base64"))?;
    let (name, kind) = (name.to_owned(), kind.to_owned());
    Ok(File { name, kind, place: Place::Here(Bytes::from(data)) })
}

impl World {
    /// Keeps files under new numbers.
    pub fn keep_files(&mut self, files: Vec<File>) -> Vec<i64> {
        let mut ids = Vec::new();
        for file in files {
            let id = next(&mut self.ids.file);
            self.files.insert(id, file);
            ids.push(id);
        }
        ids
    }

    /// Files as answers list them. The address is made anew every time and ends.
    pub fn files_json(&self, ids: &[i64], base: &str, now: i64) -> Vec<Value> {
        let files = ids.iter().filter_map(|id| self.files.get(id).map(|file| (*id, file)));
        files
            .map(|(id, file)| {
                let (url, size) = match &file.place {
                    Place::There(url) => (url.clone(), 0),
                    Place::Here(bytes) => (self.address(id, &file.name, base, now), bytes.len()),
                };
                json!({"type": "upload", "name": file.name, "url": url, "content_type": file.kind,
                    "filesize": size})
            })
            .collect()
    }

    /// HTML and files as a person sends them: images whose source is `cid:NAME` show the file of that name.
    pub fn with_files(&mut self, html: &str, files: Vec<SimFile>) -> (String, Vec<i64>) {
        let mut body = html::sanitise(html);
        let names: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
        let files = files.into_iter().map(|file| File {
            name: file.name,
            kind: file.content_type,
            place: Place::Here(Bytes::from(file.bytes)),
        });
        let ids = self.keep_files(files.collect());
        for (name, id) in names.iter().zip(&ids) {
            body = body.replace(&format!("\"cid:{name}\""), &format!("\"{}:{id}\"", html::FILE));
        }
        (body, ids)
    }

    /// Stored HTML with the addresses of the images in it.
    pub fn with_addresses(&self, html: &str, base: &str, now: i64) -> String {
        let mut out = String::new();
        let mut rest = html;
        let mark = format!("\"{}:", html::FILE);
        while let Some((before, after)) = rest.split_once(&mark) {
            let (id, tail) = after.split_once('"').unwrap_or((after, ""));
            let id = id.parse().unwrap_or(0);
            let name = self.files.get(&id).map_or("", |file| file.name.as_str());
            let address = self.address(id, name, base, now).replace('&', "&amp;");
            out.push_str(&format!("{before}\"{address}\""));
            rest = tail;
        }
        out + rest
    }

    /// Files as a person sees them.
    pub fn sim_files(&self, ids: &[i64]) -> Vec<SimFile> {
        let files = ids.iter().filter_map(|id| self.files.get(id));
        let shown = files.map(|file| SimFile {
            name: file.name.clone(),
            content_type: file.kind.clone(),
            bytes: match &file.place {
                Place::Here(bytes) => bytes.to_vec(),
                Place::There(_) => Vec::new(),
            },
        });
        shown.collect()
    }

    fn address(&self, id: i64, name: &str, base: &str, now: i64) -> String {
        let expires = now.saturating_add(self.options.attachment_secs);
        let signature = self.file_signature(id, expires);
        let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        format!("{base}/attachments/i/o/{id}/{name}?expires={expires}&signature={signature}")
    }

    fn file_signature(&self, id: i64, expires: i64) -> String {
        secret(self.seed, &format!("file {id} until {expires}"), 40)
    }

    /// The file at an attachment's address: 403 when its time is over, 404 for nothing.
    pub fn file_at(&self, call: &Call) -> Answer {
        let id = call.segments.get(3).and_then(|id| id.parse::<i64>().ok()).unwrap_or(0);
        let expires = call.param("expires").and_then(|at| at.parse::<i64>().ok()).unwrap_or(0);
        let signed = call.param("signature").unwrap_or_default() == self.file_signature(id, expires);
        match self.files.get(&id) {
            None => xml(404, "NoSuchKey"),
            Some(_) if !signed => xml(403, "SignatureDoesNotMatch"),
            Some(_) if call.now >= expires => xml(403, "AccessDenied"),
            Some(File { kind, place: Place::Here(bytes), .. }) => Answer::file(200, kind, bytes.clone()),
            Some(_) => xml(404, "NoSuchKey"),
        }
    }
}

fn xml(status: u16, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code></Error>");
    Answer::file(status, "application/xml", Bytes::from(body))
}
