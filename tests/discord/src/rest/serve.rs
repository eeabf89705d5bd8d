//! Takes a request from the wire: reads it, lets the faults have their way, answers it, and notes it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Multipart, State};
use axum::http::{Request as HttpRequest, StatusCode, header, request::Parts};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::call::{Answer, Call};
use crate::core::Core;
use crate::faults::{Fault, Verdict};
use crate::message::{File, Files};
use crate::record::Request;
use crate::refusal::Refusal;
use crate::wire::Scissors;

const BODY_MAX: usize = 64 * 1024 * 1024;

/// Everything that comes over the wire comes here.
pub(crate) async fn serve(
    State(core): State<Core>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    request: HttpRequest<Body>,
) -> Response {
    let (mut parts, body) = request.into_parts();
    if parts.headers.contains_key(header::UPGRADE) {
        if core.look(|world| world.sessions.refuses) {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        return match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) if parts.uri.query().is_some_and(|query| query.contains("v=10")) => {
                upgrade.on_upgrade(move |socket| crate::gateway::talk(core, socket))
            }
            Ok(_) => (StatusCode::BAD_REQUEST, "The gateway is asked for with v=10.").into_response(),
            Err(wrong) => wrong.into_response(),
        };
    }
    if let Some(path) = parts.uri.path().strip_prefix("/attachments/") {
        return attachment(&core, path);
    }
    let body = to_bytes(body, BODY_MAX).await.unwrap_or_default();
    rest(&core, &scissors, parts, body).await
}

async fn rest(core: &Core, scissors: &Scissors, parts: Parts, body: Bytes) -> Response {
    let method = parts.method.to_string();
    let path = parts.uri.path().to_owned();
    let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let content_type = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default().to_owned();
    let (call, read) = read(parts, body).await;
    let (verdict, at_ms) = core.change(|world| {
        let now = world.clock.now_ms();
        (world.faults.judge(&method, &path, now), now)
    });
    let mut note = Request {
        path: path.strip_prefix("/api/v10").unwrap_or(&path).to_owned(),
        method,
        query: call.query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"),
        content_type,
        body: call.body.clone(),
        files: call.files.values().map(|file| file.name.clone()).collect(),
        status: 0,
        answer: Value::Null,
        at_ms,
        was_fault: true,
        was_impatient: false,
        is_stranger: false,
    };
    note.is_kept();
    let mut lost = false;
    match verdict {
        Verdict::Fine => {}
        Verdict::Fault(Fault::Slow(time)) => tokio::time::sleep(time).await,
        Verdict::Fault(Fault::AnswerLost) => lost = true,
        Verdict::Fault(Fault::Cut) => {
            scissors.cut();
            core.change(|world| world.record.push(note));
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        Verdict::Fault(Fault::Status(status)) => {
            note.status = status;
            core.change(|world| world.record.push(note));
            return StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY).into_response();
        }
        Verdict::Fault(Fault::RateLimited { after, global }) => return too_many(core, note, after, global),
        Verdict::TooEarly { left, global } => {
            note.was_impatient = true;
            return too_many(core, note, left, global);
        }
    }
    let at_home = path.starts_with("/api/v10/");
    let response = core.change(|world| {
        // A message that is refused in part changes nothing: what is wrong is found before anything is written.
        let answer: Answer = match read {
            _ if !at_home => Err(Refusal::no_such_route()),
            Ok(()) => super::route(world, &call),
            Err(refusal) => Err(refusal),
        };
        let (status, body) = match answer {
            Ok(reply) => (reply.status, reply.body),
            Err(refusal) => {
                note.is_stranger = refusal.status == 404 && refusal.code == 0;
                (refusal.status, Some(refusal.body()))
            }
        };
        note.was_fault = lost;
        note.status = if lost { 0 } else { status };
        note.answer = body.clone().unwrap_or_default();
        world.record.push(note);
        (status, body)
    });
    if lost {
        scissors.cut();
    }
    answer(response.0, response.1.as_ref())
}

