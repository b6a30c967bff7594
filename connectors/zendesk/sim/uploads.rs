//! Files: uploaded first, then put on a comment by token.

use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Content, Reply},
};

/// A file that was uploaded.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) id: i64,
    /// What the upload's answer gives, and the comment names.
    pub(super) token: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) bytes: Bytes,
    /// Shown in the text, and listed only on demand.
    pub(super) inline: bool,
    pub(super) made_at: i64,
}

/// How long an upload waits for its comment: three days.
const TOKEN_SECS: i64 = 3 * 86_400;

impl Sim {
    /// `POST /uploads?filename=…`. With `token=` the file joins an earlier upload.
    pub(super) fn post_upload(&mut self, call: &Call) -> Answer {
        let Some(name) = call.param("filename").filter(|name| !name.is_empty()) else {
            return Err(Reply::bad_parameter("filename", "It must be present"));
        };
        let given = call.param("token").filter(|token| !self.files_of(token).is_empty());
        let token = given.map(str::to_owned);
        let token = token.unwrap_or_else(|| self.world.ids.secret());
        let kind = call.header("content-type").unwrap_or("application/octet-stream");
        let kind = if kind.starts_with("application/binary") { "application/octet-stream" } else { kind };
        let file = File {
            id: self.world.ids.large(),
            token: token.clone(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            bytes: call.body.clone(),
            inline: false,
            made_at: call.now.as_secs(),
        };
        let shown = file_json(&file, call);
        self.world.files.insert(file.id, file);
        let all: Vec<Value> = self.files_of(&token).iter().map(|file| file_json(file, call)).collect();
        let expires_at = super::view::time(call.now.as_secs() + TOKEN_SECS);
        Ok(Reply::json(
            201,
            json!({"upload": {"token": token, "expires_at": expires_at, "attachment": shown, "attachments": all}}),
        ))
    }

    fn files_of(&self, token: &str) -> Vec<&File> {
        self.world.files.values().filter(|file| file.token == token).collect()
    }

    /// `DELETE /uploads/{token}`. What is on a comment by then stays.
    pub(super) fn delete_upload(&mut self, token: &str) -> Answer {
        let ids: Vec<i64> = self.files_of(token).iter().map(|file| file.id).collect();
        if ids.is_empty() {
            return Err(Reply::no_record());
        }
        let comments = self.world.tickets.values().flat_map(|ticket| &ticket.comments);
        let used: std::collections::BTreeSet<i64> =
            comments.flat_map(|comment| &comment.files).copied().collect();
        self.world.files.retain(|id, _| !ids.contains(id) || used.contains(id));
        Ok(Reply::nothing())
    }

    /// `GET /attachments/{id}`.
    pub(super) fn attachment(&self, id: i64, call: &Call) -> Answer {
        let file = self.world.files.get(&id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"attachment": file_json(file, call)})))
    }

    fn file_at(&self, token: &str) -> Result<&File, Reply> {
        let id = token.rsplit_once('-').and_then(|(_, id)| id.parse::<i64>().ok());
        let file = id.and_then(|id| self.world.files.get(&id)).filter(|file| secret(file) == token);
        file.ok_or_else(Reply::no_record)
    }

    /// At its `content_url` a file is not: another host has it.
    pub(super) fn where_the_file_is(&self, token: &str, call: &Call) -> Answer {
        self.file_at(token)?;
        let (scheme, host) = call.origin.split_once("://").unwrap_or(("https", &call.origin));
        // A machine of its own has no second name.
        let is_named =
            !host.starts_with(|c: char| c.is_ascii_digit() || c == '[') && !host.starts_with("localhost");
        let host = if is_named { format!("files.{host}") } else { host.to_owned() };
        Ok(Reply::empty(302).with("location", format!("{scheme}://{host}/stored/{token}")))
    }

    /// The file itself. Whoever has the address may read it, and a credential is one too many.
    pub(super) fn download(&self, token: &str, call: &Call) -> Answer {
        let is_foreign = call.origin.contains("://files.");
        if is_foreign && call.header("authorization").is_some() {
            return Err(Reply::text(400, "Only one auth mechanism allowed"));
        }
        let file = self.file_at(token)?;
        let content = Content::Bytes(file.kind.clone(), file.bytes.clone());
        let named = format!("attachment; filename=\"{}\"", file.name.replace(['"', '\\'], "_"));
        Ok(Reply { status: 200, headers: Vec::new(), body: content }.with("content-disposition", named))
    }

    /// The files of the tokens that a comment names. An unknown or old token is passed over.
    pub(super) fn uploaded(&self, tokens: Option<&Value>, now_secs: i64) -> Vec<i64> {
        let tokens = match tokens {
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(token)) => vec![token.as_str()],
            _ => Vec::new(),
        };
        let files = tokens.iter().flat_map(|token| self.files_of(token));
        files.filter(|file| now_secs < file.made_at + TOKEN_SECS).map(|file| file.id).collect()
    }
}

impl super::world::World {
    /// Files as a comment shows them; those in the text only on demand.
    pub(super) fn files_json(&self, ids: &[i64], call: &Call) -> Vec<Value> {
        let with_inline = call.param("include_inline_images") == Some("true");
        let files = ids.iter().filter_map(|id| self.files.get(id)).filter(|file| with_inline || !file.inline);
        files.map(|file| file_json(file, call)).collect()
    }
}

fn secret(file: &File) -> String {
    format!("{}-{}", file.token, file.id)
}

/// Where people are sent for it.
pub(super) fn content_url(file: &File, origin: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(file.name.as_bytes()).collect();
    format!("{origin}/attachments/token/{}/?name={name}", secret(file))
}

fn file_json(file: &File, call: &Call) -> Value {
    let at = content_url(file, &call.origin);
    json!({
        "url": call.url(&format!("attachments/{}.json", file.id)),
        "id": file.id,
        "file_name": file.name,
        "content_url": at,
        "mapped_content_url": at,
        "content_type": file.kind,
        "size": file.bytes.len(),
        "width": null,
        "height": null,
        "inline": file.inline,
        "deleted": false,
        "malware_access_override": false,
        "malware_scan_result": "malware_not_found",
        "thumbnails": [],
    })
}
