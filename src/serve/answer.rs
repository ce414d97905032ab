//! Requests → answers. GET and HEAD of what is ready are answered here, from memory and without a route; all else goes the router's
//! way.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tower::ServiceExt as _;

use crate::serve::access::Peer;
use crate::serve::browse::SEC_FETCH_DEST;
use crate::serve::instance::A_IM;
use crate::serve::pulse::Pulse;
use crate::serve::represent::{VARY, represent, shared};
use crate::serve::{Service, plain};

/// Longest body of a request. None of our addresses takes one that is longer.
pub(super) const BODY_LIMIT: usize = 64 * 1024;

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Answering {
    pub(super) service: Service,
    pub(super) router: Router,
    pub(super) pulse: Arc<Pulse>,
    /// Where the connection comes from.
    pub(super) peer: Option<IpAddr>,
}

impl Answering {
    /// What is ready for exactly this address.
    fn ready(&self, request: &Request<Incoming>) -> Option<Response<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) || request.uri().query().is_some() {
            return None;
        }
        // The routes answer who asks for what is new alone, and a browser, which may have to be shown a page instead.
        if request.headers().contains_key(A_IM) || request.headers().contains_key(SEC_FETCH_DEST) {
            return None;
        }
        let path = request.uri().path().strip_prefix('/')?;
        let (representation, lifetime) = self.service.published.lasting_at(path)?;
        let mut response = represent(&representation, request.headers(), VARY);
        response.headers_mut().insert(CACHE_CONTROL, shared(&lifetime));
        response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some(response)
    }
}

impl hyper::service::Service<Request<Incoming>> for Answering {
    type Response = Response<Sending>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, mut request: Request<Incoming>) -> Answer {
        self.pulse.asked();
        if is_too_long(&request) {
            self.service.counters.answered(StatusCode::PAYLOAD_TOO_LARGE.as_u16());
            let mut response = plain::answer(StatusCode::PAYLOAD_TOO_LARGE, "nothing here takes so long a body");
            // In HTTP/2 the stream is reset, and the connection goes on.
            if request.version() < Version::HTTP_2 {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            self.pulse.answered();
            return Answer::Ready(Some(response.map(Sending::Routed)));
        }
        if let Some(response) = self.ready(&request) {
            self.service.counters.answered(response.status().as_u16());
            self.pulse.answered();
            return Answer::Ready(Some(
                response.map(|body| Sending::Ready(Some(body).filter(|body| !body.is_empty()))),
            ));
        }
        if let Some(peer) = self.peer {
            request.extensions_mut().insert(Peer(peer));
        }
        let (router, under_way) = (self.router.clone(), UnderWay(Arc::clone(&self.pulse)));
        Answer::Routed(Box::pin(async move {
            let response = match router.oneshot(request.map(axum::body::Body::new)).await {
                Ok(response) => response.map(Sending::Routed),
                Err(never) => match never {},
            };
            drop(under_way);
            response
        }))
    }
}

/// Notes the answer, and also that nobody waits for it any more.
struct UnderWay(Arc<Pulse>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.answered();
    }
}

fn is_too_long(request: &Request<Incoming>) -> bool {
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    length.is_some_and(|length| length > BODY_LIMIT as u64)
}

/// An answer that is there already costs no allocation and no second look.
pub(super) enum Answer {
    Ready(Option<Response<Sending>>),
    Routed(Pin<Box<dyn Future<Output = Response<Sending>> + Send>>),
}

impl Future for Answer {
    type Output = Result<Response<Sending>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self {
            Self::Ready(response) => {
                Poll::Ready(Ok(response.take().expect("nothing is polled again after it was ready")))
            }
            Self::Routed(answering) => answering.as_mut().poll(context).map(Ok),
        }
    }
}

/// A body on its way.
pub(super) enum Sending {
    Ready(Option<Bytes>),
    Routed(axum::body::Body),
}

impl Body for Sending {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match &mut *self {
            Self::Ready(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Routed(body) => Pin::new(body).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Ready(bytes) => bytes.is_none(),
            Self::Routed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Ready(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Routed(body) => body.size_hint(),
        }
    }
}
