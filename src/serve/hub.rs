//! `POST /hub` (WebSub §5.1): a form → what a subscriber asks for.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use url::form_urlencoded;

use crate::published::hub::{Ask, Mode, Refused};
use crate::serve::{Service, plain};

/// What a person is told who looks.
pub(super) async fn about() -> Response {
    let text = "this is the WebSub hub of the feeds here; feed readers subscribe to it by POST";
    plain::answer(StatusCode::OK, text)
}

/// Answers before the callback is asked whether it wants this (§5.3).
pub(super) async fn ask(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(hub) = &service.hub else { return plain::unknown() };
    let asked = read(&headers, &body).map_err(Refused::Bad).and_then(|ask| hub.ask(ask));
    match asked {
        Ok(()) => plain::answer(StatusCode::ACCEPTED, "accepted; the callback is asked whether it wants this"),
        Err(Refused::Off) => plain::unknown(),
        Err(Refused::Bad(what)) => plain::answer(StatusCode::BAD_REQUEST, &what),
        Err(Refused::Busy(what)) => {
            ([(RETRY_AFTER, "60")], plain::answer(StatusCode::TOO_MANY_REQUESTS, &what)).into_response()
        }
    }
}

/// Unknown parameters are ignored; of one that is there twice the first counts.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Ask, String> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.is_empty() && !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(format!("the body is {essence}; send application/x-www-form-urlencoded"));
    }
    let text = std::str::from_utf8(body).map_err(|_| "the body is not UTF-8; send a form in UTF-8".to_owned())?;
    let mut found: [(&str, Option<String>); 5] =
        ["hub.mode", "hub.callback", "hub.topic", "hub.secret", "hub.lease_seconds"].map(|name| (name, None));
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        if let Some((_, place)) = found.iter_mut().find(|(known, _)| *known == name) {
            if value.contains('\u{fffd}') {
                return Err(format!("{name}: it is not UTF-8"));
            }
            place.get_or_insert_with(|| value.into_owned());
        }
    }
    let [mode, callback, topic, secret, lease_seconds] = found;
    let needed = |(name, value): (&str, Option<String>), example: &str| {
        value.filter(|value| !value.is_empty()).ok_or_else(|| format!("{name} is missing; send {name}={example}"))
    };
    let mode = match needed(mode, "subscribe")?.as_str() {
        "subscribe" => Mode::Subscribe,
        "unsubscribe" => Mode::Unsubscribe,
        "publish" => return Err("hub.mode: this hub knows by itself when its feeds change".to_owned()),
        _ => return Err("hub.mode: it must be subscribe or unsubscribe".to_owned()),
    };
    Ok(Ask {
        mode,
        callback: needed(callback, "https://reader.example/callback")?,
        topic: needed(topic, "the self link of a feed")?,
        secret: secret.1.filter(|secret| !secret.is_empty()),
        lease_seconds: lease_seconds.1.filter(|seconds| !seconds.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str, expected: Result<(Mode, &str, &str, Option<&str>), &str>) {
        let found = read(&HeaderMap::new(), body.as_bytes());
        let found = found.as_ref().map(|it| (it.mode, it.callback.as_str(), it.topic.as_str(), it.secret.as_deref()));
        assert_eq!(found.map_err(String::as_str), expected, "{body}");
    }

    #[test]
    fn forms_are_read_and_unknown_parameters_ignored() {
        let sound = "hub.mode=subscribe&hub.callback=http%3A%2F%2Fr.example%2F&hub.topic=http://m.example/all.atom";
        check(sound, Ok((Mode::Subscribe, "http://r.example/", "http://m.example/all.atom", None)));
        check(
            &format!("{sound}&hub.verify=sync&foo=%FF&hub.secret=%C3%BC"),
            Ok((Mode::Subscribe, "http://r.example/", "http://m.example/all.atom", Some("ü"))),
        );
        check(&format!("{sound}&hub.secret=%FF"), Err("hub.secret: it is not UTF-8"));
        check("hub.mode=subscribe", Err("hub.callback is missing; send hub.callback=https://reader.example/callback"));
        check("", Err("hub.mode is missing; send hub.mode=subscribe"));
        check("hub.mode=sub", Err("hub.mode: it must be subscribe or unsubscribe"));
    }
}
