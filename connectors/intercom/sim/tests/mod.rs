//! The simulator as a client meets it.
