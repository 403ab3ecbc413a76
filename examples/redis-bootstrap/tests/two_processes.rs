//! One process writes, the other starts from Redis alone and follows.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use statsig_testkit::redis_server::RedisServer;

const SPECS: &str = include_str!("../../specs/demo_project.json");

fn program(server: &RedisServer) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redis-bootstrap"));
    command.arg(server.url()).current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command
}

/// What `write` says.
fn write(server: &RedisServer, file: &Path) -> String {
    let output = program(server).arg("write").arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_host_starts_from_redis_and_follows() {
    let server = RedisServer::start().unwrap();
    let first = PathBuf::from("examples/specs/demo_project.json");
    assert_eq!(write(&server, &first), "Written\n");

    let mut host = program(&server).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(host.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), r#"started from Adapter("DataStore")"#);
    let line = lines.next().unwrap().unwrap();
    assert!(line.ends_with("dark_mode is true"), "{line}");
    let time: u64 = line.strip_prefix("specs of ").unwrap().split(':').next().unwrap().parse().unwrap();

    // The same project a moment later. (Without another checksum it would be nothing new.)
    let newer = SPECS.replace(&time.to_string(), &(time + 1).to_string()).replace("3635207267", "3635207268");
    let file = server.dir().join("newer.json");
    std::fs::write(&file, newer).unwrap();
    assert_eq!(write(&server, &file), "Written\n");
    let line = lines.next().unwrap().unwrap();
    assert_eq!(line, format!("specs of {}: dark_mode is true", time + 1));
    let late = write(&server, &first);
    assert!(late.starts_with("SkippedOlder"), "{late}");
    host.kill().unwrap();
    host.wait().unwrap();
}
