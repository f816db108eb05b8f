// gobench: the workloads of weir-bench on Go (../tokio says what each one does).
//
//	go build -o gobench . && ./gobench [--quick] [workload-filter | --list]
//
// Prints one line per result: workload, impl, min, median, max, unit (tab separated).
// Every workload: calibrate the count, one warm-up, five runs of at least 0.5 s each.
//
// "st" = GOMAXPROCS(1), "mt2" = GOMAXPROCS(2).
// Equivalents: bounded mpsc/mpmc and oneshot = a buffered channel (a fresh one of capacity 1 per
// oneshot); mutex = sync.Mutex; semaphore = a channel of struct{} of capacity 1; task =
// goroutine; join = a channel of capacity 1 per task; notify = a channel of struct{} of
// capacity 1; watch = mutex + a channel closed (and replaced) at every change.
// Not expressible: an unbounded channel; broadcast is eight channels that the sender writes in
// turn, which is what Go programs do.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	runs    = 5
	target  = 650 * time.Millisecond
	minimum = 500 * time.Millisecond
)

// One short run of each workload: shows that it works.
var quick bool

const quickCount = 1000

var impl = "go-" + strings.TrimPrefix(runtime.Version(), "go")

// ---------------------------------------------------------------- harness

func measure(workload, tag string, procs int, run func(n uint64) (uint64, time.Duration)) {
	runtime.GOMAXPROCS(procs)
	runtime.GC()
	if quick {
		ops, d := run(quickCount)
		report(workload, tag, []float64{float64(d) / float64(ops)}, "ns")
		return
	}
	n := uint64(1000)
	for {
		_, d := run(n)
		if d > 50*time.Millisecond {
			n = uint64(float64(n)*float64(target)/float64(d)) + 1
			break
		}
		n *= 4
	}
	if _, d := run(n); d < minimum {
		n = uint64(float64(n)*float64(target)/float64(d)) + 1
	}
	var v []float64
	for len(v) < runs {
		ops, d := run(n)
		if d < minimum {
			n += n / 3
			continue
		}
		v = append(v, float64(d)/float64(ops))
	}
	report(workload, tag, v, "ns")
}

func report(workload, tag string, v []float64, unit string) {
	sort.Float64s(v)
	fmt.Printf("%s\t%s%s\t%.2f\t%.2f\t%.2f\t%s\n", workload, impl, tag, v[0], v[len(v)/2], v[len(v)-1], unit)
}

func check(ok bool, what string) {
	if !ok {
		panic("checksum: " + what)
	}
}

func sumTo(n uint64) uint64 { return n * (n - 1) / 2 }

// -------------------------------------------------------------- workloads

func oneshotReady(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		t := time.Now()
		sum := uint64(0)
		for i := uint64(0); i < n; i++ {
			c := make(chan uint64, 1)
			c <- i
			sum += <-c
		}
		d := time.Since(t)
		check(sum == sumTo(n), w)
		return n, d
	})
}

func oneshotWait(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		cmds := make(chan chan uint64, 1)
		t := time.Now()
		go func() {
			i := uint64(0)
			for c := range cmds {
				c <- i
				i++
			}
		}()
		sum := uint64(0)
		for i := uint64(0); i < n; i++ {
			c := make(chan uint64, 1)
			cmds <- c
			sum += <-c
		}
		d := time.Since(t)
		close(cmds)
		check(sum == sumTo(n), w)
		return n, d
	})
}

func channel(procs, capacity int, producers, consumers uint64) func(string) {
	return func(w string) {
		measure(w, "", procs, func(n uint64) (uint64, time.Duration) {
			each := n/producers + 1
			c := make(chan uint64, capacity)
			sums := make(chan uint64, consumers)
			var wg sync.WaitGroup
			wg.Add(int(producers))
			t := time.Now()
			for p := uint64(0); p < producers; p++ {
				go func() {
					for i := uint64(0); i < each; i++ {
						c <- i
					}
					wg.Done()
				}()
			}
			for k := uint64(0); k < consumers; k++ {
				go func() {
					sum := uint64(0)
					for v := range c {
						sum += v
					}
					sums <- sum
				}()
			}
			wg.Wait()
			close(c)
			sum := uint64(0)
			for k := uint64(0); k < consumers; k++ {
				sum += <-sums
			}
			d := time.Since(t)
			check(sum == sumTo(each)*producers, w)
			return each * producers, d
		})
	}
}

