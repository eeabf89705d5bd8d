//! What goes wrong on purpose with requests.

use std::time::Duration;

/// How a request goes wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// 429. Whoever comes again before the time is over is refused again, and noted as impatient.
    RateLimited {
        /// How long to stay away.
        after: Duration,
        /// For every request, not only for this kind.
        global: bool,
    },
    /// An answer with this status, and nothing is done.
    Status(u16),
    /// The answer takes so long; the request is done after that time.
    Slow(Duration),
    /// The connection ends before anything is done.
    Cut,
    /// It is done, and the connection ends before the answer.
    AnswerLost,
}

/// Which requests: a method (`*` for any), and a part of the path.
#[derive(Clone, Debug)]
struct Pattern {
    method: String,
    part: String,
}

impl Pattern {
    fn fits(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method == method) && path.contains(&self.part)
    }
}

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<(Pattern, Fault, usize)>,
    /// Rate limits in force, with their end in milliseconds.
    limits: Vec<(Pattern, bool, u64)>,
}

/// What happens to a request.
pub(crate) enum Verdict {
    Fine,
    Fault(Fault),
    /// A rate limit is still in force.
    TooEarly {
        left: Duration,
        global: bool,
    },
}

impl Faults {
    pub(crate) fn add(&mut self, times: usize, method: &str, part: &str, fault: Fault) {
        let pattern = Pattern { method: method.to_owned(), part: part.to_owned() };
        self.waiting.push((pattern, fault, times));
    }

    pub(crate) fn heal(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn judge(&mut self, method: &str, path: &str, now_ms: u64) -> Verdict {
        self.limits.retain(|(_, _, until)| *until > now_ms);
        let limit = self.limits.iter().find(|(pattern, global, _)| *global || pattern.fits(method, path));
        if let Some((_, global, until)) = limit {
            return Verdict::TooEarly { left: Duration::from_millis(until - now_ms), global: *global };
        }
        let Some(at) = self.waiting.iter().position(|(pattern, ..)| pattern.fits(method, path)) else {
            return Verdict::Fine;
        };
        let (pattern, fault, left) = &mut self.waiting[at];
        let (pattern, fault) = (pattern.clone(), fault.clone());
        *left -= 1;
        if *left == 0 {
            self.waiting.remove(at);
        }
        if let Fault::RateLimited { after, global } = fault {
            let until = now_ms + u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            self.limits.push((pattern, global, until));
        }
        Verdict::Fault(fault)
    }
}
