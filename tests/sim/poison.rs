//! What cannot be read, written or mapped is parked alone.
