use std::fs::File;
use std::sync::Arc;

use super::*;
use crate::file_system::OsFileSystem;
use crate::testing::{FaultyFileSystem, FileFault, FileOperation, MemoryDisk};

const PATH: &str = "/a/b/rules.bin";

fn read(file_system: &dyn FileSystem) -> Vec<u8> {
    read_regular_file(file_system, Path::new(PATH), 1 << 20).unwrap()
}

#[test]
fn a_failed_write_leaves_the_previous_content_and_no_temporary_file() {
    let faults = [
        (FileOperation::Create, FileFault::DISK_FULL),
        (FileOperation::Append, FileFault::ShortWrite(3)),
        (FileOperation::Append, FileFault::TornWrite(0)),
        (FileOperation::Sync, FileFault::IO_ERROR),
        (FileOperation::Rename, FileFault::Error(io::ErrorKind::PermissionDenied)),
    ];
    for (operation, fault) in faults {
        let disk = MemoryDisk::new();
        let faulty = FaultyFileSystem::new(Arc::new(disk.process()));
        write_private_file(&faulty, Path::new(PATH), &[b"first"]).unwrap();
        faulty.inject(operation, fault, 0, 1);
        assert!(write_private_file(&faulty, Path::new(PATH), &[b"sec", b"ond"]).is_err(), "{operation:?}");
        assert_eq!((read(&faulty), disk.files()), (b"first".to_vec(), vec![PATH.to_owned()]), "{operation:?}");
        write_private_file(&faulty, Path::new(PATH), &[b"sec", b"ond"]).unwrap();
        assert_eq!(read(&faulty), b"second");
    }
}

#[test]
fn locks_and_folder_syncs_are_not_required() {
    let faulty = FaultyFileSystem::new(Arc::new(MemoryDisk::new().process()));
    faulty.break_down(FileOperation::Lock, FileFault::Error(io::ErrorKind::Unsupported));
    faulty.break_down(FileOperation::SyncDir, FileFault::Error(io::ErrorKind::PermissionDenied));
    write_private_file(&faulty, Path::new(PATH), &[b"content"]).unwrap();
    assert_eq!(read(&faulty), b"content");
}

#[test]
fn a_power_failure_leaves_one_of_the_two_contents() {
    for seed in 0..200_u64 {
        let disk = MemoryDisk::new();
        let process = disk.process();
        write_private_file(&process, Path::new(PATH), &[b"first"]).unwrap();
        for folder in ["/", "/a"] {
            process.sync_dir(Path::new(folder)).unwrap();
        }
        let faulty = FaultyFileSystem::new(Arc::new(process));
        // The process ends after one of the operations of the second write.
        let operations = [FileOperation::Append, FileOperation::Sync, FileOperation::Rename, FileOperation::SyncDir];
        if let Some(operation) = operations.get(seed as usize % 5) {
            faulty.break_down(*operation, FileFault::IO_ERROR);
            faulty.break_down(FileOperation::RemoveFile, FileFault::IO_ERROR);
        }
        let _ = write_private_file(&faulty, Path::new(PATH), &[b"second content"]);
        let mut state = seed;
        disk.power_failure(&mut |below| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33).checked_rem(below).unwrap_or(0)
        });
        let content = read(&disk.process());
        assert!(content == b"first" || content == b"second content", "{seed}: {content:?}");
    }
}

#[test]
fn files_beyond_the_bound_are_refused() {
    let process = MemoryDisk::new().process();
    for len in [0, 1, READ_CHUNK - 1, READ_CHUNK, READ_CHUNK + 1, 3 * READ_CHUNK] {
        let content: Vec<u8> = (0..len).map(|at| at as u8).collect();
        write_private_file(&process, Path::new(PATH), &[&content]).unwrap();
        assert_eq!(read_regular_file(&process, Path::new(PATH), len as u64).unwrap(), content);
        if let Some(less) = (len as u64).checked_sub(1) {
            let error = read_regular_file(&process, Path::new(PATH), less).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}

#[test]
fn only_abandoned_temporary_files_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let now = SystemTime::now();
    let hour_ago = now - Duration::from_secs(3_600);
    let create = |name: &str, at: SystemTime| {
        let file = File::create_new(folder.path().join(name)).unwrap();
        file.set_modified(at).unwrap();
        file
    };
    let id = "0123456789abcdef0123456789abcdef";
    let locked = create(&format!("rules-locked.{id}.tmp"), hour_ago);
    locked.try_lock().unwrap();
    let kept = [
        ("rules-a.bin".to_owned(), hour_ago),
        (format!("other-a.{id}.tmp"), hour_ago),
        (format!("rules-a.{id}.txt"), hour_ago),
        ("rules-a.0123.tmp".to_owned(), hour_ago),
        (format!("rules-fresh.{id}.tmp"), now - Duration::from_secs(59)),
        (format!("rules-future.{id}.tmp"), now + Duration::from_secs(3_600)),
    ];
    for (name, at) in &kept {
        create(name, *at);
    }
    for name in ["rules-a", "rules-b"] {
        create(&format!("{name}.{id}.tmp"), hour_ago);
    }
    assert_eq!(remove_abandoned_files(&OsFileSystem, folder.path(), "rules-", now), 2);
    drop(locked);
    assert_eq!(remove_abandoned_files(&OsFileSystem, folder.path(), "rules-", now), 1);
    let left = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, kept.len());
    assert_eq!(remove_abandoned_files(&OsFileSystem, &folder.path().join("none"), "rules-", now), 0);
}

#[cfg(unix)]
#[test]
fn files_are_private_and_links_and_pipes_are_not_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("a/b/rules.bin");
    let write = || write_private_file(&OsFileSystem, &path, &[b"content"]).unwrap();
    let refused = || read_regular_file(&OsFileSystem, &path, 100).unwrap_err().kind();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    write();
    assert_eq!((mode(&path), mode(&outer.path().join("a/b")), mode(&outer.path().join("a"))), (0o600, 0o700, 0o700));
    let elsewhere = outer.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert_eq!(refused(), io::ErrorKind::InvalidData);
    write();
    assert!(std::fs::symlink_metadata(&path).unwrap().is_file());
    std::fs::remove_file(&path).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_eq!(refused(), io::ErrorKind::InvalidData);
    write();
    // Read-only files are read: they may be part of an image.
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    assert_eq!(read_regular_file(&OsFileSystem, &path, 100).unwrap(), b"content");
}
