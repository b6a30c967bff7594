//! The standard suites.