func pingpong(w string) {
	measure(w, "", 2, func(n uint64) (uint64, time.Duration) {
		ping, pong := make(chan uint64, 1), make(chan uint64, 1)
		t := time.Now()
		go func() {
			for v := range ping {
				pong <- v + 1
			}
		}()
		sum := uint64(0)
		for i := uint64(0); i < n; i++ {
			ping <- i
			sum += <-pong
		}
		d := time.Since(t)
		close(ping)
		check(sum == sumTo(n)+n, w)
		return n, d
	})
}

type get struct {
	key   uint64
	reply chan uint64
}

func reqresp(procs int) func(string) {
	const keys, clients = 1024, 64
	return func(w string) {
		measure(w, "", procs, func(n uint64) (uint64, time.Duration) {
			each := n/clients + 1
			m := make(map[uint64]uint64)
			for k := uint64(0); k < keys; k++ {
				m[k] = 2*k + 1
			}
			cmds := make(chan get, 32)
			var bad uint64
			var wg sync.WaitGroup
			wg.Add(clients)
			t := time.Now()
			go func() {
				for g := range cmds {
					g.reply <- m[g.key]
				}
			}()
			for c := uint64(0); c < clients; c++ {
				go func(c uint64) {
					for i := uint64(0); i < each; i++ {
						key := (c + i) % keys
						reply := make(chan uint64, 1)
						cmds <- get{key, reply}
						if <-reply != 2*key+1 {
							atomic.AddUint64(&bad, 1)
						}
					}
					wg.Done()
				}(c)
			}
			wg.Wait()
			d := time.Since(t)
			close(cmds)
			check(bad == 0, w)
			return each * clients, d
		})
	}
}

func mutexUncontended(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		var m sync.Mutex
		v := uint64(0)
		t := time.Now()
		for i := uint64(0); i < n; i++ {
			m.Lock()
			v++
			m.Unlock()
		}
		d := time.Since(t)
		check(v == n, w)
		return n, d
	})
}

func mutexTasks(procs int, hold bool) func(string) {
	return func(w string) {
		measure(w, "", procs, func(n uint64) (uint64, time.Duration) {
			each := n/8 + 1
			var m sync.Mutex
			v := uint64(0)
			var wg sync.WaitGroup
			wg.Add(8)
			t := time.Now()
			for k := 0; k < 8; k++ {
				go func() {
					for i := uint64(0); i < each; i++ {
						m.Lock()
						v++
						if hold {
							runtime.Gosched()
						}
						m.Unlock()
					}
					wg.Done()
				}()
			}
			wg.Wait()
			d := time.Since(t)
			check(v == each*8, w)
			return each * 8, d
		})
	}
}

func semaphore(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		s := make(chan struct{}, 1)
		sum := uint64(0)
		t := time.Now()
		for i := uint64(0); i < n; i++ {
			s <- struct{}{}
			sum += i
			<-s
		}
		d := time.Since(t)
		check(sum == sumTo(n), w)
		return n, d
	})
}

// broadcast: eight channels of capacity 128. With each, the sender yields after every value.
func broadcast(procs int, each bool) func(string) {
	const R = 8
	return func(w string) {
		measure(w, "", procs, func(n uint64) (uint64, time.Duration) {
			n = n/R + 1
			var cs [R]chan uint64
			for r := range cs {
				cs[r] = make(chan uint64, 128)
			}
			sums := make(chan uint64, R)
			t := time.Now()
			for _, c := range cs {
				go func(c chan uint64) {
					sum := uint64(0)
					for v := range c {
						sum += v
					}
					sums <- sum
				}(c)
			}
			for i := uint64(0); i < n; i++ {
				for _, c := range cs {
					c <- i
				}
				if each {
					runtime.Gosched()
				}
			}
			sum := uint64(0)
			for _, c := range cs {
				close(c)
			}
			for range cs {
				sum += <-sums
			}
			d := time.Since(t)
			check(sum == sumTo(n)*R, w)
			return n * R, d
		})
	}
}

type watch struct {
	mu      sync.Mutex
	value   uint64
	version uint64
	changed chan struct{}
}

func (x *watch) send(v uint64) {
	x.mu.Lock()
	x.value = v
	x.version++
	close(x.changed)
	x.changed = make(chan struct{})
	x.mu.Unlock()
}

func (x *watch) next(seen uint64) (value, version uint64) {
	for {
		x.mu.Lock()
		value, version, c := x.value, x.version, x.changed
		x.mu.Unlock()
		if version != seen {
			return value, version
		}
		<-c
	}
}

