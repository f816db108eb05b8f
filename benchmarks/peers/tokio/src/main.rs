//! tokio-bench: the workloads of weir-bench on tokio.
//!
//!     tokio-bench [workload-filter]     run the workloads whose name contains the filter
//!                                       (or just that one, if a workload has exactly that name)
//!     tokio-bench --list                print the names of the workloads
//!     tokio-bench --quick [filter]      one short run of each: shows that it works
//!
//! Prints one line per result: workload, impl, min, median, max, unit (tab separated).
//! Every workload: calibrate the count, one warm-up, five runs of at least 0.5 s each.
//!
//! "st"  = current_thread runtime (one thread in all).
//! "mt2" = multi_thread runtime with two worker threads; the main thread only waits.
//! All measured code runs inside spawned tasks, never in the block_on future itself.
//! Every workload asserts a checksum of what arrived.

use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{broadcast, mpsc, oneshot, watch, Mutex, Notify, Semaphore};
use tokio::task::{yield_now, JoinHandle};

const IMPL: &str = match option_env!("BENCH_IMPL") {
    Some(name) => name,
    None => "tokio-1.24.2",
};
const RUNS: usize = 5;
const TARGET: Duration = Duration::from_millis(650); // aim; every run must reach MINIMUM
const MINIMUM: Duration = Duration::from_millis(500);
const QUICK_COUNT: u64 = 1000;

static QUICK: AtomicBool = AtomicBool::new(false);

// ------------------------------------------------------------------ harness

/// What one run of a workload did: the number of operations and the time they took.
struct Sample {
    ops: u64,
    time: Duration,
}

fn st() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn mt2() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

/// Runs `fut` as a spawned task of `rt` and waits for it.
fn on<F>(rt: &Runtime, fut: F) -> F::Output
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    rt.block_on(async { tokio::spawn(fut).await.unwrap() })
}

/// Calibrates, warms up, runs five times and prints the result line.
fn measure(workload: &str, tag: &str, mut run: impl FnMut(u64) -> Sample) {
    if QUICK.load(Relaxed) {
        let s = run(QUICK_COUNT);
        return report(workload, tag, vec![s.time.as_nanos() as f64 / s.ops as f64], "ns");
    }
    let mut n: u64 = 1_000;
    loop {
        let s = run(n);
        if s.time > Duration::from_millis(50) {
            n = ((n as f64) * TARGET.as_secs_f64() / s.time.as_secs_f64()) as u64 + 1;
            break;
        }
        n *= 4;
    }
    let warm = run(n);
    if warm.time < MINIMUM {
        n = ((n as f64) * TARGET.as_secs_f64() / warm.time.as_secs_f64()) as u64 + 1;
    }
    let mut ns = Vec::new();
    while ns.len() < RUNS {
        let s = run(n);
        if s.time < MINIMUM {
            n += n / 3;
            continue;
        }
        ns.push(s.time.as_nanos() as f64 / s.ops as f64);
    }
    report(workload, tag, ns, "ns");
}

fn report(workload: &str, tag: &str, mut v: Vec<f64>, unit: &str) {
    v.sort_by(|a, b| a.partial_cmp(b).unwrap());
    println!(
        "{workload}\t{IMPL}{tag}\t{:.2}\t{:.2}\t{:.2}\t{unit}",
        v[0],
        v[v.len() / 2],
        v[v.len() - 1]
    );
}

/// 0 + 1 + … + (n-1)
fn sum_to(n: u64) -> u64 {
    n.wrapping_mul(n.wrapping_sub(1)) / 2
}

// ------------------------------------------------------------------ oneshot

fn oneshot_ready_st(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let t = Instant::now();
            let mut sum = 0u64;
            for i in 0..n {
                let (tx, rx) = oneshot::channel();
                tx.send(black_box(i)).unwrap();
                sum += rx.await.unwrap();
            }
            let time = t.elapsed();
            assert_eq!(sum, sum_to(n));
            Sample { ops: n, time }
        })
    });
}

