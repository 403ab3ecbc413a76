//! What is published, and what was asked.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read;

use super::fault::{Coding, Fault};

/// The endpoints, as a test names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `…/v2/download_config_specs/…`
    SpecsV2,
    /// `…/v1/download_config_specs/…`
    SpecsV1,
    /// `…/get_id_lists`
    IdLists,
    /// `…/download_id_list_file/…`
    IdListFile,
    /// `…/log_event`
    Events,
    /// Anything else: 404.
    Other,
}

impl Endpoint {
    fn of(path: &str) -> Self {
        match path {
            _ if path.contains("/v2/download_config_specs") => Self::SpecsV2,
            _ if path.contains("/download_config_specs") => Self::SpecsV1,
            _ if path.contains("/get_id_lists") => Self::IdLists,
            _ if path.contains("/download_id_list_file") => Self::IdListFile,
            _ if path.contains("/log_event") => Self::Events,
            _ => Self::Other,
        }
    }
}

/// A request, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Which endpoint it was for.
    pub endpoint: Endpoint,
    /// `GET` or `POST`.
    pub method: String,
    /// The path, with the query.
    pub target: String,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as transferred.
    pub body: Vec<u8>,
}

impl Recorded {
    pub(super) fn new(method: String, target: String, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let path = target.split('?').next().unwrap_or_default();
        Self { endpoint: Endpoint::of(path), method, target, headers, body }
    }

    /// A header's value.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The value of a query parameter, as it came.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The body, decompressed and read as JSON.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        let mut raw = Vec::new();
        match self.header("content-encoding") {
            // Like servers that read the first member only.
            Some("gzip") => flate2::read::GzDecoder::new(&*self.body).read_to_end(&mut raw).ok()?,
            Some(_) => return None,
            None => (&*self.body).read_to_end(&mut raw).ok()?,
        };
        serde_json::from_slice(&raw).ok()
    }
}

/// An answer before it is written.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: vec![("content-type", "application/json".into())], body: body.into() }
    }
}

#[derive(Debug)]
pub(super) struct IdList {
    file_id: String,
    creation_time: i64,
    file: Vec<u8>,
}

