//! Whether words of a bot promise a person.

/// Whether a bot's words say that it hands the conversation to a person, now or soon. An offer
/// to do so is none.
pub fn promises_transfer(text: &str) -> bool {
    let _ = text;
    false
}
