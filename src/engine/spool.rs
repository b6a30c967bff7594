//! Comments that a vendor gives in bulk, kept in files until their ticket's turn comes.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use handoffd_core::{Comment, RemoteId, Timestamp, Version};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest file of one ticket's comments, in bytes; a ticket with more is listed by its own request.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// How much older than what was read of its comments a ticket's last change must be. Covers
/// whole seconds, clocks that differ, and exports that leave the last minute out.
const SURELY_BEFORE: Duration = Duration::from_secs(120);

/// One line of a ticket's file.
#[derive(Serialize, Deserialize)]
struct Line<C> {
    /// When it was asked for.
    read_at: Timestamp,
    /// The comment; `None`: some became something else, what is here is not to be believed.
    comment: Option<C>,
}

/// A directory of files, one a ticket. What is in it may be lost without harm.
#[derive(Clone, Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
}

impl Spool {
    /// The spool in a directory of its own.
    pub fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Adds comments that were asked for at `read_at`; those of one ticket in the order given.
    pub fn add(&self, comments: &[(RemoteId, Comment)], read_at: Timestamp) -> io::Result<()> {
        let mut at = 0;
        while at < comments.len() {
            let ticket = &comments[at].0;
            let run = comments[at..].iter().take_while(|(other, _)| other == ticket).count();
            let lines = comments[at..at + run].iter().map(|(_, comment)| Some(comment));
            self.append(ticket, lines.map(|comment| Line { read_at, comment }))?;
            at += run;
        }
        Ok(())
    }

    /// What is or comes here of these tickets is not to be believed.
    pub fn doubt(&self, tickets: &[RemoteId], read_at: Timestamp) -> io::Result<()> {
        let line = || Line { read_at, comment: None::<Comment> };
        tickets.iter().try_for_each(|ticket| self.append(ticket, std::iter::once(line())))
    }

    fn append<C: Serialize>(
        &self,
        ticket: &RemoteId,
        lines: impl Iterator<Item = Line<C>>,
    ) -> io::Result<()> {
        let path = self.path(ticket);
        let folder = path.parent().unwrap_or(&self.dir);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, &line)?;
            bytes.push(b'\n');
        }
        File::options().create(true).append(true).mode(0o600).open(path)?.write_all(&bytes)
    }

    /// A ticket's comments, each once, if they are exactly `count` (fewer or more are not
    /// believed) and the ticket has not changed since they were read: hiding or redacting one
    /// changes no count. `version` is the ticket's, which is its vendor's time of change.
    pub fn take(&self, ticket: &RemoteId, count: Option<u64>, version: Version) -> Option<Vec<Comment>> {
        let path = self.path(ticket);
        let found = read(&path);
        // A file that cannot be removed only takes room.
        let _ = fs::remove_file(&path);
        let (comments, read_at) = found.ok()??;
        let told = u64::try_from(comments.len()).ok()?;
        let is_whole = count == Some(told);
        (is_whole && Timestamp(version.0).plus(SURELY_BEFORE) < read_at).then_some(comments)
    }

    /// Removes everything.
    pub fn clear(&self) {
        // Nothing in it is needed; what stays is cleared the next time.
        let _ = fs::remove_dir_all(&self.dir);
    }

    fn path(&self, ticket: &RemoteId) -> PathBuf {
        let name = hex::encode(&Sha256::digest(ticket.as_str().as_bytes())[..16]);
        self.dir.join(&name[..2]).join(&name[2..4]).join(&name)
    }
}

/// The comments and when the first of them was read; `None` if they are in doubt.
fn read(path: &Path) -> io::Result<Option<(Vec<Comment>, Timestamp)>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let (mut comments, mut read_at): (Vec<Comment>, _) = (Vec::new(), Timestamp(i64::MAX));
    for line in BufReader::new(file).lines() {
        let line: Line<Comment> = serde_json::from_str(&line?)?;
        let Some(comment) = line.comment else { return Ok(None) };
        read_at = read_at.min(line.read_at);
        // A page that was read twice after a crash gives its comments twice: the newest form counts.
        match comments.iter_mut().find(|known| known.id() == comment.id()) {
            Some(known) => *known = comment,
            None => comments.push(comment),
        }
    }
    Ok(Some((comments, read_at)))
}

