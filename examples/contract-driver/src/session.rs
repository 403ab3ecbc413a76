//! From the first line to the last.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use statsig::Statsig;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::answer::{Answer, Answers, Failure, FailureKind, nothing, write_all};
use crate::create::create;
use crate::line::{Line, Lines};
use crate::ops::{self, Op};
use crate::request::Request;

/// Answers that wait to be written before requests wait too.
const WAITING_ANSWERS: usize = 1_024;
/// How long the clients that are still open have to deliver their events at the end.
const FAREWELL: Duration = Duration::from_secs(10);

/// Answers all requests of `lines` on `out`, then shuts down every client.
pub fn run<R: BufRead>(mut lines: Lines<R>, out: impl Write + Send + 'static, runtime: &Handle) -> anyhow::Result<()> {
    let (sender, receiver) = sync_channel(WAITING_ANSWERS);
    let writer = thread::Builder::new()
        .name("answers".to_owned())
        .spawn(move || write_all(&receiver, out))
        .context("cannot start the thread that writes answers")?;
    let mut session = Session {
        clients: BTreeMap::new(),
        answers: Answers::new(sender),
        background: JoinSet::new(),
        runtime: runtime.clone(),
    };
    let read = session.answer_all(&mut lines);
    session.end();
    let written = writer.join().map_err(|_| anyhow::anyhow!("the thread that writes answers has failed"))?;
    read.context("cannot read requests")?;
    written.context("cannot write answers")
}

struct Session {
    clients: BTreeMap<String, Client>,
    answers: Answers,
    background: JoinSet<()>,
    runtime: Handle,
}

struct Client {
    statsig: Statsig,
    /// Its name may be taken anew.
    is_shut_down: bool,
}

impl Session {
    /// Until the input ends, `exit` is asked for, or nobody reads answers any more.
    fn answer_all<R: BufRead>(&mut self, lines: &mut Lines<R>) -> std::io::Result<()> {
        let max_bytes = lines.max_bytes();
        while let Some(line) = lines.next()? {
            // Those that are done need no memory any more.
            while self.background.try_join_next().is_some() {}
            let goes_on = match line {
                Line::TooLong => {
                    let message = format!("a line has at most {max_bytes} bytes");
                    self.answers.send(&Value::Null, &Err(Failure::new(FailureKind::LineTooLong, message)))
                }
                Line::Bytes(bytes) if bytes.trim_ascii().is_empty() => true,
                Line::Bytes(bytes) => match Request::parse(bytes) {
                    Ok(request) if request.op == "exit" => false,
                    Ok(request) => self.handle(request),
                    Err(none) => self.answers.send(&none.id, &Err(none.failure)),
                },
            };
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Answers a request, now or later; `false` if nobody reads answers any more.
    fn handle(&mut self, request: Request) -> bool {
        let id = request.id.clone();
        match self.answer(request) {
            Some(answer) => self.answers.send(&id, &answer),
            None => true,
        }
    }

    /// The answer; `None` if it comes later.
    fn answer(&mut self, mut request: Request) -> Option<Answer> {
        match &*request.op {
            "capabilities" => return Some(ops::capabilities()),
            "create" => return Some(self.create(&mut request)),
            _ => {}
        }
        let unsupported = |message: String| Some(Err(Failure::new(FailureKind::Unsupported, message)));
        let Some(op) = ops::find(&request.op) else {
            return unsupported(format!("there is no operation `{}`", request.op));
        };
        let Some(client) = self.clients.get_mut(&request.client) else {
            let message = format!("there is no client `{}`", request.client);
            return Some(Err(Failure::new(FailureKind::NoSuchClient, message)));
        };
        let later = match op {
            Op::Now(run) => return Some(run(&client.statsig, &mut request.fields)),
            Op::Later(start) => start(&client.statsig, &mut request.fields),
        };
        let later = match later {
            Ok(later) => later,
            Err(failure) => return Some(Err(failure)),
        };
        client.is_shut_down |= request.op == "shutdown";
        let (answers, id) = (self.answers.clone(), request.id);
        self.background.spawn_on(
            async move {
                let answer = later.await;
                // Blocks only while answers are not taken.
                answers.send(&id, &answer);
            },
            &self.runtime,
        );
        None
    }

    fn create(&mut self, request: &mut Request) -> Answer {
        if self.clients.get(&request.client).is_some_and(|client| !client.is_shut_down) {
            let message = format!("there is a client `{}` already", request.client);
            return Err(Failure::new(FailureKind::ClientExists, message));
        }
        let statsig = create(&mut request.fields, &self.runtime)?;
        self.clients.insert(std::mem::take(&mut request.client), Client { statsig, is_shut_down: false });
        nothing()
    }

    /// Shuts all clients down side by side, and lets everything answer that still can.
    fn end(self) {
        let Self { clients, answers, mut background, runtime } = self;
        drop(answers);
        for client in clients.into_values() {
            background.spawn_on(
                async move {
                    // Nobody is there to be told.
                    let _ = client.statsig.shutdown(FAREWELL).await;
                },
                &runtime,
            );
        }
        runtime.block_on(async {
            let all = async { while background.join_next().await.is_some() {} };
            // Flushes of a client end when it is shut down.
            let _ = tokio::time::timeout(FAREWELL * 2, all).await;
        });
    }
}
