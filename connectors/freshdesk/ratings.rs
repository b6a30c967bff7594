//! Ratings of the help that customers got, as a feed of their own.
//!
//! They are listed by the time they came. The order of the list is not
//! documented, so a pass turns every page before it moves on, and the next one
//! begins `overlap_secs` before the newest rating. An account whose plan has no
//! surveys answers 403: it is asked again once an hour, which a probe says.

use std::time::Duration;

use handoffd_core::{Rating, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    api::{self, PAGE_MAX, PER_PAGE},
    desk::Desk,
    feed::{more_follows, point, rows_of, saved, unreadable},
    wire,
};
use crate::contract::{Call, Changes, Error, Feed, FeedRow, FeedStart, Result};

/// Ratings.
pub const RATINGS: Feed = Feed("ratings");

/// How long an account without surveys is left alone.
const LACKING_REST: Duration = Duration::from_secs(3_600);

/// A resume point of [`RATINGS`]. Times are whole seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatingsPoint {
    /// Where the pass began.
    rated_since: i64,
    /// The page to read.
    page: u32,
    /// The newest rating seen in this pass.
    newest: Option<i64>,
    /// The account has no surveys: it is not asked before.
    rests_until: Option<i64>,
}

impl RatingsPoint {
    fn starting_at(rated_since: i64) -> Self {
        Self { rated_since, page: 1, newest: None, rests_until: None }
    }

    fn after(&self, newest: Option<i64>, more: bool, overlap_secs: i64) -> Self {
        let newest = self.newest.max(newest);
        if more {
            return Self { page: self.page + 1, newest, ..self.clone() };
        }
        let since = newest.map_or(self.rated_since, |newest| self.rated_since.max(newest - overlap_secs));
        Self::starting_at(since)
    }
}

impl Desk {
    /// One page of the ratings.
    pub async fn read_ratings(&self, call: Call, from: FeedStart) -> Result<Changes> {
        let at = match &from {
            FeedStart::Since(since) => RatingsPoint::starting_at(self.first_second(*since)),
            FeedStart::After(cursor) => point::<RatingsPoint>(cursor, RATINGS)?,
        };
        let now = self.client.now();
        if at.rests_until.is_some_and(|until| now.as_secs() < until) {
            return nothing(&at, now);
        }
        let answer = match self.client.send(call, api::ratings(at.rated_since, at.page, PER_PAGE)?).await {
            Ok(answer) => answer,
            Err(Error::Forbidden { .. } | Error::Gone) => {
                let rests_until = Some(now.plus(LACKING_REST).as_secs());
                return nothing(
                    &RatingsPoint { rests_until, ..RatingsPoint::starting_at(at.rated_since) },
                    now,
                );
            }
            Err(error) => return Err(error),
        };
        let raw = rows_of(&answer)?;
        let mut newest = None;
        let mut rows = Vec::with_capacity(raw.len());
        for (number, row) in raw.iter().enumerate() {
            match self.rated(row) {
                Ok((row, came)) => {
                    newest = newest.max(Some(came));
                    rows.extend(row);
                }
                Err(why) => rows.push(unreadable(row, number, &why)),
            }
        }
        let more = more_follows(&answer, raw.len()) && at.page < PAGE_MAX;
        let known_until = self.known_until(&answer, at.newest.max(newest));
        let next = saved(&at.after(newest, more, self.overlap_secs()))?;
        Ok(Changes { rows, next, more, complete_until: (!more).then_some(known_until) })
    }

    /// The row, and when it came in whole seconds. A survey without the default question rates nothing.
    fn rated(&self, row: &RawValue) -> Result<(Option<FeedRow>, i64), String> {
        let rated: wire::Rated = serde_json::from_str(row.get()).map_err(|_| ": not of the expected kind")?;
        let ticket = rated.ticket_id.id().ok_or("ticket_id: not a number")?;
        let at = rated.created_at.moment().ok_or("created_at: not a time")?;
        let answer = rated.ratings.as_ref().and_then(|answers| answers.get("default_question")?.whole());
        let row = answer.map(|answer| {
            let (percent, label) = scale(answer);
            let rating = Rating { percent, label, comment: rated.feedback.text(), at: Some(at) };
            FeedRow::Rated { ticket: self.mapping.key(&ticket), rating }
        });
        Ok((row, at.as_secs()))
    }
}

fn nothing(at: &RatingsPoint, now: Timestamp) -> Result<Changes> {
    Ok(Changes { rows: Vec::new(), next: saved(at)?, more: false, complete_until: Some(now) })
}

/// The vendor's scale: 103 to 101, 100, -101 to -103. Its ends are known, its middle is likely.
fn scale(answer: i64) -> (u8, String) {
    let (percent, label) = match answer {
        103.. => (100, "extremely happy"),
        102 => (83, "very happy"),
        101 => (67, "happy"),
        -101 => (33, "unhappy"),
        -102 => (17, "very unhappy"),
        ..=-103 => (0, "extremely unhappy"),
        100 => (50, "neutral"),
        other => return (50, other.to_string()),
    };
    (percent, label.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_has_its_ends_and_its_middle() {
        let rows = [(103, 100), (102, 83), (101, 67), (100, 50), (-101, 33), (-102, 17), (-103, 0), (0, 50)];
        for (answer, percent) in rows {
            assert_eq!(scale(answer).0, percent, "{answer}");
        }
        assert_eq!((scale(-103).1.as_str(), scale(7).1.as_str()), ("extremely unhappy", "7"));
    }

    #[test]
    fn a_pass_turns_every_page_and_the_next_one_overlaps() {
        let first = RatingsPoint::starting_at(1_000);
        let second = first.after(Some(5_000), true, 90);
        assert_eq!((second.rated_since, second.page), (1_000, 2));
        let next = second.after(Some(4_000), false, 90);
        assert_eq!(next, RatingsPoint::starting_at(4_910));
        assert_eq!(next.after(None, false, 90), next, "nothing came");
        assert_eq!(next.after(Some(4_910), false, 90), next, "it never goes back");
    }
}
