//! Shapes of JSON that are held to the letter: a key that nobody knows is as wrong as one that is missing.

use serde_json::{Map, Value};

use crate::request::Request;

/// How one key must be.
pub(crate) enum Must {
    /// There, and so.
    Be(fn(&Value) -> bool),
    /// So, if it is there.
    IfThere(fn(&Value) -> bool),
}

/// The object that a text of JSON is, if it has these keys and no others.
pub(crate) fn object<'a>(
    json: &'a Value,
    keys: &[(&str, Must)],
    what: &str,
) -> Result<&'a Map<String, Value>, String> {
    let object = json.as_object().ok_or_else(|| format!("{what} is no object: {json}"))?;
    for (key, must) in keys {
        match (must, object.get(*key)) {
            (Must::Be(_), None) => return Err(format!("{what} has no `{key}`: {json}")),
            (Must::Be(fits) | Must::IfThere(fits), Some(value)) if !fits(value) => {
                return Err(format!("`{key}` of {what} is wrong: {value}"));
            }
            _ => {}
        }
    }
    if let Some(key) = object.keys().find(|key| keys.iter().all(|(known, _)| known != key)) {
        return Err(format!("{what} has a `{key}`, which nobody knows: {json}"));
    }
    Ok(object)
}

/// A text that says something.
pub(crate) fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}

/// A post of JSON to this path.
pub(crate) fn post(request: &Request, path: &str) -> Result<(), (u16, String)> {
    if request.path != path {
        return Err((404, format!("nothing is at {}", request.path)));
    }
    if request.method != "POST" {
        return Err((405, format!("{} instead of POST", request.method)));
    }
    if request.header("content-type") != Some("application/json") {
        return Err((415, format!("{:?} is no JSON", request.header("content-type"))));
    }
    agent(request).map_err(|why| (400, why))
}

/// Who asks says so.
pub(crate) fn agent(request: &Request) -> Result<(), String> {
    let agent = request.header("user-agent").unwrap_or_default();
    if agent.starts_with("steadyhand/") { Ok(()) } else { Err(format!("{agent:?} asks, not steadyhand")) }
}
