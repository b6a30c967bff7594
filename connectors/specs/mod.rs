//! Judged by the vendors' own descriptions: requests by a mock server that is
//! run from the vendor's OpenAPI file, readings by the example bodies in it.
//!
//! The files lie beside the checkout, in `../shared/specs`, and are never copied
//! into the tree. Where they are absent the tests say so and pass. A vendor joins
//! with one file, `tests/specs.rs`, that holds a [`requests::Judged`] and a
//! [`bodies::Sampled`].

pub mod answers;
pub mod bodies;
pub mod canned;
pub mod description;
pub mod mock_server;
pub mod mutants;
pub mod refusals;
pub mod requests;
pub mod spoken;
pub mod tour;

use std::path::{Path, PathBuf};

/// Something that the description and the connector disagree about, with the reason why the
/// connector is right. One that is not met any more fails: it is to be taken out.
pub struct Exception {
    /// `METHOD /path` as the mock server is asked.
    pub request: &'static str,
    /// A part of what the mock server says against it; empty where the description knows no such path.
    pub said: &'static str,
    /// Why it is sent nevertheless.
    pub why: &'static str,
}

/// A file or folder of the vendors' descriptions; says so and gives `None` where there are none.
pub fn shared(name: &str) -> Option<PathBuf> {
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/specs");
    if !specs.is_dir() {
        println!("NOT RUN: ../shared/specs is absent, so nothing is judged by {name}");
        return None;
    }
    let path = specs.join(name);
    assert!(path.exists(), "../shared/specs is there and {name} is not in it");
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::{
        description::{examples, read},
        refusals::listed,
        *,
    };

    #[test]
    fn descriptions_hold_bodies() {
        let counts = [
            ("zendesk/zendesk-support-oas.2.0.0.yaml", 300),
            ("intercom/api.intercom.io.2.14.yaml", 350),
            ("stripe/stripe.trimmed.json", 0),
        ];
        for (name, least) in counts {
            let Some(file) = shared(name) else { return };
            let found = examples(&read(&file)).len();
            assert!(found >= least, "{name} holds {found} bodies");
        }
        let Some(file) = shared("intercom/official-error-examples.2.14.json") else { return };
        let refusals = listed(&read(&file));
        assert!(refusals.len() > 200 && refusals.iter().all(|one| (400..500).contains(&one.status)));
    }
}
