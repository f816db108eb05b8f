#pragma once
// A client of a Redis cluster: many tasks, and one manager task for each node.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include <weir/mutex.hpp>
#include <weir/synchronized.hpp>
#include <weir/task.hpp>

#include "buffered_client.hpp"
#include "slots.hpp"

// The keys of a cluster are divided into 16384 slots, and the slots among its nodes. The client
// keeps a table of who has which slot, and is told when the table is wrong:
//
//     MOVED slot node    the slot has gone there: the table is mended, and read anew
//     ASK slot node      the slot is on its way there: this one request goes there, with ASKING
//     TRYAGAIN, CLUSTERDOWN, LOADING    not now: again after a pause
//
// A request that certainly was not executed is repeated until `patience` is over. One that may have
// been, because its connection broke behind it, fails: whether it may be repeated, its caller knows.

namespace redis {

struct cluster_options {
    link_options link = quick_link();
    std::size_t queue = buffered_client::default_queue;
    /// For a request, with all its redirections.
    std::chrono::milliseconds patience = std::chrono::seconds(10);

    // A node that does not answer must not hold its requests for long: another may have its slots.
    static link_options quick_link() {
        link_options o;
        o.connect_patience = std::chrono::milliseconds(200);
        return o;
    }
};

/// What is known of a cluster: its nodes, and who has which slot.
struct cluster_topology {
    std::map<address, buffered_client> nodes;
    std::vector<const address*> slots = std::vector<const address*>(slot_count);  // keys of nodes
    std::uint64_t refreshes = 0;
};

/// What the tasks hold: a cheap copy each.
class cluster_client : public typed_commands<cluster_client> {
public:
    /// Asks the nodes in `seeds`, one after the other, for the table of slots.
    static weir::task<result<cluster_client>> connect(std::vector<address> seeds,
                                                      cluster_options options = {});

    /// Sends a request to the node that has its key; one without a key to any node.
    weir::task<result<reply>> call(request r);

    /// How often the table of slots was read.
    std::uint64_t refreshes() const;

private:
    struct shared_state {
        explicit shared_state(cluster_options o) : options(std::move(o)) {}
        const cluster_options options;
        weir::synchronized<cluster_topology> known;
        // Held during the question to a node: a mutex that a task may hold while it waits.
        weir::mutex<> refreshing;
    };

    explicit cluster_client(std::shared_ptr<shared_state> s) : state_(std::move(s)) {}

    buffered_client node_at(const address& a) const;
    buffered_client node_for(std::uint16_t slot) const;
    void move_slot(std::uint16_t slot, const address& to) const;
    void take_over(const std::vector<slot_range>& ranges) const;
    weir::task<result<void>> refresh(std::uint64_t seen);

    std::shared_ptr<shared_state> state_;
};

}  // namespace redis
