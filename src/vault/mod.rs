//! Credentials at rest: sealed, and one refresher per account.

pub mod seal;
pub mod token_keeper;

use crate::store::Table;
pub use seal::{BadKey, OpenError, Vault, VaultKey};
pub use token_keeper::{KeeperParts, TokenKeeper};

/// The table of sealed rows.
pub const SEALED: Table = Table("sealed");
