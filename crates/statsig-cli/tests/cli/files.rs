//! Files: outputs that are inputs, addresses in place of files, compressed and other files.

use std::path::Path;

use crate::{SPECS, USERS, file, folder, root, run, run_with, statsig};

const GATE: [&str; 4] = ["--gate", "dark_mode", "--format", "jsonl"];

fn gzip(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, bytes.as_ref()).unwrap();
    gzip.finish().unwrap()
}

fn eval<'a>(specs: &'a str, users: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let arguments = ["eval", "--specs", specs, "--users", users];
    arguments.into_iter().chain(GATE).chain(more.iter().copied()).collect()
}

/// Other names of a file.
fn names_of(path: &str) -> Vec<String> {
    let folder = folder();
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    let mut names = vec![path.to_owned(), format!("{}/./{name}", folder.display())];
    for (link, hard) in [("soft", false), ("hard", true)] {
        let link = folder.join(format!("{link}_{name}"));
        let _ = std::fs::remove_file(&link);
        #[cfg(unix)]
        if !hard {
            std::os::unix::fs::symlink(path, &link).unwrap();
            names.push(link.to_str().unwrap().to_owned());
            // A link to the folder.
            let of_folder = folder.join("folder");
            let _ = std::fs::remove_file(&of_folder);
            std::os::unix::fs::symlink(&folder, &of_folder).unwrap();
            names.push(of_folder.join(name).to_str().unwrap().to_owned());
        }
        if hard && cfg!(unix) {
            std::fs::hard_link(path, &link).unwrap();
            names.push(link.to_str().unwrap().to_owned());
        }
    }
    names
}

#[test]
fn an_output_that_is_an_input_is_refused() {
    let specs = file("specs.json", std::fs::read(root().join(SPECS)).unwrap());
    let users = file("users.jsonl", std::fs::read(root().join(USERS)).unwrap());
    let list = file("list.txt", "+pmWkWSBC\n");
    let given = format!("vips={list}");
    for (option, input) in [("--specs", &specs), ("--users", &users), ("--id-list", &list)] {
        let before = std::fs::read(input).unwrap();
        for name in names_of(input) {
            let ran = run(eval(&specs, &users, &["--id-list", &given, "--out", &name]));
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{name}: {}", ran.stderr);
            assert!(ran.stderr.contains("--out ") && ran.stderr.contains(&format!("and {option} ")), "{}", ran.stderr);
            assert!(std::fs::read(input).unwrap() == before, "{name} was written");
        }
    }
    // Also where the input does not exist yet, and where it is standard input.
    let new = folder().join("new.txt").to_str().unwrap().to_owned();
    let ran = run(eval(&specs, &users, &["--id-list", &format!("vips={new}"), "--out", &new]));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    #[cfg(unix)]
    for out in [users.as_str(), "-"] {
        let mut command = statsig(eval(&specs, "-", &["--out", out]));
        let append = std::fs::OpenOptions::new().append(true).open(&users).unwrap();
        let output = command.stdin(std::fs::File::open(&users).unwrap()).stdout(append).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{out}");
    }
    assert!(std::fs::read(&users).unwrap() == std::fs::read(root().join(USERS)).unwrap());
}

#[test]
fn an_output_is_replaced_when_the_run_succeeds_and_not_before() {
    let out = file("out.jsonl", "before");
    let bad = file("bad.jsonl", "{\"userID\": \"u-1\"}\nnonsense\n");
    let ran = run(eval(SPECS, &bad, &["--out", &out]));
    assert_eq!((ran.code, std::fs::read_to_string(&out).unwrap().as_str()), (Some(3), "before"));
    assert_eq!(run(eval(SPECS, USERS, &["--out", &out])).clean(), "");
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 24);
    let names = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "a temporary file is left");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o600)).unwrap();
        run(eval(SPECS, USERS, &["--out", &out])).clean();
        assert_eq!(std::fs::metadata(&out).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_written_to_as_they_are() {
    let rows = run(eval(SPECS, USERS, &["--out", "/dev/stdout"])).clean();
    assert_eq!(rows.lines().count(), 24);
    assert_eq!(run(eval(SPECS, USERS, &["--out", "/dev/null"])).clean(), "");
    assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
    let fifo = folder().join("fifo");
    let _ = std::fs::remove_file(&fifo);
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| std::fs::read_to_string(&fifo).unwrap());
        run(eval(SPECS, USERS, &["--out", fifo.to_str().unwrap()])).clean();
        assert_eq!(reader.join().unwrap(), rows);
    });
}

