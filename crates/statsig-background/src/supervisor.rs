//! Background tasks that restart after a panic and end together.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, timeout_at};

use crate::fork::{ForkGuard, InOwnProcess};
use crate::observer::GuardedObserver;
use crate::random::UniformRandom;

/// Longest time that a task may go on after [`TaskSupervisor::stop`], to finish what it has begun.
const GRACE: Duration = Duration::from_secs(30);
/// Longest pause before a worker that panicked is restarted.
const RESTART_PAUSE: Duration = Duration::from_secs(2);

/// Health of one background worker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerHealth {
    /// Name of the worker, such as `specs-poller`.
    pub name: String,
    /// State of the worker: `true` while it runs, `false` after a shutdown or when its work is done.
    pub running: bool,
    /// Number of restarts after a panic.
    pub restarts: u64,
    /// Time since the worker last reported a success; `None` if it never has. Each worker documents what
    /// counts as one. A worker with nothing to do has no successes.
    pub last_success: Option<Duration>,
}

/// Runs background tasks on a tokio runtime, restarts them after a panic, and ends them together.
///
/// Clones share the tasks. Dropping a supervisor ends nothing: the component that owns the tasks calls
/// [`shutdown`](Self::shutdown), or [`abort`](Self::abort) when it is dropped.
///
/// Tasks stay in the process that spawned them: in a forked child they are never polled, and
/// [`shutdown`](Self::shutdown) and [`abort`](Self::abort) leave them alone.
///
/// ```
/// use std::time::Duration;
/// use statsig_background::{GuardedObserver, TaskSupervisor, UniformRandom};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let runtime = tokio::runtime::Handle::current();
/// let tasks = TaskSupervisor::new(&runtime, GuardedObserver::default(), UniformRandom::new(None));
/// tasks.spawn_worker("ticker", |worker| async move {
///     worker.report_success();
///     worker.stop_signal().stopped().await;
/// });
/// assert!(tasks.shutdown(Duration::from_secs(1)).await);
/// # }
/// ```
#[derive(Clone)]
pub struct TaskSupervisor(Arc<Shared>);

struct Shared {
    runtime: Handle,
    observer: GuardedObserver,
    random: UniformRandom,
    guard: ForkGuard,
    stopping: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    workers: Mutex<Vec<WorkerRecord>>,
}

/// State of one worker.
#[derive(Debug)]
struct WorkerRecord {
    name: Arc<str>,
    running: bool,
    restarts: u64,
    last_success: Option<Instant>,
}

impl std::fmt::Debug for TaskSupervisor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TaskSupervisor").field("workers", &self.workers()).finish_non_exhaustive()
    }
}

impl TaskSupervisor {
    /// Returns a supervisor without tasks. Spawns nothing.
    ///
    /// A panic is counted by the observer as `sdk_exceptions_count`; `random` spreads restarts.
    #[must_use]
    pub fn new(runtime: &Handle, observer: GuardedObserver, random: UniformRandom) -> Self {
        Self(Arc::new(Shared {
            runtime: runtime.clone(),
            observer,
            random,
            guard: ForkGuard::new(),
            stopping: watch::Sender::new(false),
            tasks: Mutex::default(),
            workers: Mutex::default(),
        }))
    }

    /// Returns the runtime that tasks run on.
    #[must_use]
    pub fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Returns the signal that [`stop`](Self::stop) sends.
    #[must_use]
    pub fn stop_signal(&self) -> StopSignal {
        StopSignal(self.0.stopping.subscribe())
    }

