//! What keeps secrets inside when the program itself fails.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Panics told; more of them say nothing new.
const TOLD: usize = 5;

/// No core dumps, and panics that name their place but not their payload.
pub(crate) fn set() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        // Where the system refuses, dumps stay as they were set up.
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    }
    // The limit does not reach a program that the kernel hands its dumps to; this does.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    std::panic::set_hook(Box::new(|info| {
        if COUNT.fetch_add(1, Ordering::Relaxed) < TOLD {
            let at = info
                .location()
                .map_or_else(|| "an unknown place".to_owned(), |l| format!("{}:{}", l.file(), l.line()));
            eprintln!("keywheel: internal error at {at}; please report it");
        }
    }));
}