/// The sender travels to a long-lived second task through a bounded channel of capacity 1.
fn oneshot_wait_st(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let (cmd_tx, mut cmd_rx) = mpsc::channel::<oneshot::Sender<u64>>(1);
            let t = Instant::now();
            let helper = tokio::spawn(async move {
                let mut i = 0u64;
                while let Some(tx) = cmd_rx.recv().await {
                    tx.send(i).unwrap();
                    i += 1;
                }
            });
            let mut sum = 0u64;
            for _ in 0..n {
                let (tx, rx) = oneshot::channel();
                cmd_tx.send(tx).await.unwrap();
                sum += rx.await.unwrap();
            }
            let time = t.elapsed();
            drop(cmd_tx);
            helper.await.unwrap();
            assert_eq!(sum, sum_to(n));
            Sample { ops: n, time }
        })
    });
}

// --------------------------------------------------------------------- mpsc

fn mpsc_bounded(w: &str, rt: Runtime, cap: usize, producers: u64) {
    measure(w, "", |n| {
        let each = n / producers + 1;
        on(&rt, async move {
            let (tx, mut rx) = mpsc::channel::<u64>(cap);
            let t = Instant::now();
            for _ in 0..producers {
                let tx = tx.clone();
                tokio::spawn(async move {
                    for i in 0..each {
                        tx.send(i).await.unwrap();
                    }
                });
            }
            drop(tx);
            let consumer = tokio::spawn(async move {
                let mut sum = 0u64;
                while let Some(v) = rx.recv().await {
                    sum += v;
                }
                sum
            });
            let sum = consumer.await.unwrap();
            let time = t.elapsed();
            assert_eq!(sum, sum_to(each) * producers);
            Sample { ops: each * producers, time }
        })
    });
}

fn mpsc_unb_mt2_8p(w: &str) {
    let rt = mt2();
    measure(w, "", |n| {
        let each = n / 8 + 1;
        on(&rt, async move {
            let (tx, mut rx) = mpsc::unbounded_channel::<u64>();
            let t = Instant::now();
            for _ in 0..8 {
                let tx = tx.clone();
                tokio::spawn(async move {
                    for i in 0..each {
                        tx.send(i).unwrap();
                    }
                });
            }
            drop(tx);
            let consumer = tokio::spawn(async move {
                let mut sum = 0u64;
                while let Some(v) = rx.recv().await {
                    sum += v;
                }
                sum
            });
            let sum = consumer.await.unwrap();
            let time = t.elapsed();
            assert_eq!(sum, sum_to(each) * 8);
            Sample { ops: each * 8, time }
        })
    });
}

/// Two tasks, two channels of capacity 1; one round trip is one operation.
fn pingpong_mt2(w: &str) {
    let rt = mt2();
    measure(w, "", |n| {
        on(&rt, async move {
            let (ping_tx, mut ping_rx) = mpsc::channel::<u64>(1);
            let (pong_tx, mut pong_rx) = mpsc::channel::<u64>(1);
            let t = Instant::now();
            tokio::spawn(async move {
                while let Some(v) = ping_rx.recv().await {
                    pong_tx.send(v + 1).await.unwrap();
                }
            });
            let caller = tokio::spawn(async move {
                let mut sum = 0u64;
                for i in 0..n {
                    ping_tx.send(i).await.unwrap();
                    sum += pong_rx.recv().await.unwrap();
                }
                sum
            });
            let sum = caller.await.unwrap();
            let time = t.elapsed();
            assert_eq!(sum, sum_to(n) + n);
            Sample { ops: n, time }
        })
    });
}

// ---------------------------------------------------------- request, response