    /// Returns whether the tasks were told to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.stopping.borrow()
    }

    /// Spawns a task that ends with the others: at the latest 30 s after [`stop`](Self::stop).
    ///
    /// A panic of the task ends it and is logged by the runtime only; see
    /// [`spawn_worker`](Self::spawn_worker).
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let signal = self.stop_signal();
        let handle = self.0.runtime.spawn(InOwnProcess::new(async move {
            tokio::select! {
                biased;
                () = task => {}
                () = async {
                    signal.stopped().await;
                    sleep(GRACE).await;
                } => {}
            }
        }));
        let mut tasks = locked(&self.0.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle);
    }

    /// Spawns a worker: a task with a name and a health, which is restarted after a panic.
    ///
    /// `work` is called for each start. The worker ends when its future does. Pauses before restarts are uniform, up
    /// to 2 s.
    pub fn spawn_worker<F>(&self, name: impl Into<Arc<str>>, work: impl Fn(Worker) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let worker = self.register(name.into());
        let supervisor = self.clone();
        self.spawn(async move {
            let _running = RunningMark(worker.clone());
            loop {
                let run = AbortOnDrop(supervisor.0.runtime.spawn(InOwnProcess::new(work(worker.clone()))));
                match run.join().await {
                    Err(error) if error.is_panic() && !supervisor.is_stopping() => {}
                    _ => return,
                }
                let pause = supervisor.0.random.up_to(RESTART_PAUSE);
                worker.note_restart();
                let tags = [("tag", &*worker.name), ("exception", "panic")];
                supervisor.0.observer.increment("sdk_exceptions_count", 1, &tags);
                tracing::error!(worker = &*worker.name, restart_in = ?pause, "background worker panicked; restarting it");
                tokio::select! {
                    () = sleep(pause) => {}
                    () = worker.signal.stopped() => return,
                }
            }
        });
    }

    /// Returns the health of each worker, in the order in which they were spawned.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerHealth> {
        let health = |record: &WorkerRecord| WorkerHealth {
            name: record.name.to_string(),
            running: record.running,
            restarts: record.restarts,
            last_success: record.last_success.map(|at| at.elapsed()),
        };
        locked(&self.0.workers).iter().map(health).collect()
    }

    /// Tells all tasks to end; returns `false` if they were told before.
    pub fn stop(&self) -> bool {
        !self.0.stopping.send_replace(true)
    }

    /// Tells all tasks to end, and waits for them; aborts those that still run when the time is over.
    ///
    /// Returns whether all ended by themselves. In a forked child, returns `true` at once and ends nothing.
    pub async fn shutdown(&self, within: Duration) -> bool {
        if self.0.guard.is_inherited() {
            return true;
        }
        self.stop();
        let now = Instant::now();
        // Tasks end within the grace period, so a longer time makes no difference.
        let deadline = now + within.min(2 * GRACE);
        let mut in_time = true;
        loop {
            // A task may have spawned another one meanwhile.
            let Some(mut task) = locked(&self.0.tasks).pop() else { return in_time };
            if timeout_at(deadline, &mut task).await.is_err() {
                task.abort();
                in_time = false;
            }
        }
    }

    /// Tells all tasks to end and aborts them at once. In a forked child, leaves them alone.
    pub fn abort(&self) {
        if self.0.guard.is_inherited() {
            return;
        }
        self.stop();
        for task in locked(&self.0.tasks).drain(..) {
            task.abort();
        }
    }

    fn register(&self, name: Arc<str>) -> Worker {
        let mut workers = locked(&self.0.workers);
        workers.push(WorkerRecord { name: Arc::clone(&name), running: true, restarts: 0, last_success: None });
        Worker { shared: Arc::clone(&self.0), index: workers.len() - 1, name, signal: self.stop_signal() }
    }
}

/// The signal that tells tasks to end.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// Returns whether tasks were told to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until tasks are told to end, or their supervisor is gone.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn stopped(&self) {
        let _ = self.0.clone().wait_for(|stopping| *stopping).await;
    }
}