#[cfg(all(target_os = "linux", feature = "net"))]
#[test]
fn an_interrupted_run_leaves_the_output_as_it_was() {
    use std::io::Write;
    use std::process::Stdio;
    // Of a run of this test that was ended.
    let _ = std::fs::remove_dir_all(folder());
    let out = file("out.jsonl", "before");
    let mut child = statsig(eval(SPECS, "-", &["--out", &out])).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"{\"userID\": \"u-1\"}\n").unwrap();
    let temporary = || {
        let entries = std::fs::read_dir(folder()).unwrap();
        entries.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp")).count()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while temporary() == 0 {
        assert!(std::time::Instant::now() < deadline, "no output was opened");
        std::thread::yield_now();
    }
    // The handler is set up by a thread of its own.
    let catches_term = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&caught, 16).unwrap() & (1 << 14) != 0
    };
    while !catches_term() {
        assert!(std::time::Instant::now() < deadline, "signals are not caught");
        std::thread::yield_now();
    }
    std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!((temporary(), std::fs::read_to_string(&out).unwrap().as_str()), (0, "before"));
}

#[test]
fn an_address_is_no_file() {
    let key = "secret-abcdefgh";
    let url = format!("https://api.statsigcdn.com/v2/download_config_specs/{key}.json");
    let bare = format!("api.statsigcdn.com/v2/download_config_specs/{key}.json");
    let query = format!("http://h/specs?k={key}");
    let user = ["--user", "{}", "--gate", "dark_mode"];
    for address in [url.as_str(), &bare, &query] {
        for arguments in [
            vec!["specs", address],
            vec!["specs", "--specs", address],
            vec!["eval", "--specs", address, "--user", "{}", "--gate", "dark_mode"],
            vec!["explain", "--specs", address, "--user", "{}", "gate", "dark_mode"],
            #[cfg(feature = "net")]
            vec!["watch", "--specs", address],
        ] {
            let ran = run(arguments.iter().copied());
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?} {}", ran.stderr);
            assert!(ran.stderr.contains("takes a file, not an address"), "{}", ran.stderr);
            if cfg!(feature = "net") {
                assert!(ran.stderr.contains("--sdk-key") && ran.stderr.contains("--api"), "{}", ran.stderr);
            }
            assert!(!ran.stderr.contains(key), "{}", ran.stderr);
        }
        for arguments in [
            vec!["eval", "--specs", SPECS, "--users", address, "--gate", "dark_mode"],
            vec!["eval", "--specs", SPECS, "--user", "{}", "--gate", "dark_mode", "--out", address],
        ] {
            let ran = run(arguments.iter().copied());
            assert!(ran.code == Some(2) && !ran.stderr.contains(key), "{arguments:?} {}", ran.stderr);
        }
    }
    let list = format!("vips={url}");
    let ran = run(["eval", "--specs", SPECS, "--id-list", &list].into_iter().chain(user));
    assert!(ran.code == Some(2) && ran.stderr.contains("--id-list takes a file"), "{}", ran.stderr);
    let ran = run(["specs", "redis://:hunter2@h:6379"]);
    assert!(ran.code == Some(2) && !ran.stderr.contains("hunter2"), "{}", ran.stderr);
    if cfg!(feature = "redis") {
        assert!(ran.stderr.contains("--redis URL"), "{}", ran.stderr);
    }
    let ran = run(["specs", "file:///tmp/specs.json"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("without `file://`"), "{}", ran.stderr);
    // In the wrong place, and as a name.
    for arguments in [&["eval", &url][..], &["specs", SPECS, key], &["specs", key], &["specs", &format!("{key}.json")]]
    {
        let ran = run(arguments.iter().copied());
        assert!(ran.code != Some(0) && !ran.stderr.contains("abcdefgh"), "{arguments:?} {}", ran.stderr);
    }
}

