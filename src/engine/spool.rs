//! Comments that a vendor gives in bulk, kept in files until their ticket's turn comes.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
};

use handoffd_core::{Comment, RemoteId};
use sha2::{Digest as _, Sha256};

/// The longest file of one ticket's comments, in bytes; a ticket with more is listed by its own request.
const FILE_BYTES_MAX: u64 = 64 << 20;

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

    /// Adds comments; those of one ticket in the order given.
    pub fn add(&self, comments: &[(RemoteId, Comment)]) -> io::Result<()> {
        let mut at = 0;
        while at < comments.len() {
            let ticket = &comments[at].0;
            let run = comments[at..].iter().take_while(|(other, _)| other == ticket).count();
            let path = self.path(ticket);
            fs::create_dir_all(path.parent().unwrap_or(&self.dir))?;
            let mut lines = Vec::new();
            for (_, comment) in &comments[at..at + run] {
                serde_json::to_writer(&mut lines, comment)?;
                lines.push(b'\n');
            }
            File::options().create(true).append(true).open(path)?.write_all(&lines)?;
            at += run;
        }
        Ok(())
    }

    /// A ticket's comments, each once, if they are exactly `count`: fewer or more are not believed.
    pub fn take(&self, ticket: &RemoteId, count: Option<u64>) -> Option<Vec<Comment>> {
        let path = self.path(ticket);
        let comments = read(&path);
        // A file that cannot be removed only takes room.
        let _ = fs::remove_file(&path);
        let comments = comments.ok()?;
        let told = u64::try_from(comments.len()).ok()?;
        (count == Some(told)).then_some(comments)
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

fn read(path: &Path) -> io::Result<Vec<Comment>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > FILE_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut comments: Vec<Comment> = Vec::new();
    for line in BufReader::new(file).lines() {
        let comment: Comment = serde_json::from_str(&line?)?;
        // A page that was read twice after a crash gives its comments twice: the newest form counts.
        match comments.iter_mut().find(|known| known.id() == comment.id()) {
            Some(known) => *known = comment,
            None => comments.push(comment),
        }
    }
    Ok(comments)
}

#[cfg(test)]
mod tests {
    use handoffd_core::{Body, Person, PrivateComment, PrivateText, Timestamp};

    use super::*;

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
        spool.add(&page).expect("kept");
        spool.add(&[(one.clone(), note("c", "second"))]).expect("kept");
        // The same page once more, as after a crash.
        spool.add(&page).expect("kept");
        let ids = |comments: Option<Vec<Comment>>| {
            comments.map(|all| all.iter().map(|one| one.id().to_string()).collect::<Vec<_>>())
        };
        assert_eq!(ids(spool.take(&one, Some(2))), Some(vec!["a".to_owned(), "c".to_owned()]));
        assert_eq!(ids(spool.take(&one, Some(2))), None, "taken is gone");
        assert_eq!(ids(spool.take(&two, Some(2))), None, "one of two is not all");
        spool.add(&page).expect("kept");
        assert_eq!(ids(spool.take(&two, None)), None, "a count that is not known proves nothing");
    }

    #[test]
    fn a_damaged_file_is_not_believed() {
        let dir = tempfile::tempdir().expect("a directory");
        let spool = Spool::at(dir.path().join("spool"));
        let one = RemoteId::from("1");
        spool.add(&[(one.clone(), note("a", "first"))]).expect("kept");
        let path = spool.path(&one);
        let mut bytes = fs::read(&path).expect("the file");
        bytes.truncate(bytes.len() / 2);
        fs::write(&path, bytes).expect("written");
        assert_eq!(spool.take(&one, Some(1)).map(|all| all.len()), None);
        spool.clear();
        assert!(!dir.path().join("spool").exists());
    }
}