/// A hasher that is the identity on u64, as std::unordered_map's is.
#[derive(Default)]
struct Identity(u64);
impl Hasher for Identity {
    fn finish(&self) -> u64 {
        // hashbrown takes 7 bits from the top; a plain identity would leave them 0.
        self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!()
    }
    fn write_u64(&mut self, v: u64) {
        self.0 = v;
    }
}

struct Get {
    key: u64,
    reply: oneshot::Sender<u64>,
}

const KEYS: u64 = 1024;
const CLIENTS: u64 = 64;

/// One manager task owns the map (1024 keys, k -> 2k+1); 64 clients each ask it in a loop for key
/// (client + round) mod 1024, each time with a fresh oneshot for the answer.
fn reqresp_with<S>(w: &str, tag: &str, rt: Runtime)
where
    S: std::hash::BuildHasher + Default + Send + 'static,
{
    measure(w, tag, |n| {
        let each = n / CLIENTS + 1;
        on(&rt, async move {
            let (tx, mut rx) = mpsc::channel::<Get>(32);
            let mut map: HashMap<u64, u64, S> = HashMap::default();
            for k in 0..KEYS {
                map.insert(k, 2 * k + 1);
            }
            let t = Instant::now();
            tokio::spawn(async move {
                while let Some(Get { key, reply }) = rx.recv().await {
                    reply.send(map[&key]).unwrap();
                }
            });
            let clients: Vec<_> = (0..CLIENTS)
                .map(|c| {
                    let tx = tx.clone();
                    tokio::spawn(async move {
                        let mut bad = 0u64;
                        for i in 0..each {
                            let key = (c + i) % KEYS;
                            let (reply, answer) = oneshot::channel();
                            if tx.send(Get { key, reply }).await.is_err() {
                                panic!("manager is gone");
                            }
                            bad += (answer.await.unwrap() != 2 * key + 1) as u64;
                        }
                        bad
                    })
                })
                .collect();
            drop(tx);
            let mut bad = 0;
            for c in clients {
                bad += c.await.unwrap();
            }
            let time = t.elapsed();
            assert_eq!(bad, 0);
            Sample { ops: each * CLIENTS, time }
        })
    });
}

fn reqresp(w: &str, rt: fn() -> Runtime) {
    reqresp_with::<std::collections::hash_map::RandomState>(w, "", rt());
    // Second line: the same with a trivial hash, so that SipHash can be taken out of a comparison.
    reqresp_with::<BuildHasherDefault<Identity>>(w, "+fasthash", rt());
}

// ---------------------------------------------------------- mutex, semaphore

fn mutex_uncontended_st(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let m = Mutex::new(0u64);
            let t = Instant::now();
            for _ in 0..n {
                *m.lock().await += 1;
            }
            let time = t.elapsed();
            assert_eq!(*m.lock().await, n);
            Sample { ops: n, time }
        })
    });
}

fn mutex_tasks(w: &str, rt: Runtime, hold_across_yield: bool) {
    measure(w, "", |n| {
        let each = n / 8 + 1;
        on(&rt, async move {
            let m = Arc::new(Mutex::new(0u64));
            let t = Instant::now();
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let m = m.clone();
                    tokio::spawn(async move {
                        for _ in 0..each {
                            let mut v = m.lock().await;
                            *v += 1;
                            if hold_across_yield {
                                yield_now().await;
                            }
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let time = t.elapsed();
            assert_eq!(*m.lock().await, each * 8);
            Sample { ops: each * 8, time }
        })
    });
}

fn semaphore_uncontended_st(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let s = Semaphore::new(1);
            let mut sum = 0u64;
            let t = Instant::now();
            for i in 0..n {
                let permit = s.acquire().await.unwrap();
                sum += black_box(i);
                drop(permit);
            }
            let time = t.elapsed();
            assert_eq!(sum, sum_to(n));
            Sample { ops: n, time }
        })
    });
}

// --------------------------------------------------- broadcast, watch, notify

