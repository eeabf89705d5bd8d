//! What Alertmanager posts (webhook, version 4), as reports. Pure. Whoever runs Alertmanager can change what it posts, so
//! nothing of it is taken for granted: what is missing is made up for, and what is not known is left out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::incident::report::{Alert, Of, Reported, Source};
use crate::inventory::Inventory;
use crate::runbook::source::name::ServiceName;

/// The words of an alert have at most so many characters,
const MAX_WORDS: usize = 500;
/// and a name or a severity no more than this.
const MAX_NAME: usize = 100;
/// Where an alert says what it is, best first.
const SAYS: [&str; 4] = ["summary", "message", "description", "title"];

/// A post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Its alerts.
    pub alerts: Vec<Reported>,
    /// So many more there are, of which it says nothing: Alertmanager was told to send no more at once.
    pub left_out: u64,
}

/// A post, or why it is none.
pub fn read(body: &[u8], inventory: &Inventory, now: Timestamp) -> Result<Post, String> {
    // Nothing deeper than 128 is read.
    let post: Value = serde_json::from_slice(body).map_err(|error| format!("it is no JSON: {error}"))?;
    if let Some(version) = post.get("version").filter(|version| version.as_str() != Some("4")) {
        return Err(format!("it has the version {version}, and the one that is known is \"4\""));
    }
    let alerts = post.get("alerts").and_then(Value::as_array);
    let alerts = alerts.ok_or("it has no list `alerts`")?;
    let alerts = alerts.iter().map(|alert| one(alert, inventory, now)).collect::<Result<_, _>>()?;
    Ok(Post { alerts, left_out: post.get("truncatedAlerts").and_then(Value::as_u64).unwrap_or_default() })
}

fn one(alert: &Value, inventory: &Inventory, now: Timestamp) -> Result<Reported, String> {
    if !alert.is_object() {
        return Err("one of its alerts is no object".to_owned());
    }
    let texts = |name: &str| -> BTreeMap<&str, &str> {
        let all = alert.get(name).and_then(Value::as_object).into_iter().flatten();
        all.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
    };
    let (labels, annotations) = (texts("labels"), texts("annotations"));
    let name = labels.get("alertname").filter(|name| !name.trim().is_empty());
    let name = name.map_or_else(|| "without a name".to_owned(), |name| cut(name, MAX_NAME));
    let since = alert.get("startsAt").and_then(Value::as_str).and_then(|at| at.parse().ok());
    let severity = labels.get("severity").map(|severity| cut(severity, MAX_NAME));
    let fingerprint = alert.get("fingerprint").and_then(Value::as_str).filter(|text| is_plain(text));
    let fingerprint = fingerprint.map_or_else(|| fingerprint_of(&labels), str::to_owned);
    Ok(Reported {
        of: service_of(&labels, inventory).map_or_else(|| Of::Unknown(name.clone()), Of::Service),
        words: words(&name, &labels, &annotations),
        // Whatever is not said to be over goes on: better one call too many.
        over: alert.get("status").and_then(Value::as_str) == Some("resolved"),
        source: Source::Alert(Alert { fingerprint, name, since: since.unwrap_or(now), severity }),
        incident: None,
        drill: false,
    })
}

/// The service that an alert is about: the label `service`, else that of the label `cluster`, else that of the cluster of the
/// host that `instance` names.
fn service_of(labels: &BTreeMap<&str, &str>, inventory: &Inventory) -> Option<ServiceName> {
    let of_cluster = |name: &str| inventory.clusters.get(name).map(|cluster| cluster.service.value.clone());
    let named = labels.get("service").filter(|name| inventory.services.contains_key(**name));
    let named = named.map(|name| (*name).to_owned());
    let service = named.or_else(|| of_cluster(labels.get("cluster")?)).or_else(|| {
        let instance = host_of(labels.get("instance")?);
        let by_address = || {
            let mut hosts = inventory.hosts.iter();
            hosts.find(|(_, host)| host.address.value == instance).map(|(name, _)| name.as_str())
        };
        let named = inventory.hosts.get_key_value(instance).map(|(name, _)| name.as_str());
        let (_, cluster) = inventory.cluster_of(named.or_else(by_address)?)?;
        Some(cluster.service.value.clone())
    })?;
    ServiceName::new(&service).filter(|name| inventory.services.contains_key(name))
}

/// `db-1:9100` without its port, `[::1]:9100` without brackets.
fn host_of(instance: &str) -> &str {
    if let Some(rest) = instance.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match instance.rsplit_once(':') {
        // More than one is an address of its own.
        Some((host, _)) if !host.contains(':') => host,
        _ => instance,
    }
}

fn words(name: &str, labels: &BTreeMap<&str, &str>, annotations: &BTreeMap<&str, &str>) -> String {
    let said = SAYS.iter().find_map(|key| annotations.get(key).filter(|text| !text.trim().is_empty()));
    let said = cut(said.map_or(name, |text| text.trim()), MAX_WORDS);
    match labels.get("instance") {
        Some(instance) => format!("{said} ({})", cut(instance, MAX_NAME)),
        None => said,
    }
}

