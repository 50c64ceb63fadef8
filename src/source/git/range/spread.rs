//! Work shared out to threads.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Does the tasks `0..tasks`, each once, on at most `jobs` threads; `state` makes what a thread
/// keeps from one task to the next. A single task starts no thread.
pub(super) fn spread<S>(
    jobs: usize,
    tasks: usize,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, usize) + Sync,
) {
    let next = AtomicUsize::new(0);
    let run = || {
        let mut state = state();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                return;
            }
            work(&mut state, task);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.min(tasks) {
            scope.spawn(run);
        }
        run();
    });
}
