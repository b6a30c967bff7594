//! Who the customer is.

use super::{fields::Known, sources};
use crate::{
    model::{fact::FactKey, package::Stated, turn::Proof},
    transcript::is_email,
};

/// What people are known by to a company, among what is given.
const NUMBERS: [&str; 2] = ["user id", "customer number"];

impl Known<'_> {
    pub(super) fn name(&self) -> Stated<String> {
        let shown = self.material.ticket.requester.as_ref().map(|person| person.name.as_str());
        // A helpdesk shows the address where it knows no name.
        let shown = shown.filter(|name| !is_email(name.trim()));
        self.ticket_field("requester", shown, "the ticket shows no name of who asked")
            .or(self.stated("name"))
            .or(sources::first(self.material.record, FactKey::Customer)
                .unwrap_or_else(|| Stated::unknown("")))
            .or(self.before(|package| &package.customer.name))
            .or(self.account_number())
    }

    /// The number or name by which they are known to the company, where they gave nothing else.
    fn account_number(&self) -> Stated<String> {
        let given = self.found.given.iter().find(|given| NUMBERS.contains(&given.topic.as_str()));
        let words = given.map(|given| format!("{} {}", given.topic, given.value));
        super::fields::text_or(
            words.as_deref(),
            given.map(|given| given.proofs.clone()).unwrap_or_default(),
            "",
        )
    }

    pub(super) fn email(&self) -> Stated<String> {
        let shown = self.material.ticket.requester.as_ref().and_then(|person| person.email.as_deref());
        let told = self.told("customer.email", self.material.record.told.customer_email.as_deref());
        let given = self.found.given.iter().find(|given| is_email(&given.value));
        let given = given.map(|given| Stated::known(given.value.clone(), given.proofs.clone()));
        self.ticket_field("requester", shown, "the ticket shows no address of who asked")
            .or(told)
            .or(self.stated("email"))
            .or(self.before(|package| &package.customer.email))
            .or(given.unwrap_or_else(|| Stated::unknown("")))
    }

    pub(super) fn tier(&self) -> Stated<String> {
        let record = self.material.record;
        sources::first(record, FactKey::Plan)
            .unwrap_or_else(|| Stated::unknown(sources::why_none(record, "what they pay for")))
            .or(self.stated("tier"))
            .or(self.before(|package| &package.customer.tier))
    }

    /// A field that the ticket shows.
    pub(super) fn ticket_field(&self, field: &str, shown: Option<&str>, why_not: &str) -> Stated<String> {
        let ticket = self.material.record.ticket.clone();
        let proof = Proof::Ticket { ticket, field: field.to_owned() };
        super::fields::text_or(shown, [proof], why_not)
    }
}
