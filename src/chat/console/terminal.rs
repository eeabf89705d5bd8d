//! The chat on a terminal: a line with history and completion, and above it the runs as they stand.
//!
//! The live block is a part of the prompt and is redrawn in place, at most 4 times a second; what is said stays above
//! it, and the line being typed is kept. On flat terminals events come as lines instead.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reedline::{
    ColumnarMenu, DefaultHinter, Emacs, ExternalPrinter, FileBackedHistory, KeyCode, KeyModifiers,
    MenuBuilder, Prompt, PromptEditMode, PromptHistorySearch, Reedline, ReedlineEvent, ReedlineMenu, Signal,
    default_emacs_keybindings,
};
use tokio::sync::broadcast::error::RecvError;

use super::complete::{Choices, SharedSpeaker, Words};
use super::follow::{at_rest, line};
use super::render::{NORMAL, Style};
use super::session::{Led, Session};
use crate::chat::desk::{CameOut, Desk};
use crate::chat::grammar::{Command, command, words};
use crate::engine::{Engine, Happened, ToRun};
use crate::run::model::{Phase, UnitState};
use crate::run::{Event, Run};
use crate::wording::{Page, run as run_words, states};

/// The live block is redrawn so often.
const REDRAW_EVERY: Duration = Duration::from_millis(250);
/// Whether the terminal is still there is looked at so often.
const LOOK_FOR_TERMINAL_EVERY: Duration = Duration::from_secs(1);
/// Lines of history that are kept.
const HISTORY: usize = 1_000;
/// Messages that wait to be shown above the line.
const MESSAGES: usize = 1_024;
/// Lines of the terminal that the live block leaves free.
const LEAVE_FREE: usize = 6;

/// What stands below everything that was said.
#[derive(Debug, Default)]
struct Live {
    /// Runs that work, as text.
    block: String,
    /// `ana> `
    prompt: String,
}

type SharedLive = Arc<Mutex<Live>>;
/// Asks the line editor to draw the prompt anew.
type Repaint = Box<dyn Fn() + Send + Sync>;

struct LivePrompt(SharedLive);

impl Prompt for LivePrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        let live = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Cow::Owned(format!("{}{}", live.block, live.prompt))
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  ")
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Owned(format!("(search: {}) ", search.term))
    }

    fn get_prompt_color(&self) -> reedline::Color {
        reedline::Color::Default
    }
}

/// What is left of the prompt when a line was entered: without the live block.
struct PastPrompt(SharedLive);

impl Prompt for PastPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        Cow::Owned(self.0.lock().unwrap_or_else(PoisonError::into_inner).prompt.clone())
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        Cow::Borrowed("  ")
    }

    fn render_prompt_history_search_indicator(&self, _search: PromptHistorySearch) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    fn get_prompt_color(&self) -> reedline::Color {
        reedline::Color::Default
    }
}

/// Says something above the line that is being typed.
#[derive(Clone)]
struct Above {
    messages: SyncSender<String>,
    style: StyleNow,
}

/// The style, with the width that the terminal has now.
#[derive(Clone, Copy)]
struct StyleNow {
    wanted_flat: bool,
    base: Style,
}

impl StyleNow {
    fn get(self) -> Style {
        let (width, _) = size();
        Style { width, flat: self.wanted_flat || width < NORMAL, ..self.base }
    }
}

/// Columns and lines of the terminal.
fn size() -> (usize, usize) {
    // The line editor knows best; without it a pipe's 80 columns are taken.
    reedline_size().unwrap_or((80, 24))
}

fn reedline_size() -> Option<(usize, usize)> {
    crossterm::terminal::size().ok().map(|(width, height)| (usize::from(width), usize::from(height)))
}

impl Above {
    fn page(&self, page: &Page) {
        let text = self.style.get().page(page);
        // When nobody reads the messages any more the console is ending.
        let _ = self.messages.try_send(text.trim_end_matches('\n').to_owned());
    }

    fn line(&self, line: &str) {
        let _ = self.messages.try_send(self.style.get().line(line));
    }
}

