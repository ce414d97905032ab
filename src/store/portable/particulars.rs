//! What entries carry beside their texts, and what sources say about themselves, as a line shows it. Left out where there is nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::document::{About, Origin, Particulars, Person, Related, RelatedKind};
use crate::store::portable::form::{address, instant};
use crate::store::portable::value::Millis;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonForm {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ParticularsForm {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    related: Vec<RelatedForm>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<OriginForm>,
    /// In seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    episode: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    season: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    is_explicit: Option<bool>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RelatedForm {
    kind: String,
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media_type: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    feed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<Millis>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AboutForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rights: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    authors: Vec<PersonForm>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
}

impl PersonForm {
    pub(super) fn of(Person { name, url }: Person) -> Self {
        Self { name, url: url.map(String::from) }
    }

    pub(super) fn person(&self) -> Result<Person, String> {
        Ok(Person { name: self.name.clone(), url: self.url.as_deref().map(address).transpose()? })
    }
}

impl ParticularsForm {
    /// A field that is added to what an entry carries does not compile until it has a name here.
    pub(super) fn of(particulars: Particulars) -> Self {
        let Particulars { related, origin, duration, episode, season, is_explicit } = particulars;
        let related_form = |Related { kind, url, media_type }| RelatedForm {
            kind: RelatedKind::name(kind).to_owned(),
            url: String::from(url),
            media_type,
        };
        Self {
            related: related.into_iter().map(related_form).collect(),
            origin: origin.map(|Origin { title, url, feed, id, updated }| OriginForm {
                title,
                url: url.map(String::from),
                feed: feed.map(String::from),
                id,
                updated: updated.map(Millis::of),
            }),
            duration: duration.map(|duration| duration.as_secs()),
            episode,
            season,
            is_explicit,
        }
    }

    pub(super) fn read(&self) -> Result<Particulars, String> {
        let Self { related, origin, duration, episode, season, is_explicit } = self;
        let url = |text: &Option<String>| text.as_deref().map(address).transpose();
        let related = related.iter().map(|form| {
            let kind = RelatedKind::ALL.into_iter().find(|kind| kind.name() == form.kind);
            let kind = kind.ok_or_else(|| format!("`{}` is no kind of what is related", form.kind))?;
            Ok::<_, String>(Related { kind, url: address(&form.url)?, media_type: form.media_type.clone() })
        });
        let origin = origin.as_ref().map(|OriginForm { title, url: page, feed, id, updated }| {
            Ok::<_, String>(Origin {
                title: title.clone(),
                url: url(page)?,
                feed: url(feed)?,
                id: id.clone(),
                updated: instant(*updated)?,
            })
        });
        Ok(Particulars {
            related: related.collect::<Result<_, _>>()?,
            origin: origin.transpose()?,
            duration: duration.map(Duration::from_secs),
            episode: *episode,
            season: *season,
            is_explicit: *is_explicit,
        })
    }
}

impl AboutForm {
    /// A field that is added to what a source says about itself does not compile until it has a name here.
    pub(super) fn of(about: About) -> Self {
        let About { id, description, language, image, rights, authors, categories } = about;
        let (image, authors) = (image.map(String::from), authors.into_iter().map(PersonForm::of).collect());
        Self { id, description, language, image, rights, authors, categories }
    }

    pub(super) fn read(&self) -> Result<About, String> {
        let Self { id, description, language, image, rights, authors, categories } = self;
        Ok(About {
            id: id.clone(),
            description: description.clone(),
            language: language.clone(),
            image: image.as_deref().map(address).transpose()?,
            rights: rights.clone(),
            authors: authors.iter().map(PersonForm::person).collect::<Result<_, _>>()?,
            categories: categories.clone(),
        })
    }
}
