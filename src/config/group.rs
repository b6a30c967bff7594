//! Link groups as an admin writes them, and the rules that follow from them.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{
    AccountId, Field, FieldKind, FieldName, GroupId, RemoteId, Status, Timestamp,
    filter::Filter,
    policy::{Agents, ConflictRule, Deletions, FieldRule, Route},
};
use serde::{Deserialize, Deserializer, de};

use super::JoinConfig;

/// Names of one thing at several accounts: the account, and its own id there.
pub type Places = BTreeMap<String, String>;

/// Value maps by account.
pub type ValueTables = BTreeMap<String, ValueTable>;

/// One account's values and the link group's: what stands left is the account's; under
/// `read` or `write` a table for that direction alone.
pub type ValueTable = BTreeMap<String, ValueEntry>;

/// An entry of a value map.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write the link group's value in quotes, or a table under `read` or `write`")]
pub enum ValueEntry {
    /// The link group's value for the account's, both ways.
    Both(String),
    /// Under `read`: the account's value and the group's; under `write`: the group's and the account's.
    OneWay(BTreeMap<String, String>),
}

/// Accounts whose tickets are kept in step.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupConfig {
    /// The accounts.
    pub accounts: BTreeSet<String>,
    /// The one that mails the customer when nobody has yet.
    pub customer_facing: Option<String>,
    /// Whether private notes are mirrored, as private notes.
    #[serde(default = "yes", deserialize_with = "private_or_not")]
    pub private_notes: bool,
    /// What the customer is told when packaging a handoff takes long; left out: nothing.
    pub holding_message: Option<String>,
    /// How long the context sources may take then; left out: as long as without it.
    pub hold: Option<super::Span>,
    /// What becomes of a mirror whose original is deleted.
    #[serde(default)]
    pub deletions: Deletions,
    /// By what existing tickets are found to be one conversation.
    #[serde(default)]
    pub join: JoinConfig,
    /// Which new tickets are mirrored where.
    #[serde(default)]
    pub routes: Vec<RouteConfig>,
    /// How fields travel. A field that is not named is kept in step both ways, newest wins.
    #[serde(default)]
    pub fields: BTreeMap<Field, FieldConfig>,
    /// Agents by the group's name for them: their id at each account.
    #[serde(default)]
    pub agents: BTreeMap<String, Places>,
    /// Groups or teams by the group's name for them: their id at each account.
    #[serde(default)]
    pub teams: BTreeMap<String, Places>,
    /// Custom statuses by the group's word for them.
    #[serde(default)]
    pub statuses: BTreeMap<String, StatusConfig>,
    /// Custom fields by the group's name for them.
    #[serde(default)]
    pub custom: BTreeMap<String, CustomConfig>,
}

fn yes() -> bool {
    true
}

/// There is no word that makes a private note public.
fn private_or_not<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    bool::deserialize(from).map_err(|_| {
        de::Error::custom("write true or false: private notes are mirrored as private notes, or not at all")
    })
}

/// A custom status.
#[derive(Clone, Debug, Deserialize)]
pub struct StatusConfig {
    /// What it means where an account has nothing like it.
    pub is: Status,
    /// Its id by account.
    #[serde(flatten)]
    pub at: Places,
}

/// New tickets of one account are mirrored at another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteConfig {
    /// Where tickets are made.
    pub from: String,
    /// Where mirrors are made.
    pub to: String,
    /// Only tickets that bear all of these tags.
    #[serde(default)]
    pub with_tags: BTreeSet<String>,
    /// Only tickets of which all of this holds.
    #[serde(default)]
    pub when: FilterConfig,
}

