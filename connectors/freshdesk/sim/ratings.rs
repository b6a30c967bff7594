//! Satisfaction surveys.

use handoffd_core::Timestamp;
use serde_json::{Value, json};

use super::{
    http::{Answer, Call, Paging, invalid},
    world::{Rated, World},
};

fn lacking() -> Answer {
    let message =
        "The Surveys feature(s) is/are not supported in your plan. Please upgrade your account to use it.";
    Answer::json(403, json!({"code": "require_feature", "message": message}))
}

fn shape(world: &World, rated: &Rated) -> Value {
    let fields = world.tickets.get(&rated.ticket).map(|ticket| &ticket.fields);
    json!({"id": rated.id, "survey_id": 43_300_000_001_i64, "ticket_id": rated.ticket,
        "user_id": fields.map(|fields| fields.requester_id),
        "agent_id": fields.and_then(|fields| fields.responder_id),
        "group_id": fields.and_then(|fields| fields.group_id),
        "feedback": rated.feedback, "ratings": {"default_question": rated.answer},
        "created_at": rated.at.to_string(), "updated_at": rated.at.to_string()})
}

/// `GET /surveys/satisfaction_ratings`, newest first.
pub(super) fn list(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if !world.options.surveys {
        return Err(lacking());
    }
    call.only(&["created_since", "user_id", "page", "per_page"])?;
    let paging = Paging::of(call, None)?;
    let since = match call.param("created_since") {
        None => Timestamp(i64::MIN),
        Some(text) => Timestamp::parse(text).map_err(|_| {
            invalid("created_since", "The date must be in the 'combined date and time ISO8601' format")
        })?,
    };
    let found: Vec<&Rated> = world.ratings.iter().rev().filter(|rated| rated.at >= since).collect();
    Ok(paging.answer(call, &found, |rated| shape(world, rated)))
}

/// `GET /tickets/{id}/satisfaction_ratings`.
pub(super) fn of_ticket(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if !world.options.surveys {
        return Err(lacking());
    }
    world.kept(call.id, call.now).ok_or_else(Answer::not_found)?;
    let found = world.ratings.iter().filter(|rated| rated.ticket == call.id);
    Ok(Answer::ok(found.map(|rated| shape(world, rated)).collect()))
}

/// A customer answers: the nearest step of the scale.
pub(super) fn rate(world: &mut World, ticket: i64, percent: u8, feedback: Option<String>, now: Timestamp) {
    let steps = [(100, 103), (83, 102), (67, 101), (50, 100), (33, -101), (17, -102), (0, -103)];
    let nearest = steps.into_iter().min_by_key(|(at, _)| percent.abs_diff(*at));
    let answer = nearest.map_or(100, |(_, answer)| answer);
    let id = 43_310_000_001 + i64::try_from(world.ratings.len()).unwrap_or(0);
    world.ratings.push(Rated { id, ticket, answer, feedback, at: now });
}
