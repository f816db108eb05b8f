// reqresp: 64 clients ask one manager task, which owns the map, through mpsc(32); each request
// carries a fresh oneshot for its reply.

#include <unordered_map>
#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>

#include "harness.hpp"

namespace bench {
namespace {

constexpr u64 keys = 1024;
constexpr u64 clients = 64;

constexpr u64 value_of(u64 key) {
    return 2 * key + 1;
}

class get_command {
public:
    get_command(u64 wanted, weir::oneshot::sender<u64> where)
        : key(wanted), reply(std::move(where)) {}

    u64 key;
    weir::oneshot::sender<u64> reply;
};

using map_type = std::unordered_map<u64, u64>;

weir::task<> manage(map_type map, weir::mpsc::receiver<get_command> commands) {
    while (auto command = co_await commands.recv()) {
        check(command->reply.send(map.at(command->key)).has_value(), "reqresp: a client is gone");
    }
}

weir::task<u64> ask(weir::mpsc::sender<get_command> commands, u64 client, u64 count) {
    u64 bad = 0;
    for (u64 i = 0; i < count; ++i) {
        const u64 key = (client + i) % keys;
        auto [reply, answer] = weir::oneshot::channel<u64>();
        const auto sent = co_await commands.send(get_command(key, std::move(reply)));
        check(sent.has_value(), "reqresp: the manager is gone");
        const auto value = co_await answer;
        check(value.has_value(), "reqresp: no reply");
        bad += *value != value_of(key);
    }
    co_return bad;
}

weir::task<sample> requests(u64 count) {
    const u64 each = count / clients + 1;
    auto [tx, rx] = weir::mpsc::channel<get_command>(32);
    map_type map;
    for (u64 key = 0; key < keys; ++key) map.emplace(key, value_of(key));
    const stopwatch watch;
    weir::spawn(manage(std::move(map), std::move(rx))).detach();
    std::vector<weir::join_handle<u64>> running;
    for (u64 c = 0; c < clients; ++c) running.push_back(weir::spawn(ask(tx, c, each)));
    { const auto last = std::move(tx); }
    u64 bad = 0;
    for (auto& client : running) bad += co_await client;
    const auto time = watch.elapsed();
    check(bad == 0, "reqresp: a reply is wrong");
    co_return sample{each * clients, time};
}

}  // namespace

std::vector<workload> reqresp_workloads() {
    return {
        {"reqresp_st_64c",
         [](std::string_view name) { measure_on(current_thread{}, name, "", requests); }},
        {"reqresp_mt2_64c",
         [](std::string_view name) { measure_on(two_workers{}, name, "", requests); }},
    };
}

}  // namespace bench