/// A counter on a cache line of its own.
#[repr(align(128))]
struct Padded(AtomicU64);

/// Capacity 128, 8 receivers. The sender sends 64 values, then yields until every receiver is at
/// most 64 values behind, so that nobody can lag (lags are counted and must be 0).
/// One delivered value is one operation (8 per send).
fn broadcast_8r(w: &str, rt: Runtime) {
    const R: usize = 8;
    const BATCH: u64 = 64;
    measure(w, "", |n| {
        let n = (n / R as u64 / BATCH + 1) * BATCH;
        on(&rt, async move {
            let (tx, _) = broadcast::channel::<u64>(128);
            let seen: Arc<Vec<Padded>> =
                Arc::new((0..R).map(|_| Padded(AtomicU64::new(0))).collect());
            let t = Instant::now();
            let receivers: Vec<_> = (0..R)
                .map(|r| {
                    let mut rx = tx.subscribe();
                    let seen = seen.clone();
                    tokio::spawn(async move {
                        let (mut sum, mut lags, mut got) = (0u64, 0u64, 0u64);
                        loop {
                            match rx.recv().await {
                                Ok(v) => {
                                    sum += v;
                                    got += 1;
                                    seen[r].0.store(got, Relaxed);
                                }
                                Err(broadcast::error::RecvError::Lagged(k)) => {
                                    lags += 1;
                                    got += k;
                                }
                                Err(broadcast::error::RecvError::Closed) => break,
                            }
                        }
                        (sum, lags)
                    })
                })
                .collect();
            let sender = tokio::spawn(async move {
                let mut sent = 0u64;
                while sent < n {
                    for i in sent..sent + BATCH {
                        tx.send(i).unwrap();
                    }
                    sent += BATCH;
                    while seen.iter().any(|s| s.0.load(Relaxed) + BATCH < sent) {
                        yield_now().await;
                    }
                }
            });
            sender.await.unwrap();
            let (mut sum, mut lags) = (0u64, 0u64);
            for r in receivers {
                let (s, l) = r.await.unwrap();
                sum += s;
                lags += l;
            }
            let time = t.elapsed();
            assert_eq!(lags, 0, "receivers lagged");
            assert_eq!(sum, sum_to(n) * R as u64);
            Sample { ops: n * R as u64, time }
        })
    });
}

/// The sender yields after every value, so that all 8 receivers wake for each (the worst case of
/// the workload above: nothing is amortised). One delivered value is one operation.
fn broadcast_st_8r_each(w: &str) {
    const R: u64 = 8;
    let rt = st();
    measure(w, "", |n| {
        let n = n / R + 1;
        on(&rt, async move {
            let (tx, _) = broadcast::channel::<u64>(128);
            let t = Instant::now();
            let receivers: Vec<_> = (0..R)
                .map(|_| {
                    let mut rx = tx.subscribe();
                    tokio::spawn(async move {
                        let mut sum = 0u64;
                        loop {
                            match rx.recv().await {
                                Ok(v) => sum += v,
                                Err(broadcast::error::RecvError::Lagged(_)) => panic!("lagged"),
                                Err(broadcast::error::RecvError::Closed) => return sum,
                            }
                        }
                    })
                })
                .collect();
            yield_now().await; // let the receivers park
            for i in 0..n {
                tx.send(i).unwrap();
                yield_now().await;
            }
            drop(tx);
            let mut sum = 0;
            for r in receivers {
                sum += r.await.unwrap();
            }
            let time = t.elapsed();
            assert_eq!(sum, sum_to(n) * R);
            Sample { ops: n * R, time }
        })
    });
}