/// What is asked of a ticket before it is mirrored. Of each list one is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// It bears one of these tags.
    pub tags_any: BTreeSet<String>,
    /// It bears none of these.
    pub tags_none: BTreeSet<String>,
    /// Its status: `open`, or the group's word for a custom one.
    pub status: BTreeSet<String>,
    /// Its priority, or `none`.
    pub priority: BTreeSet<String>,
    /// Its type, by the group's word.
    #[serde(rename = "type")]
    pub kind: BTreeSet<String>,
    /// Its team, by the group's name.
    pub team: BTreeSet<String>,
    /// What follows the `@` of who asked.
    pub requester_domain: BTreeSet<String>,
    /// It was made on this day or later, `YYYY-MM-DD`, UTC.
    pub created_after: Option<String>,
    /// Values of custom fields.
    pub custom: BTreeMap<String, BTreeSet<String>>,
    /// Its subject contains this.
    pub subject_contains: Option<String>,
}

/// How one field travels.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// Whether it is kept in step at all.
    #[serde(default = "yes")]
    pub sync: bool,
    /// Accounts whose changes count; all when absent.
    pub from: Option<BTreeSet<String>>,
    /// Accounts that receive changes; all when absent.
    pub to: Option<BTreeSet<String>>,
    /// `newest`, or the account that wins.
    pub conflict: Option<String>,
    /// The one account whose changes count; others are set back.
    pub owner: Option<String>,
    /// The account's values and the group's.
    #[serde(default)]
    pub values: ValueTables,
    /// What is written where the origin has none.
    pub default: Option<String>,
    /// What is done to the value on its way, by account.
    #[serde(default)]
    pub transform: BTreeMap<String, TransformConfig>,
}

/// What is done to a value on its way, in order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformConfig {
    /// From the account.
    pub read: Vec<String>,
    /// To the account.
    pub write: Vec<String>,
}

/// A custom field.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomConfig {
    /// What it holds.
    pub kind: FieldKind,
    /// The account's own name or id of it.
    pub at: Places,
    /// The account's options and the group's values.
    #[serde(default)]
    pub options: ValueTables,
    /// Whether it is kept in step at all.
    #[serde(default = "yes")]
    pub sync: bool,
    /// Accounts whose changes count; all when absent.
    pub from: Option<BTreeSet<String>>,
    /// Accounts that receive changes; all when absent.
    pub to: Option<BTreeSet<String>>,
    /// `newest`, or the account that wins.
    pub conflict: Option<String>,
    /// The one account whose changes count; others are set back.
    pub owner: Option<String>,
    /// What is written where the origin has none.
    pub default: Option<String>,
    /// What is done to the value on its way, by account.
    #[serde(default)]
    pub transform: BTreeMap<String, TransformConfig>,
}

impl CustomConfig {
    /// The same as a field that is built in.
    pub fn as_field(&self) -> FieldConfig {
        FieldConfig {
            sync: self.sync,
            from: self.from.clone(),
            to: self.to.clone(),
            conflict: self.conflict.clone(),
            owner: self.owner.clone(),
            values: self.options.clone(),
            default: self.default.clone(),
            transform: self.transform.clone(),
        }
    }
}

impl GroupConfig {
    /// The agents whom the group names, with their id at each account.
    pub fn agents_by_account(&self) -> Agents {
        let ids = |places: &Places| {
            places.iter().map(|(account, id)| (AccountId::new(account), RemoteId::new(id))).collect()
        };
        self.agents.iter().map(|(name, places)| (name.clone(), ids(places))).collect()
    }

    /// The account that mails the customer when nobody has yet.
    pub fn customer_facing(&self) -> AccountId {
        let first = self.accounts.first().cloned().unwrap_or_default();
        AccountId(self.customer_facing.clone().unwrap_or(first))
    }

    /// The group's name as an id.
    pub fn id(name: &str) -> GroupId {
        GroupId::new(name)
    }

    /// The custom fields by the name that the core knows them by. Names that cannot be are
    /// refused when the configuration is read.
    pub fn custom_fields(&self) -> impl Iterator<Item = (FieldName, &CustomConfig)> {
        self.custom.iter().filter_map(|(name, config)| Some((FieldName::new(name).ok()?, config)))
    }

