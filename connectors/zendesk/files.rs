//! What a comment says, with markup and files, and sending files.

use handoffd_core::{Attachment, Body, RemoteId};

use super::{
    Adapter,
    api::{self, Uploaded},
    wire,
};
use crate::{
    client::json::read_json,
    contract::{Call, Error, Result, Supply},
    html::{self, Image},
};

/// The longest file: 50 MB, less in some accounts.
pub const FILE_BYTES_MAX: u64 = 50 * 1_000 * 1_000;
/// The most files of a message. Zendesk names no number; each costs a request.
pub const FILES_MAX: usize = 30;
/// What Zendesk puts in the place of each character that is taken out.
const BLOCK: char = '▇';
/// What Zendesk puts in the place of a file that is taken out.
const REDACTED: &str = "redacted.txt";

/// What a comment says.
#[derive(Debug)]
pub struct Said {
    /// Its text, with markup where it has some.
    pub body: Body,
    /// Its files.
    pub attachments: Vec<Attachment>,
    /// Whether its content was taken out for good.
    pub redacted: bool,
}

/// Reads a comment.
///
/// The text is that of `html_body`: `body` and `plain_body` keep what style sheets hide from readers.
pub fn said(comment: &wire::Comment) -> Said {
    let is_tombstone =
        |file: &&wire::Attachment| file.file_name.as_deref() == Some(REDACTED) && file.size.unwrap_or(0) == 0;
    let lost_files = comment.attachments.iter().any(|file| is_tombstone(&file));
    let kept = comment.attachments.iter().filter(|file| !is_tombstone(file));
    let mut attachments: Vec<Attachment> = kept.filter_map(attachment).collect();
    let body = match comment.html_body.as_deref().filter(|html| !html.trim().is_empty()) {
        Some(html) => marked_up(html, &comment.attachments, &mut attachments),
        None => {
            let text = comment.plain_body.as_ref().or(comment.body.as_ref()).map_or("", String::as_str);
            Body::inline(&text.replace("&nbsp;", " "))
        }
    };
    let text = body.text().unwrap_or_default();
    let mut signs = text.chars().filter(|c| !c.is_whitespace()).peekable();
    let says_nothing = signs.peek().is_none();
    let redacted = if says_nothing { lost_files } else { signs.all(|c| c == BLOCK) };
    Said { body, attachments, redacted }
}

fn attachment(file: &wire::Attachment) -> Option<Attachment> {
    Some(Attachment {
        id: file.id.clone()?,
        name: file.file_name.clone().filter(|name| !name.is_empty()).unwrap_or_else(|| "file".to_owned()),
        content_type: file.content_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: file.size,
        inline: file.inline == Some(true),
        // Without an address it is still there to be told of.
        at: file.content_url.clone().or_else(|| file.mapped_content_url.clone()).unwrap_or_default(),
    })
}

fn marked_up(html: &str, files: &[wire::Attachment], attachments: &mut Vec<Attachment>) -> Body {
    let listed = |src: &str| {
        let is_it = |file: &&wire::Attachment| {
            [&file.content_url, &file.mapped_content_url].into_iter().any(|url| url.as_deref() == Some(src))
        };
        files.iter().find(is_it).and_then(|file| file.file_name.clone())
    };
    let reading = html::read(html, &|image| match listed(image.src).or_else(|| unlisted(image.src)) {
        Some(name) => Image::Attachment { name },
        None => Image::Foreign,
    });
    for image in &reading.images {
        if listed(&image.src).is_none()
            && let Some(token) = token_of(&image.src)
        {
            attachments.push(Attachment {
                id: RemoteId::from(token),
                name: image.name.clone(),
                content_type: "application/octet-stream".to_owned(),
                size: None,
                inline: true,
                at: image.src.clone(),
            });
        }
    }
    Body::rich(&reading.text, reading.html)
}

/// The name of a file of Zendesk's that no list names, as exports leave images in texts out of theirs.
fn unlisted(src: &str) -> Option<String> {
    token_of(src)?;
    let query = src.split_once('?').map_or("", |(_, query)| query);
    let named = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "name");
    Some(
        named
            .map(|(_, name)| name.into_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| "image".to_owned()),
    )
}

fn token_of(src: &str) -> Option<&str> {
    let (_, rest) = src.split_once("attachments/token/")?;
    let token = rest.split(['/', '?']).next()?;
    Some(token).filter(|token| !token.is_empty())
}

impl Adapter {
    /// Uploads the files of a message, each by itself, in order.
    pub(super) async fn upload(&self, call: Call, wanted: usize, files: &[Supply]) -> Result<Vec<Uploaded>> {
        if wanted != files.len() {
            let why = format!("the message has {wanted} files and {} are at hand", files.len());
            return Err(Error::Refused { why });
        }
        let mut done = Vec::with_capacity(files.len());
        for file in files {
            // Nobody sees an upload without its comment: a lost answer is no more than a delay.
            let answer = self.http.send(call, api::upload(file)?).await.map_err(|error| match error {
                Error::Unknown { why } => Error::Transient { why },
                other => other,
            })?;
            let uploaded: wire::Uploaded = read_json(&answer)?;
            let token = uploaded.upload.token.filter(|token| !token.is_empty());
            let token = token.ok_or_else(|| Error::Malformed { what: "upload.token: none".to_owned() })?;
            done.push(Uploaded { token, name: file.name.clone() });
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(comment: serde_json::Value) -> Said {
        said(&serde_json::from_value(comment).unwrap())
    }

    #[test]
    fn redactions_of_the_whole_are_told_from_those_of_a_part() {
        let rows = [
            (json!({"html_body": "<p>▇▇▇▇ ▇▇<br>▇</p>"}), true),
            (json!({"plain_body": "▇▇"}), true),
            (json!({"html_body": "<p>My card is ▇▇▇▇</p>"}), false),
            (
                json!({"html_body": "", "attachments": [{"id": 1, "file_name": "redacted.txt", "size": 0, "content_url": "x"}]}),
                true,
            ),
            (json!({"html_body": "<p>words</p>"}), false),
            (json!({"html_body": ""}), false),
        ];
        for (comment, redacted) in rows {
            let said = read(comment.clone());
            assert_eq!((said.redacted, said.attachments.len()), (redacted, 0), "{comment}");
        }
    }

    #[test]
    fn an_image_in_the_text_is_a_file_even_if_no_list_names_it() {
        let at = "https://acme.zendesk.com/attachments/token/T0k/?name=a%20b.png";
        let said = read(
            json!({"html_body": format!("<p>See <img src=\"{at}\"> and <img src=\"https://x.test/y.png\" alt=\"logo\"></p>")}),
        );
        assert_eq!(said.body.text(), Some("See [image: a b.png] and [image: logo]"));
        let [file] = &said.attachments[..] else { panic!("{:?}", said.attachments) };
        assert_eq!((file.name.as_str(), file.at.as_str(), file.inline), ("a b.png", at, true));
    }
}