/// The sender sends, then yields; 8 receivers wait for the change and read the value.
fn watch_st_8r(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let (tx, rx) = watch::channel(0u64);
            let t = Instant::now();
            let receivers: Vec<_> = (0..8)
                .map(|_| {
                    let mut rx = rx.clone();
                    tokio::spawn(async move {
                        let (mut last, mut changes) = (0u64, 0u64);
                        while rx.changed().await.is_ok() {
                            last = *rx.borrow();
                            changes += 1;
                        }
                        (last, changes)
                    })
                })
                .collect();
            drop(rx);
            yield_now().await; // let the receivers park
            for i in 1..=n {
                tx.send(i).unwrap();
                yield_now().await;
            }
            drop(tx);
            for r in receivers {
                let (last, changes) = r.await.unwrap();
                assert_eq!(last, n);
                assert_eq!(changes, n, "a receiver missed intermediate values");
            }
            Sample { ops: n, time: t.elapsed() }
        })
    });
}

fn notify_pingpong_st(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let (a, b) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let rounds = Arc::new(AtomicU64::new(0));
            let t = Instant::now();
            let other = {
                let (a, b, rounds) = (a.clone(), b.clone(), rounds.clone());
                tokio::spawn(async move {
                    for _ in 0..n {
                        a.notified().await;
                        rounds.fetch_add(1, Relaxed);
                        b.notify_one();
                    }
                })
            };
            for _ in 0..n {
                a.notify_one();
                b.notified().await;
            }
            let time = t.elapsed();
            other.await.unwrap();
            assert_eq!(rounds.load(Relaxed), n);
            Sample { ops: n, time }
        })
    });
}

// ------------------------------------------------------------ tasks, calls

fn spawn_join_st(w: &str) {
    let rt = st();
    measure(w, "", |n| {
        on(&rt, async move {
            let t = Instant::now();
            let mut sum = 0u64;
            for i in 0..n {
                sum += tokio::spawn(async move { i }).await.unwrap();
            }
            let time = t.elapsed();
            assert_eq!(sum, sum_to(n));
            Sample { ops: n, time }
        })
    });
}

fn spawn_join_mt2(w: &str) {
    const B: u64 = 1000;
    let rt = mt2();
    measure(w, "", |n| {
        let rounds = n / B + 1;
        on(&rt, async move {
            let mut handles: Vec<JoinHandle<u64>> = Vec::with_capacity(B as usize);
            let mut sum = 0u64;
            let t = Instant::now();
            for _ in 0..rounds {
                handles.extend((0..B).map(|i| tokio::spawn(async move { i })));
                for h in handles.drain(..) {
                    sum += h.await.unwrap();
                }
            }
            let time = t.elapsed();
            assert_eq!(sum, sum_to(B) * rounds);
            Sample { ops: B * rounds, time }
        })
    });
}

fn yield_st(w: &str) {
    const TASKS: u64 = 100;
    let rt = st();
    measure(w, "", |n| {
        let each = n / TASKS + 1;
        on(&rt, async move {
            let t = Instant::now();
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    tokio::spawn(async move {
                        let mut count = 0u64;
                        for _ in 0..each {
                            yield_now().await;
                            count += 1;
                        }
                        count
                    })
                })
                .collect();
            let mut count = 0;
            for task in tasks {
                count += task.await.unwrap();
            }
            let time = t.elapsed();
            assert_eq!(count, each * TASKS);
            Sample { ops: each * TASKS, time }
        })
    });
}

async fn leaf(x: u64) -> u64 {
    black_box(x)
}

#[inline(never)]
fn leaf_boxed(x: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(leaf(x))
}

