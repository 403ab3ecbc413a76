//! Where background work runs: on the application's runtime, or on one thread of our own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The longest time that is waited for: as good as for ever, and far from what a clock cannot add.
pub(crate) const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Most threads for files and compression. Each has memory of its own, so they should be few.
const BLOCKING_THREADS: usize = 4;

/// A runtime that background tasks run on.
///
/// The application's own, if it was given or the client is built inside one: then nothing is
/// created or dropped here. Else one thread, which ends when the last clone is gone.
#[derive(Clone)]
pub(crate) struct BackgroundRuntime {
    handle: Handle,
    _own: Option<Arc<OwnThread>>,
}

/// Ends its thread when it is dropped: the sender closes the channel that the thread waits on.
///
/// Nobody joins the thread: the last clone may be dropped on it.
struct OwnThread {
    _alive: oneshot::Sender<()>,
}

impl BackgroundRuntime {
    /// The given runtime, or the ambient one, or a thread of its own.
    ///
    /// # Errors
    /// If a thread is needed and cannot be started.
    pub(crate) fn choose(given: Option<Handle>) -> io::Result<Self> {
        match given.or_else(|| Handle::try_current().ok()) {
            Some(handle) => Ok(Self { handle, _own: None }),
            None => Self::own_thread(),
        }
    }

    fn own_thread() -> io::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .thread_name("statsig-blocking")
            .max_blocking_threads(BLOCKING_THREADS)
            .build()?;
        let handle = runtime.handle().clone();
        let (alive, mut gone) = oneshot::channel();
        std::thread::Builder::new().name("statsig".to_owned()).spawn(move || {
            // Ends with an error, because nobody ever sends.
            let _ = runtime.block_on(&mut gone);
            // Blocking work that still runs keeps neither this thread nor the process.
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, _own: Some(Arc::new(OwnThread { _alive: alive })) })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }
}