/// Reads lines until the person leaves.
pub async fn run(
    mut session: Session,
    style: Style,
    wanted_flat: bool,
    is_new: bool,
    history: Option<PathBuf>,
) -> CameOut {
    let style = StyleNow { wanted_flat, base: style };
    let live: SharedLive = Arc::default();
    let printer = ExternalPrinter::new(MESSAGES);
    let above = Above { messages: printer.sender(), style };
    let speaker: SharedSpeaker = Arc::new(Mutex::new(session.speaker.clone()));
    let mut editor = editor(&session, speaker.clone(), &style, &live, printer, history);
    let signal = editor.repaint_signal();
    let repaint: Repaint = Box::new(move || signal.request_repaint());
    let follower = session.desk.engine.clone().map(|engine| {
        tokio::spawn(follow_all(engine, session.desk.clone(), above.clone(), live.clone(), repaint))
    });
    print!("{}", style.get().page(&session.desk.greeting(&session.speaker, is_new)));
    let mut leaving = false;
    loop {
        live.lock().unwrap_or_else(PoisonError::into_inner).prompt = session.prompt();
        speaker.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&session.speaker);
        let prompt = LivePrompt(live.clone());
        let read = tokio::task::spawn_blocking(move || {
            let signal = editor.read_line(&prompt);
            (editor, signal)
        });
        let read = tokio::select! {
            read = read => read,
            () = hung_up() => break,
        };
        let Ok((back, signal)) = read else { break };
        editor = back;
        let typed = match signal {
            Ok(Signal::Success(typed)) => typed,
            Ok(Signal::CtrlC) => {
                println!("To leave: exit, or Ctrl-D.");
                continue;
            }
            _ => "exit".to_owned(),
        };
        if typed.trim().is_empty() {
            continue;
        }
        let meant = session.meant(&typed);
        if meant != typed {
            println!("{}{meant}", session.prompt());
        }
        match answer(&mut session, &meant, style.get()).await {
            Led::Said(reply) => print!("{}", style.get().page(&reply.page)),
            Led::Leave if !leaving && at_work(&session.desk) => {
                leaving = true;
                println!("A run is at work. While no bot runs, its step goes on and nothing new begins.");
                println!("Next: exit again to leave, or stay.");
                continue;
            }
            Led::Leave => break,
        }
        leaving = false;
    }
    if let Some(follower) = follower {
        follower.abort();
    }
    CameOut::Done
}

/// Ends when the terminal is gone. The line editor does not notice, and nobody need tell the process: whoever closes a
/// window ends the shell in it, and that waits for us.
async fn hung_up() {
    let mut tick = tokio::time::interval(LOOK_FOR_TERMINAL_EVERY);
    while std::io::stdin().is_terminal() {
        tick.tick().await;
    }
}

/// Measuring can take seconds: then it is said what is going on, until there is an answer.
#[expect(clippy::disallowed_methods, reason = "a person waits in real time, whatever clock the runs have")]
async fn answer(session: &mut Session, line: &str, style: Style) -> Led {
    let _unseen = Unseen::begin();
    let waiting = waiting(line);
    let answer = session.answer(line);
    tokio::pin!(answer);
    tokio::select! {
        led = &mut answer => return led,
        () = tokio::time::sleep(Duration::from_millis(400)) => {}
    }
    let Some(waiting) = waiting else { return answer.await };
    show_now(style.page(&waiting).trim_end_matches('\n'));
    let led = answer.await;
    show_now("\r\u{1b}[2K");
    led
}

/// What is going on while this line is answered, if that can take a while.
fn waiting(line: &str) -> Option<Page> {
    let (state, what) = match command(&words(line).ok()?).ok()? {
        Command::Run { .. }
        | Command::Look { .. }
        | Command::ToRun(_, ToRun::Confirm { .. } | ToRun::Approve { .. }) => {
            (states::MEASURING, "asking hosts")
        }
        Command::Lab(_) => (states::WORKING, "the lab"),
        _ => return None,
    };
    Some(Page::new().head(state, vec![what.to_owned()], ""))
}

fn show_now(text: &str) {
    print!("{text}");
    let _ = std::io::stdout().flush();
}

/// What is typed while a line is answered is not echoed: it waits for the line editor, which shows it behind its
/// prompt. Ctrl-C waits there too, and does not end the bot.
struct Unseen(bool);

impl Unseen {
    fn begin() -> Self {
        Self(crossterm::terminal::enable_raw_mode().is_ok())
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        if self.0 {
            let _ = crossterm::terminal::disable_raw_mode();
        }
    }
}

fn at_work(desk: &Desk) -> bool {
    desk.engine.as_ref().is_some_and(|engine| engine.open_runs().iter().any(|run| is_at_work(run)))
}

fn is_at_work(run: &Run) -> bool {
    matches!(run.phase, Phase::Working | Phase::Undoing) && run.units.values().any(UnitState::is_at_work)
}