/// A leaf whose poll function the compiler must not inline; no allocation.
struct LeafNoInline(u64);
impl Future for LeafNoInline {
    type Output = u64;
    #[inline(never)]
    fn poll(
        self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<u64> {
        std::task::Poll::Ready(black_box(self.0))
    }
}

/// Three lines: boxed (heap allocated, dynamic call), not inlined, and the natural async fn.
fn call_chain(w: &str) {
    let rt = st();
    macro_rules! form {
        ($tag:expr, $call:expr) => {
            measure(w, $tag, |n| {
                on(&rt, async move {
                    let t = Instant::now();
                    let mut sum = 0u64;
                    for i in 0..n {
                        sum += $call(i).await;
                    }
                    let time = t.elapsed();
                    assert_eq!(sum, sum_to(n));
                    Sample { ops: n, time }
                })
            })
        };
    }
    form!("+boxed", leaf_boxed);
    form!("+noinline", LeafNoInline);
    form!("+natural", leaf);
}

// -------------------------------------------------------- memory and timers

fn rss_bytes() -> u64 {
    let s = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = s.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn cpu_ns() -> u64 {
    let mut ts = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: ts is a valid timespec for the call to fill.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut ts) };
    ts.tv_sec as u64 * 1_000_000_000 + ts.tv_nsec as u64
}

/// Memory can be measured once per process only, so each run is a fresh child of this program.
fn in_children(child: &str, full: usize, quick: usize) -> Vec<Vec<f64>> {
    let (runs, count) = if QUICK.load(Relaxed) { (1, quick) } else { (RUNS, full) };
    (0..runs)
        .map(|_| {
            let out = std::process::Command::new(std::env::current_exe().unwrap())
                .arg("--child")
                .arg(child)
                .arg(count.to_string())
                .output()
                .unwrap();
            assert!(out.status.success(), "child {child} failed");
            String::from_utf8(out.stdout)
                .unwrap()
                .split_whitespace()
                .map(|x| x.parse().unwrap())
                .collect()
        })
        .collect()
}

/// RSS per task: the task and its oneshot channel; the vector of senders is touched beforehand.
fn idle_task_mem(w: &str) {
    let v = in_children(w, 1_000_000, 10_000);
    report(w, "", v.iter().map(|r| r[0]).collect(), "bytes");
}

fn idle_task_mem_child(count: usize) {
    let rt = st();
    on(&rt, async move {
        let waiting = Arc::new(AtomicUsize::new(0));
        let sum = Arc::new(AtomicU64::new(0));
        let mut senders: Vec<Option<oneshot::Sender<u64>>> = Vec::with_capacity(count);
        senders.resize_with(count, || None); // touch the pages
        let before = rss_bytes();
        for s in senders.iter_mut() {
            let (tx, rx) = oneshot::channel::<u64>();
            *s = Some(tx);
            let (waiting, sum) = (waiting.clone(), sum.clone());
            drop(tokio::spawn(async move {
                waiting.fetch_add(1, Relaxed);
                let v = rx.await.unwrap();
                sum.fetch_add(v, Relaxed);
            }));
        }
        while waiting.load(Relaxed) < count {
            yield_now().await;
        }
        let after = rss_bytes();
        for (i, s) in senders.into_iter().enumerate() {
            s.unwrap().send(i as u64).unwrap();
        }
        while sum.load(Relaxed) < sum_to(count as u64) {
            yield_now().await;
        }
        assert_eq!(sum.load(Relaxed), sum_to(count as u64));
        println!("{}", (after - before) as f64 / count as f64);
    });
}

/// 100,000 tasks asleep for 1..=1000 ms. First line: CPU time per timer, from the first spawn to
/// the last wake-up. Second line: RSS per sleeping task.
fn timer_sleep_mem_st(w: &str) {
    let v = in_children(w, 100_000, 1000);
    report(w, "", v.iter().map(|r| r[0]).collect(), "cpu_ns");
    report(w, "+rss", v.iter().map(|r| r[1]).collect(), "bytes");
}

