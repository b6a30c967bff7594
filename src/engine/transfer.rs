//! Files on their way from one helpdesk to another: fetched right before the write that
//! carries them, piece by piece into a file of their own, and gone after it.

use std::io::Write as _;

use bytes::Bytes;
use handoffd_connectors::{
    client::Content,
    contract::{Error, Lane, Sink, Supply},
};
use handoffd_core::{Attachment, Carried, Comment, Message, OpKey, intent::Intent};
use sha2::{Digest as _, Sha256};

use super::{Desk, Fault, Inner};
use crate::store::blobs::Scratch;

/// The files of a write, or why it cannot be sent as it is.
pub(super) enum Supplies {
    /// At hand, in the order of the write's attachments. The files go when this is dropped.
    Ready(Vec<Supply>, Vec<Fetched>),
    /// A file cannot be had: the write as it says so. Store it before it is sent, so that a look
    /// for it knows its words.
    Amended(Box<Intent>),
    /// The helpdesk that has a file does not answer now.
    Later(Lacks),
}

/// A file that cannot be fetched now.
pub(super) struct Lacks {
    /// The file.
    pub file: Carried,
    /// Why.
    pub error: Error,
}

/// A file that was fetched, for the journal; the file itself goes when this is dropped.
pub(super) struct Fetched {
    /// SHA-256 of its bytes, lower-case hex.
    pub hash: String,
    /// Its length in bytes.
    pub len: u64,
    _file: Option<tempfile::TempPath>,
}

/// Takes a download's pieces: counts, hashes, bounds.
struct Bounded {
    scratch: Scratch,
    hash: Sha256,
    len: u64,
    bytes_max: u64,
}

impl Sink for Bounded {
    fn take(&mut self, piece: &[u8]) -> Result<(), String> {
        self.len = self.len.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if self.len > self.bytes_max {
            return Err(format!("it is longer than {}", megabytes(self.bytes_max)));
        }
        self.hash.update(piece);
        self.scratch.write_all(piece).map_err(|error| format!("it cannot be kept here: {error}"))
    }
}

impl Bounded {
    fn finish(self, attachment: &Attachment) -> std::io::Result<(Supply, Fetched)> {
        let hash = hex::encode(self.hash.finalize());
        let (content, file) = match self.scratch {
            Scratch::Memory(bytes) => (Content::Bytes(Bytes::from(bytes)), None),
            Scratch::File(mut file) => {
                file.flush()?;
                let path = file.into_temp_path();
                (Content::File { path: path.to_path_buf(), len: self.len }, Some(path))
            }
        };
        let name = attachment.name.clone();
        let supply = Supply { name, content_type: attachment.content_type.clone(), content };
        Ok((supply, Fetched { hash, len: self.len, _file: file }))
    }
}

impl Inner {
    /// Fetches the files that a write carries, in the write's lane. `to` is the account that is written to.
    pub(super) async fn supplies(&self, to: &Desk, intent: &Intent, lane: Lane) -> Result<Supplies, Fault> {
        let carried = intent.attachments();
        if carried.is_empty() {
            return Ok(Supplies::Ready(Vec::new(), Vec::new()));
        }
        // A semaphore that is never closed gives permits.
        let _room = self.transfers.acquire().await.ok();
        let (mut supplies, mut fetched) = (Vec::new(), Vec::new());
        for one in carried {
            match self.fetch_file(to, one, lane).await? {
                Ok((supply, file)) => {
                    self.parts.metrics.carried_file(&to.id, file.len);
                    tracing::debug!(from = %one.from, key = %intent.key(), hash = file.hash, bytes = file.len, "A file is carried.");
                    supplies.push(supply);
                    fetched.push(file);
                }
                Err(Missing::Later(error)) => return Ok(Supplies::Later(Lacks { file: one.clone(), error })),
                Err(Missing::Never(why)) => {
                    tracing::info!(from = %one.from, key = %intent.key(), why, "A file is not carried; the message says so.");
                    return Ok(Supplies::Amended(Box::new(without(intent, one, &why))));
                }
            }
        }
        Ok(Supplies::Ready(supplies, fetched))
    }