fn answer(status: u16, body: Option<&Value>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        Some(body) => {
            (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
        }
        None => status.into_response(),
    }
}

fn too_many(core: &Core, mut note: Request, after: Duration, global: bool) -> Response {
    let body = json!({"message": "You are being rate limited.", "retry_after": after.as_secs_f64(), "global": global});
    note.status = 429;
    note.answer = body.clone();
    core.change(|world| world.record.push(note));
    let mut response = answer(429, Some(&body));
    let headers = response.headers_mut();
    // Discord rounds up to whole seconds here, and is exact in the body.
    headers.insert("retry-after", (after.as_secs() + u64::from(after.subsec_nanos() > 0)).into());
    headers.insert(
        "x-ratelimit-scope",
        header::HeaderValue::from_static(if global { "global" } else { "shared" }),
    );
    if global {
        headers.insert("x-ratelimit-global", header::HeaderValue::from_static("true"));
    }
    response
}

/// Reads what can be read; with it, whether the body was sound.
async fn read(parts: Parts, body: Bytes) -> (Call, Result<(), Refusal>) {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let path = parts.uri.path();
    let path = path.strip_prefix("/api/v10").unwrap_or(path);
    let mut call = Call {
        method: parts.method.to_string(),
        path: path.split('/').skip(1).map(unescaped).collect(),
        query: parts.uri.query().map(pairs).unwrap_or_default(),
        body: Value::Null,
        files: Files::new(),
        authorization: header(header::AUTHORIZATION),
    };
    let kind = header(header::CONTENT_TYPE).unwrap_or_default();
    let sound = if kind.starts_with("multipart/form-data") {
        match Multipart::from_request(HttpRequest::from_parts(parts, Body::from(body)), &()).await {
            Ok(multipart) => read_parts(multipart, &mut call).await,
            Err(_) => Err(Refusal::bad_json()),
        }
    } else if body.is_empty() {
        Ok(())
    } else if kind.starts_with("application/json") {
        serde_json::from_slice(&body).map(|body| call.body = body).map_err(|_| Refusal::bad_json())
    } else {
        let message =
            "Expected \"Content-Type\" header to be one of {'application/json', 'multipart/form-data'}.";
        Err(Refusal::at("", "CONTENT_TYPE_INVALID", message))
    };
    (call, sound)
}

async fn read_parts(mut multipart: Multipart, call: &mut Call) -> Result<(), Refusal> {
    let broken = |_| Refusal::new(400, 50035, "Invalid Form Body");
    while let Some(part) = multipart.next_field().await.map_err(broken)? {
        let name = part.name().unwrap_or_default().to_owned();
        let file = part.file_name().map(str::to_owned);
        let content_type = part.content_type().map(str::to_owned);
        let bytes = part.bytes().await.map_err(broken)?.to_vec();
        if name == "payload_json" {
            call.body = serde_json::from_slice(&bytes).map_err(|_| Refusal::bad_json())?;
            continue;
        }
        let number = name.strip_prefix("files[").and_then(|rest| rest.strip_suffix(']')?.parse().ok());
        let (Some(number), Some(file)) = (number, file) else {
            let message = "A part is payload_json, or files[n] with a file name.";
            return Err(Refusal::at(&name, "UNKNOWN_FIELD", message));
        };
        call.files.insert(number, File { name: file, content_type, bytes });
    }
    Ok(())
}

fn attachment(core: &Core, path: &str) -> Response {
    let id = path.split('/').nth(1).and_then(|id| id.parse::<u64>().ok());
    let file = core.look(|world| id.and_then(|id| world.files.get(&id)).cloned());
    file.map_or(StatusCode::NOT_FOUND.into_response(), |file| file.bytes.into_response())
}

fn pairs(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (unescaped(name), unescaped(value)))
        .collect()
}

/// `%41` as `A`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let code = others.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%');
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
