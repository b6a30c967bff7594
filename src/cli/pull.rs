//! `handoffd pull`: an account's tickets as lines of JSON.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use handoffd_connectors::contract::{AuthMethod, Call, CustomField, Error, Helpdesk, Lane, Opened};
use handoffd_core::AccountId;

use super::{Failure, outside, since_of};
use crate::{
    app::{Outside, open_account, vault},
    config::Config,
    pull::{Names, Order, Out, Pulled, names_of, pull},
    store::{
        Store,
        mem::MemStore,
        sled::{Options, SledStore},
    },
};

/// The longest that listing the account's fields may take.
const CATALOG_WAIT: Duration = Duration::from_secs(120);

pub(super) struct Asked {
    pub account: String,
    pub since: Option<String>,
    pub comments: bool,
    pub out: Option<PathBuf>,
    pub restart: bool,
    pub json: bool,
}

pub(super) async fn run(config: Config, asked: Asked) -> Result<(), Failure> {
    let outside = outside()?;
    let since = asked.since.as_deref().map(|text| since_of(text, outside.clock.now())).transpose()?;
    let id = AccountId::new(&asked.account);
    let (desk, names) = open(&config, &id, &outside).await?;
    let mut out = match &asked.out {
        Some(path) => Out::file(path, &id, asked.comments, asked.restart),
        None => Out::stdout(&id, asked.comments),
    }
    .map_err(|error| Failure::Other(error.into()))?;
    if out.state().done {
        eprintln!("{id} was pulled whole before; what changed since is added");
    }
    let order = Order { account: id, since, comments: asked.comments, names };
    let began = outside.clock.now();
    let mut said = 0;
    let progress = |so_far: &Pulled, at_hand: usize| {
        for (feed, from) in so_far.begun_again.iter().skip(said) {
            eprintln!(
                "the vendor refuses the resume point of {feed}; what changed since {from} is read again"
            );
        }
        said = so_far.begun_again.len();
        let secs = outside.clock.now().since(began).as_secs_f64().max(0.001);
        let rate = so_far.tickets as f64 / secs;
        match so_far.tickets {
            done if at_hand > 0 => eprintln!("{done} tickets, and {at_hand} of the next page …"),
            0 if so_far.ahead > 0 => eprintln!("{} comments read ahead of their tickets …", so_far.ahead),
            _ => eprintln!(
                "{} tickets, {} comments, {rate:.0} tickets a second …",
                so_far.tickets, so_far.comments
            ),
        }
    };
    let pulled = pull(&desk, &*outside.clock, &order, &mut out, progress).await;
    let pulled = pulled.map_err(|error| Failure::Other(error.into()))?;
    if asked.json {
        eprintln!("{}", serde_json::to_string(&pulled)?);
    } else {
        eprintln!(
            "{} tickets, {} comments, {} gone, {} unreadable, {} pages",
            pulled.tickets, pulled.comments, pulled.gone, pulled.unreadable, pulled.pages
        );
    }
    match pulled.unreadable {
        0 => Ok(()),
        count => Err(Failure::Other(anyhow::anyhow!(
            "not everything was read: {count} lines of the type `unreadable` say what and why"
        ))),
    }
}

/// Opens the account with all of its custom fields.
async fn open(
    config: &Config,
    id: &AccountId,
    outside: &Outside,
) -> Result<(Arc<dyn Helpdesk>, Names), Failure> {
    let plain = helpdesk(config, id, outside, Vec::new()).await?;
    let call = Call { lane: Lane::Refresh, deadline: outside.clock.now().plus(CATALOG_WAIT) };
    let catalog = match plain.catalog(call).await {
        Ok(catalog) => catalog,
        Err(Error::Forbidden { missing }) => {
            eprintln!("custom fields are left out: {missing}");
            return Ok((plain, BTreeMap::new()));
        }
        Err(error) => return Err(Failure::Problems(format!("{id}: {error}"))),
    };
    let kinds: BTreeMap<String, _> =
        catalog.fields.into_iter().filter_map(|field| Some((field.native, field.kind?))).collect();
    let names = names_of(kinds.keys().cloned());
    let custom = names.iter().filter_map(|(name, native)| {
        Some(CustomField { name: *name, native: native.clone(), kind: *kinds.get(native)? })
    });
    let desk = helpdesk(config, id, outside, custom.collect()).await?;
    Ok((desk, names))
}

async fn helpdesk(
    config: &Config,
    id: &AccountId,
    outside: &Outside,
    custom: Vec<CustomField>,
) -> Result<Arc<dyn Helpdesk>, Failure> {
    let problem = |why: String| Failure::Problems(why);
    let Some(account) = config.accounts.get(id.as_str()) else {
        let names: Vec<&str> = config.accounts.keys().map(String::as_str).collect();
        return Err(problem(format!("there is no account {id}; there are {}", names.join(", "))));
    };
    // A rotated token must be kept before it is used, so such an account needs the real store.
    let store: Arc<dyn Store> = if account.auth.method == AuthMethod::RefreshToken {
        let options = Options::new(config.store.data_dir.join("store"), "handoffd");
        let opened = SledStore::open(options, outside.clock.clone());
        Arc::new(opened.map_err(|error| Failure::Start(error.into()))?)
    } else {
        Arc::new(MemStore::new(outside.clock.clone()))
    };
    match open_account(id, account, custom, &store, vault(config)?.as_ref(), outside)? {
        Opened::Helpdesk(desk) => Ok(desk),
        Opened::ContextSource(_) => Err(problem(format!("{id} is no helpdesk and has no tickets"))),
    }
}