    /// Fetches one file; when its address has expired, once more from a fresh one.
    async fn fetch_file(
        &self,
        to: &Desk,
        carried: &Carried,
        lane: Lane,
    ) -> Result<Result<(Supply, Fetched), Missing>, Fault> {
        let Some(origin) = self.parts.desks.get(&carried.from.account) else {
            return Ok(Err(Missing::Never("its helpdesk is not configured any more".to_owned())));
        };
        let bytes_max = to.capabilities.attachment_bytes_max.min(self.parts.config.attachment_bytes_max);
        let mut attachment = carried.attachment.clone();
        let mut fresh = false;
        loop {
            let scratch = self.parts.blobs.scratch().map_err(|why| Fault::Store { why: why.to_string() })?;
            let mut sink = Bounded { scratch, hash: Sha256::new(), len: 0, bytes_max };
            let call = self.call(lane);
            match origin.helpdesk.download(call, &carried.from.id, &attachment, &mut sink).await {
                Ok(()) => {
                    let done = sink.finish(&attachment);
                    return Ok(Ok(done.map_err(|why| Fault::Store { why: why.to_string() })?));
                }
                Err(Error::Stale | Error::Gone) if !fresh => {
                    fresh = true;
                    match self.fresh_address(origin, carried, lane).await {
                        Ok(Some(found)) => attachment = found,
                        Ok(None) => return Ok(Err(Missing::Never(GONE.to_owned()))),
                        Err(error) => return Ok(Err(missing(error))),
                    }
                }
                Err(error) => return Ok(Err(missing(error))),
            }
        }
    }

    async fn fresh_address(
        &self,
        origin: &Desk,
        carried: &Carried,
        lane: Lane,
    ) -> Result<Option<Attachment>, Error> {
        let call = self.call(lane);
        let comments = origin.helpdesk.comments(call, &carried.from.id).await?;
        let comment = comments.iter().find(|comment| *comment.id() == carried.comment);
        let all = comment.map_or(&[][..], Comment::attachments);
        Ok(all.iter().find(|one| one.id == carried.attachment.id).cloned())
    }

    /// The journal's words for files that went along.
    pub(super) fn note_files(&self, key: &OpKey, files: &[Fetched]) {
        let mut carried = self.carried.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let words: Vec<String> =
            files.iter().map(|file| format!("{:.16} ({} bytes)", file.hash, file.len)).collect();
        if !words.is_empty() {
            carried.insert(key.clone(), words.join(", "));
        }
    }

    /// Takes the words for the files of a write that is settled.
    pub(super) fn take_files(&self, key: &OpKey) -> Option<String> {
        self.carried.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(key)
    }
}

const GONE: &str = "it is not there any more";

/// Why a file is not at hand.
enum Missing {
    Later(Error),
    Never(String),
}

fn missing(error: Error) -> Missing {
    match error {
        Error::Refused { why } => Missing::Never(why),
        Error::Malformed { what } => Missing::Never(what),
        Error::Forbidden { missing } => Missing::Never(format!("its helpdesk refuses it: {missing}")),
        Error::Stale | Error::Gone | Error::Closed => Missing::Never(GONE.to_owned()),
        error @ (Error::Throttled { .. }
        | Error::Transient { .. }
        | Error::Unknown { .. }
        | Error::Unauthorized { .. }
        | Error::CursorRefused { .. }) => Missing::Later(error),
    }
}

/// The write without a file, saying so in its message.
pub(super) fn without(intent: &Intent, file: &Carried, why: &str) -> Intent {
    let mut intent = intent.clone();
    let line = handoffd_core::not_copied(&file.attachment.name, why);
    match &mut intent {
        Intent::Create(create) => {
            if let Some(opening) = create.ticket.opening.as_mut().filter(|one| one.attachments.contains(file))
            {
                opening.attachments.retain(|one| one != file);
                opening.text.body_mut().append_line(&line);
            }
            let past = create.ticket.import.iter_mut().flat_map(|import| &mut import.messages);
            past.for_each(|one| leave_out(&mut one.message, file, &line));
        }
        Intent::Update(update) => {
            update.message.iter_mut().for_each(|message| leave_out(message, file, &line));
        }
        Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => {}
    }
    intent
}

fn leave_out(message: &mut Message, file: &Carried, line: &str) {
    let attachments = match message {
        Message::Public(message) => &mut message.attachments,
        Message::Private(message) => &mut message.attachments,
    };
    if attachments.contains(file) {
        attachments.retain(|one| one != file);
        message.body_mut().append_line(line);
    }
}

fn megabytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{bytes} bytes"),
        megabytes => format!("{megabytes} MiB"),
    }
}
