//! People who were made a moment ago: the search does not show them yet, and making one person
//! again and again uses up what Zendesk allows for one.

use std::{collections::BTreeMap, time::Duration};

use handoffd_core::{RemoteId, Timestamp};

/// For how long one who was made is known here: the search shows them by then.
const KNOWN_FOR: Duration = Duration::from_secs(600);
/// How many are known.
const MADE_MAX: usize = 1_024;

/// The people made lately, by their addresses in lower case. Whoever makes one holds this, so that
/// several who need the same person make one.
#[derive(Debug, Default)]
pub(super) struct Made(BTreeMap<String, (RemoteId, Timestamp)>);

impl Made {
    /// Who was made for an address, if that was lately.
    pub(super) fn lately(&self, address: &str, now: Timestamp) -> Option<RemoteId> {
        let (id, at) = self.0.get(address)?;
        (now.since(*at) <= KNOWN_FOR).then(|| id.clone())
    }

    /// Remembers one.
    pub(super) fn add(&mut self, address: String, id: RemoteId, now: Timestamp) {
        self.0.retain(|_, (_, at)| now.since(*at) <= KNOWN_FOR);
        if self.0.len() >= MADE_MAX {
            self.0.pop_first();
        }
        self.0.insert(address, (id, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_made_is_known_until_the_search_shows_them() {
        let (then, mut made) = (Timestamp(1_000), Made::default());
        made.add("a@b.test".to_owned(), "7".into(), then);
        assert_eq!(made.lately("a@b.test", then.plus(KNOWN_FOR)), Some("7".into()));
        assert_eq!(made.lately("c@b.test", then), None);
        let later = then.plus(KNOWN_FOR + Duration::from_secs(1));
        assert_eq!(made.lately("a@b.test", later), None);
        for number in 0..2 * MADE_MAX {
            made.add(format!("{number}@b.test"), "8".into(), later);
        }
        assert_eq!(made.0.len(), MADE_MAX);
    }
}
