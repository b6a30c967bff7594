//! Credentials at rest: sealed, and one refresher per account.
