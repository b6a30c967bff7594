//! Attachments: kept by number, read at an address that is signed and expires.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use handoffd_core::Timestamp;
use serde_json::{Value, json};

use super::{
    http::{Answer, Call, Checks},
    multipart::Upload,
    world::{World, secret},
};

/// How long an address leads to its file. Not documented.
const SIGNED_FOR: Duration = Duration::from_secs(15 * 60);
/// The most bytes of all files of one message together.
const TOTAL_MAX: usize = 20 * 1024 * 1024;
/// Stands in stored markup for the address of a file.
const PLACE: &str = "https://inline.invalid/";
const FOLDER: &str = "/data/helpdesk/attachments/production/";

/// A kept file.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub upload: Upload,
    pub created_at: Timestamp,
}

/// What it takes to show files: where, and until when.
pub(super) struct Look<'a> {
    files: &'a BTreeMap<i64, File>,
    base: String,
    seed: u64,
    now: Timestamp,
}

impl World {
    /// How this call sees files.
    pub fn look(&self, call: &Call) -> Look<'_> {
        Look { files: &self.files, base: files_base(&call.base), seed: self.seed, now: call.now }
    }

    /// Keeps the files of a request.
    pub fn keep_files(&mut self, call: &Call) -> Vec<i64> {
        call.files.iter().map(|upload| self.keep(upload.clone(), call.now)).collect()
    }

    /// Keeps a file.
    pub fn keep(&mut self, upload: Upload, now: Timestamp) -> i64 {
        let id = self.files.keys().next_back().map_or(43_200_000_001, |last| last + 1);
        self.files.insert(id, File { upload, created_at: now });
        id
    }

    /// Markup as an editor makes it, with images that name their files: as it is stored.
    pub fn with_places(&self, html: &str, ids: &[i64]) -> String {
        ids.iter().fold(html.to_owned(), |html, id| match self.files.get(id) {
            Some(file) => {
                let image = format!("\"cid:{}\"", file.upload.name);
                html.replace(&image, &format!("\"{PLACE}{id}\" alt=\"{}\"", file.upload.name))
            }
            None => html,
        })
    }

    /// Stored markup as a person sees it, with images that name their files.
    pub fn with_names(&self, html: &str) -> String {
        replaced(html, |id| self.files.get(&id).map(|file| format!("cid:{}", file.upload.name)))
    }

    /// The answer at an attachment's address; `None` for a path that is none.
    pub fn file_at(&self, call: &Call) -> Option<Answer> {
        let rest = call.path.strip_prefix(FOLDER)?;
        let id = rest.split('/').next()?.parse::<i64>().ok();
        let Some((id, file)) = id.and_then(|id| Some((id, self.files.get(&id)?))) else {
            return Some(Answer::empty(404));
        };
        let expires = call.param("Expires").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let signed = call.param("Signature") == Some(signature(self.seed, id, expires).as_str());
        if !signed || call.now.as_secs() > expires {
            return Some(Answer::empty(403));
        }
        Some(Answer::file(file.upload.kind.clone(), file.upload.bytes.clone()))
    }

    /// `DELETE /attachments/{id}`.
    pub fn drop_file(&mut self, id: i64, now: Timestamp) -> bool {
        let is_there = self.files.remove(&id).is_some();
        let mut touched = Vec::new();
        for ticket in self.tickets.values_mut() {
            let mut lists = vec![&mut ticket.attachments];
            lists.extend(ticket.conversations.iter_mut().map(|said| &mut said.attachments));
            if lists.iter().any(|list| list.contains(&id)) {
                touched.push(ticket.id);
            }
            lists.into_iter().for_each(|list| list.retain(|one| *one != id));
        }
        touched.into_iter().for_each(|ticket| self.changed(ticket, now));
        is_there
    }
}

/// `DELETE /attachments/{id}`.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if world.drop_file(call.id, call.now) { Ok(Answer::empty(204)) } else { Err(Answer::not_found()) }
}

/// Refuses files that are too long together.
pub(super) fn check(call: &Call, checks: &mut Checks) {
    if call.files.iter().map(|file| file.bytes.len()).sum::<usize>() > TOTAL_MAX {
        checks.invalid("attachments", "Total attachment size should be within 20 MB");
    }
}

impl Look<'_> {
    /// Files as answers list them.
    pub fn files(&self, ids: &[i64]) -> Value {
        ids.iter().filter_map(|id| Some(self.shown(*id, self.files.get(id)?))).collect()
    }

    fn shown(&self, id: i64, file: &File) -> Value {
        let at = file.created_at.to_string();
        json!({"id": id, "name": file.upload.name, "content_type": file.upload.kind,
            "size": file.upload.bytes.len(), "attachment_url": self.address(id, file),
            "created_at": at, "updated_at": at})
    }

    fn address(&self, id: i64, file: &File) -> String {
        let name: String = url::form_urlencoded::byte_serialize(file.upload.name.as_bytes()).collect();
        let expires = self.now.plus(SIGNED_FOR).as_secs();
        let signature = signature(self.seed, id, expires);
        format!("{}{FOLDER}{id}/original/{name}?Expires={expires}&Signature={signature}", self.base)
    }

    /// Stored markup as answers have it.
    pub fn html(&self, stored: &str) -> String {
        replaced(stored, |id| self.files.get(&id).map(|file| self.address(id, file).replace('&', "&amp;")))
    }
}

fn replaced(stored: &str, with: impl Fn(i64) -> Option<String>) -> String {
    let mut parts = stored.split(PLACE);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let found = part[..digits].parse::<i64>().ok().and_then(&with);
        out.push_str(&found.unwrap_or_default());
        out.push_str(&part[digits..]);
    }
    out
}

fn signature(seed: u64, id: i64, expires: i64) -> String {
    secret(seed, &format!("file {id} until {expires}"), 24)
}

/// Files lie on a host of their own, where the account has a name.
fn files_base(base: &str) -> String {
    match base.split_once("://") {
        Some((scheme, host)) if host.ends_with(".sim") => format!("{scheme}://cdn.{host}"),
        _ => base.to_owned(),
    }
}

/// A file of this name, type and content.
pub(super) fn upload(name: &str, kind: &str, bytes: &[u8]) -> Upload {
    Upload { name: name.to_owned(), kind: kind.to_owned(), bytes: Bytes::copy_from_slice(bytes) }
}