#[test]
fn compressed_files_are_read_or_named() {
    let specs = std::fs::read(root().join(SPECS)).unwrap();
    let packed = gzip(&specs);
    let whole = file("specs", &packed);
    assert!(run(["specs", &whole]).clean().contains("Problems        none"));
    let cut = |packed: &[u8]| packed[..packed.len() / 2].to_vec();
    let damaged = |packed: &[u8]| {
        let mut damaged = packed.to_vec();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 40].fill(0xff);
        damaged
    };
    for (name, content, message) in
        [("cut", cut(&packed), " is gzip, and ends too early"), ("damaged", damaged(&packed), " is gzip, and damaged")]
    {
        let ran = run(["specs", &file(name, content)]);
        assert!(ran.code == Some(3) && ran.stderr.contains(message), "{}", ran.stderr);
    }
    let users = gzip(std::fs::read(root().join(USERS)).unwrap().repeat(40));
    let cut = file("cut_users", cut(&users));
    let damaged = file("damaged_users", damaged(&users));
    let zstd = file("zstd", b"\x28\xb5\x2f\xfd\x24\x01\x02\x03\x04");
    let zip = file("zip", b"PK\x03\x04\x14\0\0\0\x08\0specs.json");
    let brotli = file("brotli", [0x8b, 0x03, 0x80, 0xff, 0x7b, 0x22, 0xf1, 0x03]);
    for (path, message) in [
        (&cut, " is gzip, and ends too early"),
        (&damaged, " is gzip, and damaged"),
        (&zstd, " is compressed with zstd"),
        (&zip, " is compressed with zip"),
        (&brotli, "brotli"),
    ] {
        let ran = run(["specs", path]);
        assert!(ran.code == Some(3) && ran.stderr.contains(message), "{}", ran.stderr);
        if path == &brotli {
            continue;
        }
        let ran = run(eval(SPECS, path, &[]));
        assert!(ran.code == Some(3) && ran.stderr.contains(message), "{}", ran.stderr);
        let list = format!("vips={path}");
        let ran = run(["eval", "--specs", SPECS, "--user", "{}", "--id-list", &list].into_iter().chain(GATE));
        assert!(ran.code == Some(3) && ran.stderr.contains(message), "{}", ran.stderr);
    }
    let list = format!("vips={}", file("list.gz", gzip("+pmWkWSBC\n")));
    run(["eval", "--specs", SPECS, "--user", "{}", "--id-list", &list].into_iter().chain(GATE)).clean();
}

#[test]
fn other_files_in_place_of_users_are_named() {
    let utf16: Vec<u8> = "{\"userID\": \"a\"}\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let specs = std::fs::read(root().join(SPECS)).unwrap();
    for (name, content, is, remedy) in [
        ("users.csv", b"userID,plan\nu-1,pro\nu-2,free\n".to_vec(), "looks like CSV", "--icsv"),
        ("users.tsv", b"userID\tplan\nu-1\tpro\n".to_vec(), "looks like TSV", "--itsv"),
        ("ids.txt", b"u-1\nu-2\n".to_vec(), "bare IDs", "jq -Rc"),
        ("array.json", b"[{\"userID\":\"a\"},{\"userID\":\"b\"}]".to_vec(), "is a JSON array", "jq -c '.[]'"),
        ("lines.json", b"[\n{\"userID\":\"a\"},\n{\"userID\":\"b\"}\n]\n".to_vec(), "is a JSON array", "jq -c '.[]'"),
        ("pretty.json", b"{\n  \"userID\": \"a\"\n}\n".to_vec(), "over several lines", "jq -c . "),
        ("python.txt", b"{'userID': 'a', 'custom': None}\n".to_vec(), "Python", "json.dumps"),
        ("utf16.jsonl", [b"\xff\xfe".to_vec(), utf16.clone()].concat(), "is UTF-16 text", "iconv -f UTF-16 "),
        ("no_mark.jsonl", utf16, "is UTF-16LE text", "iconv -f UTF-16LE "),
        ("users.parquet", b"PAR1\x15\x04\x15\x10".to_vec(), "Parquet", "duckdb"),
        ("users.xlsx", b"PK\x03\x04\x14\0\x06\0[Content_Types].xml".to_vec(), "Excel", "export it"),
        ("page.html", b"<!DOCTYPE html>\n<html></html>".to_vec(), "HTML", ""),
        ("specs.json", specs, "looks like config specs", "--specs"),
        ("twice.gz", gzip(gzip("{}")), "compressed with gzip", "gunzip"),
    ] {
        let path = file(name, content);
        for more in [&[][..], &["--keep-going"]] {
            let ran = run(eval(SPECS, &path, more));
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{name}: {}", ran.stderr);
            assert!(ran.stderr.starts_with(&format!("error: {path} ")), "{}", ran.stderr);
            assert!(ran.stderr.contains(is) && ran.stderr.contains(remedy), "{name}: {}", ran.stderr);
            assert!(!ran.stderr.contains("--keep-going"), "{name}: {}", ran.stderr);
        }
    }
    // A line that is wrong, and no other.
    let nan = file("nan.jsonl", "{\"userID\": \"a\", \"custom\": {\"age\": NaN}}\n");
    let ran = run(eval(SPECS, &nan, &[]));
    assert!(ran.code == Some(3) && ran.stderr.contains(":1:35: NaN and Infinity are no JSON"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("--keep-going"), "it would skip every line: {}", ran.stderr);
    let ran = run_with(eval(SPECS, "-", &[]), "userID,plan\nu-1,pro\n");
    assert!(ran.stderr.contains("standard input looks like CSV"), "{}", ran.stderr);
    let empty = run(eval(SPECS, &file("empty.jsonl", ""), &[]));
    assert!(empty.code == Some(0) && empty.stderr.contains("empty.jsonl is empty: no users"), "{}", empty.stderr);
}
