#include "state_layer.hpp"

#include <array>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include <weir/mpsc.hpp>
#include <weir/oneshot.hpp>
#include <weir/spawn.hpp>
#include <weir/synchronized.hpp>

#include "call.hpp"

namespace redis {

namespace {

instant now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

void answer_batch(client_side& client, server_state& server, key_access& keys) {
    const std::size_t used =
        client.talk.answer(client.input.view(), server, keys, now(), client.output);
    client.input.consume(used);
}

// -- one lock ------------------------------------------------------------------------------------

class one_lock final : public state_layer {
public:
    explicit one_lock(std::shared_ptr<server_state> server) : server_(std::move(server)) {}

    weir::task<client_ptr> answer(client_ptr client) override {
        keys_.with([&](store& s) {
            whole_store keys(s);
            answer_batch(*client, *server_, keys);
        });
        co_return client;
    }

    weir::task<std::size_t> purge(std::size_t limit) override {
        co_return keys_.with([&](store& s) { return s.purge(now(), limit); });
    }

private:
    std::shared_ptr<server_state> server_;
    // A lock that cannot be held across a co_await: the only way in is a plain callable.
    weir::synchronized<store> keys_;
};

// -- shards --------------------------------------------------------------------------------------

constexpr std::size_t shard_count = 64;

// On cache lines of its own, so that threads at different shards do not slow each other down.
struct alignas(128) shard {
    weir::synchronized<store> keys;
};

// Runs each command with the shards of its keys locked.
class shard_access final : public key_access {
public:
    explicit shard_access(std::span<shard> shards) noexcept : shards_(shards) {}

    void run(const table_entry& command, call& c) override {
        std::array<bool, shard_count> wanted{};
        const auto want = [&](std::size_t i) {
            wanted[shard_of(c.args[i], shard_count)] = true;
        };
        switch (command.keys) {
            case key_use::none: return command.run(c);
            case key_use::one: return run_in_one(command, c);
            case key_use::each:
                for (std::size_t i = 1; i < c.args.size(); ++i) want(i);
                break;
            case key_use::each_second:
                for (std::size_t i = 1; i < c.args.size(); i += 2) want(i);
                break;
            case key_use::all: wanted.fill(true); break;
        }
        stores locked{};
        lock_from(0, wanted, locked, command, c);
    }

private:
    using stores = std::array<store*, shard_count>;

    static void run_with(const stores& locked, const table_entry& command, call& c) {
        const keyspace keys(locked);
        c.keys = &keys;
        command.run(c);
    }

    void run_in_one(const table_entry& command, call& c) {
        const std::size_t i = shard_of(c.args[1], shard_count);
        shards_[i].keys.with([&](store& s) {
            whole_store(s).run(command, c);
        });
    }

    // Always in the order of the shards: two commands cannot each hold what the other waits for.
    void lock_from(std::size_t i, const std::array<bool, shard_count>& wanted, stores& locked,
                   const table_entry& command, call& c) {
        while (i < shard_count && !wanted[i]) ++i;
        if (i == shard_count) return run_with(locked, command, c);
        shards_[i].keys.with([&](store& s) {
            locked[i] = &s;
            lock_from(i + 1, wanted, locked, command, c);
        });
    }

    std::span<shard> shards_;
};

class sharded final : public state_layer {
public:
    explicit sharded(std::shared_ptr<server_state> server)
        : server_(std::move(server)), shards_(shard_count) {}

    weir::task<client_ptr> answer(client_ptr client) override {
        shard_access keys(shards_);
        answer_batch(*client, *server_, keys);
        co_return client;
    }

    weir::task<std::size_t> purge(std::size_t limit) override {
        std::size_t removed = 0;
        for (shard& one : shards_) {
            if (removed == limit) break;
            removed += one.keys.with([&](store& s) { return s.purge(now(), limit - removed); });
        }
        co_return removed;
    }

private:
    std::shared_ptr<server_state> server_;
    std::vector<shard> shards_;
};

// -- manager task --------------------------------------------------------------------------------

class answer_job {
public:
    answer_job(client_ptr c, weir::oneshot::sender<client_ptr> r)
        : client(std::move(c)), respond(std::move(r)) {}

