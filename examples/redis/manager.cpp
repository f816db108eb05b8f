#include "manager.hpp"

#include <vector>

#include <weir/spawn.hpp>

namespace redis {

namespace {

// A batch this large fills a network packet many times over; a larger one gains nothing.
constexpr std::size_t largest_batch = 256;

void queue_on(client& connection, const command& c) {
    if (const auto* get = std::get_if<get_command>(&c)) {
        connection.queue({"GET", get->key});
    } else if (const auto* set = std::get_if<set_command>(&c)) {
        connection.queue({"SET", set->key, set->new_value.view()});
    }
}

// Whoever asked may have stopped waiting: a reply that nobody takes is dropped.
void answer(command& c, result<reply> r) {
    if (auto* get = std::get_if<get_command>(&c)) {
        static_cast<void>(get->respond.send(std::move(r).and_then(as_value)));
    } else if (auto* set = std::get_if<set_command>(&c)) {
        static_cast<void>(set->respond.send(std::move(r).and_then(as_ok)));
    }
}

failure manager_is_gone() { return failure("the manager of the connection is gone"); }

}  // namespace

weir::task<void> manage(client connection, weir::mpsc::receiver<command> commands) {
    std::vector<command> batch;
    while (co_await commands.recv_many(batch, largest_batch) != 0) {
        for (const command& c : batch) queue_on(connection, c);
        auto replies = co_await connection.exchange();
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (replies) {
                answer(batch[i], std::move((*replies)[i]));
            } else {
                answer(batch[i], weir::unexpected(replies.error()));
            }
        }
        batch.clear();
        // A broken connection stays broken: the senders find the channel closed.
        if (!replies) co_return;
    }
}

shared_client shared_client::start(client connection, std::size_t queue) {
    auto [commands, receiver] = weir::mpsc::channel<command>(queue);
    weir::spawn(manage(std::move(connection), std::move(receiver))).detach();
    return shared_client(std::move(commands));
}

weir::task<result<value>> shared_client::get(std::string key) {
    auto [respond, response] = weir::oneshot::channel<result<value>>();
    get_command c(std::move(key), std::move(respond));
    const auto sent = co_await commands_.send(std::move(c));
    if (!sent) co_return weir::unexpected(manager_is_gone());
    auto r = co_await response;
    if (!r) co_return weir::unexpected(manager_is_gone());
    co_return std::move(*r);
}

weir::task<result<void>> shared_client::set(std::string key, weir::bytes new_value) {
    auto [respond, response] = weir::oneshot::channel<result<void>>();
    set_command c(std::move(key), std::move(new_value), std::move(respond));
    const auto sent = co_await commands_.send(std::move(c));
    if (!sent) co_return weir::unexpected(manager_is_gone());
    auto r = co_await response;
    if (!r) co_return weir::unexpected(manager_is_gone());
    co_return std::move(*r);
}

}  // namespace redis
