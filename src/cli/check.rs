//! `feedmill check`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::line;
use crate::config::{Config, Problem};
use crate::daemon::settings::Settings;
use crate::merge::rules;
use crate::model::access::Permission;
use crate::model::feed::FeedName;
use crate::select::catalogue::merge_rules;

pub(super) fn run(settings: &Settings, json: bool) -> anyhow::Result<ExitCode> {
    let text = settings.text()?;
    let checked = settings.check(&text);
    if json {
        line(&as_json(&checked).to_string())?;
        return Ok(if checked.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(2) });
    }
    let config = checked.map_err(|problems| settings.told(&problems))?;
    for warning in &config.warnings {
        line(&format!("warning: {}: {warning}", settings.path.display()))?;
    }
    for doubt in rules::doubts(&merge_rules(&config)) {
        line(&format!("warning: {}: {doubt}", settings.path.display()))?;
    }
    line(&format!("{} is good", settings.path.display()))?;
    line(&format!("  listens on   {}", config.server.listen))?;
    if let Some(url) = &config.server.public_url {
        line(&format!("  published as {url}"))?;
    }
    line(&format!("  store        {}", config.store.path.display()))?;
    line(&format!("  sources      {}", config.sources.len()))?;
    for sentence in access(&config) {
        line(&format!("  access       {sentence}"))?;
    }
    for topic in &config.topics {
        let naming = config.sources.iter().filter(|source| source.topics.contains(&topic.key)).count();
        let query = topic.matches.as_ref().map_or_else(String::new, |query| format!(", and what matches {query}"));
        line(&format!("  topic        {} ({naming} sources{query})", topic.key))?;
    }
    for rule in merge_rules(&config) {
        line(&format!("  rule         {}", rule.sentence(config.merging.window)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Who may read what, a sentence each; none where everybody may read everything.
fn access(config: &Config) -> Vec<String> {
    let access = &config.access;
    let mut told = Vec::new();
    if access.groups.is_empty() && access.private.is_empty() {
        return told;
    }
    for (name, group) in &access.groups {
        told.push(format!("{name}: {} users, {} tokens", group.users.len(), group.tokens.len()));
    }
    let readers = |permission: &Permission| match permission {
        Permission::Public => "everybody".to_owned(),
        Permission::Group(name) => name.to_string(),
        Permission::Nobody => "nobody".to_owned(),
    };
    told.push(format!("what says nothing else, pages and metrics: {}", readers(&access.server)));
    let topics = config.topics.iter().map(|topic| FeedName::Topic(topic.key.clone()));
    let sources = config.sources.iter().map(|source| FeedName::Source(source.key.clone()));
    let others = topics.chain(sources).filter(|feed| *access.of(feed) != access.server);
    told.extend(others.map(|feed| format!("{feed}: {}", readers(access.of(&feed)))));
    told.extend(access.private.iter().map(|key| format!("what comes only from {key} is in no public output")));
    told
}

pub(super) fn as_json(checked: &Result<Config, Vec<Problem>>) -> serde_json::Value {
    let told = |problem: &Problem| json!({"line": problem.line, "column": problem.column, "what": problem.what, "help": problem.help});
    match checked {
        Ok(config) => json!({
            "good": true,
            "listen": config.server.listen.to_string(),
            "store": config.store.path,
            "sources": config.sources.iter().map(|source| source.key.as_str()).collect::<Vec<_>>(),
            "topics": config.topics.iter().map(|topic| topic.key.as_str()).collect::<Vec<_>>(),
            "access": access(config),
            "rules": merge_rules(config).iter().map(|rule| rule.sentence(config.merging.window)).collect::<Vec<_>>(),
            "doubts": rules::doubts(&merge_rules(config)),
            "warnings": config.warnings.iter().map(told).collect::<Vec<_>>(),
        }),
        Err(problems) => json!({"good": false, "problems": problems.iter().map(told).collect::<Vec<_>>()}),
    }
}
