// The examples of the headers of locks, events and shared data. Compiled, never run.

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <unistd.h>

#include <weir/barrier.hpp>
#include <weir/bytes.hpp>
#include <weir/cancellation_token.hpp>
#include <weir/mpsc.hpp>
#include <weir/mutex.hpp>
#include <weir/notify.hpp>
#include <weir/once_cell.hpp>
#include <weir/rwlock.hpp>
#include <weir/semaphore.hpp>
#include <weir/sharded_map.hpp>
#include <weir/spawn.hpp>
#include <weir/synchronized.hpp>
#include <weir/tracked_mutex.hpp>

namespace header_examples {

weir::task<int> something();

weir::task<> mutex() {
    weir::mutex<int> counter(0);
    auto guard = co_await counter.lock();
    *guard += co_await something();
}

struct config {};
config load();
void use(const config&);

weir::task<> rwlock() {
    weir::rwlock<config> current(load());
    { auto c = co_await current.read(); use(*c); }
    { auto c = co_await current.write(); *c = load(); }
}

weir::task<> semaphore() {
    weir::semaphore limit(250);
    auto permit = co_await limit.acquire();      // gives itself back when it is destroyed
}

weir::task<> notify() {
    weir::notify changed;
    changed.notify_one();                 // wakes the oldest notified, or is remembered, once
    co_await changed.notified();
}

weir::task<bool> barrier() {
    weir::barrier phase(3);
    bool const leader = co_await phase.wait();     // true for exactly one of the three
    co_return leader;
}

struct pool {};
struct address {};
weir::task<pool> connect(address);
void use(pool&);
void use(const address&);

weir::task<> once_cell(address address) {
    weir::once_cell<pool> connections;
    pool& p = co_await connections.get_or_init([&] { return connect(address); });
    use(p);
}

weir::task<> set_once(address where) {
    weir::set_once<address> bound;
    bound.set(where).value();                      // plain
    const address& a = co_await bound.wait();
    use(a);
}

weir::task<int> next_request();
void use(int);
namespace of_token {
weir::task<> serve(weir::cancellation_token stop);

void cancellation_token() {
    weir::cancellation_token stop;
    weir::spawn(serve(stop.child_token())).detach();
    stop.cancel();
}

weir::task<> serve(weir::cancellation_token stop) {
    while (auto request = co_await stop.run_until_cancelled(next_request())) use(*request);
}
}  // namespace of_token

weir::task<> reply(std::string_view);

namespace of_synchronized {
using db = std::shared_ptr<weir::synchronized<std::unordered_map<std::string, weir::bytes>>>;

weir::task<void> set(db d, std::string key, weir::bytes value) {
    d->with([&](auto& map) { map.insert_or_assign(key, value); });   // locked in here only
    co_await reply("+OK\r\n");
}
}  // namespace of_synchronized

void use(const weir::bytes&);

void sharded_map() {
    weir::sharded_map<std::string, weir::bytes> db(64);
    db.insert_or_assign("key", weir::bytes::from_static("value"));
    if (std::optional<weir::bytes> value = db.get("key")) use(*value);
    db.with("hits", [](auto& shard) { shard["hits"] = weir::bytes::from_static("1"); });
}

weir::task<> tracked_mutex(weir::mpsc::sender<int> tx) {
    weir::tracked_mutex accounts("accounts");
    {
        std::scoped_lock lock(accounts);
        (co_await tx.send(1)).value();    // throws if it has to wait
    }
}

std::size_t read(int, char*, std::size_t);

void bytes(int fd) {
    weir::byte_buffer in;
    std::span<char> room = in.prepare(4096);   // at least as much as asked for
    in.commit(read(fd, room.data(), room.size()));
    weir::bytes head = in.split_to(5);         // shares the storage, copies nothing
    weir::bytes again = head;                  // nor does this
    weir::bytes ok = weir::bytes::from_static("+OK\r\n");   // not even an allocation
}

}  // namespace header_examples
