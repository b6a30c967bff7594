//! Intercom: conversations and tickets of its REST API behind the helpdesk's role.

pub mod sim;
