//! The standard suites: what every vendor's folder must do, told by the
//! contract alone. They know `dyn Connector`, `VendorSim` and what people do.
//!
//! A vendor joins a suite with one line in its `tests.rs`; each check becomes a
//! test of its own there.

pub mod amend;
pub mod bench;
pub mod catalog;
pub mod context;
pub mod counts;
pub mod create;
pub mod custom;
pub mod errors;
pub mod feed;
pub mod fields;
pub mod files;
pub mod history;
pub mod hooks;
pub mod lost;
pub mod messages;
pub mod recorder;
pub mod shop;
pub mod signing;

use futures_util::future::LocalBoxFuture;

pub use bench::{Cannot, Terms};
pub use counts::Requests;

/// One check of a suite, to be run by somebody else than the test runner.
pub struct Check {
    /// Its name.
    pub name: &'static str,
    /// Runs it. Wants a runtime whose time is paused.
    pub run: fn() -> LocalBoxFuture<'static, ()>,
}

/// Makes a test of each check: `checks!(argument; file: [check, …] …)`, and a list of them all.
macro_rules! checks {
    ($with:expr; $($file:ident: [$($check:ident),* $(,)?])*) => {
        mod conformance {
            $($(
                #[tokio::test(start_paused = true)]
                async fn $check() {
                    crate::conformance::$file::$check(&$with).await;
                }
            )*)*

            /// The whole suite, for those who listen to what it sends.
            #[allow(dead_code, reason = "not every vendor's requests are judged by its own description")]
            pub fn every() -> Vec<crate::conformance::Check> {
                vec![$($(crate::conformance::Check {
                    name: stringify!($check),
                    run: || Box::pin(crate::conformance::$file::$check(&$with)),
                }),*),*]
            }
        }
    };
}
pub(crate) use checks;

/// The helpdesk suite for one vendor.
macro_rules! helpdesk {
    ($terms:expr) => {
        crate::conformance::checks! { $terms;
            feed: [
                paging_resumes_at_every_page_boundary,
                edits_between_pages_skip_nothing,
                what_the_blind_spot_hides_is_seen_later,
                changes_of_one_second_are_all_seen,
                more_changes_in_a_second_than_a_page_holds,
                feed_rows_equal_fetched_tickets,
                a_deleted_ticket_is_gone,
                fetching_many_keeps_order_and_length,
                a_strange_cursor_is_refused,
            ]
            fields: [
                what_is_written_is_shown_as_normalized,
                normalizing_twice_changes_nothing,
                an_update_touches_only_what_it_names,
                a_silent_message_leaves_tags_alone,
                a_write_on_an_old_version_is_stale,
                a_write_on_a_deleted_ticket_fails,
            ]
            messages: [
                public_is_public_and_private_is_private,
                mail_goes_out_once_or_never,
                a_customers_words_are_shown_as_theirs,
                comments_tell_order_author_and_mail,
                what_was_hidden_of_a_customers_is_a_note,
                everybody_is_named,
                a_long_conversation_is_listed_whole,
                what_we_write_is_read_back,
                what_people_write_is_read,
                a_private_note_is_rewritten,
            ]
            create: [
                a_mirror_has_everything_and_mails_nobody,
                a_mirror_for_a_known_person_makes_no_second_one,
                a_mirror_without_opening_shows_nothing_public,
                a_creation_is_done_once,
                people_are_found_and_made,
            ]
            lost: [
                an_answer_to_a_creation_is_lost,
                an_answer_to_fields_is_lost,
                an_answer_to_a_reply_is_lost,
                an_answer_to_silent_words_is_lost,
                an_answer_to_a_customers_words_is_lost,
                an_answer_to_a_note_is_lost,
                what_never_arrived_is_not_found,
                what_is_accounted_for_is_not_found_again,
            ]
            errors: [
                a_throttled_call_says_when,
                a_throttled_call_waits_where_there_is_time,
                a_read_is_repeated,
                a_write_without_an_answer_is_unknown,
                a_refused_connection_is_no_unknown,
                an_unreadable_answer_is_named,
                fields_nobody_knows_do_no_harm,
            ]
            signing: [
                every_way_of_signing_in_opens_the_account,
                a_wrong_credential_is_refused,
                an_expired_credential_is_refused,
                a_probe_names_us_and_writes_nothing,
                a_probe_finds_what_is_missing,
                unknown_settings_are_named,
            ]
            hooks: [
                every_act_rings,
                forged_webhooks_are_refused,
                garbage_is_refused,
                nothing_is_believed_without_a_secret,
            ]
            custom: [
                custom_fields_are_shown_typed,
                custom_fields_are_written_and_emptied,
                custom_fields_nobody_named_are_not_shown,
                options_are_no_tags,
                every_field_of_the_vendor_goes_both_ways,
                fields_that_the_vendor_lacks_are_left_out,
                statuses_of_the_accounts_own,
            ]
            files: [
                markup_of_people_is_read,
                markup_is_written,
                files_of_people_are_read,
                files_are_written,
                files_go_with_a_creation,
                a_file_that_is_not_there_is_stale,
                who_takes_a_file_may_refuse_it,
                credentials_go_to_no_other_host,
            ]
            amend: [
                a_message_is_hidden,
                a_message_is_redacted,
                a_message_is_rewritten,
                what_people_do_to_messages_is_seen,
                a_ticket_is_deleted,
                spam_is_gone,
                a_merged_ticket_is_followed,
                a_rating_is_read,
                a_closed_ticket_is_followed_up,
            ]
            history: [
                history_has_every_ticket_and_comment,
                history_goes_on_where_it_stopped,
                a_past_is_imported,
                a_past_keeps_authors_and_files,
                a_lost_import_is_found,
            ]
            catalog: [
                the_catalog_names_what_mapping_may_name,
                what_is_missing_is_made,
            ]
            counts: [requests_are_the_fewest]
        }
    };
}
pub(crate) use helpdesk;

/// The context-source suite for one vendor.
macro_rules! context_source {
    ($shop:expr) => {
        crate::conformance::checks! { $shop;
            context: [
                nobody_is_found,
                one_is_found,
                letter_case_does_not_matter,
                several_are_told_and_none_is_guessed,
                deleted_customers_do_not_count,
                facts_tell_what_is_paid_and_owed,
                facts_of_a_quiet_customer_claim_nothing,
                a_missing_permission_is_named,
                a_throttled_call_says_when,
                a_failing_vendor_is_asked_again,
                garbage_is_malformed,
                fields_nobody_knows_do_no_harm,
                a_wrong_key_is_refused,
                every_way_of_signing_in_opens_the_account,
                a_probe_names_us_and_writes_nothing,
            ]
        }
    };
}
pub(crate) use context_source;

/// A vendor that is registered and joins no suite is not finished.
#[test]
fn every_vendor_joins_a_suite() {
    for connector in crate::REGISTRY {
        let path = format!("{}/{}/tests.rs", env!("CARGO_MANIFEST_DIR"), connector.name());
        let tests = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{path}: {why}"));
        let joins = ["conformance::helpdesk!(", "conformance::context_source!("];
        assert!(joins.iter().any(|line| tests.contains(line)), "{path} joins no suite");
    }
}
