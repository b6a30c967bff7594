//! What the simulated account holds.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Priority, Status};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value};

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    EndUser,
    Agent,
    Admin,
}

impl Role {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::EndUser => "end-user",
            Self::Agent => "agent",
            Self::Admin => "admin",
        }
    }

    pub(super) fn is_staff(self) -> bool {
        self != Self::EndUser
    }
}

#[derive(Clone, Debug)]
pub(super) struct User {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) email: Option<String>,
    pub(super) role: Role,
    pub(super) group: Option<i64>,
    pub(super) external_id: Option<String>,
    pub(super) phone: Option<String>,
    pub(super) tags: BTreeSet<String>,
    pub(super) suspended: bool,
    /// Soft: read back as not active.
    pub(super) deleted: bool,
    pub(super) org: Option<i64>,
    /// Addresses beside the main one.
    pub(super) more_emails: Vec<String>,
    pub(super) created_at: i64,
    pub(super) updated_at: i64,
}

#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) id: i64,
    pub(super) name: String,
    pub(super) created_at: i64,
}

/// The fields of a ticket, apart from its conversation.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) subject: String,
    pub(super) status: Status,
    pub(super) custom_status: i64,
    pub(super) priority: Option<Priority>,
    pub(super) kind: Option<String>,
    pub(super) tags: BTreeSet<String>,
    pub(super) email_ccs: BTreeSet<i64>,
    pub(super) followers: BTreeSet<i64>,
    pub(super) assignee: Option<i64>,
    pub(super) group: Option<i64>,
    pub(super) requester: i64,
    pub(super) external_id: Option<String>,
    pub(super) due_at: Option<String>,
    pub(super) problem_id: Option<i64>,
    pub(super) custom_fields: BTreeMap<i64, Value>,
}

impl Head {
    /// Who is copied or follows.
    pub(super) fn collaborators(&self) -> BTreeSet<i64> {
        self.email_ccs.union(&self.followers).copied().collect()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) id: i64,
    pub(super) head: Head,
    pub(super) submitter: i64,
    pub(super) channel: &'static str,
    pub(super) created_at: i64,
    /// Moves only with an update that makes an event.
    pub(super) updated_at: i64,
    /// Moves with every save; the export is ordered by it.
    pub(super) generated_at: i64,
    /// When, and by whom.
    pub(super) deleted: Option<(i64, i64)>,
    pub(super) comments: Vec<Comment>,
    pub(super) audits: Vec<Audit>,
    /// The closed ticket that it follows up.
    pub(super) follows: Option<i64>,
    /// The ticket that it was merged into. Nothing that the API shows of it says so.
    pub(super) merged_into: Option<i64>,
    pub(super) rating: Option<Rated>,
}

/// What the customer thought.
#[derive(Clone, Debug)]
pub(super) struct Rated {
    pub(super) id: i64,
    /// `good` or `bad`.
    pub(super) score: &'static str,
    pub(super) comment: Option<String>,
    pub(super) at: i64,
}

impl Ticket {
    /// A ticket in which nobody said anything yet, made at this moment.
    pub(super) fn empty(id: i64, head: Head, channel: &'static str, now_secs: i64) -> Self {
        Self {
            id,
            submitter: head.requester,
            head,
            channel,
            created_at: now_secs,
            updated_at: now_secs,
            generated_at: now_secs,
            deleted: None,
            comments: Vec::new(),
            audits: Vec::new(),
            follows: None,
            merged_into: None,
            rating: None,
        }
    }

    /// Whether any comment is public.
    pub(super) fn is_public(&self) -> bool {
        self.comments.iter().any(|comment| comment.public)
    }
}

#[derive(Clone, Debug)]
pub(super) struct Comment {
    pub(super) id: i64,
    pub(super) audit_id: i64,
    pub(super) author: i64,
    pub(super) body: String,
    pub(super) html: String,
    pub(super) public: bool,
    pub(super) channel: &'static str,
    pub(super) created_at: i64,
    /// Uploaded files, by id.
    pub(super) files: Vec<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Audit {
    pub(super) id: i64,
    pub(super) author: i64,
    pub(super) channel: &'static str,
    pub(super) client: String,
    pub(super) custom: Map<String, Value>,
    pub(super) events: Vec<Value>,
    pub(super) created_at: i64,
}

/// Makes ids: tickets count from 1, all else is large and grows with gaps.
#[derive(Debug)]
pub(super) struct Ids {
    rng: ChaCha8Rng,
    /// Of its own, so that reads and events, which draw names, do not move ids.
    names: ChaCha8Rng,
    ticket: i64,
    large: i64,
}

/// Above 2^40, as Zendesk's ids are, and below 2^53, so that every client reads them.
const LARGE_FIRST: i64 = 360_000_000_000_000;

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let large = LARGE_FIRST + rng.random_range(0..1_000_000_000_000);
        Self { rng, names: ChaCha8Rng::seed_from_u64(!seed), ticket: 0, large }
    }

    pub(super) fn ticket(&mut self) -> i64 {
        self.ticket += 1;
        self.ticket
    }

    pub(super) fn large(&mut self) -> i64 {
        self.large += self.rng.random_range(1..40);
        self.large
    }

    pub(super) fn uuid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.names.random()).into_uuid().to_string()
    }

    /// 32 hexadecimal digits, the first a decimal one.
    pub(super) fn hex(&mut self) -> String {
        let first: u8 = self.names.random_range(0..10);
        let rest: [u8; 16] = self.names.random();
        format!("{first}{}", &hex::encode(rest)[1..])
    }

    /// An id as webhooks and invocations have: 26 signs of Crockford's base 32.
    pub(super) fn ulid(&mut self) -> String {
        const SIGNS: &[u8] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
        let mut out = String::from("01");
        for _ in 0..24 {
            out.push(char::from(SIGNS[self.names.random_range(0..SIGNS.len())]));
        }
        out
    }

    /// A secret of 40 letters and digits.
    pub(super) fn secret(&mut self) -> String {
        (&mut self.names).sample_iter(rand::distr::Alphanumeric).take(40).map(char::from).collect()
    }
}

/// A status in Zendesk's words.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::New => "new",
        Status::Open => "open",
        Status::Pending => "pending",
        Status::OnHold => "hold",
        Status::Solved => "solved",
        Status::Closed => "closed",
    }
}

/// The status of a word, if it is one that can be set.
pub(super) fn status_of(word: &str) -> Option<Status> {
    Status::ALL.into_iter().find(|status| status_word(*status) == word)
}

/// A priority in Zendesk's words.
pub(super) fn priority_word(priority: Priority) -> &'static str {
    match priority {
        Priority::Low => "low",
        Priority::Normal => "normal",
        Priority::High => "high",
        Priority::Urgent => "urgent",
    }
}

/// The priority of a word.
pub(super) fn priority_of(word: &str) -> Option<Priority> {
    Priority::ALL.into_iter().find(|priority| priority_word(*priority) == word)
}

/// Tags as Zendesk keeps them: lower case, cut at white space and commas.
pub(super) fn tags_of<'a>(given: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    given
        .into_iter()
        .flat_map(|tag| tag.split(|c: char| c.is_whitespace() || c == ','))
        .filter(|tag| !tag.is_empty())
        .map(str::to_lowercase)
        .collect()
}
