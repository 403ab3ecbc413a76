//! Disks that fail on command, for tests of code that uses [`FileSystem`](crate::FileSystem).
//!
//! [`MemoryDisk`] is a disk in memory that knows which bytes an fsync has made durable: processes on
//! it can be killed, and its power can be cut. [`FaultyFileSystem`] wraps any file system and lets chosen
//! operations fail.

mod faulty;
mod memory_disk;
mod memory_file_system;

pub use faulty::{FaultyFileSystem, FileFault, FileOperation};
pub use memory_disk::{MemoryDisk, Randomness};
pub use memory_file_system::MemoryFileSystem;
