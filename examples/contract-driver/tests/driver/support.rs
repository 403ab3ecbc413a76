//! The program, and a project to drive it with.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use statsig_testkit::specs::{
    ConditionInput, DynamicConfigBuilder, ExperimentBuilder, GateBuilder, LayerBuilder, ParameterStoreBuilder,
    ParameterType, ProjectBuilder,
};

/// Longer than anything takes on a slow machine: what is waited for is an answer, not a time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running program.
pub struct Driver {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    next_id: u64,
}

impl Driver {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_contract-driver"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines() {
                if sender.send(line.unwrap()).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take();
        Self { child, input, lines, next_id: 1 }
    }

    /// One with a client `main` on the project of [`specs`], which writes its events to a file.
    pub fn on_project(events_file: Option<&std::path::Path>) -> Self {
        let mut driver = Self::start();
        driver.result(json!({"op": "create", "sdk_key": "secret-key",
            "options": {"bootstrap": specs(), "events_file": events_file}}));
        driver
    }

    /// Writes bytes as they are.
    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
    }

    /// Sends a request with a new id, which it returns.
    pub fn send(&mut self, mut request: Value) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        request["id"] = id.into();
        self.write(format!("{request}\n").as_bytes());
        id
    }

    /// The next line of the output.
    pub fn line(&mut self) -> Value {
        serde_json::from_str(&self.lines.recv_timeout(PATIENCE).unwrap()).unwrap()
    }

    /// The answer to a request.
    pub fn ask(&mut self, request: Value) -> Value {
        let id = self.send(request);
        let answer = self.line();
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }

    /// The result of a request that succeeds.
    #[track_caller]
    pub fn result(&mut self, request: Value) -> Value {
        let answer = self.ask(request);
        assert_eq!(answer["ok"], true, "{answer}");
        assert!(answer.get("error").is_none());
        answer["result"].clone()
    }

    /// Kind and message of a request that fails.
    #[track_caller]
    pub fn failure(&mut self, request: Value) -> (String, String) {
        failure(&self.ask(request))
    }

    /// Ends the input; all further lines, and whether the program ended well.
    pub fn end(mut self) -> (Vec<Value>, bool) {
        drop(self.input.take());
        let mut rest = Vec::new();
        // The channel closes when the output ends.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        (rest, self.child.wait().unwrap().success())
    }
}

/// A test that fails leaves no program behind.
impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
pub fn failure(answer: &Value) -> (String, String) {
    assert_eq!(answer["ok"], false, "{answer}");
    assert!(answer.get("result").is_none());
    let text = |name: &str| answer["error"][name].as_str().unwrap().to_owned();
    (text("kind"), text("message"))
}

pub fn specs() -> String {
    let project = ProjectBuilder::new()
        .client_key("client-web", "web")
        .gate(GateBuilder::on("open"))
        .gate(GateBuilder::new("closed"))
        .gate(GateBuilder::new("staging").when(ConditionInput::environment_tier().is_any_of(["staging"])))
        .gate(GateBuilder::new("region").when(ConditionInput::user_field("region").is_any_of(["eu"])))
        .gate(GateBuilder::on("for_ios").target_apps(["ios"]))
        .config(DynamicConfigBuilder::new("limits", json!({"uploads": 10})))
        .experiment(ExperimentBuilder::new("colors").group("Only", json!({"color": "red"})))
        .layer(LayerBuilder::new("page", json!({"color": "grey"})).experiment("colors"))
        .parameter_store(
            ParameterStoreBuilder::new("web")
                .value("flag", true)
                .value("number", 2.5)
                .value("integer", 3)
                .value("text", "t")
                .value("array", json!([1, "b"]))
                .value("object", json!({"a": null}))
                .by_gate("by_gate", "open", "passed", "failed")
                .from_config("uploads", ParameterType::Number, "limits", "uploads"),
        );
    String::from_utf8(project.build()).unwrap()
}

pub fn ada() -> Value {
    json!({"userID": "ada"})
}
