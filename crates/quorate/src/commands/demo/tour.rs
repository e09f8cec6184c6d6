//! Elections that follow one another while somebody watches, slowly enough to be seen.

use super::Failure;
use super::casting::{Cast, Casting};
use super::children::Program;
use super::folder::Folder;
use super::office::Office;
use super::report::{first_difference, tables};
use super::scenario::Scenario;
use super::stage::{Scene, Stage};
use std::convert::Infallible;
use std::time::Duration;

/// Between two voters who begin.
const PACE: Duration = Duration::from_millis(450);
/// Between two elections, and after one that could not be held.
const BETWEEN: Duration = Duration::from_secs(12);

/// Holds one election after the other while the tour is on.
pub(super) async fn run(stage: &Stage, program: &Program, folder: &Folder) -> Infallible {
    let mut settings = stage.settings();
    for number in 2_u64.. {
        if !settings.borrow_and_update().tour {
            stage.scene().step = "stopped";
            if settings.wait_for(|settings| settings.tour).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        let held = match folder.below(&format!("tour-{number}")) {
            Ok(below) => {
                // The administrator's commands look for the token beside everything else.
                let token = folder.read("token").and_then(|token| below.write("token", &token));
                let held = match token {
                    Ok(()) => hold(stage, program, &below, number).await,
                    Err(failure) => Err(failure),
                };
                below.remove();
                held
            }
            Err(failure) => Err(failure),
        };
        let mut scene = stage.scene();
        match held {
            Ok(()) => scene.step = "done",
            Err(failure) => {
                scene.step = "waiting";
                scene.trouble = failure.message.lines().next_back().map(str::to_owned);
            }
        }
        drop(scene);
        tokio::time::sleep(BETWEEN).await;
    }
    unreachable!("numbers do not end")
}

async fn hold(
    stage: &Stage,
    program: &Program,
    folder: &Folder,
    number: u64,
) -> Result<(), Failure> {
    let scenario = Scenario::sample(0, number).with_guest();
    begin(stage, &scenario, number);
    let office = Office::create(program, folder, stage.cluster().web_urls(), &scenario).await?;
    let codes = office.enrol(&scenario, None).await?;
    let guest = codes.get(super::scenario::GUEST).map(ToString::to_string);
    office.open().await?;
    let receipts = folder.path().join("receipts");
    let casting = Casting::new(stage, office.election(), codes, receipts).await?.at_pace(PACE);
    begin_voting(stage, &office, guest);
    let cast = tokio::select! {
        cast = casting.run(&scenario) => cast?,
        never = show(stage, &casting) => match never {},
    };
    end_voting(stage, &cast);
    office.close().await?;
    let result = office.tally().await?;
    stage.watchdog().counted(difference(&scenario, &cast, &result));
    Ok(())
}

/// The scene of a new election.
pub(super) fn begin(stage: &Stage, scenario: &Scenario, number: u64) {
    let title = scenario.title.clone();
    let ballots = scenario.ballots() as u64;
    *stage.scene() = Scene { number, title, ballots, step: "preparing", ..Scene::default() };
}

/// The vote is open.
pub(super) fn begin_voting(stage: &Stage, office: &Office<'_>, guest_code: Option<String>) {
    stage.watchdog().follow(office.election());
    let mut scene = stage.scene();
    scene.id = Some(office.election().to_string());
    scene.guest_code = guest_code;
    scene.step = "voting";
}

/// All have voted.
pub(super) fn end_voting(stage: &Stage, cast: &Cast) {
    let mut scene = stage.scene();
    (scene.ordered, scene.finals) = (cast.ordered.len() as u64, cast.finals as u64);
    scene.step = "counting";
}

/// Tells how far the casting is.
pub(super) async fn show(stage: &Stage, casting: &Casting) -> Infallible {
    let mut progress = casting.progress();
    loop {
        let (ordered, finals) = {
            let cast = progress.borrow_and_update();
            (cast.ordered.len() as u64, cast.finals as u64)
        };
        {
            let mut scene = stage.scene();
            (scene.ordered, scene.finals) = (ordered, finals);
        }
        if progress.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Where the result is not what was voted. A guest's ballot is one more, and a ballot of unknown
/// fate perhaps one less.
fn difference(scenario: &Scenario, cast: &Cast, result: &[Vec<u64>]) -> Option<String> {
    let unsure = 1 + (cast.refused.len() + cast.unknown.len()) as u64;
    let tables = tables(scenario, result);
    let is_far = |row: &&super::report::Row| row.result.abs_diff(row.clear) > unsure;
    let row = first_difference(&tables).filter(is_far)?;
    Some(format!("Option '{}' has {} votes, {} voted for it.", row.option, row.result, row.clear))
}
