//! HTML as a publisher wrote it → HTML that can be shown anywhere, by an allow-list.

use std::collections::HashSet;

use ammonia::{Builder, UrlRelative};
use url::Url;

use crate::model::document::RawHtml;
use crate::model::feed::Media;
use crate::render::media;

/// Elements of which not even the text is kept.
const DROPPED: [&str; 11] =
    ["script", "style", "title", "template", "noscript", "iframe", "object", "embed", "form", "svg", "math"];

/// HTML without anything that runs, tracks or leaves the page. Made by [`Sanitiser`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafeHtml(String);

impl SafeHtml {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The rules. Setting them up costs as much as a short fragment, so one serves a whole page.
pub struct Sanitiser {
    rules: Builder<'static>,
    media: Media,
}

impl Default for Sanitiser {
    fn default() -> Self {
        Self::new(Media::default())
    }
}

impl Sanitiser {
    pub fn new(media: Media) -> Self {
        let mut rules = Builder::default();
        rules
            .link_rel(None)
            .url_schemes(HashSet::from(["http", "https", "mailto"]))
            .clean_content_tags(HashSet::from(DROPPED));
        match media {
            Media::All => {
                rules
                    .add_tags(["audio", "video", "source", "picture"])
                    .add_tag_attributes("audio", ["src", "controls"])
                    .add_tag_attributes("video", ["src", "controls", "poster", "width", "height"])
                    .add_tag_attributes("source", ["src", "type"]);
            }
            Media::Images => {}
            Media::None => {
                rules.rm_tags(["img"]);
            }
        }
        Self { rules, media }
    }

    /// Cleans a fragment. Relative addresses are resolved against `base`; without one they are left out. What was cleaned once is
    /// not changed by cleaning it again.
    pub fn clean(&mut self, html: &RawHtml, base: Option<&Url>) -> SafeHtml {
        self.rules.url_relative(base.map_or(UrlRelative::Deny, |base| UrlRelative::RewriteWithBase(base.clone())));
        let clean = self.rules.clean(&media::resolve(&html.0, base, self.media)).to_string();
        // After cleaning: a reference (`&#1;`) stands for its character now.
        let clean = super::legible(&clean);
        SafeHtml(media::finish(&clean, self.media).into_owned())
    }
}