fn timer_sleep_mem_st_child(count: usize) {
    let rt = st();
    on(&rt, async move {
        let mut handles: Vec<Option<JoinHandle<u64>>> = Vec::new();
        handles.resize_with(count, || None);
        let rss = rss_bytes();
        let cpu = cpu_ns();
        let mut x = 88172645463325252u64; // xorshift64
        let mut expect = 0u64;
        for h in handles.iter_mut() {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            let ms = 1 + x % 1000;
            expect += ms;
            *h = Some(tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                ms
            }));
        }
        yield_now().await; // every task has now been polled and is asleep
        let rss = rss_bytes() - rss;
        let mut sum = 0u64;
        for h in handles {
            sum += h.unwrap().await.unwrap();
        }
        let cpu = cpu_ns() - cpu;
        assert_eq!(sum, expect);
        println!("{} {}", cpu as f64 / count as f64, rss as f64 / count as f64);
    });
}

// -------------------------------------------------------------------- main

type Workload = (&'static str, fn(&str));

const WORKLOADS: &[Workload] = &[
    ("oneshot_ready_st", oneshot_ready_st),
    ("oneshot_wait_st", oneshot_wait_st),
    ("mpsc_st_cap32_1p", |w| mpsc_bounded(w, st(), 32, 1)),
    ("mpsc_st_cap1_1p", |w| mpsc_bounded(w, st(), 1, 1)),
    ("mpsc_st_cap32_4p", |w| mpsc_bounded(w, st(), 32, 4)),
    ("mpsc_mt2_cap32_1p", |w| mpsc_bounded(w, mt2(), 32, 1)),
    ("mpsc_mt2_cap1024_1p", |w| mpsc_bounded(w, mt2(), 1024, 1)),
    ("mpsc_mt2_cap32_8p", |w| mpsc_bounded(w, mt2(), 32, 8)),
    ("mpsc_mt2_cap1024_8p", |w| mpsc_bounded(w, mt2(), 1024, 8)),
    ("mpsc_unb_mt2_8p", mpsc_unb_mt2_8p),
    // tokio has no mpmc channel: mpmc_mt2_cap128_4p4c is not expressible.
    ("pingpong_mt2", pingpong_mt2),
    ("reqresp_st_64c", |w| reqresp(w, st)),
    ("reqresp_mt2_64c", |w| reqresp(w, mt2)),
    ("mutex_uncontended_st", mutex_uncontended_st),
    ("mutex_contended_mt2", |w| mutex_tasks(w, mt2(), false)),
    ("mutex_held_across_yield_st", |w| mutex_tasks(w, st(), true)),
    ("semaphore_uncontended_st", semaphore_uncontended_st),
    ("broadcast_st_8r", |w| broadcast_8r(w, st())),
    ("broadcast_mt2_8r", |w| broadcast_8r(w, mt2())),
    ("broadcast_st_8r_each", broadcast_st_8r_each),
    ("watch_st_8r", watch_st_8r),
    ("notify_pingpong_st", notify_pingpong_st),
    ("spawn_join_st", spawn_join_st),
    ("spawn_join_mt2", spawn_join_mt2),
    ("yield_st", yield_st),
    ("call_chain", call_chain),
    ("idle_task_mem", idle_task_mem),
    ("timer_sleep_mem_st", timer_sleep_mem_st),
];

fn main() {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().map(String::as_str) == Some("--quick") {
        args.remove(0);
        QUICK.store(true, Relaxed);
    }
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--list"] => WORKLOADS.iter().for_each(|(name, _)| println!("{name}")),
        ["--child", "idle_task_mem", n] => idle_task_mem_child(n.parse().unwrap()),
        ["--child", "timer_sleep_mem_st", n] => timer_sleep_mem_st_child(n.parse().unwrap()),
        [] => WORKLOADS.iter().for_each(|(name, run)| run(name)),
        [filter] if !filter.starts_with('-') => {
            let exact = WORKLOADS.iter().any(|(name, _)| *name == filter);
            for (name, run) in WORKLOADS {
                if *name == filter || (!exact && name.contains(filter)) {
                    run(name);
                }
            }
        }
        _ => {
            eprintln!("usage: tokio-bench [--quick] [workload-filter | --list]");
            std::process::exit(2);
        }
    }
}