fn editor(
    session: &Session,
    speaker: SharedSpeaker,
    style: &StyleNow,
    live: &SharedLive,
    printer: ExternalPrinter<String>,
    history: Option<PathBuf>,
) -> Reedline {
    let words = Words::new(session.desk.clone(), speaker);
    let mut keys = default_emacs_keybindings();
    let complete =
        ReedlineEvent::UntilFound(vec![ReedlineEvent::Menu("words".to_owned()), ReedlineEvent::MenuNext]);
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, complete);
    let menu = ColumnarMenu::default().with_name("words").with_marker("");
    let mut editor = Reedline::create()
        .with_external_printer(printer)
        .with_poll_interval(REDRAW_EVERY / 2)
        .with_completer(Box::new(words))
        .with_partial_completions(true)
        .with_quick_completions(true)
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(Choices(menu))))
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_transient_prompt(Box::new(PastPrompt(live.clone())))
        .with_ansi_colors(style.base.color);
    if style.base.color {
        editor = editor.with_hinter(Box::new(DefaultHinter::default()));
    }
    match history.and_then(|path| FileBackedHistory::with_file(HISTORY, path).ok()) {
        Some(history) => editor.with_history(Box::new(history)),
        None => editor,
    }
}

/// Shows what goes on: the live block, and above it what must stay.
async fn follow_all(engine: Engine, desk: Desk, above: Above, live: SharedLive, repaint: Repaint) {
    let mut events = engine.follow();
    let mut tick = tokio::time::interval(REDRAW_EVERY);
    loop {
        tokio::select! {
            happened = events.recv() => match happened {
                Ok(happened) => {
                    redraw(&engine, &desk, &above, &live, &repaint);
                    say(&desk, &above, &happened);
                }
                Err(RecvError::Lagged(n)) => above.line(&format!("… {n} events were not shown; status shows where it stands")),
                Err(RecvError::Closed) => return,
            },
            _ = tick.tick() => redraw(&engine, &desk, &above, &live, &repaint),
        }
    }
}

fn redraw(engine: &Engine, desk: &Desk, above: &Above, live: &SharedLive, repaint: &Repaint) {
    let style = above.style.get();
    let working: Vec<_> = engine
        .open_runs()
        .into_iter()
        .filter(|run| run.started.is_some() && !run.waits_for_person())
        .collect();
    let block = if style.flat || working.is_empty() {
        String::new()
    } else {
        let moment = desk.moment();
        let pages = working.iter().map(|run| run_words::live(run, &desk.far(run.id), &moment));
        let text: String = pages.map(|page| style.page(&page)).collect();
        fit(&text, size().1)
    };
    let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
    if live.block != block {
        live.block = block;
        repaint();
    }
}

/// A block that is higher than the terminal is cut: its head and its last lines stay.
fn fit(text: &str, height: usize) -> String {
    let room = height.saturating_sub(LEAVE_FREE).max(3);
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= room {
        return text.to_owned();
    }
    let skip = lines.len() - (room - 1);
    let mut kept = vec![lines[0]];
    kept.extend(&lines[skip..]);
    format!("{}\n", kept.join("\n"))
}

/// What the live block alone does not tell well enough: something needs to be looked at, or does not any more.
const fn is_news(event: &Event) -> bool {
    matches!(
        event,
        Event::StepUnreached { .. }
            | Event::StepStalled { .. }
            | Event::StepMoves { .. }
            | Event::StepLate { .. }
            | Event::LinkLost { .. }
            | Event::LinkFound { .. }
            | Event::WatchBroke { .. }
            | Event::WatchHolds { .. }
            | Event::AskedNext { .. }
    )
}

/// What stays above the line: ends, questions, news, and on flat terminals every event.
fn say(desk: &Desk, above: &Above, happened: &Happened) {
    let run = &happened.run;
    let is_last = desk
        .engine
        .as_ref()
        .and_then(|engine| engine.run(run.id).ok())
        .is_some_and(|now| now.version == run.version);
    if (above.style.get().flat || is_news(&happened.stamped.event))
        && let Some(line) = line(happened, &desk.moment())
    {
        above.line(&line);
    }
    // Several events of one decision come one after the other: what it comes to is said once, after the last.
    if is_last && run.confirmed.is_some() && run.waits_for_person() && !matches!(run.phase, Phase::Approving)
    {
        above.page(&at_rest(run, desk));
    }
    if is_last && matches!(happened.stamped.event, Event::PlanChanged { .. }) {
        above.page(&at_rest(run, desk));
    }
}
