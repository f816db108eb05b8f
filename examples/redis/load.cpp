#include "load.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include <weir/join.hpp>
#include <weir/select.hpp>
#include <weir/spawn.hpp>
#include <weir/time.hpp>
#include <weir/watch.hpp>

#include "client.hpp"

namespace redis {

namespace {

using weir::clock;

// What the clients share. They run on one thread, so it needs no lock.
struct load_state {
    explicit load_state(const load_options& o) : options(o), value(o.value_size, 'x') {}

    const load_options options;
    const std::string value;
    std::uint64_t started = 0;
    load_report report;
    weir::watch::sender<std::uint64_t> done{0};  // requests; how far the load is
};

void note_failures(load_state& s, std::uint64_t n, const std::string& text) {
    s.report.failed += n;
    if (s.report.error.empty()) s.report.error = text;
}

void queue_request(client& connection, const load_state& s, std::minstd_rand& random) {
    const std::string key = "key:" + std::to_string(random() % s.options.keys);
    if (random() % (s.options.gets_per_set + 1) == 0) {
        connection.queue({"SET", key, s.value});
    } else {
        connection.queue({"GET", key});
    }
}

weir::task<void> run_client(std::shared_ptr<load_state> s, std::uint32_t seed) {
    auto connected = co_await client::connect(s->options.server);
    if (!connected) {
        note_failures(*s, 1, connected.error().text());
        co_return;
    }
    std::minstd_rand random(seed);
    while (s->started < s->options.requests) {
        const std::uint64_t left = s->options.requests - s->started;
        const auto batch = std::min<std::uint64_t>(s->options.pipeline, left);
        s->started += batch;
        for (std::uint64_t i = 0; i < batch; ++i) queue_request(*connected, *s, random);
        const auto begin = clock::now();
        auto replies = co_await connected->exchange();
        if (!replies) {
            note_failures(*s, batch, replies.error().text());
            co_return;
        }
        const auto took =
            std::chrono::duration_cast<histogram::microseconds>(clock::now() - begin);
        for (const reply& r : *replies) {
            s->report.latencies.add(took);
            if (r.is_error()) note_failures(*s, 1, std::string(r.view()));
        }
        s->done.send_modify([&](std::uint64_t& done) { done += batch; });
    }
}

// The clients never wait for this: a watch keeps the latest value, and who looks late misses the
// ones before, which nobody needs any more.
weir::task<void> show_progress(weir::watch::receiver<std::uint64_t> done, std::uint64_t all) {
    const auto begin = clock::now();
    while (true) {
        co_await weir::sleep_for(std::chrono::milliseconds(200));
        const std::uint64_t now = *done.borrow_and_update();
        const std::chrono::duration<double> took = clock::now() - begin;
        std::fprintf(stderr, "\r%3u %%  %llu of %llu requests, %.0f/s ",
                     static_cast<unsigned>(100 * now / std::max<std::uint64_t>(all, 1)),
                     static_cast<unsigned long long>(now), static_cast<unsigned long long>(all),
                     static_cast<double>(now) / took.count());
    }
}

weir::task<void> run_clients(std::shared_ptr<load_state> s) {
    std::vector<weir::join_handle<void>> clients;
    for (std::size_t i = 0; i < s->options.clients; ++i) {
        clients.push_back(weir::spawn(run_client(s, static_cast<std::uint32_t>(i + 1))));
    }
    for (auto& c : clients) co_await c;
}

double milliseconds(histogram::microseconds t) { return static_cast<double>(t.count()) / 1000; }

void print_histogram(const histogram& h) {
    for (std::size_t power = 0; power < histogram::powers; ++power) {
        const std::uint64_t n = h.in_power(power);
        const double share = static_cast<double>(n) / static_cast<double>(h.total());
        if (share < 0.0001) continue;
        const auto until = milliseconds(histogram::microseconds(std::int64_t{1} << (power + 1)));
        const std::string bar(static_cast<std::size_t>(share * 50 + 0.5), '#');
        std::printf("  < %9.3f ms %6.2f %% %s\n", until, 100 * share, bar.c_str());
    }
}

}  // namespace

weir::task<load_report> run_load(load_options options) {
    const auto s = std::make_shared<load_state>(options);
    const auto begin = clock::now();
    // The progress line has no end of its own: it goes when the clients are done.
    co_await weir::select(run_clients(s), show_progress(s->done.subscribe(), options.requests));
    std::fprintf(stderr, "\r%60s\r", "");
    s->report.took = clock::now() - begin;
    s->report.done = *s->done.borrow();
    co_return std::move(s->report);
}

void print(const load_report& r) {
    std::printf("%llu requests in %.2f s: %.0f requests/s, %llu failed%s%s\n",
                static_cast<unsigned long long>(r.done), r.took.count(),
                static_cast<double>(r.done) / r.took.count(),
                static_cast<unsigned long long>(r.failed), r.error.empty() ? "" : ": ",
                r.error.c_str());
    if (r.latencies.total() == 0) return;
    std::printf("latency in ms: p50 %.3f, p90 %.3f, p99 %.3f, p99.9 %.3f, max %.3f\n",
                milliseconds(r.latencies.percentile(0.5)),
                milliseconds(r.latencies.percentile(0.9)),
                milliseconds(r.latencies.percentile(0.99)),
                milliseconds(r.latencies.percentile(0.999)),
                milliseconds(r.latencies.percentile(1)));
    print_histogram(r.latencies);
}

}  // namespace redis
