use super::*;
use crate::model::Secret;
use jiff::Timestamp;
use std::sync::atomic::AtomicUsize;

/// Time that passes only when somebody sleeps.
struct Still {
    begun: Instant,
    passed: Mutex<Duration>,
}

impl Still {
    fn new() -> Arc<Self> {
        Arc::new(Still { begun: Instant::now(), passed: Mutex::default() })
    }

    fn passed(&self) -> Duration {
        *self.passed.lock().unwrap()
    }

    fn after(&self, seconds: u64) -> Instant {
        self.begun + Duration::from_secs(seconds)
    }
}

impl Clock for Still {
    fn now(&self) -> Instant {
        self.begun + self.passed()
    }
    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + self.passed()
    }
    fn sleep(&self, time: Duration) {
        *self.passed.lock().unwrap() += time;
    }
}

type Answer = dyn Fn(usize) -> Result<Reply, CallError> + Send + Sync;

/// A transport that answers by the number of the call.
struct Script {
    calls: AtomicUsize,
    answer: Box<Answer>,
}

impl Transport for Script {
    fn send(&self, _: &Prepared, _: Instant) -> Result<Reply, CallError> {
        (self.answer)(self.calls.fetch_add(1, Ordering::SeqCst))
    }
}

fn limited(
    limits: Limits,
    clock: &Arc<Still>,
    answer: impl Fn(usize) -> Result<Reply, CallError> + Send + Sync + 'static,
) -> Limited<Script> {
    let script = Script { calls: AtomicUsize::new(0), answer: Box::new(answer) };
    Limited::new(script, limits, Arc::clone(clock) as Arc<dyn Clock>)
}

fn calls(limited: &Limited<Script>) -> usize {
    limited.inner().calls.load(Ordering::SeqCst)
}

fn to(host: &str) -> Prepared {
    Prepared {
        method: "GET".to_owned(),
        tls: true,
        host: host.to_owned(),
        port: None,
        target: Secret::new(b"/"),
        headers: Vec::new(),
        body: None,
    }
}

fn reply(status: u16, retry_after: Option<&str>) -> Result<Reply, CallError> {
    let headers = retry_after.map(|v| ("retry-after".to_owned(), v.to_owned())).into_iter().collect();
    Ok(Reply { status, headers, body: String::new() })
}

fn lost() -> Result<Reply, CallError> {
    Err(CallError::Lost("cut".to_owned()))
}

#[test]
fn each_host_has_its_rate() {
    let clock = Still::new();
    let slow = Pattern::of_provider("*.slow.example").unwrap();
    let l = limited(Limits { slower: vec![(slow, 0.5)], ..Limits::default() }, &clock, |_| reply(200, None));
    let far = clock.after(1000);
    for _ in 0..11 {
        l.read(&to("a.example"), far).unwrap();
    }
    assert_eq!(clock.passed(), Duration::from_secs(2));
    l.send(&to("b.example"), far).unwrap();
    assert_eq!(clock.passed(), Duration::from_secs(2));
    for _ in 0..6 {
        l.send(&to("x.slow.example"), far).unwrap();
    }
    assert_eq!(clock.passed(), Duration::from_secs(12));
}

#[test]
fn a_turn_that_comes_too_late_is_not_waited_for() {
    let clock = Still::new();
    let l = limited(Limits { rate: 1.0, ..Limits::default() }, &clock, |_| reply(200, None));
    let soon = clock.after(3);
    let results: Vec<_> = (0..5).map(|_| l.read(&to("a.example"), soon)).collect();
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 3);
    assert!(results[3..].iter().all(|r| matches!(r, Err(CallError::Limited(_)))));
    assert_eq!(calls(&l), 3);
}

#[test]
fn rates_that_are_none_are_slow() {
    for rate in [0.0, -1.0, f64::NAN, 1e-300] {
        let gap = Limits { rate, ..Limits::default() }.gap("a.example");
        assert!(gap >= Duration::from_secs(3600), "{rate}: {gap:?}");
    }
}

#[test]
fn a_read_is_tried_three_times_and_a_change_once() {
    for answer in
        [lost, || reply(502, None), || reply(429, None), || Err(CallError::Unconnected("x".to_owned()))]
    {
        let clock = Still::new();
        let l = limited(Limits::default(), &clock, move |_| answer());
        let first = l.read(&to("a.example"), clock.after(60));
        assert_eq!(calls(&l), 3);
        assert_eq!(clock.passed(), Duration::from_millis(1250));
        assert_eq!(first.is_err(), answer().is_err());
        l.send(&to("b.example"), clock.after(60)).ok();
        assert_eq!(calls(&l), 4);
    }
    for answer in [|| reply(302, None), || reply(401, None), || Err(CallError::Unreadable("x".to_owned()))] {
        let clock = Still::new();
        let l = limited(Limits::default(), &clock, move |_| answer());
        l.read(&to("a.example"), clock.after(60)).ok();
        assert_eq!(calls(&l), 1);
    }
}