    client_ptr client;
    weir::oneshot::sender<client_ptr> respond;
};

class purge_job {
public:
    purge_job(std::size_t l, weir::oneshot::sender<std::size_t> r)
        : limit(l), respond(std::move(r)) {}

    std::size_t limit;
    weir::oneshot::sender<std::size_t> respond;
};

using job = std::variant<answer_job, purge_job>;

// Ends with the layer, which holds the other end of the channel. Whoever asked may have gone
// meanwhile: then the client comes back from send, and dies here.
weir::task<void> own_keys(std::shared_ptr<server_state> server,
                          weir::mpsc::receiver<job> jobs) {
    store keys;
    whole_store access(keys);
    while (auto next = co_await jobs.recv()) {
        if (auto* const a = std::get_if<answer_job>(&*next)) {
            answer_batch(*a->client, *server, access);
            static_cast<void>(a->respond.send(std::move(a->client)));
        } else if (auto* const p = std::get_if<purge_job>(&*next)) {
            static_cast<void>(p->respond.send(keys.purge(now(), p->limit)));
        }
    }
}

class managed final : public state_layer {
public:
    explicit managed(std::shared_ptr<server_state> server)
        : managed(std::move(server), weir::mpsc::channel<job>(256)) {}

    weir::task<client_ptr> answer(client_ptr client) override {
        auto [respond, response] = weir::oneshot::channel<client_ptr>();
        answer_job ask(std::move(client), std::move(respond));
        const auto sent = co_await jobs_.send(std::move(ask));
        if (!sent) co_return nullptr;
        auto answered = co_await response;
        co_return answered ? std::move(*answered) : nullptr;
    }

    weir::task<std::size_t> purge(std::size_t limit) override {
        auto [respond, response] = weir::oneshot::channel<std::size_t>();
        purge_job ask(limit, std::move(respond));
        const auto sent = co_await jobs_.send(std::move(ask));
        if (!sent) co_return std::size_t{0};
        const auto removed = co_await response;
        co_return removed.value_or(0);
    }

private:
    managed(std::shared_ptr<server_state> server,
            std::pair<weir::mpsc::sender<job>, weir::mpsc::receiver<job>> channel)
        : jobs_(std::move(channel.first)) {
        weir::spawn(own_keys(std::move(server), std::move(channel.second))).detach();
    }

    weir::mpsc::sender<job> jobs_;
};

}  // namespace

client_side::client_side(std::shared_ptr<server_state> server, std::string address)
    : server_(std::move(server)), talk(server_->clients.with([&](roster& r) {
          r.connections[++r.accepted] = {std::move(address), "", now()};
          return r.accepted;
      })) {}

client_side::~client_side() {
    talk.leave(*server_);
    server_->clients.with([this](roster& r) { r.connections.erase(talk.client().id); });
}

std::optional<state_kind> parse_state_kind(std::string_view name) noexcept {
    for (const state_kind kind : {state_kind::one_lock, state_kind::shards, state_kind::manager}) {
        if (name == name_of(kind)) return kind;
    }
    return std::nullopt;
}

std::string_view name_of(state_kind kind) noexcept {
    switch (kind) {
        case state_kind::shards: return "shards";
        case state_kind::manager: return "manager";
        default: return "lock";
    }
}

std::unique_ptr<state_layer> make_state_layer(state_kind kind,
                                              std::shared_ptr<server_state> server) {
    switch (kind) {
        case state_kind::shards: return std::make_unique<sharded>(std::move(server));
        case state_kind::manager: return std::make_unique<managed>(std::move(server));
        default: return std::make_unique<one_lock>(std::move(server));
    }
}

}  // namespace redis