/// The supervisor's view of one worker, handed to its work.
#[derive(Clone)]
pub struct Worker {
    shared: Arc<Shared>,
    index: usize,
    name: Arc<str>,
    signal: StopSignal,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Worker {
    /// Returns the name of the worker.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the signal that tells the worker to end.
    #[must_use]
    pub fn stop_signal(&self) -> &StopSignal {
        &self.signal
    }

    /// Records that the worker did what it is for.
    pub fn report_success(&self) {
        self.update(|record| record.last_success = Some(Instant::now()));
    }

    fn note_restart(&self) {
        self.update(|record| record.restarts += 1);
    }

    fn update(&self, change: impl FnOnce(&mut WorkerRecord)) {
        if let Some(record) = locked(&self.shared.workers).get_mut(self.index) {
            change(record);
        }
    }
}

/// Records the end of a worker, however it comes.
struct RunningMark(Worker);

impl Drop for RunningMark {
    fn drop(&mut self) {
        self.0.update(|record| record.running = false);
    }
}

/// A task that is aborted when its handle is dropped.
struct AbortOnDrop(JoinHandle<()>);

impl AbortOnDrop {
    async fn join(mut self) -> Result<(), JoinError> {
        (&mut self.0).await
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn supervisor() -> TaskSupervisor {
        TaskSupervisor::new(&Handle::current(), GuardedObserver::default(), UniformRandom::new(Some(1)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_worker_is_restarted_after_each_panic() {
        let tasks = supervisor();
        let (runs, done) = (Arc::new(AtomicU32::new(0)), Arc::new(tokio::sync::Notify::new()));
        let (counted, notify) = (Arc::clone(&runs), Arc::clone(&done));
        tasks.spawn_worker("flaky", move |worker| {
            let (run, notify) = (counted.fetch_add(1, Ordering::Relaxed), Arc::clone(&notify));
            async move {
                if run < 3 {
                    std::panic::panic_any("flaky");
                }
                worker.report_success();
                notify.notify_one();
                worker.stop_signal().stopped().await;
            }
        });
        done.notified().await;
        let health = tasks.workers();
        assert_eq!((health[0].restarts, health[0].running), (3, true));
        assert_eq!(health[0].last_success, Some(Duration::ZERO));
        assert!(tasks.shutdown(Duration::from_secs(1)).await);
        assert!(!tasks.workers()[0].running);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_before_restarts_are_uniform() {
        let tasks = supervisor();
        tasks.spawn_worker("broken", |_| async { std::panic::panic_any("broken") });
        sleep(Duration::from_secs(1_000)).await;
        let restarts = tasks.workers()[0].restarts;
        // They last a second on average.
        assert!((900..=1_100).contains(&restarts), "{restarts}");
        tasks.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_aborts_what_does_not_end_in_time() {
        let tasks = supervisor();
        tasks.spawn_worker("stubborn", |_| std::future::pending());
        tokio::task::yield_now().await;
        let begun = Instant::now();
        assert!(!tasks.shutdown(Duration::from_secs(3)).await);
        assert_eq!(begun.elapsed(), Duration::from_secs(3));
        tokio::task::yield_now().await;
        assert!(!tasks.workers()[0].running && !tasks.stop(), "already stopped");
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_has_time_to_finish_after_the_signal() {
        let tasks = supervisor();
        let finished = Arc::new(AtomicU32::new(0));
        for seconds in [10, 300] {
            let (signal, finished) = (tasks.stop_signal(), Arc::clone(&finished));
            tasks.spawn(async move {
                signal.stopped().await;
                sleep(Duration::from_secs(seconds)).await;
                finished.fetch_add(1, Ordering::Relaxed);
            });
        }
        let begun = Instant::now();
        assert!(tasks.shutdown(Duration::MAX).await);
        assert_eq!((begun.elapsed(), finished.load(Ordering::Relaxed)), (GRACE, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_abort_ends_everything_at_once() {
        let tasks = supervisor();
        tasks.spawn_worker("stubborn", |_| std::future::pending());
        tasks.abort();
        tokio::task::yield_now().await;
        assert!(tasks.is_stopping());
        assert!(tasks.shutdown(Duration::ZERO).await, "no task is left");
    }
}
