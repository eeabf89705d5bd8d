//! A check of healthchecks: whoever calls it is alive.

use crate::peer::Reply;
use crate::request::Request;
use crate::strict;

pub(crate) const PATH: &str = "/5e2d8c1a-4b7f-4f6e-9c3d-2a1b0c9d8e7f";

pub(crate) fn judge(request: &Request) -> Result<Reply, (u16, String)> {
    if request.path != PATH {
        return Err((404, "not found".to_owned()));
    }
    if request.method != "GET" {
        return Err((405, format!("{} instead of GET", request.method)));
    }
    strict::agent(request).map_err(|why| (400, why))?;
    Ok(Reply { status: 200, body: "OK".to_owned() })
}