#[derive(Debug)]
struct Specs {
    body: Vec<u8>,
    time: u64,
    binary: bool,
    /// The time of a document, and the difference that leads from it to this one.
    delta: Option<(u64, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) struct State {
    specs: Option<Specs>,
    pub(super) id_lists: BTreeMap<String, IdList>,
    pub(super) once: VecDeque<(Endpoint, Fault)>,
    pub(super) always: Vec<(Endpoint, Fault)>,
    pub(super) coding: Option<Coding>,
    pub(super) ranges: bool,
    pub(super) requests: Vec<Recorded>,
    pub(super) events: Vec<serde_json::Value>,
    pub(super) connections: usize,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            specs: None,
            id_lists: BTreeMap::new(),
            once: VecDeque::new(),
            always: Vec::new(),
            coding: None,
            ranges: true,
            requests: Vec::new(),
            events: Vec::new(),
            connections: 0,
        }
    }

    pub(super) fn publish(&mut self, body: Vec<u8>, binary_time: Option<u64>) {
        let time = binary_time.or_else(|| {
            let document: serde_json::Value = serde_json::from_slice(&body).ok()?;
            document.get("time")?.as_u64()
        });
        self.specs = Some(Specs { body, time: time.unwrap_or(0), binary: binary_time.is_some(), delta: None });
    }

    pub(super) fn publish_delta(&mut self, body: Vec<u8>, from_time: u64) {
        if let Some(specs) = &mut self.specs {
            specs.delta = Some((from_time, body));
        }
    }

    pub(super) fn publish_id_list(&mut self, name: &str, file_id: &str, creation_time: i64, file: Vec<u8>) {
        self.id_lists.insert(name.to_owned(), IdList { file_id: file_id.to_owned(), creation_time, file });
    }

    /// The fault that was ordered for a request, if any.
    pub(super) fn fault_for(&mut self, endpoint: Endpoint) -> Option<Fault> {
        if let Some(at) = self.once.iter().position(|(ordered, _)| *ordered == endpoint) {
            return self.once.remove(at).map(|(_, fault)| fault);
        }
        self.always.iter().find(|(ordered, _)| *ordered == endpoint).map(|(_, fault)| fault.clone())
    }

    /// The proper answer. `host` is ours, as the client knows it.
    pub(super) fn answer(&mut self, request: &Recorded, base: &str) -> Answer {
        match request.endpoint {
            Endpoint::SpecsV2 | Endpoint::SpecsV1 => self.specs(request),
            Endpoint::IdLists => Answer::json(200, self.manifest(base)),
            Endpoint::IdListFile => self.file(request),
            Endpoint::Events => {
                let Some(body) = request.json() else { return Answer::json(400, r#"{"error":"unreadable"}"#) };
                let events = body.get("events").and_then(|events| events.as_array()).cloned();
                self.events.extend(events.unwrap_or_default());
                Answer::json(202, r#"{"success":true}"#)
            }
            Endpoint::Other => Answer::json(404, r#"{"error":"no such endpoint"}"#),
        }
    }

    fn specs(&self, request: &Recorded) -> Answer {
        let Some(specs) = &self.specs else { return Answer::json(401, "Unauthorized") };
        let since = request.query("sinceTime").and_then(|since| since.parse().ok()).unwrap_or(0_u64);
        if since >= specs.time && since > 0 {
            return Answer::json(200, r#"{"has_updates":false}"#);
        }
        let mut answer = Answer::json(200, specs.body.clone());
        if specs.binary {
            answer.headers =
                vec![("content-type", "application/octet-stream".into()), ("content-encoding", "statsig-br".into())];
        } else if let Some((coding, body)) =
            self.coding.and_then(|coding| Some((coding, coding.encode(&specs.body).ok()?)))
        {
            answer.headers.push(("content-encoding", coding.as_str().into()));
            answer.body = body;
        }
        answer.headers.push(("x-since-time", specs.time.to_string()));
        if let Some((from, delta)) = &specs.delta
            && request.query("accept_deltas") == Some("true")
            && request.query("sinceTime") == Some(&from.to_string())
        {
            answer.body.clone_from(delta);
            answer.headers.push(("x-deltas-used", "true".into()));
        }
        answer
    }

    fn manifest(&self, base: &str) -> Vec<u8> {
        let entries = self.id_lists.iter().map(|(name, list)| {
            let url = format!("{base}/v1/download_id_list_file/{}?k=1", list.file_id);
            let entry = serde_json::json!({
                "name": name, "size": list.file.len(), "url": url,
                "creationTime": list.creation_time, "fileID": list.file_id,
            });
            (name.clone(), entry)
        });
        serde_json::Value::Object(entries.collect()).to_string().into_bytes()
    }

    fn file(&self, request: &Recorded) -> Answer {
        let path = request.target.split('?').next().unwrap_or_default();
        let file_id = path.rsplit('/').next().unwrap_or_default();
        let Some(list) = self.id_lists.values().find(|list| list.file_id == file_id) else {
            return Answer::json(404, "{}");
        };
        let asked = request.header("range").map(|range| range.trim_start_matches("bytes=")).or(request.query("range"));
        let start = asked.and_then(|range| range.trim_end_matches('-').parse::<usize>().ok());
        let headers = vec![("content-type", "text/plain".to_owned())];
        match start {
            Some(start) if self.ranges && start >= list.file.len() && start > 0 => {
                Answer { status: 416, headers, body: Vec::new() }
            }
            Some(start) if self.ranges => Answer { status: 206, headers, body: list.file[start..].to_vec() },
            _ => Answer { status: 200, headers, body: list.file.clone() },
        }
    }
}
