//! Plans and replays of a daemon that runs: made beside its readers, a step at a time, on the store of one moment.

use std::sync::Arc;

use crate::clock;
use crate::config::{Config, Problem};
use crate::daemon::control::Answer;
use crate::daemon::mill::Mill;
use crate::rehearsal::plan::Planning;
use crate::rehearsal::replay::Replaying;
use crate::rehearsal::report::{Asked, Told};
use crate::rehearsal::{Present, Work};
use crate::store::engine::StoreError;

/// Begins to work out what a file would change against what runs.
///
/// # Errors
/// Why not, as it is answered.
pub(super) async fn plan(mill: &Mill, asked: Asked) -> Result<Box<dyn Work>, Box<Answer>> {
    let config = config(&asked)?;
    let present = Present { catalogue: mill.catalogue(), learnt: mill.polling.book.learnt() };
    let store = Arc::clone(&mill.store);
    let begin = move || {
        let compared_with = "the configuration that is in effect".to_owned();
        Planning::new(&store, config, Some(&present), compared_with, clock::now(), asked.all)
    };
    let begun = mill.handle.run(move |_| begin()).await;
    begun
        .map(|planning| Box::new(planning) as Box<dyn Work>)
        .map_err(|error| Box::new(Answer::Failed(error.to_string())))
}

/// Begins to decide anew on everything that is stored.
///
/// # Errors
/// Why not, as it is answered.
pub(super) async fn replay(mill: &Mill, asked: Asked) -> Result<Box<dyn Work>, Box<Answer>> {
    let config = config(&asked)?;
    let store = Arc::clone(&mill.store);
    let begun = mill.handle.run(move |_| Replaying::new(&store, config, asked.all)).await;
    begun
        .map(|replaying| Box::new(replaying) as Box<dyn Work>)
        .map_err(|error| Box::new(Answer::Failed(error.to_string())))
}

/// The command has checked the text with all its secrets.
fn config(asked: &Asked) -> Result<Config, Box<Answer>> {
    let told = |problems: Vec<Problem>| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    asked.config().map_err(|problems| Box::new(Answer::Refused(told(problems))))
}

/// One step, after which readers have their turn.
pub(super) async fn step(
    mill: &Mill,
    mut work: Box<dyn Work>,
) -> Result<(Box<dyn Work>, Option<Vec<Told>>), StoreError> {
    mill.handle
        .run(move |_| {
            let told = work.step()?;
            Ok((work, told))
        })
        .await
}
