//! `/entries`: why an entry is as it is, or is not there, as a page and as JSON.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, IF_MODIFIED_SINCE, LAST_MODIFIED, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use url::form_urlencoded;

use crate::model::Timestamp;
use crate::model::entry::PublicId;
use crate::published::representation::Representation;
use crate::published::request::Refusal;
use crate::published::why::{Account, Asked, Question};
use crate::serve::access::Reader;
use crate::serve::represent::represent;
use crate::serve::{Service, browse, page, plain};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Page,
    Json,
}

impl Form {
    fn media_type(self) -> &'static str {
        match self {
            Self::Page => browse::MEDIA_TYPE,
            Self::Json => "application/json",
        }
    }
}

/// `/entries/ID`, `/entries/ID.json`
pub(super) async fn entry(
    service: State<Service>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    reader: Reader,
) -> Response {
    let (audience, headers) = (reader.grant.audience, reader.headers);
    let (name, form) = name.strip_suffix(".json").map_or((&*name, Form::Page), |name| (name, Form::Json));
    let Some(id) = PublicId::read(name) else {
        let text = format!(
            "`{name}` is no entry's id: one looks like 6f0f3f39-6a0c-5d1e-9c55-0c1f6d7f3b52, and every feed tells the ids of its entries; \
             /entries?url=… looks for an address"
        );
        return plain::answer(StatusCode::NOT_FOUND, &text);
    };
    let question = Question { asked: Asked::Id(id), feed: parameter(query.as_deref(), "in"), audience };
    answer(&service, question, form, "../", query.as_deref(), &headers).await
}

/// `/entries?url=…`
pub(super) async fn address(service: State<Service>, RawQuery(query): RawQuery, reader: Reader) -> Response {
    let (audience, headers) = (reader.grant.audience, reader.headers);
    let Some(url) = parameter(query.as_deref(), "url") else {
        let text = "which entry? /entries/ID has one by its id, /entries?url=https://example.org/news/1 by its address";
        return plain::answer(StatusCode::BAD_REQUEST, text);
    };
    match Asked::read(&url) {
        Ok(asked) => {
            let question = Question { asked, feed: parameter(query.as_deref(), "in"), audience };
            answer(&service, question, Form::Page, "", None, &headers).await
        }
        Err(text) => plain::answer(StatusCode::BAD_REQUEST, &text),
    }
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    let value = pairs.find(|(found, _)| found == name).map(|(_, value)| value.trim().to_owned());
    value.filter(|value| !value.is_empty())
}

async fn answer(
    service: &Service,
    question: Question,
    form: Form,
    root: &'static str,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let status = service.published.status();
    let write = move |account: &Account| {
        let body = match form {
            Form::Page => page::account(account, &status, root).into_bytes(),
            Form::Json => serde_json::to_vec(account).unwrap_or_default(),
        };
        // It tells of polls and of feeds, which have no one time: only its tag says whether it is the same.
        Representation::new(form.media_type(), body, Timestamp::UNIX_EPOCH)
    };
    match service.door.account(question, Box::new(write)).await {
        Ok((account, representation)) => told(&account, &representation, form, query, headers),
        Err(Refusal::Busy) => plain::busy(),
        Err(Refusal::NotFound(what)) => plain::answer(StatusCode::NOT_FOUND, &what),
        Err(Refusal::Bad(what)) => plain::answer(StatusCode::BAD_REQUEST, &what),
        Err(Refusal::Gone(what)) => plain::answer(StatusCode::GONE, &what),
        Err(Refusal::Failed) => plain::failed(),
    }
}

fn told(
    account: &Account,
    representation: &Representation,
    form: Form,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Response {
    let status = match account {
        Account::Entry(entry) => match entry.given_up.as_ref().and(entry.page.rsplit('/').next()) {
            Some(id) => return moved(id, form, query),
            None => StatusCode::OK,
        },
        Account::Removed(_) => StatusCode::GONE,
        Account::NeverSeen(_) | Account::NoFeed(_) => StatusCode::NOT_FOUND,
    };
    let response = if status == StatusCode::OK {
        let mut headers = headers.clone();
        headers.remove(IF_MODIFIED_SINCE);
        let mut response = represent(representation, &headers, "Accept-Encoding").map(Body::from);
        response.headers_mut().remove(LAST_MODIFIED);
        response
    } else {
        // What is not there has no tag that could be current.
        let fields = [(CONTENT_TYPE, form.media_type())];
        (status, fields, representation.identity.body.clone()).into_response()
    };
    if form == Form::Page { browse::guarded(response) } else { response }
}

/// To the entry that the id was given up for. A rule may part the two again, so nobody is to remember it for long.
fn moved(id: &str, form: Form, query: Option<&str>) -> Response {
    let suffix = if form == Form::Json { ".json" } else { "" };
    let query = query.map_or_else(String::new, |query| format!("?{query}"));
    let fields = [(LOCATION, format!("{id}{suffix}{query}")), (CACHE_CONTROL, "public, max-age=60".to_owned())];
    (StatusCode::MOVED_PERMANENTLY, fields).into_response()
}
