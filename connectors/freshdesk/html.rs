//! Freshdesk's dialect of HTML: what its own editor writes is one `<div>`,
//! lines parted by `<br>`.

pub use crate::html::{lines as from_text, to_text};
