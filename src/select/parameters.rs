//! Do a request's parameters name what there is? A misspelt key would give an empty feed for ever, and nobody would know why.

use crate::model::feed::FeedName;
use crate::published::request::FeedRequest;
use crate::select::catalogue::Catalogue;
use crate::select::page::SelectError;

pub(super) fn check(catalogue: &Catalogue, request: &FeedRequest) -> Result<(), SelectError> {
    let missing = |name: &FeedName| catalogue.feed_id(name).is_none();
    let told = |parameter: &str, what: &str| {
        SelectError::Refused(format!("{parameter}: there is no {parameter} `{what}`; the front page lists them"))
    };
    if let Some(key) = &request.topic
        && missing(&FeedName::Topic(key.clone()))
    {
        return Err(told("topic", key.as_str()));
    }
    if let Some(key) = &request.source
        && missing(&FeedName::Source(key.clone()))
    {
        return Err(told("source", key.as_str()));
    }
    Ok(())
}
