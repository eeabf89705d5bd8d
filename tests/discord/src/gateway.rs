//! One connection to the gateway: hello, identify or resume, heartbeats, and whatever the world tells.
//!
//! What the real gateway closes for is closed for here, with its codes; and unknown fields as well.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, timeout_at};

use crate::core::Core;
use crate::limits;
use crate::refusal::Problems;
use crate::sessions::{Happening, INTENTS, Order, PRIVILEGED};
use crate::shape::{Field, Kind, check_object, list, may, must, some_text};

const PRESENCE: &[Field] = &[
    // serenity sends a structure where a number is asked for; Discord takes it.
    may("since", Kind::Anything),
    must("activities", list(&Kind::Anything, 10)),
    must("status", Kind::Word(&["online", "dnd", "idle", "invisible", "offline"])),
    must("afk", Kind::Flag),
];

const IDENTIFY: &[Field] = &[
    must("token", some_text(200)),
    must(
        "properties",
        Kind::Object(&[
            must("os", some_text(100)),
            must("browser", some_text(100)),
            must("device", some_text(100)),
        ]),
    ),
    may("compress", Kind::Flag),
    may("large_threshold", Kind::Whole { min: 50, max: 250 }),
    may("shard", Kind::List { of: &Kind::Whole { min: 0, max: 1_000 }, min: 2, max: 2 }),
    may("presence", Kind::Object(PRESENCE)),
    must("intents", Kind::Whole { min: 0, max: i64::MAX }),
];

const RESUME: &[Field] = &[
    must("token", some_text(200)),
    must("session_id", some_text(100)),
    must("seq", Kind::Whole { min: 0, max: i64::MAX }),
];

const MEMBERS: &[Field] = &[
    must("guild_id", Kind::Snowflake),
    may("query", Kind::Text { min: 0, max: 100 }),
    must("limit", Kind::Whole { min: 0, max: 100 }),
    may("presences", Kind::Flag),
    may("user_ids", Kind::Anything),
    may("nonce", Kind::Text { min: 0, max: 32 }),
];

/// Why a connection ends.
enum End {
    /// The client closed it with this code.
    Left(Option<u16>),
    /// It is closed with a code; the session may be resumed or not.
    Close {
        code: u16,
        why: &'static str,
        keep: bool,
    },
    Cut,
}

fn close(code: u16, why: &'static str) -> End {
    End::Close { code, why, keep: false }
}

struct Line {
    core: Core,
    socket: WebSocket,
    orders: UnboundedReceiver<Order>,
    wire: tokio::sync::mpsc::UnboundedSender<Order>,
    session: Option<String>,
    /// When the client spoke within the last minute.
    spoke: Vec<Instant>,
}

/// Talks until one side ends it.
pub(crate) async fn talk(core: Core, socket: WebSocket) {
    let (wire, orders) = unbounded_channel();
    let mut line = Line { core, socket, orders, wire, session: None, spoke: Vec::new() };
    let end = line.run().await;
    line.end(end).await;
}

