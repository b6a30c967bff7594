//! The vendors of handoffd.

pub mod client;
#[cfg(test)]
pub mod conformance;
pub mod contract;
pub mod sim;
#[cfg(test)]
pub mod specs;

pub mod freshdesk;
pub mod html;
pub mod intercom;
pub mod stripe;
pub mod zendesk;

use contract::Connector;

/// Every vendor, one line each.
pub static REGISTRY: &[&dyn Connector] =
    &[&zendesk::ZENDESK, &freshdesk::FRESHDESK, &intercom::INTERCOM, &stripe::STRIPE];

/// The vendor of this name.
pub fn connector(name: &str) -> Option<&'static dyn Connector> {
    REGISTRY.iter().copied().find(|connector| connector.name() == name)
}