/// A text that is no longer than this, and that says so where it was.
fn cut(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most).collect();
    format!("{kept}… (cut, it has {length} characters)")
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// What tells an alert from all others: its labels.
fn fingerprint_of(labels: &BTreeMap<&str, &str>) -> String {
    let mut hash = Sha256::new();
    for (name, value) in labels {
        hash.update(format!("{}:{name}{}:{value}", name.len(), value.len()));
    }
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inventory::read_inventory;
    use crate::runbook::source::place::FileName;
    use crate::runbook::source::problem::Problems;
    use crate::runbook::source::yaml::read_yaml;

    const INVENTORY: &str = "inventory: x
services: { orders: { title: Orders, owner: shop } }
clusters: { orders-db: { kind: postgresql, service: orders, owner: shop, hosts: [pg1, pg6] } }
hosts:
  pg1: { address: 10.20.0.11, user: postgres }
  pg6: { address: \"fd00::6\", user: postgres }
  lone: { address: 10.20.0.99, user: postgres }
";

    fn inventory() -> Inventory {
        let (file, mut problems) = (FileName::new("inventory.yaml"), Problems::default());
        let root = read_yaml(&file, INVENTORY, &mut problems).unwrap();
        read_inventory(&file, &root, &mut problems)
    }

    fn post(alerts: &Value) -> Vec<Reported> {
        let body = json!({ "version": "4", "alerts": alerts, "notification_reason": "new" }).to_string();
        read(body.as_bytes(), &inventory(), Timestamp::UNIX_EPOCH).unwrap().alerts
    }

    fn of(labels: &Value) -> String {
        match &post(&json!([{ "labels": labels }]))[0].of {
            Of::Service(service) => service.to_string(),
            Of::Unknown(name) => format!("? {name}"),
        }
    }

    #[test]
    fn an_alert_is_read_as_alertmanager_writes_it() {
        let alerts = post(&json!([{
            "status": "firing",
            "labels": { "alertname": "DiskFull", "instance": "pg1:9100", "severity": "critical" },
            "annotations": { "runbook_url": "https://wiki/x", "summary": "Disk almost full" },
            "startsAt": "2026-11-20T21:36:22.514907385Z", "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "", "fingerprint": "8c77d5865e910658"
        }]));

        let alert = Alert {
            fingerprint: "8c77d5865e910658".to_owned(),
            name: "DiskFull".to_owned(),
            since: "2026-11-20T21:36:22.514907385Z".parse().unwrap(),
            severity: Some("critical".to_owned()),
        };
        assert_eq!(alerts[0].source, Source::Alert(alert));
        assert_eq!(alerts[0].words, "Disk almost full (pg1:9100)");
        assert!(!alerts[0].over, "the year 1 is no end");
        assert!(post(&json!([{ "status": "resolved" }]))[0].over);
    }

    #[test]
    fn the_service_is_that_of_a_label_or_of_the_host() {
        for (labels, found) in [
            (json!({ "service": "orders" }), "orders"),
            (json!({ "service": "nginx", "cluster": "orders-db" }), "orders"),
            (json!({ "cluster": "nowhere", "instance": "pg1:9187" }), "orders"),
            (json!({ "instance": "pg1" }), "orders"),
            (json!({ "instance": "10.20.0.11:9100" }), "orders"),
            (json!({ "instance": "[fd00::6]:9100" }), "orders"),
            (json!({ "instance": "fd00::6" }), "orders"),
            (json!({ "alertname": "A", "instance": "lone:9100" }), "? A"),
            (json!({ "alertname": "A", "service": "../../etc", "instance": "" }), "? A"),
            (json!({ "alertname": 7 }), "? without a name"),
            (json!({}), "? without a name"),
        ] {
            assert_eq!(of(&labels), found, "{labels}");
        }
    }

    #[test]
    fn nothing_is_taken_for_granted_and_nothing_is_dropped() {
        let long = "x".repeat(2_000);
        let alerts = post(&json!([
            {},
            { "labels": null, "annotations": [], "startsAt": "yesterday", "fingerprint": "../x" },
            { "labels": { "alertname": long, "severity": long }, "annotations": { "summary": long } },
            { "labels": { "alertname": "A", "job": "a" } },
            { "labels": { "alertname": "A", "job": "b" } },
        ]));

        assert_eq!(alerts.len(), 5);
        let Source::Alert(cut) = &alerts[2].source else { panic!("{alerts:?}") };
        assert!(cut.name.ends_with("… (cut, it has 2000 characters)") && cut.name.len() < 200);
        assert!(alerts[2].words.ends_with("… (cut, it has 2000 characters)") && alerts[2].words.len() < 600);
        let print = |reported: &Reported| match &reported.source {
            Source::Alert(alert) => alert.fingerprint.clone(),
            Source::Person(_) => unreachable!(),
        };
        assert_eq!(print(&alerts[0]), print(&alerts[1]), "the same labels");
        assert_ne!(print(&alerts[3]), print(&alerts[4]));
        assert_eq!(print(&alerts[3]).len(), 16);
    }

    #[test]
    fn what_alertmanager_left_out_is_known() {
        for (truncated, left_out) in
            [(json!(7), 7), (json!(0), 0), (json!(null), 0), (json!("7"), 0), (json!(-1), 0)]
        {
            let body = json!({ "alerts": [{}], "truncatedAlerts": truncated }).to_string();
            let post = read(body.as_bytes(), &inventory(), Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!((post.alerts.len(), post.left_out), (1, left_out), "{truncated}");
        }
    }

    #[test]
    fn what_is_no_post_of_alertmanager_is_said() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for (body, why) in [
            ("", "it is no JSON"),
            ("{\"alerts\": [", "it is no JSON"),
            (deep.as_str(), "it is no JSON: recursion limit exceeded"),
            ("[]", "it has no list `alerts`"),
            ("{\"version\":\"3\",\"alerts\":[]}", "it has the version \"3\""),
            ("{\"version\":\"4\"}", "it has no list `alerts`"),
            ("{\"version\":\"4\",\"alerts\":[7]}", "one of its alerts is no object"),
        ] {
            let read = read(body.as_bytes(), &inventory(), Timestamp::UNIX_EPOCH);
            assert!(read.as_ref().is_err_and(|said| said.starts_with(why)), "{why}: {read:?}");
        }
    }
}
