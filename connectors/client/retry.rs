//! When a read is tried again.
