//! SIGINT and SIGTERM: the first one ends the scan in good order, the second one the process.

#[cfg(unix)]
mod unix {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::flag;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, OnceLock};

    static CAUGHT: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

    pub(crate) fn watch() {
        CAUGHT.get_or_init(|| {
            let caught = Arc::new(AtomicUsize::new(0));
            let again = Arc::new(AtomicBool::new(false));
            for signal in [SIGINT, SIGTERM] {
                // In this order: the shutdown looks at the flag before this signal sets it. Without
                // handlers the signal ends the process by itself, which is no worse.
                let _ = flag::register_conditional_shutdown(signal, 128 + signal, again.clone());
                let _ = flag::register(signal, again.clone());
                let _ = flag::register_usize(signal, caught.clone(), signal as usize);
            }
            caught
        });
    }

    pub(crate) fn caught() -> Option<u8> {
        let signal = CAUGHT.get()?.load(Ordering::Relaxed);
        (signal != 0).then(|| 128 + signal as u8)
    }
}

#[cfg(not(unix))]
mod unix {
    pub(crate) fn watch() {}
    pub(crate) fn caught() -> Option<u8> {
        None
    }
}

/// `watch` begins to catch; `caught` gives the exit code of what was caught.
pub(crate) use unix::{caught, watch};