#[cfg(test)]
mod tests {
    use handoffd_core::{Body, Person, PrivateComment, PrivateText, Timestamp};

    use super::*;

    const READ: Timestamp = Timestamp(1_000_000);
    const OLD: Version = Version(500_000);

    fn note(id: &str, text: &str) -> Comment {
        Comment::Private(PrivateComment {
            id: RemoteId::from(id),
            author: Person::customer("Ann", "ann@customer.test"),
            text: PrivateText::new(Body::inline(text)),
            at: Timestamp(1),
            attachments: Vec::new(),
            redacted: false,
        })
    }

    #[test]
    fn comments_come_back_once_and_only_when_all_are_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::at(dir.path().join("spool"));
        let (one, two) = (RemoteId::from("1"), RemoteId::from("2"));
        let page = [(one.clone(), note("a", "first")), (two.clone(), note("b", "other"))];
        spool.add(&page, READ).expect("kept");
        spool.add(&[(one.clone(), note("c", "second"))], READ).expect("kept");
        // The same page once more, as after a crash.
        spool.add(&page, READ).expect("kept");
        let ids = |comments: Option<Vec<Comment>>| {
            comments.map(|all| all.iter().map(|one| one.id().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(ids(spool.take(&one, Some(2), OLD)), Some(vec!["a".to_owned(), "c".to_owned()]));
        assert_eq!(ids(spool.take(&one, Some(2), OLD)), None, "taken is gone");
        assert_eq!(ids(spool.take(&two, Some(2), OLD)), None, "one of two is not all");
        spool.add(&page, READ).expect("kept");
        assert_eq!(ids(spool.take(&two, None, OLD)), None, "a count that is not known proves nothing");
    }

    #[test]
    fn comments_of_a_ticket_that_changed_since_are_not_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::at(dir.path().join("spool"));
        let one = RemoteId::from("1");
        let read = |ms, version| {
            spool.add(&[(one.clone(), note("a", "first"))], READ).expect("kept");
            spool.add(&[(one.clone(), note("b", "second"))], Timestamp(ms)).expect("kept");
            spool.take(&one, Some(2), Version(version)).is_some()
        };
        assert!(read(2_000_000, 879_999), "it changed long before");
        assert!(!read(2_000_000, 880_000), "it may have changed after the first was read");
        assert!(!read(2_000_000, 1_500_000), "it changed between the two");
        assert!(!read(900_000, 800_000), "the oldest counts, in whatever order they came");
    }

    #[test]
    fn comments_that_became_something_else_are_not_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::at(dir.path().join("spool"));
        let (one, two) = (RemoteId::from("1"), RemoteId::from("2"));
        let page = [(one.clone(), note("a", "first")), (two.clone(), note("b", "other"))];
        spool.doubt(std::slice::from_ref(&one), READ).expect("kept");
        spool.add(&page, READ).expect("kept");
        spool.doubt(std::slice::from_ref(&two), READ).expect("kept");
        assert!(spool.take(&one, Some(1), OLD).is_none(), "told before");
        assert!(spool.take(&two, Some(1), OLD).is_none(), "told after");
        spool.add(&page, READ).expect("kept");
        assert!(spool.take(&one, Some(1), OLD).is_some(), "a new file is believed");
    }

    #[test]
    fn a_damaged_file_is_not_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::at(dir.path().join("spool"));
        let one = RemoteId::from("1");
        spool.add(&[(one.clone(), note("a", "first"))], READ).expect("kept");
        let path = spool.path(&one);
        let mut bytes = fs::read(&path).expect("the file");
        bytes.truncate(bytes.len() / 2);
        fs::write(&path, bytes).expect("written");
        assert_eq!(spool.take(&one, Some(1), OLD).map(|all| all.len()), None);
        spool.clear();
        assert!(!dir.path().join("spool").exists());
    }
}
