// The cluster client against a real cluster of three, while a slot moves and a node dies.

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <weir/runtime.hpp>
#include <weir/spawn.hpp>

#include "../../examples/redis/cluster_client.hpp"
#include "cluster_process.hpp"

namespace {

using namespace std::chrono_literals;

// What the load and the test, which runs on a thread of its own, know of each other.
struct progress {
    std::atomic<bool> stop{false};
    std::atomic<std::size_t> acknowledged{0};
    std::atomic<std::size_t> failed{0};

    void wait_for_more(std::atomic<std::size_t>& what, std::size_t more) {
        const std::size_t wanted = what.load() + more;
        const auto give_up = std::chrono::steady_clock::now() + 60s;
        while (what.load() < wanted && std::chrono::steady_clock::now() < give_up) {
            std::this_thread::sleep_for(1ms);
        }
        CHECK(what.load() >= wanted);
    }
};

// What one task has written to keys that nobody else writes.
struct journal {
    std::string register_key;
    std::string counter_key;
    std::int64_t last_acknowledged = -1;  // of the values 0, 1, 2... set
    std::int64_t incremented = 0;         // for sure
    std::int64_t maybe_incremented = 0;   // nobody knows
    std::string error;                    // an answer that should not have been
};

// A cluster that refuses longer than the client is patient has lost nothing.
void note_failure(journal& j, const redis::failure& why, progress& p) {
    ++p.failed;
    if (!why.code() && !why.text().starts_with("CLUSTERDOWN")) j.error = why.text();
}

weir::task<journal> write_on(redis::cluster_client client, journal j,
                             std::shared_ptr<progress> p) {
    for (std::int64_t i = 0; !p->stop; ++i) {
        const auto set = co_await client.set(j.register_key, weir::bytes(std::to_string(i)));
        if (set) {
            j.last_acknowledged = i;
            ++p->acknowledged;
        } else {
            note_failure(j, set.error(), *p);
        }
        const auto sum = co_await client.incr(j.counter_key);
        if (sum) {
            ++j.incremented;
            ++p->acknowledged;
        } else {
            j.maybe_incremented += sum.error().was_sent();
            note_failure(j, sum.error(), *p);
        }
    }
    co_return j;
}

weir::task<std::int64_t> number_at(redis::cluster_client client, std::string key) {
    const auto found = co_await client.get(key);
    co_return std::stoll(found.value().value().to_string());
}

weir::task<redis::cluster_client> connect(redis::address seed) {
    const std::vector<redis::address> seeds{{"127.0.0.1", 1}, std::move(seed)};
    redis::cluster_options options;
    options.link.client.reply_limit = 2s;
    options.patience = 30s;  // a busy machine is slow to agree on who is alive
    auto connected = co_await redis::cluster_client::connect(seeds, options);
    co_return std::move(connected).value();
}

constexpr std::string_view moving_tag = "{moving}";

weir::task<std::vector<journal>> run_load(redis::address seed, std::shared_ptr<progress> p) {
    const redis::cluster_client client = co_await connect(std::move(seed));
    std::vector<weir::join_handle<journal>> tasks;
    for (int i = 0; i < 16; ++i) {
        // Half of the keys are in the slot that moves.
        const std::string prefix = (i % 2 == 0 ? std::string(moving_tag) : "{" + std::to_string(i) + "}");
        journal j;
        j.register_key = prefix + ":register:" + std::to_string(i);
        j.counter_key = prefix + ":counter:" + std::to_string(i);
        tasks.push_back(weir::spawn(write_on(client, std::move(j), p)));
    }
    std::vector<journal> journals;
    for (auto& t : tasks) journals.push_back(co_await t);
    co_return journals;
}

weir::task<void> check_journals(redis::address seed, std::vector<journal> journals) {
    const redis::cluster_client client = co_await connect(std::move(seed));
    for (const journal& j : journals) {
        const std::int64_t last = co_await number_at(client, j.register_key);
        const std::int64_t sum = co_await number_at(client, j.counter_key);
        // Not before the last wait: what doctest captures belongs to the thread.
        CAPTURE(j.register_key);
        CHECK(j.error == "");
        CHECK(j.last_acknowledged > 0);
        CHECK(last >= j.last_acknowledged);
        CHECK(sum >= j.incremented);
        CHECK(sum <= j.incremented + j.maybe_incremented);
    }
}

TEST_SUITE("redis_cluster") {
    TEST_CASE("requests find their node, follow slots that move, and survive a node that dies") {
        interop::cluster cluster;
        const std::uint16_t slot = redis::slot_of(moving_tag);
        const std::string slot_text = std::to_string(slot);
        interop::cluster_node& from = cluster.owner_of(slot);
        interop::cluster_node& to = &from == &cluster.nodes[0] ? cluster.nodes[1] : cluster.nodes[0];
        interop::cluster_node& seed =
            &from == &cluster.nodes[2] ? cluster.nodes[1] : cluster.nodes[2];

        weir::runtime_options options;
        options.worker_threads = 2;
        weir::multi_thread_runtime load_runtime(options);
        const auto p = std::make_shared<progress>();
        auto load = load_runtime.spawn(run_load(seed.where(), p));
        p->wait_for_more(p->acknowledged, 1000);

        // A slot moves, key by key, under the load.
        interop::cluster::begin_migration(slot_text, from, to);
        p->wait_for_more(p->acknowledged, 200);
        while (interop::cluster::move_one_key(slot_text, from, to)) {
            p->wait_for_more(p->acknowledged, 100);
        }
        cluster.end_migration(slot_text, to);
        p->wait_for_more(p->acknowledged, 1000);
        CHECK(p->failed.load() == 0);
        CHECK(&cluster.owner_of(slot) == &to);

        // The node that has it now dies, and comes back with all that it has acknowledged.
        to.kill();
        p->wait_for_more(p->failed, 1);
        to.start();
        p->wait_for_more(p->acknowledged, 2000);
        cluster.wait_until_agreed();
        p->wait_for_more(p->acknowledged, 1000);

        p->stop = true;
        auto journals = load_runtime.block_on(std::move(load));
        load_runtime.block_on(check_journals(seed.where(), std::move(journals)));
    }
}

}  // namespace
