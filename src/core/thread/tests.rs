//! What a conversation is read as.