func watch8(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		x := &watch{changed: make(chan struct{})}
		changes := make(chan uint64, 8)
		t := time.Now()
		for r := 0; r < 8; r++ {
			go func() {
				v, ver, count := uint64(0), uint64(0), uint64(0)
				for v != n {
					v, ver = x.next(ver)
					count++
				}
				changes <- count
			}()
		}
		runtime.Gosched()
		for i := uint64(1); i <= n; i++ {
			x.send(i)
			runtime.Gosched()
		}
		missed := uint64(0)
		for r := 0; r < 8; r++ {
			missed += n - <-changes
		}
		d := time.Since(t)
		check(missed <= 8*n, w)
		if n > 100000 { // a receiver may skip values: Gosched does not run all others first
			fmt.Fprintf(os.Stderr, "%s: %.2f%% of the deliveries were conflated\n", w, 12.5*float64(missed)/float64(n))
		}
		return n, d
	})
}

func notifyPingpong(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		a, b := make(chan struct{}, 1), make(chan struct{}, 1)
		rounds := uint64(0)
		t := time.Now()
		go func() {
			for range a {
				rounds++
				b <- struct{}{}
			}
		}()
		for i := uint64(0); i < n; i++ {
			a <- struct{}{}
			<-b
		}
		d := time.Since(t)
		close(a)
		check(rounds == n, w)
		return n, d
	})
}

func spawnJoinST(w string) {
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		sum := uint64(0)
		t := time.Now()
		for i := uint64(0); i < n; i++ {
			c := make(chan uint64, 1)
			go func(i uint64) { c <- i }(i)
			sum += <-c
		}
		d := time.Since(t)
		check(sum == sumTo(n), w)
		return n, d
	})
}

func spawnJoinMT2(w string) {
	const B = 1000
	measure(w, "", 2, func(n uint64) (uint64, time.Duration) {
		rounds := n/B + 1
		cs := make([]chan uint64, B)
		sum := uint64(0)
		t := time.Now()
		for k := uint64(0); k < rounds; k++ {
			for i := range cs {
				c := make(chan uint64, 1)
				cs[i] = c
				go func(i uint64) { c <- i }(uint64(i))
			}
			for _, c := range cs {
				sum += <-c
			}
		}
		d := time.Since(t)
		check(sum == sumTo(B)*rounds, w)
		return B * rounds, d
	})
}

func yieldST(w string) {
	const tasks = 100
	measure(w, "", 1, func(n uint64) (uint64, time.Duration) {
		each := n/tasks + 1
		var count uint64
		var wg sync.WaitGroup
		wg.Add(tasks)
		t := time.Now()
		for k := 0; k < tasks; k++ {
			go func() {
				for i := uint64(0); i < each; i++ {
					runtime.Gosched()
				}
				atomic.AddUint64(&count, each)
				wg.Done()
			}()
		}
		wg.Wait()
		d := time.Since(t)
		check(count == each*tasks, w)
		return each * tasks, d
	})
}

//go:noinline
func leaf(x uint64) uint64 { return x }

// Go has no async function: this is a plain call.
func callChain(w string) {
	measure(w, "+plaincall", 1, func(n uint64) (uint64, time.Duration) {
		sum := uint64(0)
		t := time.Now()
		for i := uint64(0); i < n; i++ {
			sum += leaf(i)
		}
		d := time.Since(t)
		check(sum == sumTo(n), w)
		return n, d
	})
}

// ------------------------------------------------------ memory and timers

func rss() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages, _ := strconv.ParseUint(strings.Fields(string(b))[1], 10, 64)
	return pages * 4096
}

func cpu() uint64 {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err)
	}
	return uint64(r.Utime.Nano() + r.Stime.Nano())
}

// Memory can be measured once per process only, so each run is a fresh child of this program.
func inChildren(child string, full, quickFull int) [][]float64 {
	var all [][]float64
	times, count := runs, full
	if quick {
		times, count = 1, quickFull
	}
	for i := 0; i < times; i++ {
		out, err := exec.Command("/proc/self/exe", "--child", child, strconv.Itoa(count)).Output()
		if err != nil {
			panic(err)
		}
		var row []float64
		for _, f := range strings.Fields(string(out)) {
			x, _ := strconv.ParseFloat(f, 64)
			row = append(row, x)
		}
		all = append(all, row)
	}
	return all
}

func column(rows [][]float64, i int) (v []float64) {
	for _, r := range rows {
		v = append(v, r[i])
	}
	return
}

