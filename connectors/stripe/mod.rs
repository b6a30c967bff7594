//! Stripe.

pub mod sim;

use crate::{
    client::ClientParts,
    contract::{AccountSetup, AuthSpec, BadSettings, Connector, Opened},
    sim::{SimSetup, VendorSim},
};

/// Stripe as a connector.
pub struct Stripe;

/// The registry's entry.
pub static STRIPE: Stripe = Stripe;

impl Connector for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn auth(&self) -> AuthSpec {
        AuthSpec { methods: &[], header: |_| None, oauth: None }
    }

    fn open(&self, setup: AccountSetup, _http: ClientParts) -> Result<Opened, BadSettings> {
        Err(BadSettings { account: setup.id, key: String::new(), why: "not built".to_owned() })
    }

    fn simulator(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        sim::start(setup)
    }
}
