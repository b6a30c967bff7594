//! Attachments: kept by number, read at an address that only their finder knows.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    http::Call,
    multipart::Upload,
    world::{World, secret},
};

/// A kept file.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// The last but one part of its address.
    pub secret: String,
    pub upload: Upload,
}

impl World {
    /// Keeps the files of a request. They are shown as the answer lists them.
    pub fn keep_files(&mut self, call: &Call) -> Vec<Value> {
        let mut shown = Vec::new();
        for upload in &call.files {
            let id = 43_200_000_001 + i64::try_from(self.files.len()).unwrap_or(0);
            let secret = secret(self.seed, &format!("file {id}"), 24);
            let name: String = url::form_urlencoded::byte_serialize(upload.name.as_bytes()).collect();
            let at = format!("{}/data/helpdesk/attachments/production/{id}/{secret}/{name}", call.base);
            shown.push(json!({"id": id, "name": upload.name, "content_type": upload.kind,
                "size": upload.bytes.len(), "file_size": upload.bytes.len(), "attachment_url": at,
                "created_at": call.now.to_string(), "updated_at": call.now.to_string()}));
            self.files.insert(id, File { secret, upload: upload.clone() });
        }
        shown
    }

    /// The file at an attachment's address, with its media type.
    pub fn file_at(&self, path: &str) -> Option<(String, Bytes)> {
        let rest = path.strip_prefix("/data/helpdesk/attachments/production/")?;
        let mut parts = rest.split('/');
        let file = self.files.get(&parts.next()?.parse::<i64>().ok()?)?;
        (parts.next() == Some(file.secret.as_str()))
            .then(|| (file.upload.kind.clone(), file.upload.bytes.clone()))
    }
}
