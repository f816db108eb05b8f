#include "buffered_client.hpp"

#include <vector>

#include <weir/spawn.hpp>

namespace redis {

namespace {

// A batch this large fills a network packet many times over; a larger one gains nothing.
constexpr std::size_t largest_batch = 256;

failure manager_is_gone() {
    return failure(std::make_error_code(std::errc::operation_canceled), false);
}

// Takes what is waiting, sends it, answers it, until there is nothing more to come.
template <class Receiver>
weir::task<void> run_batches(link connection, Receiver commands) {
    std::vector<command> batch;
    std::vector<request> requests;
    while (co_await commands.recv_many(batch, largest_batch) != 0) {
        for (command& c : batch) requests.push_back(std::move(c.asked));
        auto replies = co_await connection.exchange(requests);
        for (std::size_t i = 0; i < batch.size(); ++i) {
            // Whoever asked may have stopped waiting: a reply that nobody takes is dropped.
            static_cast<void>(
                replies ? batch[i].respond.send(std::move((*replies)[i]))
                        : batch[i].respond.send(weir::unexpected(replies.error())));
        }
        batch.clear();
        requests.clear();
    }
}

template <class Sender>
weir::task<result<reply>> call_through(Sender& commands, request r) {
    auto [respond, response] = weir::oneshot::channel<result<reply>>();
    command c(std::move(r), std::move(respond));
    const auto sent = co_await commands.send(std::move(c));
    if (!sent) co_return weir::unexpected(manager_is_gone());
    auto answer = co_await response;
    if (!answer) co_return weir::unexpected(manager_is_gone());
    co_return std::move(*answer);
}

}  // namespace

weir::task<void> manage(link connection, weir::mpsc::receiver<command> commands) {
    return run_batches(std::move(connection), std::move(commands));
}

buffered_client buffered_client::start(link connection, std::size_t queue) {
    auto [commands, receiver] = weir::mpsc::channel<command>(queue);
    weir::spawn(manage(std::move(connection), std::move(receiver))).detach();
    return buffered_client(std::move(commands));
}

weir::task<result<reply>> buffered_client::call(request r) {
    return call_through(commands_, std::move(r));
}

pooled_client pooled_client::start(address server, std::size_t connections, link_options options,
                                   std::size_t queue) {
    auto [commands, receiver] = weir::mpmc::channel<command>(queue);
    for (std::size_t i = 0; i < connections; ++i) {
        auto mine = receiver;
        weir::spawn(run_batches(link(server, options), std::move(mine))).detach();
    }
    return pooled_client(std::move(commands));
}

weir::task<result<reply>> pooled_client::call(request r) {
    return call_through(commands_, std::move(r));
}

}  // namespace redis
