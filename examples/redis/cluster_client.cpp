#include "cluster_client.hpp"

#include <optional>
#include <set>
#include <utility>

#include <weir/time.hpp>

namespace redis {

namespace {

bool is_passing(const reply& r) {
    if (!r.is_error()) return false;
    const std::string_view text = r.view();
    return text.starts_with("TRYAGAIN") || text.starts_with("CLUSTERDOWN") ||
           text.starts_with("LOADING");
}

}  // namespace

weir::task<result<cluster_client>> cluster_client::connect(std::vector<address> seeds,
                                                           cluster_options options) {
    cluster_client c(std::make_shared<shared_state>(std::move(options)));
    for (const address& seed : seeds) static_cast<void>(c.node_at(seed));
    auto read = co_await c.refresh(0);
    if (!read) co_return weir::unexpected(std::move(read).error());
    co_return c;
}

std::uint64_t cluster_client::refreshes() const {
    return state_->known.with([](const cluster_topology& t) { return t.refreshes; });
}

// The manager of a node is started when the node is first heard of.
buffered_client cluster_client::node_at(const address& a) const {
    return state_->known.with([&](cluster_topology& t) {
        auto it = t.nodes.find(a);
        if (it == t.nodes.end()) {
            auto manager = buffered_client::start(link(a, state_->options.link),
                                                  state_->options.queue);
            it = t.nodes.emplace(a, std::move(manager)).first;
        }
        return it->second;
    });
}

// Where nobody is known to have the slot, any node says who has.
buffered_client cluster_client::node_for(std::uint16_t slot) const {
    return state_->known.with([&](cluster_topology& t) {
        const address* const owner = t.slots[slot];
        return owner ? t.nodes.at(*owner) : t.nodes.begin()->second;
    });
}

void cluster_client::move_slot(std::uint16_t slot, const address& to) const {
    static_cast<void>(node_at(to));
    state_->known.with([&](cluster_topology& t) { t.slots[slot] = &t.nodes.find(to)->first; });
}

void cluster_client::take_over(const std::vector<slot_range>& ranges) const {
    std::set<address> masters;
    for (const slot_range& r : ranges) masters.insert(r.master);
    for (const address& a : masters) static_cast<void>(node_at(a));
    state_->known.with([&](cluster_topology& t) {
        for (const slot_range& r : ranges) {
            const address* const owner = &t.nodes.find(r.master)->first;
            for (std::size_t slot = r.first; slot <= r.last; ++slot) t.slots[slot] = owner;
        }
        ++t.refreshes;
    });
}

// Reads the table again, unless somebody has done so since the caller looked at it: the callers
// that a change sends here at the same time make one question of theirs.
weir::task<result<void>> cluster_client::refresh(std::uint64_t seen) {
    const auto guard = co_await state_->refreshing.lock();
    if (refreshes() != seen) co_return result<void>();
    const auto nodes = state_->known.with([](const cluster_topology& t) {
        std::vector<buffered_client> all;
        for (const auto& [where, node] : t.nodes) all.push_back(node);
        return all;
    });
    failure last("no node of the cluster is known");
    for (buffered_client node : nodes) {
        request question({"CLUSTER", "SLOTS"});
        auto table = co_await node.call(std::move(question));
        if (!table) {
            last = table.error();
        } else if (const auto ranges = parse_slots(*table); !ranges.empty()) {
            take_over(ranges);
            co_return result<void>();
        } else {
            last = failure(table->is_error() ? std::string(table->view())
                                             : "the cluster has no slots yet");
        }
    }
    co_return weir::unexpected(std::move(last));
}

weir::task<result<reply>> cluster_client::call(request r) {
    const std::uint16_t slot = slot_of(r.key());
    const auto give_up = weir::clock::now() + state_->options.patience;
    backoff pauses(std::chrono::milliseconds(5), std::chrono::milliseconds(200));
    std::optional<address> asked;
    while (true) {
        const std::uint64_t seen = refreshes();
        request attempt = r;
        if (asked) attempt.ask();
        buffered_client node = asked ? node_at(*asked) : node_for(slot);
        asked.reset();
        auto answer = co_await node.call(std::move(attempt));
        if (answer && answer->is_error()) {
            const auto redirected = parse_redirection(answer->view());
            if (redirected && redirected->what == redirection::kind::ask) {
                asked = redirected->to;
            } else if (redirected) {
                // The request goes where it was sent; the rest of the table is read on the way.
                move_slot(redirected->slot, redirected->to);
                static_cast<void>(co_await refresh(seen));
            } else if (is_passing(*answer)) {
                co_await weir::sleep_for(pauses.next());
            } else {
                co_return answer;
            }
        } else if (answer || answer.error().was_sent()) {
            co_return answer;
        } else {
            // The node is not there. If its slots are another's by now, the others know.
            static_cast<void>(co_await refresh(seen));
            co_await weir::sleep_for(pauses.next());
        }
        if (weir::clock::now() >= give_up) co_return answer;
    }
}

}  // namespace redis
