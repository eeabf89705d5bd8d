//! A request as it came over the wire. Read by hand, so that nothing is forgiven.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;

/// As much as a service takes.
const MAX_BODY: usize = 512 * 1024;

/// A request.
#[derive(Debug, Clone)]
pub struct Request {
    /// `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// By their names in small letters. None comes twice.
    pub headers: BTreeMap<String, String>,
    /// Byte for byte.
    pub body: Vec<u8>,
}

impl Request {
    /// Reads one. None where nothing came, as when somebody only looks whether we are here.
    pub(crate) fn read(stream: &TcpStream) -> Option<Result<Self, String>> {
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        if !matches!(reader.read_line(&mut first), Ok(1..)) {
            return None;
        }
        Some(Self::rest(&first, &mut reader))
    }

    fn rest(first: &str, reader: &mut impl BufRead) -> Result<Self, String> {
        let line = |line: &str| {
            line.strip_suffix("\r\n").map(str::to_owned).ok_or_else(|| format!("{line:?} has no end"))
        };
        let first = line(first)?;
        let mut words = first.split(' ');
        let (Some(method), Some(path), Some("HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(format!("{first:?} is no request line"));
        };
        let mut headers = BTreeMap::new();
        loop {
            let mut text = String::new();
            reader.read_line(&mut text).map_err(|error| format!("a header was cut off: {error}"))?;
            let text = line(&text)?;
            if text.is_empty() {
                break;
            }
            let (name, value) = text.split_once(": ").ok_or_else(|| format!("{text:?} is no header"))?;
            if headers.insert(name.to_lowercase(), value.to_owned()).is_some() {
                return Err(format!("`{name}` came twice"));
            }
        }
        if !headers.contains_key("host") {
            return Err("there is no `Host`".to_owned());
        }
        let length = headers.get("content-length").map_or(Ok(0), |length| length.parse::<usize>());
        let length = length.map_err(|_| "`Content-Length` is no number".to_owned())?;
        if length > MAX_BODY {
            return Err(format!("the body has {length} bytes, more than 512 KB"));
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).map_err(|error| format!("the body was cut off: {error}"))?;
        Ok(Self { method: method.to_owned(), path: path.to_owned(), headers, body })
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}
