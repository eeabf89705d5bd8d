//! Mail: one transaction for one letter to one person. A server that takes it has it; whether anybody reads it is not
//! known by that.

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use super::attempt::Attempt;
use super::form;
use crate::duty::model::Tls;
use crate::incident::input::Answer;

/// Nobody reads more, and every server takes it.
const MAX_TEXT: usize = 64 * 1_024;
/// The letter is taken: a server that is slow to say good-bye is left without.
const GOODBYE_WITHIN: Duration = Duration::from_millis(500);

/// A mail server, as the file says.
pub(super) struct Server<'a> {
    /// Name and port.
    pub(super) address: &'a str,
    /// The address of the sender.
    pub(super) from: &'a str,
    /// How the connection is encrypted.
    pub(super) tls: Tls,
    /// Whom it knows us as, and the secret with the password.
    pub(super) login: Option<(&'a str, &'a str)>,
}

/// Sends a letter.
pub(super) async fn send(attempt: &Attempt<'_>, server: &Server<'_>) -> Answer {
    match sent(attempt, server).await {
        Ok(answer) | Err(answer) => answer,
    }
}

async fn sent(attempt: &Attempt<'_>, server: &Server<'_>) -> Result<Answer, Answer> {
    let address = |text: &str| {
        text.parse::<Address>()
            .map_err(|_| Answer::Never(format!("{} is no mail address", attempt.quoted(text))))
    };
    let (from, to) = (address(server.from)?, address(&attempt.letter.address)?);
    let message = message(attempt, &from, &to)
        .map_err(|why| Answer::Never(format!("no mail can be made of it: {why}")))?;

    let mut smtp = connected(attempt, server, &from).await?;
    // What is said against the sender, the recipient or the letter counts for this letter, for ever if the server says so.
    let refused = |error: SmtpError| refused(attempt, &error);
    smtp.command(Mail::new(Some(from), Vec::new())).await.map_err(refused)?;
    smtp.command(Rcpt::new(to, Vec::new())).await.map_err(refused)?;
    smtp.command(Data).await.map_err(refused)?;
    attempt.leaves();
    let taken = smtp.message(&message.formatted()).await.map_err(|error| match error.status() {
        Some(_) => refused(error),
        None => Answer::Unknown(format!(
            "the connection broke after the letter was sent: {}",
            attempt.quoted(&error.to_string())
        )),
    })?;
    let _ = timeout(GOODBYE_WITHIN, smtp.command(Quit)).await;
    let said = attempt.quoted(&taken.message().collect::<Vec<_>>().join(" "));
    Ok(Answer::Accepted(Some(said).filter(|said| !said.is_empty())))
}

/// A connection on which letters can be sent. That there is none is the fault of no letter: it is never for ever.
async fn connected(
    attempt: &Attempt<'_>,
    server: &Server<'_>,
    from: &Address,
) -> Result<AsyncSmtpConnection, Answer> {
    let not_now = |what: &str, error: &SmtpError| {
        Answer::NotNow(format!("{what}: {}", attempt.quoted(&error.to_string())), None)
    };
    let password = match server.login {
        Some((_, secret)) => Some(attempt.secret(secret).await?),
        None => None,
    };
    let host = server.address.rsplit_once(':').map_or(server.address, |(host, _)| host);
    let tls = || {
        TlsParameters::new(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| not_now("the encryption cannot begin", &error))
    };
    let name = ClientId::Domain(from.domain().to_owned());
    let at_once = if server.tls == Tls::Tls { Some(tls()?) } else { None };
    let mut smtp = AsyncSmtpConnection::connect_tokio1(
        server.address,
        Some(attempt.outside.connect_within()),
        &name,
        at_once,
        None,
    )
    .await
    .map_err(|error| not_now("no connection", &error))?;
    if server.tls == Tls::StartTls {
        // Without the offer nothing is sent: somebody on the way may have taken it out.
        if !smtp.can_starttls() {
            return Err(Answer::NotNow(
                "the server offers no encryption (STARTTLS), so nothing was sent".to_owned(),
                None,
            ));
        }
        smtp.starttls(tls()?, &name)
            .await
            .map_err(|error| not_now("the encryption did not begin", &error))?;
    }
    if let (Some((user, _)), Some(password)) = (server.login, password) {
        let login = Credentials::new(user.to_owned(), password.expose().to_owned());
        smtp.auth(&[Mechanism::Plain, Mechanism::Login], &login)
            .await
            .map_err(|error| not_now("the server does not let us in", &error))?;
    }
    Ok(smtp)
}

/// What the server says against a letter that it did not take.
fn refused(attempt: &Attempt<'_>, error: &SmtpError) -> Answer {
    let said = attempt.quoted(&error.to_string());
    match error.status().map(u16::from) {
        // Whom it wants to be: a person can cure that.
        Some(530 | 535 | 538) => Answer::NotNow(format!("the server does not let us in: {said}"), None),
        Some(_) if error.is_permanent() => Answer::Never(format!("the server refuses it: {said}")),
        Some(_) => Answer::NotNow(format!("the server does not take it now: {said}"), None),
        None => Answer::NotNow(format!("the connection broke before the letter was sent: {said}"), None),
    }
}

fn message(attempt: &Attempt<'_>, from: &Address, to: &Address) -> Result<Message, lettre::error::Error> {
    let letter = attempt.letter;
    let host = from.domain();
    let thread = thread(&attempt.outside.origin, from, &letter.incident.to_string());
    Message::builder()
        .from(Mailbox::new(None, from.clone()))
        .to(Mailbox::new(None, to.clone()))
        .subject(form::subject(letter))
        .date(SystemTime::from(attempt.outside.now()))
        .message_id(Some(format!("<n-{}@{host}>", letter.key)))
        .in_reply_to(thread.clone())
        .references(thread)
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ))
        .header(ContentType::TEXT_PLAIN)
        .body(form::whole(letter, MAX_TEXT))
}

/// A mail that never was: the letters of an incident answer it, and so hang together. Another bot has another one.
fn thread(origin: &str, from: &Address, incident: &str) -> String {
    let bot = hex::encode(Sha256::digest(format!("{origin}\0{from}")));
    format!("<{incident}.{}@{}>", &bot[..16], from.domain())
}
