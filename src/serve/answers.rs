//! Where the links of notices lead: a page with one button. Only a press counts, and only once: programs that look for
//! harm in mails open every link. Whoever has the link is the person whom it was sent to; it holds nothing else.
//!
//! Whoever looks here sees an incident as everybody may know it. No script, nothing from elsewhere, nothing that is kept.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use sha2::{Digest as _, Sha256};

use super::Service;
use crate::engine::{Engine, Refused};
use crate::incident::Refusal;
use crate::notify::link::{Bad, Links};
use crate::wording::Moment;
use crate::wording::answer::{self as words, Answer};

/// The page has no other style; its hash is what a browser is told to take.
const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:2rem auto;padding:0 1rem;\
color:#111;background:#fff;overflow-wrap:anywhere}h1{font-size:1.3rem}\
button{font:inherit;font-weight:600;width:100%;padding:1rem;border:0;border-radius:.4rem;color:#fff;background:#0072b2}\
@media(prefers-color-scheme:dark){body{color:#eee;background:#111}}";

/// What checks links, and in whose time people read.
pub struct Answers {
    links: Links,
    zone: TimeZone,
}

impl Answers {
    /// Takes the links that were signed with this key.
    pub const fn new(links: Links, zone: TimeZone) -> Self {
        Self { links, zone }
    }

    fn asked(&self, engine: &Engine, token: &str) -> (StatusCode, Answer) {
        let moment = Moment { now: engine.clock().now(), zone: self.zone.clone() };
        let claims = match self.links.check(token, moment.now) {
            Ok(claims) => claims,
            Err(bad) => return of_bad(bad),
        };
        match engine.incidents().get(claims.incident) {
            Ok(Some(incident)) => (StatusCode::OK, words::asked(&incident, &claims.person, &moment)),
            Ok(None) => (StatusCode::NOT_FOUND, words::unknown()),
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, words::not_now()),
        }
    }

    async fn pressed(&self, engine: &Engine, token: &str) -> (StatusCode, Answer) {
        let moment = Moment { now: engine.clock().now(), zone: self.zone.clone() };
        let claims = match self.links.check(token, moment.now) {
            Ok(claims) => claims,
            Err(bad) => return of_bad(bad),
        };
        let person = &claims.person;
        match engine.incidents().acknowledged_by_link(claims.incident, person.clone()).await {
            Ok(incident) => (StatusCode::OK, words::said(&incident, person, &moment)),
            Err(Refused::Incident(refusal)) => match engine.incidents().get(claims.incident) {
                Ok(Some(incident)) => {
                    let is_harmless = matches!(refusal, Refusal::Already(_) | Refusal::Closed);
                    let status = if is_harmless { StatusCode::OK } else { StatusCode::CONFLICT };
                    (status, words::refused(&incident, person, &refusal, &moment))
                }
                _ => (StatusCode::SERVICE_UNAVAILABLE, words::not_now()),
            },
            Err(Refused::UnknownIncident(_)) => (StatusCode::NOT_FOUND, words::unknown()),
            Err(Refused::Denied(_) | Refused::UnknownPerson(..)) => {
                (StatusCode::FORBIDDEN, words::not_allowed(person))
            }
            Err(_) => (StatusCode::SERVICE_UNAVAILABLE, words::not_now()),
        }
    }
}

fn of_bad(bad: Bad) -> (StatusCode, Answer) {
    match bad {
        Bad::Expired => (StatusCode::GONE, words::expired()),
        Bad::NotOurs => (StatusCode::NOT_FOUND, words::unknown()),
    }
}

/// `GET /answer/{token}`: shows what it is about.
pub(super) async fn look(State(service): State<Service>, Path(token): Path<String>) -> Response {
    shown(match service.answers() {
        Some((answers, engine)) => answers.asked(engine, &token),
        None => (StatusCode::SERVICE_UNAVAILABLE, words::not_now()),
    })
}

/// `POST /answer/{token}`: the person of the link says that they know.
pub(super) async fn press(State(service): State<Service>, Path(token): Path<String>) -> Response {
    shown(match service.answers() {
        Some((answers, engine)) => answers.pressed(engine, &token).await,
        None => (StatusCode::SERVICE_UNAVAILABLE, words::not_now()),
    })
}

fn shown((status, answer): (StatusCode, Answer)) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    );
    // A hash in base64 has no byte that a header may not have.
    headers.extend(HeaderValue::from_str(&policy).map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
    (status, headers, page(&answer)).into_response()
}

/// The page. Nothing that people wrote is markup.
fn page(answer: &Answer) -> String {
    let title = escaped(&answer.title);
    let says: Vec<String> = answer.says.iter().map(|text| format!("<p>{}</p>", escaped(text))).collect();
    let says = says.join("\n");
    let button = answer.button.map(|label| {
        format!("<form method=\"post\"><button type=\"submit\">{}</button></form>\n", escaped(label))
    });
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"robots\" content=\"noindex, nofollow\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{says}\n{}</main>\n</body>\n</html>\n",
        button.unwrap_or_default()
    )
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in crate::runbook::source::hidden::visible(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_people_wrote_is_markup_and_nothing_runs_or_is_kept() {
        let answer = Answer {
            title: "<script>alert(1)</script> & \"orders\"".to_owned(),
            says: vec!["it's <b>bad</b>\u{202e}".to_owned()],
            button: Some("I know of it"),
        };

        let page = page(&answer);

        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;orders&quot;"), "{page}");
        assert!(page.contains("it&#39;s &lt;b&gt;bad&lt;/b&gt;") && !page.contains('\u{202e}'), "{page}");
        assert!(!page.contains("<script") && !page.contains("<b>") && !page.contains("http"), "{page}");
        assert_eq!(page.matches("<form method=\"post\">").count(), 1);

        let response = shown((StatusCode::OK, answer));
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("referrer-policy"), "no-referrer");
        let policy = header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn without_a_button_there_is_no_form() {
        let page = page(&words::unknown());

        assert!(!page.contains("<form") && page.contains("incident ack inc-31"), "{page}");
    }
}
