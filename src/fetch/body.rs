//! Bodies: of answers, counted while they are inflated, and of files.

use std::path::Path;

use reqwest::Response;
use url::Url;

use crate::fetch::answer::{Document, FailureKind, FetchFailure, Fetched, Hints};
use crate::fetch::{failure, guard};
use crate::model::source::Validators;

/// Reads a body whose inflated size stays within the limit. A compression bomb costs no more memory than the limit.
pub(super) async fn read(mut response: Response, limit: u64) -> Result<Vec<u8>, FetchFailure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreadable(&error))? {
        if body.len() as u64 + chunk.len() as u64 > limit {
            return Err(too_large(limit));
        }
        body.extend_from_slice(&chunk);
    }
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(failure(FailureKind::EmptyBody, "the answer is empty"));
    }
    Ok(body)
}

/// The beginning of a body; `None` when it is cut off or comes too slowly.
pub(super) async fn beginning(mut response: Response, limit: u64) -> Option<Vec<u8>> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        body.extend_from_slice(&chunk[..chunk.len().min(limit - body.len())]);
        if body.len() >= limit {
            break;
        }
    }
    Some(body)
}

fn too_large(limit: u64) -> FetchFailure {
    let what = format!("the document is larger than body_limit ({} MB)", limit / 1_000_000);
    failure(FailureKind::TooLarge, what)
}

fn unreadable(error: &reqwest::Error) -> FetchFailure {
    // reqwest calls a body that ends too early a failure to decode; only the innermost error tells which it was.
    let is_cut = guard::chain(error).any(|error| error.to_string().contains("end of file before message length"));
    if error.is_timeout() {
        failure(FailureKind::Timeout, "the answer came too slowly")
    } else if error.is_decode() && !is_cut {
        failure(FailureKind::Decoding, "the answer's compression is broken or was cut off")
    } else {
        failure(FailureKind::Truncated, "the answer was cut off")
    }
}

/// A file as if it had been fetched: unchanged length and time of change are a 304.
pub(super) async fn file(path: &Path, held: &Validators, limit: u64) -> Fetched {
    match open(path, held, limit).await {
        Ok(fetched) => fetched,
        Err(error) => {
            Fetched::Failed(failure(FailureKind::File, format!("{} cannot be read: {error}", path.display())))
        }
    }
}

async fn open(path: &Path, held: &Validators, limit: u64) -> std::io::Result<Fetched> {
    let metadata = tokio::fs::metadata(path).await?;
    if metadata.is_dir() {
        return Err(std::io::Error::other("it is a folder"));
    }
    if metadata.len() > limit {
        return Ok(Fetched::Failed(too_large(limit)));
    }
    let changed = metadata.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let etag = format!("\"{}-{}\"", metadata.len(), changed.as_nanos()).into_bytes();
    let absolute = std::path::absolute(path)?;
    let url = Url::from_file_path(&absolute).map_err(|()| std::io::Error::other("its path is no address"))?;
    let validators = Validators { url: Some(url.clone()), etag: Some(etag), last_modified: None };
    if *held == validators {
        return Ok(Fetched::NotModified { validators, hints: Hints::default(), moved: None });
    }
    let body = tokio::fs::read(path).await?;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Fetched::Failed(failure(FailureKind::EmptyBody, format!("{} is empty", path.display()))));
    }
    Ok(Fetched::Fresh(Document { body, url, content_type: None, validators, hints: Hints::default(), moved: None }))
}
