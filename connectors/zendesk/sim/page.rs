//! The two ways of paging that Zendesk's lists have.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Map, Value, json};

use super::answer::{Call, Reply};

/// Offset paging reaches this many records and no further.
const OFFSET_DEPTH_MAX: i64 = 10_000;
const PAGE_MAX: i64 = 100;

/// The place of a row: the sort key, then the id.
pub(super) type Place = (i64, i64);

/// Sorted rows, and the words under which they are listed.
pub(super) struct Rows {
    pub(super) name: &'static str,
    /// In ascending order.
    pub(super) places: Vec<Place>,
    pub(super) descending: bool,
}

/// The chosen rows' ids, and the keys that the answer has beside the list.
pub(super) struct Page {
    pub(super) ids: Vec<i64>,
    pub(super) around: Map<String, Value>,
}

/// Whether the caller pages by cursor.
pub(super) fn by_cursor(call: &Call) -> bool {
    call.query.iter().any(|(key, _)| key == "page[size]" || key == "page[after]" || key == "page[before]")
}

/// Cuts one page out.
pub(super) fn cut(call: &Call, rows: Rows) -> Result<Page, Reply> {
    if by_cursor(call) { cut_by_cursor(call, rows) } else { cut_by_offset(call, rows) }
}

/// The whole answer for one page, each row drawn by `draw`.
pub(super) fn listed(
    call: &Call,
    rows: Rows,
    draw: impl Fn(i64) -> Value,
) -> Result<Map<String, Value>, Reply> {
    let name = rows.name;
    let page = cut(call, rows)?;
    let mut body = page.around;
    body.insert(name.to_owned(), page.ids.into_iter().map(draw).collect());
    Ok(body)
}

fn cut_by_cursor(call: &Call, mut rows: Rows) -> Result<Page, Reply> {
    let size = call.number("page[size]")?.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let size = usize::try_from(size).unwrap_or(1);
    if rows.descending {
        rows.places.reverse();
    }
    let is_past = |place: &Place, mark: &Place| if rows.descending { place < mark } else { place > mark };
    let (start, end) = if let Some(after) = call.param("page[after]") {
        let mark = read_cursor(after)?;
        let start = rows.places.iter().position(|place| is_past(place, &mark)).unwrap_or(rows.places.len());
        (start, (start + size).min(rows.places.len()))
    } else if let Some(before) = call.param("page[before]") {
        let mark = read_cursor(before)?;
        let end = rows.places.iter().take_while(|place| **place != mark && !is_past(place, &mark)).count();
        (end.saturating_sub(size), end)
    } else {
        (0, size.min(rows.places.len()))
    };
    let chosen = &rows.places[start..end];
    let (first, last) = (chosen.first().map(write_cursor), chosen.last().map(write_cursor));
    let has_more = end < rows.places.len();
    let link = |name: &str, cursor: &Option<String>| {
        cursor
            .as_ref()
            .map(|cursor| call.url_with(&["page[after]", "page[before]"], &[(name, cursor.clone())]))
    };
    let next = if has_more { link("page[after]", &last) } else { None };
    let prev = if start > 0 { link("page[before]", &first) } else { None };
    let mut around = Map::new();
    around.insert("links".to_owned(), json!({"next": next, "prev": prev}));
    around.insert(
        "meta".to_owned(),
        json!({"has_more": has_more, "after_cursor": last, "before_cursor": first}),
    );
    Ok(Page { ids: chosen.iter().map(|(_, id)| *id).collect(), around })
}

fn cut_by_offset(call: &Call, mut rows: Rows) -> Result<Page, Reply> {
    let per_page = call.number("per_page")?.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let page = call.number("page")?.unwrap_or(1).max(1);
    if page.saturating_mul(per_page) > OFFSET_DEPTH_MAX {
        return Err(Reply::bad_paging(
            "InvalidPaginationDepth",
            "Invalid pagination depth",
            "The pagination depth exceeds the maximum number of records. Use cursor pagination.",
        ));
    }
    if rows.descending {
        rows.places.reverse();
    }
    let around = offset_around(call, page, per_page, rows.places.len());
    let skip = usize::try_from((page - 1) * per_page).unwrap_or(usize::MAX);
    let take = usize::try_from(per_page).unwrap_or(0);
    Ok(Page { ids: rows.places.iter().skip(skip).take(take).map(|(_, id)| *id).collect(), around })
}

/// `count`, `next_page` and `previous_page`.
pub(super) fn offset_around(call: &Call, page: i64, per_page: i64, total: usize) -> Map<String, Value> {
    let total_rows = i64::try_from(total).unwrap_or(i64::MAX);
    let link =
        |page: i64| call.url_with(&[], &[("page", page.to_string()), ("per_page", per_page.to_string())]);
    let next = (page.saturating_mul(per_page) < total_rows).then(|| link(page + 1));
    let previous = (page > 1).then(|| link(page - 1));
    let mut around = Map::new();
    around.insert("count".to_owned(), json!(total));
    around.insert("next_page".to_owned(), json!(next));
    around.insert("previous_page".to_owned(), json!(previous));
    around
}

fn write_cursor(place: &Place) -> String {
    STANDARD.encode(format!("{},{}", place.0, place.1))
}

fn read_cursor(cursor: &str) -> Result<Place, Reply> {
    let read = || -> Option<Place> {
        let text = String::from_utf8(STANDARD.decode(cursor).ok()?).ok()?;
        let (key, id) = text.split_once(',')?;
        Some((key.parse().ok()?, id.parse().ok()?))
    };
    read().ok_or_else(|| {
        Reply::bad_paging(
            "InvalidPaginationParameter",
            "Invalid pagination parameter",
            "The cursor is not valid",
        )
    })
}
