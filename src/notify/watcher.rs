//! Tells the watcher outside that we are alive. What it is told by must have looked at everything before: a clock that only
//! ticks would be a false comfort.

use std::time::Duration;

use tokio::time::timeout;

use super::Outside;
use super::attempt::{quoted, secret};
use super::http::NoReply;

/// It is heard within this time, or it was not.
const HEARD_WITHIN: Duration = Duration::from_secs(10);

/// Calls the address that this secret holds.
pub(super) async fn call(outside: &Outside, url_secret: &str) -> Result<(), String> {
    let call = async {
        let url = secret(&outside.secrets, url_secret).await?;
        outside.http.get(url.expose(), outside.now()).await.map_err(|no_reply| match no_reply {
            NoReply::NotSent(why) | NoReply::Unknown(why) => why,
        })
    };
    let within = HEARD_WITHIN.min(outside.sent_within());
    let reply = timeout(within, call)
        .await
        .unwrap_or_else(|_| Err(format!("no answer within {} s", within.as_secs_f32())));
    let why = match reply {
        Ok(reply) if (200..=299).contains(&reply.status) => return Ok(()),
        Ok(reply) => {
            let said = quoted(&outside.secrets, reply.body.as_deref().unwrap_or_default());
            format!("it answered {}: {said}", reply.status)
        }
        Err(why) => why,
    };
    Err(format!("{why}. Next: look at its address in the secret `{url_secret}`, and at the way to it"))
}
