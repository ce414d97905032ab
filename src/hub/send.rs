//! The requests of the hub: verifications, denials, deliveries, and words to other hubs.

use std::sync::Arc;

use bytes::Bytes;
use url::Url;

use crate::config::hub::Signature;
use crate::fetch::push::Pusher;
use crate::hub::ask::with_query;
use crate::hub::round::{Delivery, Taken};
use crate::hub::signature;
use crate::hub::state::{Denial, Wish};
use crate::published::hub::Mode;

/// Asks a callback whether it wants this: only 2xx with the challenge as its body says so (WebSub §5.3.1).
pub(super) async fn verify(pusher: &Pusher, wish: &Wish) -> bool {
    let Some(challenge) = signature::challenge() else {
        tracing::error!("the system gives no random bytes; no subscription can be verified");
        return false;
    };
    let lease = wish.lease.num_seconds().to_string();
    let mut parameters =
        vec![("hub.mode", wish.mode.name()), ("hub.topic", &wish.asked), ("hub.challenge", &challenge)];
    if wish.mode == Mode::Subscribe {
        parameters.push(("hub.lease_seconds", &lease));
    }
    let Some(url) = with_query(&wish.callback, &parameters) else { return false };
    match pusher.get(&url).await {
        Ok(said) if said.is_success() && said.body == challenge.as_bytes() => true,
        Ok(said) => {
            tracing::debug!(host = %wish.host, topic = %wish.topic, status = said.status, "a callback does not confirm");
            false
        }
        Err(failure) => {
            tracing::debug!(host = %wish.host, topic = %wish.topic, reason = failure.detail, "a callback cannot be asked");
            false
        }
    }
}

/// Tells a callback that there will be no news (§5.2). Whether it listens is its own affair.
pub(super) async fn deny(pusher: &Pusher, denial: &Denial) {
    let parameters = [("hub.mode", "denied"), ("hub.topic", denial.asked.as_str()), ("hub.reason", denial.reason)];
    if let Some(url) = with_query(&denial.callback, &parameters) {
        let _ = pusher.get(&url).await;
    }
}

/// Sends a document (§7), signed where there is a secret (§8).
pub(super) async fn deliver(pusher: &Pusher, delivery: &Delivery, method: Signature) -> Taken {
    let document = &delivery.parcel.document;
    let Ok(url) = Url::parse(&delivery.callback) else { return Taken::Gone };
    let signed = delivery.secret.as_ref().map(|secret| signature::sign(method, secret.reveal(), &document.body));
    let mut headers = vec![("content-type", document.media_type), ("link", document.link.as_str())];
    headers.extend(signed.as_ref().map(|signed| ("x-hub-signature", signed.as_str())));
    match pusher.post(&url, &headers, document.body.clone()).await {
        Ok(said) if said.is_success() => Taken::Yes,
        Ok(said) if said.status == 410 => Taken::Gone,
        Ok(said) => {
            tracing::debug!(host = %delivery.host, status = said.status, "a subscriber does not take its news");
            Taken::No
        }
        Err(failure) => {
            tracing::debug!(host = %delivery.host, reason = failure.detail, "a subscriber is not reached");
            Taken::No
        }
    }
}

/// Tells another hub which of our documents changed, as `PubSubHubbub` 0.4 §7.1 has it.
pub(super) async fn ping(pusher: Arc<Pusher>, hub: Url, changed: Arc<Vec<Url>>) {
    let body = form(&changed);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    match pusher.post(&hub, &headers, body).await {
        Ok(said) if said.is_success() => {}
        Ok(said) => tracing::warn!(%hub, status = said.status, "a hub does not take our word that feeds changed"),
        Err(failure) => tracing::warn!(%hub, reason = failure.detail, "a hub cannot be told that feeds changed"),
    }
}

fn form(changed: &[Url]) -> Bytes {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("hub.mode", "publish");
    form.extend_pairs(changed.iter().map(|url| ("hub.url", url.as_str())));
    Bytes::from(form.finish())
}
