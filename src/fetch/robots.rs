//! What sites forbid, remembered for a day: one `robots.txt` for each origin (RFC 9309), bounded in number and in bytes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use url::Url;

use crate::extract::robots::Robots;
use crate::fetch::answer::FetchFailure;
use crate::fetch::{Fetcher, page};

/// How long a file is good for (§2.4), and how long one that could not be had keeps its site closed.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
const CLOSED: Duration = Duration::from_secs(3600);
/// Most sites remembered.
const SITES: usize = 1_000;

#[derive(Default)]
pub(super) struct Memory {
    known: Mutex<HashMap<String, (Instant, Arc<Robots>)>>,
}

/// The rules of a site. A file that is not there forbids nothing (§2.3.1.3); one that cannot be reached forbids everything for now
/// (§2.3.1.4).
///
/// # Errors
/// When the site may not be asked at all.
pub(super) async fn of(fetcher: &Fetcher, url: &Url) -> Result<Arc<Robots>, FetchFailure> {
    let site = url.origin().ascii_serialization();
    if let Some(robots) = fetcher.robots.remembered(&site) {
        return Ok(robots);
    }
    let Ok(address) = url.join("/robots.txt") else { return Ok(Arc::default()) };
    let (robots, good_for) = match page::rules(fetcher, &address).await? {
        Some(file) => (Robots::read(&file), REMEMBERED),
        None => (Robots::closed(), CLOSED),
    };
    let robots = Arc::new(robots);
    fetcher.robots.remember(site, good_for, &robots);
    Ok(robots)
}

impl Memory {
    fn remembered(&self, site: &str) -> Option<Arc<Robots>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(site).filter(|(until, _)| *until > Instant::now()).map(|(_, robots)| Arc::clone(robots))
    }

    fn remember(&self, site: String, good_for: Duration, robots: &Arc<Robots>) {
        let now = Instant::now();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= SITES {
            known.retain(|_, (until, _)| *until > now);
        }
        if known.len() >= SITES {
            // The one that would be asked for next anyway.
            let oldest = known.iter().min_by_key(|(_, (until, _))| *until).map(|(site, _)| site.clone());
            oldest.map(|site| known.remove(&site));
        }
        known.insert(site, (now + good_for, Arc::clone(robots)));
    }
}
