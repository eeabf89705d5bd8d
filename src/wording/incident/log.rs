//! Who was told what, over which path, and what became of it; and whether a path works.

use std::sync::Arc;

use super::post::Post;
use super::said;
use super::told::delivery;
use crate::incident::input::Answer;
use crate::incident::model::{Delivery, Incident, IncidentId, Notice};
use crate::runbook::source::hidden::visible;
use crate::runbook::source::name::{PathName, Person};
use crate::wording::moment::Moment;
use crate::wording::page::{Below, Block, Page, Row, Table, cell, plain};
use crate::wording::refusal::quoted;
use crate::wording::states;

/// Every notice of these incidents, each with what its events say of its notices.
pub fn log(incidents: &[(Arc<Incident>, Post)], moment: &Moment) -> Page {
    let rows: Vec<Row> = incidents
        .iter()
        .flat_map(|(incident, post)| {
            incident.notices.iter().map(move |notice| row(incident, notice, post, moment))
        })
        .collect();
    if rows.is_empty() {
        let which: Vec<_> = incidents.iter().map(|(incident, _)| incident.id.to_string()).collect();
        return Page::sentence(format!(
            "Nobody was told anything of {} yet: no notice was queued.",
            which.join(", ")
        ));
    }
    let heads = ["TIME", "INCIDENT", "WHO", "PATH", "STATE", "ABOUT", "ANSWERED"].map(str::to_owned).to_vec();
    // Of one incident it is plain which it is; of several what each was about is seen where there is room.
    let wide = if incidents.len() > 1 { vec![5] } else { vec![1] };
    Page::new()
        .with(Block::Table(Table { heads, wide, rows }))
        .text("Accepted means that a path took it. Only who has answered knows.")
}

/// No incident is open, so there is no notice to list; the newest that is closed has its own.
pub fn none_open(newest: Option<IncidentId>) -> Page {
    let page = Page::sentence("No incident is open.");
    match newest {
        Some(id) => page.next(format!("notify log {id}"), "who was told of the newest"),
        None => page,
    }
}

fn row(incident: &Incident, notice: &Notice, post: &Post, moment: &Moment) -> Row {
    let state = states::of_delivery(&notice.delivery);
    let mut below = Vec::new();
    if !matches!(notice.delivery, Delivery::Accepted(_)) {
        below.push(Below::Text(delivery(incident, notice, post, moment)));
    }
    if notice.may_repeat {
        below.push(Below::Text("may have come twice: once nobody knew whether it had left".to_owned()));
    }
    if notice.attempts > 1 {
        below.push(Below::Text(format!("{} attempts", notice.attempts)));
    }
    Row {
        cells: vec![
            plain(moment.second(notice.queued)),
            plain(incident.id.to_string()),
            plain(said::whom(notice)),
            plain(notice.way.path.to_string()),
            cell(state.text(), state.role),
            plain(said::about(&notice.about, incident)),
            plain(post.answered(incident, notice).map(|at| moment.time(at)).unwrap_or_default()),
        ],
        below,
    }
}

/// What a path answered to a letter that only tries it.
pub fn tried(path: &PathName, to: Option<&Person>, answer: &Answer) -> Page {
    let (state, what) = match answer {
        Answer::Accepted(_) => (
            states::TAKEN,
            match to {
                Some(to) => {
                    format!(
                        "It took the letter to {to}. Whether it arrives is for {to} to see: look there now."
                    )
                }
                None => {
                    "It took the letter to the last resort. Look there now whether it arrived.".to_owned()
                }
            },
        ),
        Answer::NotNow(why, _) => {
            (states::NOT_SENT, format!("It does not take letters now: {}.", visible(why)))
        }
        Answer::Never(why) => (states::NOT_SENT, format!("It does not take this letter: {}.", visible(why))),
        Answer::Unknown(why) => {
            (states::UNKNOWN, format!("Nobody knows whether it took the letter: {}.", visible(why)))
        }
    };
    let page = Page::new().head(state, vec![format!("path {path}")], "").text(what);
    match answer {
        Answer::Accepted(_) => page,
        _ => page
            .text("Next: look at this path in notify.yaml, and at what it depends on; then try it again.")
            .code("path-red"),
    }
}

/// There is no such path, or the one who asks is not reached over it. `problems` says why notify.yaml cannot be used as
/// it is now, if it cannot.
pub fn no_path(typed: &str, yours: &[String], problems: Option<&str>) -> Page {
    if let (Some(why), []) = (problems, yours) {
        let page = Page::sentence(format!("{}; no way to you was read before.", said::of_notify(why)));
        return said::mends_notify(page, why).code("unknown-path");
    }
    let yours = match yours {
        [] => "notify.yaml has no way to you.".to_owned(),
        yours => format!("You are told over: {}.", yours.join(", ")),
    };
    Page::sentence(format!("You are not told over {}. {yours}", quoted(typed)))
        .text("Next: one of them, or a way of yours in notify.yaml.")
        .code("unknown-path")
}

/// Nothing carries letters in this process.
pub fn no_messenger() -> Page {
    Page::sentence("Nothing was sent: this process tells nobody, so it cannot try a path either.")
        .text("Next: say it where the bot runs as a service, or open its console.")
        .code("tells-nobody")
}
