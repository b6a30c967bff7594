//! Public words that nobody is to be mailed about: quiet replies from 2.15 on, and mailed ones by setting.

use handoffd_core::{Comment, Fields, Mail};

use crate::{
    conformance::{
        Cannot, Terms,
        bench::{Bench, public, update},
    },
    intercom::sim::{Options, start_with},
    sim::{SimSetup, VendorSim, Who},
};

/// A workspace whose app speaks 2.15.
fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    start_with(setup, Options { suggests: "2.15", ..Options::default() })
}

/// With 2.15 an agent's public words can be silent, and are public all the same.
const QUIET: Terms = Terms {
    simulator: Some(start),
    cannot: &[Cannot::TellDeletions, Cannot::RingForFields, Cannot::CreateWithFiles],
    ..super::CONVERSATIONS
};

crate::conformance::checks! { super::QUIET;
    fields: [a_silent_message_leaves_tags_alone]
    messages: [
        public_is_public_and_private_is_private,
        mail_goes_out_once_or_never,
        comments_tell_order_author_and_mail,
        what_was_hidden_of_a_customers_is_a_note,
        what_we_write_is_read_back,
    ]
    lost: [an_answer_to_silent_words_is_lost, what_is_accounted_for_is_not_found_again]
    files: [markup_is_written, files_are_written]
    signing: [a_probe_names_us_and_writes_nothing]
    counts: [requests_are_the_fewest]
}

static USUAL: Terms = super::CONVERSATIONS;

/// The same words twice: as the account is by default, and with `reply`.
#[tokio::test(start_paused = true)]
async fn by_setting_silent_words_are_mailed_rather_than_noted() {
    for (settings, is_public, mails) in [
        ("{}", false, 0),
        (r#"{"silent_replies": "note"}"#, false, 0),
        (r#"{"silent_replies": "reply"}"#, true, 1),
    ] {
        let bench = Bench::open_with(&USUAL, settings).await;
        let ticket = bench.ticket("Hello");
        bench.wait(2).await;
        let silent = update(&ticket, Fields::new(), Some(public("It is fixed", Mail::Silent)), "l0-1");
        let applied = bench.apply(&silent, None).await;
        let shown = bench.shown(&ticket);
        let last = shown.comments.last().unwrap();
        assert_eq!((last.public, bench.mails()), (is_public, mails), "{settings}");
        let comments = bench.comments(&ticket).await;
        let Some(Comment::Public(read)) = comments.last() else { panic!("{comments:?}") };
        assert_eq!(
            (Some(&read.id), read.text.body().text()),
            (applied.comment.as_ref(), Some("It is fixed"))
        );
        assert_eq!(read.mailed, mails == 1, "{settings}");
        bench.say(&ticket, Who::Agent("Bo".to_owned()), "A reply of a person", true);
        assert_eq!(bench.mails(), mails + 1, "a person's reply is mailed: {settings}");
    }
}