#[test]
fn a_pause_is_kept_by_all_calls_to_the_host() {
    let clock = Still::new();
    let l =
        limited(
            Limits::default(),
            &clock,
            |n| if n == 0 { reply(429, Some("20")) } else { reply(200, None) },
        );
    assert_eq!(l.read(&to("a.example"), clock.after(60)).unwrap().status, 200);
    assert_eq!((calls(&l), clock.passed()), (2, Duration::from_secs(20)));

    // Longer than there is time for: the answer is told as it is, and nobody calls meanwhile.
    let clock = Still::new();
    let l = limited(Limits::default(), &clock, |_| reply(429, Some("3600")));
    assert_eq!(l.read(&to("a.example"), clock.after(60)).unwrap().status, 429);
    assert!(clock.passed() < Duration::from_secs(1));
    for _ in 0..10 {
        assert!(matches!(l.read(&to("a.example"), clock.after(60)), Err(CallError::Limited(_))));
        assert!(matches!(l.send(&to("a.example"), clock.after(60)), Err(CallError::Limited(_))));
    }
    assert_eq!(calls(&l), 1);
    assert!(l.send(&to("b.example"), clock.after(60)).is_ok());
}

#[test]
fn a_host_that_fails_is_left_alone_and_tried_again_later() {
    let clock = Still::new();
    let l = limited(Limits::default(), &clock, |n| if n < 6 { lost() } else { reply(200, None) });
    for _ in 0..5 {
        assert!(matches!(l.send(&to("a.example"), clock.after(1000)), Err(CallError::Lost(_))));
    }
    for _ in 0..100 {
        assert!(matches!(l.send(&to("a.example"), clock.after(1000)), Err(CallError::Unconnected(_))));
    }
    assert_eq!(calls(&l), 5);
    clock.sleep(Duration::from_secs(61));
    // The one call that tries fails too, and the host is left alone again.
    assert!(matches!(l.send(&to("a.example"), clock.after(1000)), Err(CallError::Lost(_))));
    assert!(matches!(l.send(&to("a.example"), clock.after(1000)), Err(CallError::Unconnected(_))));
    clock.sleep(Duration::from_secs(61));
    assert!(l.send(&to("a.example"), clock.after(1000)).is_ok());
    assert!(l.send(&to("a.example"), clock.after(1000)).is_ok());
    assert_eq!(calls(&l), 8);
}

#[test]
fn the_budget_ends_all_calls() {
    let clock = Still::new();
    let limits = Limits { rate: 1.0, until: Some(clock.after(2)), ..Limits::default() };
    let l = limited(limits, &clock, |_| reply(200, None));
    let far = clock.after(1000);
    assert!(l.read(&to("a.example"), far).is_ok() && l.read(&to("a.example"), far).is_ok());
    assert!(matches!(l.read(&to("a.example"), far), Err(CallError::Limited(_))));
    clock.sleep(Duration::from_secs(2));
    assert!(matches!(l.read(&to("b.example"), far), Err(CallError::Refused(_))));
    assert_eq!(calls(&l), 2);
}

#[test]
fn stopping_ends_a_wait() {
    let clock = Still::new();
    let stop = Arc::new(AtomicBool::new(false));
    let limits = Limits { stop: Arc::clone(&stop), rate: 0.001, ..Limits::default() };
    let l = limited(limits, &clock, move |_| {
        stop.store(true, Ordering::Relaxed);
        reply(200, None)
    });
    assert!(l.read(&to("a.example"), clock.after(9999)).is_ok());
    assert!(matches!(l.read(&to("a.example"), clock.after(9999)), Err(CallError::Refused(_))));
    assert_eq!((calls(&l), clock.passed()), (1, Duration::ZERO));
}

#[test]
fn no_more_than_so_many_at_once() {
    struct Count(AtomicUsize, AtomicUsize);
    impl Transport for Count {
        fn send(&self, _: &Prepared, _: Instant) -> Result<Reply, CallError> {
            let inside = self.0.fetch_add(1, Ordering::SeqCst) + 1;
            self.1.fetch_max(inside, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(5));
            self.0.fetch_sub(1, Ordering::SeqCst);
            reply(200, None)
        }
    }
    let clock: Arc<dyn Clock> = Still::new();
    let far = clock.now() + Duration::from_secs(1000);
    let limits = Limits { at_once: 2, ..Limits::default() };
    let l = Limited::new(Count(AtomicUsize::new(0), AtomicUsize::new(0)), limits, clock);
    std::thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| (0..3).for_each(|_| assert!(l.read(&to("a.example"), far).is_ok())));
        }
    });
    assert_eq!(l.inner().1.load(Ordering::SeqCst), 2);
}