    /// How a field is configured, if it is.
    pub fn field(&self, field: Field) -> Option<FieldConfig> {
        match field {
            Field::Custom(name) => self.custom.get(name.as_str()).map(CustomConfig::as_field),
            _ => self.fields.get(&field).cloned(),
        }
    }

    /// The fields that are kept in step. `holds` says whether an account has a field at all.
    pub fn synced_fields(&self, holds: &dyn Fn(&str, Field) -> bool) -> BTreeSet<Field> {
        let built_in = Field::BUILT_IN.into_iter().filter(|field| field.may_be_synced());
        let on = built_in.filter(|field| match self.fields.get(field) {
            Some(config) => config.sync,
            None => self.is_on_unnamed(*field, holds),
        });
        let custom = self.custom_fields().filter(|(_, config)| config.sync);
        on.chain(custom.map(|(name, _)| Field::Custom(name))).collect()
    }

    /// Whether a field that the configuration does not name is kept in step.
    fn is_on_unnamed(&self, field: Field, holds: &dyn Fn(&str, Field) -> bool) -> bool {
        match field {
            Field::Ccs => self.accounts.iter().all(|account| holds(account, field)),
            Field::Agent => !self.agents.is_empty(),
            Field::Team => !self.teams.is_empty(),
            field => Field::SYNCED.contains(&field),
        }
    }

    /// The rules of the synced fields. `holds` says whether an account has a field at all.
    pub fn field_rules(&self, holds: &dyn Fn(&str, Field) -> bool) -> BTreeMap<Field, FieldRule> {
        self.synced_fields(holds).into_iter().map(|field| (field, self.rule(field))).collect()
    }

    /// How a field travels if it is kept in step.
    pub fn rule(&self, field: Field) -> FieldRule {
        let config =
            self.field(field).unwrap_or_else(|| FieldConfig { sync: true, ..FieldConfig::default() });
        let have: BTreeSet<&String> = match field {
            Field::Custom(name) => {
                self.custom.get(name.as_str()).map(|custom| custom.at.keys().collect()).unwrap_or_default()
            }
            _ => self.accounts.iter().collect(),
        };
        let some = |names: &Option<BTreeSet<String>>| match names {
            Some(names) => names.iter().map(AccountId::new).collect(),
            None => have.iter().map(|name| AccountId::new(*name)).collect(),
        };
        let owner = config.owner.as_ref().map(AccountId::new);
        FieldRule {
            from: owner.clone().map_or_else(|| some(&config.from), |owner| BTreeSet::from([owner])),
            to: some(&config.to),
            conflict: match (owner, config.conflict.as_deref()) {
                (Some(owner), _) => ConflictRule::Account(owner),
                (None, None | Some("newest")) => ConflictRule::Newest,
                (None, Some(account)) => ConflictRule::Account(AccountId::new(account)),
            },
        }
    }

    /// The routes.
    pub fn route_rules(&self) -> Vec<Route> {
        let route = |config: &RouteConfig| Route {
            from: AccountId::new(&config.from),
            to: AccountId::new(&config.to),
            with_tags: config.with_tags.clone(),
            when: config.when.filter(),
        };
        self.routes.iter().map(route).collect()
    }
}

/// The first moment of a day, UTC.
pub(super) fn day(text: &str) -> Option<Timestamp> {
    Timestamp::parse(&format!("{text}T00:00:00Z")).ok()
}

impl FilterConfig {
    /// The predicate.
    fn filter(&self) -> Filter {
        let custom = self
            .custom
            .iter()
            .filter_map(|(name, values)| Some((FieldName::new(name).ok()?, values.clone())));
        Filter {
            tags_any: self.tags_any.clone(),
            tags_none: self.tags_none.clone(),
            status: self.status.clone(),
            priority: self.priority.clone(),
            kind: self.kind.clone(),
            team: self.team.clone(),
            requester_domain: self.requester_domain.iter().map(|domain| domain.to_lowercase()).collect(),
            created_after: self.created_after.as_deref().and_then(day),
            custom: custom.collect(),
            subject_contains: self.subject_contains.clone(),
        }
    }
}
