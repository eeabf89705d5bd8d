//! Health, readiness, figures, the pages behind the links of notices, and the door for alerts, over HTTP. Nothing changes
//! here but by the button of such a page, or by alerts that show the token; and nobody can hold it up.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::health::Report;
use super::{Service, alerts, answers, parts};
use crate::engine::clock::Clock;
use crate::notify::link::ROUTE;

/// So many may be connected at once; others wait.
const CONNECTIONS: usize = 32;
/// Somebody who connects says within this time what is wanted.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// A connection lives no longer.
const SERVED_WITHIN: Duration = Duration::from_secs(30);
/// When there is no file handle for another connection, it is tried again after this time.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What is served.
pub fn routes(service: Service) -> Router {
    let health = |State(service): State<Service>| async move { reported(&service.health.report().await) };
    let ready = |State(service): State<Service>| async move { reported(&parts::readiness(&service).await) };
    let metrics = |State(service): State<Service>| async move {
        let kind = "text/plain; version=0.0.4; charset=utf-8";
        answer(StatusCode::OK, kind, service.figures().await)
    };
    Router::new()
        .route("/healthz", get(health))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/alerts", post(alerts::take))
        .route(&format!("{ROUTE}{{token}}"), get(answers::look).post(answers::press))
        .with_state(service)
}

fn reported(report: &Report) -> Response {
    let status = if report.is_good() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = serde_json::to_string(report).unwrap_or_default() + "\n";
    answer(status, "application/json", text)
}

pub(super) fn answer(status: StatusCode, kind: &'static str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, text).into_response()
}

/// Listens there.
pub async fn bind(listen: SocketAddr) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(listen).await;
    listener.map_err(|error| {
        format!("serve.listen: nothing can listen on {listen}: {error}. Next: end what listens there, or name another port")
    })
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, routes: Router, clock: Clock) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            clock.after(AGAIN_AFTER).await;
            continue;
        };
        let (routes, late) = (routes.clone(), clock.after(SERVED_WITHIN));
        tokio::spawn(async move {
            tokio::select! {
                () = connection(stream, routes) => {}
                () = late => {}
            }
            drop(place);
        });
    }
}

/// One connection, one answer.
async fn connection(stream: TcpStream, routes: Router) {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(ASKED_WITHIN).keep_alive(false);
    // Whoever goes away before the answer has none.
    let _ = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes)).await;
}