func idleMem(w string) { report(w, "", column(inChildren(w, 1000000, 10000), 0), "bytes") }

func idleMemChild(count uint64) {
	runtime.GOMAXPROCS(1)
	cs := make([]chan uint64, count)
	for i := range cs {
		cs[i] = nil // touch the pages
	}
	var waiting, sum uint64
	before := rss()
	for i := range cs {
		c := make(chan uint64, 1)
		cs[i] = c
		go func() {
			atomic.AddUint64(&waiting, 1)
			atomic.AddUint64(&sum, <-c)
		}()
	}
	for atomic.LoadUint64(&waiting) < count {
		runtime.Gosched()
	}
	after := rss()
	for i, c := range cs {
		c <- uint64(i)
	}
	for atomic.LoadUint64(&sum) < sumTo(count) {
		runtime.Gosched()
	}
	fmt.Println(float64(after-before) / float64(count))
}

func timers(w string) {
	rows := inChildren(w, 100000, 1000)
	report(w, "", column(rows, 0), "cpu_ns")
	report(w, "+rss", column(rows, 1), "bytes")
}

func timersChild(count int) {
	runtime.GOMAXPROCS(1)
	x, expect := uint64(88172645463325252), uint64(0)
	var sum uint64
	var wg sync.WaitGroup
	wg.Add(count)
	r, c := rss(), cpu()
	for i := 0; i < count; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		ms := 1 + x%1000
		expect += ms
		go func() {
			time.Sleep(time.Duration(ms) * time.Millisecond)
			atomic.AddUint64(&sum, ms)
			wg.Done()
		}()
	}
	runtime.Gosched()
	r = rss() - r
	wg.Wait()
	c = cpu() - c
	check(sum == expect, "timers")
	fmt.Println(float64(c)/float64(count), float64(r)/float64(count))
}

// ------------------------------------------------------------------- main

var workloads = []struct {
	name string
	run  func(string)
}{
	{"oneshot_ready_st", oneshotReady},
	{"oneshot_wait_st", oneshotWait},
	{"mpsc_st_cap32_1p", channel(1, 32, 1, 1)},
	{"mpsc_st_cap1_1p", channel(1, 1, 1, 1)},
	{"mpsc_st_cap32_4p", channel(1, 32, 4, 1)},
	{"mpsc_mt2_cap32_1p", channel(2, 32, 1, 1)},
	{"mpsc_mt2_cap1024_1p", channel(2, 1024, 1, 1)},
	{"mpsc_mt2_cap32_8p", channel(2, 32, 8, 1)},
	{"mpsc_mt2_cap1024_8p", channel(2, 1024, 8, 1)},
	{"mpmc_mt2_cap128_4p4c", channel(2, 128, 4, 4)},
	{"pingpong_mt2", pingpong},
	{"reqresp_st_64c", reqresp(1)},
	{"reqresp_mt2_64c", reqresp(2)},
	{"mutex_uncontended_st", mutexUncontended},
	{"mutex_contended_mt2", mutexTasks(2, false)},
	{"mutex_held_across_yield_st", mutexTasks(1, true)},
	{"semaphore_uncontended_st", semaphore},
	{"broadcast_st_8r", broadcast(1, false)},
	{"broadcast_mt2_8r", broadcast(2, false)},
	{"broadcast_st_8r_each", broadcast(1, true)},
	{"watch_st_8r", watch8},
	{"notify_pingpong_st", notifyPingpong},
	{"spawn_join_st", spawnJoinST},
	{"spawn_join_mt2", spawnJoinMT2},
	{"yield_st", yieldST},
	{"call_chain", callChain},
	{"idle_task_mem", idleMem},
	{"timer_sleep_mem_st", timers},
}

func main() {
	args := os.Args[1:]
	if len(args) == 3 && args[0] == "--child" {
		count, _ := strconv.Atoi(args[2])
		switch args[1] {
		case "idle_task_mem":
			idleMemChild(uint64(count))
		case "timer_sleep_mem_st":
			timersChild(count)
		}
		return
	}
	if len(args) > 0 && args[0] == "--quick" {
		quick = true
		args = args[1:]
	}
	filter := ""
	if len(args) > 0 {
		filter = args[0]
	}
	exact := false
	for _, w := range workloads {
		exact = exact || w.name == filter
	}
	for _, w := range workloads {
		if filter == "--list" {
			fmt.Println(w.name)
		} else if w.name == filter || (!exact && strings.Contains(w.name, filter)) {
			w.run(w.name)
		}
	}
}
