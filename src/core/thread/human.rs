//! People: whether the customer asks for one, and whether a bot's words promise one.

use super::{
    lexicon,
    sentences::{Said, Sentence, sentences},
};
use crate::model::turn::Proof;

/// Where the customer last asked for a person.
pub fn asked_for_human(said: &[Said<'_>]) -> Option<Proof> {
    let asks = |said: &&Said<'_>| said.is_customer() && said.sentences.iter().any(asks_for_human);
    said.iter().rev().find(asks).map(|said| said.turn.proof.clone())
}

/// Whether a customer's sentence asks for a person.
pub fn asks_for_human(sentence: &Sentence) -> bool {
    let Some((from, _)) = sentence.find("human") else { return false };
    let before = &sentence.words[from.saturating_sub(3)..from];
    let refuses = before.iter().any(|word| lexicon::is_negation(word)) && !sentence.asks();
    !refuses
}

/// Whether a bot's words say that it hands the conversation to a person, now or soon. An offer
/// to do so is none, nor is a question, nor what happens only if the customer wants it.
pub fn promises_transfer(text: &str) -> bool {
    sentences(text).iter().any(is_transfer)
}

/// Whether one sentence says so.
pub fn is_transfer(sentence: &Sentence) -> bool {
    !sentence.asks() && sentence.has("transfer") && !sentence.has("offer")
}

#[cfg(test)]
mod tests {
    use super::promises_transfer;

    #[test]
    fn a_person_is_promised_or_not() {
        for text in [
            "I'm escalating this to our tier 2 team so they can jump in.",
            "Got it! Transferring you to an agent...",
            "I'll go ahead and connect you with our billing team.",
            "You've been added to the queue, the next available agent will be with you soon.",
            "Thanks! I'll let a human agent know and they'll jump in here.",
            "We'll get someone from our team to help you. Hang tight!",
            "Your call will be transferred to the next free agent.",
            "Passing you over to Ben from our sales team.",
            "I'm not able to help with that, so I'm handing you over to a human.",
            "Ich hole jetzt einen Kollegen dazu.",
            "Ich werde Sie mit unserem Kundenservice verbinden.",
            "Je vous passe un collègue tout de suite.",
            "Un agent va vous répondre dans quelques instants.",
            "Le paso con un compañero ahora mismo.",
            "Le pondré en contacto con un supervisor.",
        ] {
            assert!(promises_transfer(text), "{text}");
        }
        for text in [
            "I am unable to transfer you right now, but a colleague will write to you tomorrow.",
            "Let me check with my colleague from shipping.",
            "I'll forward your invoice to accounting.",
            "I've opened a ticket with our support team; they'll reply by email.",
            "I will connect your account to the new plan.",
            "Our team will be in touch within 24 hours.",
            "You can ask for an agent at any time.",
            "Ihr Anliegen wurde an die Fachabteilung weitergegeben, Sie erhalten eine E-Mail.",
            "Nous transférons votre dossier à notre service technique, réponse sous 48 heures.",
            "Please transfer the funds to the account of our agent.",
            "The transfer to the person you named takes two days.",
            "",
        ] {
            assert!(!promises_transfer(text), "{text}");
        }
    }
}