impl Line {
    async fn run(&mut self) -> End {
        let every = self.core.look(|world| world.sessions.heartbeat);
        let hello =
            json!({"op": 10, "d": {"heartbeat_interval": millis(every), "_trace": []}, "s": null, "t": null});
        if self.socket.send(Message::text(hello.to_string())).await.is_err() {
            return End::Left(None);
        }
        let mut patience = Instant::now() + every * 3 / 2;
        loop {
            let said = tokio::select! {
                biased;
                order = self.orders.recv() => {
                    if let Some(end) = self.obey(order).await { return end }
                    continue;
                }
                said = timeout_at(patience, self.socket.recv()) => said,
            };
            let Ok(said) = said else { return close(4009, "Session timed out.") };
            let text = match said {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Close(frame))) => return End::Left(frame.map(|frame| frame.code)),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Binary(_))) => return close(4002, "Error while decoding payload."),
                Some(Err(_)) | None => return End::Left(None),
            };
            let now = Instant::now();
            self.spoke.retain(|before| now.duration_since(*before) < Duration::from_mins(1));
            self.spoke.push(now);
            if self.spoke.len() > limits::GATEWAY_SENDS {
                return close(4008, "You are being rate limited.");
            }
            let Ok(payload) = serde_json::from_str::<Value>(&text) else {
                return close(4002, "Error while decoding payload.");
            };
            if payload["op"] == 1 {
                patience = now + every * 3 / 2;
            }
            if let Err(end) = self.hear(&payload) {
                return end;
            }
        }
    }

    async fn obey(&mut self, order: Option<Order>) -> Option<End> {
        match order? {
            Order::Send(text) => match self.socket.send(Message::text(text)).await {
                Ok(()) => None,
                Err(_) => Some(End::Left(None)),
            },
            Order::Close(code, why) => Some(End::Close { code, why, keep: true }),
            Order::Cut => Some(End::Cut),
        }
    }

    fn send(&self, payload: &Value) {
        let _ = self.wire.send(Order::Send(payload.to_string()));
    }

    fn hear(&mut self, payload: &Value) -> Result<(), End> {
        let data = &payload["d"];
        match payload["op"].as_u64() {
            Some(1) => {
                if !data.is_null() && !data.is_u64() {
                    return Err(close(4002, "Error while decoding payload."));
                }
                if self.core.look(|world| world.sessions.acknowledges) {
                    self.send(&json!({"op": 11, "d": null, "s": null, "t": null}));
                }
                Ok(())
            }
            Some(2) if self.session.is_some() => Err(close(4005, "Already authenticated.")),
            Some(2) => self.identify(data),
            Some(6) if self.session.is_some() => Err(close(4005, "Already authenticated.")),
            Some(6) => self.resume(data),
            Some(3 | 8) if self.session.is_none() => Err(close(4003, "Not authenticated.")),
            Some(3) => well_formed(data, PRESENCE),
            Some(8) => {
                well_formed(data, MEMBERS)?;
                self.tell_members(data);
                Ok(())
            }
            _ => Err(close(4001, "Unknown opcode.")),
        }
    }

    fn identify(&mut self, data: &Value) -> Result<(), End> {
        well_formed(data, IDENTIFY)?;
        let intents = data["intents"].as_u64().unwrap_or_default();
        let wire = self.wire.clone();
        let name = self.core.change(|world| {
            if !is_token(&data["token"], &world.token) {
                return Err(close(4004, "Authentication failed."));
            }
            if data["shard"].as_array().is_some_and(|shard| shard[0] != 0 || shard[1] != 1) {
                return Err(close(4010, "Invalid shard."));
            }
            if intents & !INTENTS != 0 {
                return Err(close(4013, "Invalid intent(s)."));
            }
            if intents & PRIVILEGED & !world.sessions.granted != 0 {
                return Err(close(4014, "Disallowed intent(s)."));
            }
            Ok(world.begin_session(intents, wire))
        })?;
        self.session = Some(name);
        Ok(())
    }

    fn resume(&mut self, data: &Value) -> Result<(), End> {
        well_formed(data, RESUME)?;
        let name = data["session_id"].as_str().unwrap_or_default().to_owned();
        let seq = data["seq"].as_u64().unwrap_or_default();
        let wire = self.wire.clone();
        let resumed = self.core.change(|world| {
            if !is_token(&data["token"], &world.token) {
                return Err(close(4004, "Authentication failed."));
            }
            Ok(world.resume_session(&name, seq, wire))
        })?;
        if resumed.is_some() {
            self.session = Some(name);
        } else {
            self.send(&json!({"op": 9, "d": false, "s": null, "t": null}));
        }
        Ok(())
    }

    fn tell_members(&self, data: &Value) {
        let Some(name) = &self.session else { return };
        self.core.change(|world| {
            let members = world.users.values().filter(|user| user.is_member);
            let members: Vec<Value> = members.map(|user| world.member_json(user, true)).collect();
            let chunk = json!({
                "guild_id": world.guild.to_string(), "members": members, "chunk_index": 0, "chunk_count": 1,
                "not_found": [], "nonce": data["nonce"],
            });
            if let Some(session) = world.sessions.open.get_mut(name) {
                session.tell("GUILD_MEMBERS_CHUNK", &chunk);
            }
        });
    }

    async fn end(mut self, end: End) {
        let keep = match end {
            // Whoever says goodbye does not come back.
            End::Left(Some(1000 | 1001)) => false,
            End::Left(_) | End::Cut => true,
            End::Close { keep, .. } => keep,
        };
        let session = self.session.take();
        self.core.change(|world| {
            if let End::Close { code, keep: false, .. } = end {
                world.sessions.happened.push(Happening::Closed { code });
            }
            let now = world.clock.now_ms();
            let Some(name) = session else { return };
            let own = |wire: &tokio::sync::mpsc::UnboundedSender<Order>| wire.same_channel(&self.wire);
            if let Some(open) = world.sessions.open.get_mut(&name)
                && open.wire.as_ref().is_some_and(own)
            {
                open.wire = None;
                open.lost_ms = now;
                if !keep {
                    world.sessions.open.remove(&name);
                }
            }
        });
        if let End::Close { code, why, .. } = end {
            let frame = CloseFrame { code, reason: why.into() };
            let _ = self.socket.send(Message::Close(Some(frame))).await;
        }
    }
}

fn well_formed(data: &Value, fields: &[Field]) -> Result<(), End> {
    let mut problems = Problems::default();
    check_object(data, fields, "d", &mut problems);
    problems.end().map_err(|_| close(4002, "Error while decoding payload."))
}

/// The real gateway takes a token with its prefix, too; serenity sends it so.
fn is_token(said: &Value, token: &str) -> bool {
    said.as_str().is_some_and(|said| said.strip_prefix("Bot ").unwrap_or(said) == token)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
