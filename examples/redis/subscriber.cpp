#include "subscriber.hpp"

#include <utility>

#include <weir/timeout.hpp>

namespace redis {

namespace {

failure unexpected_reply(const reply& r) {
    return failure(r.is_error() ? std::string(r.view())
                                : "the server sent something that is no message");
}

}  // namespace

std::optional<received_message> subscriber::message_of(const reply& r) const {
    const auto& e = r.elements();
    if (e.size() == 3 && e[0].view() == "message") {
        return received_message(std::string(e[1].view()), e[2].text());
    }
    if (e.size() == 4 && e[0].view() == "pmessage") {
        return received_message(std::string(e[2].view()), e[3].text(), std::string(e[1].view()));
    }
    return std::nullopt;
}

weir::task<result<received_message>> subscriber::next_message() {
    if (!kept_.empty()) {
        received_message next = std::move(kept_.front());
        kept_.pop_front();
        co_return next;
    }
    auto r = co_await connection_.receive_one();
    if (!r) co_return weir::unexpected(std::move(r).error());
    auto m = message_of(*r);
    if (!m) co_return weir::unexpected(unexpected_reply(*r));
    co_return std::move(*m);
}

void subscriber::note(std::string_view what, const reply& name) {
    std::set<std::string>& names = what.find('p') == 0 ? patterns_ : channels_;
    if (what.find("unsub") == std::string_view::npos) {
        names.emplace(name.view());
    } else {
        names.erase(std::string(name.view()));
    }
}

// One confirmation for each name, and messages in between.
weir::task<result<std::size_t>> subscriber::confirm(std::string command,
                                                    std::size_t confirmations) {
    for (std::size_t seen = 0; seen < confirmations;) {
        auto r = co_await connection_.receive_one();
        if (!r) co_return weir::unexpected(std::move(r).error());
        if (auto m = message_of(*r)) {
            kept_.push_back(std::move(*m));
        } else if (r->elements().size() == 3 && r->elements()[0].view() == command) {
            note(command, r->elements()[1]);
            ++seen;
        } else {
            co_return weir::unexpected(unexpected_reply(*r));
        }
    }
    co_return confirmations;
}

weir::task<result<void>> subscriber::change(std::string command, std::vector<std::string> names,
                                            std::size_t confirmations) {
    std::vector<std::string_view> words{command};
    words.insert(words.end(), names.begin(), names.end());
    append_request(connection_.output_, words);
    auto sent = co_await connection_.send();
    if (!sent) co_return weir::unexpected(std::move(sent).error());
    auto confirmed = co_await weir::timeout(connection_.options_.reply_limit,
                                            confirm(std::move(command), confirmations));
    if (!confirmed) {
        co_return weir::unexpected(failure(std::make_error_code(std::errc::timed_out)));
    }
    if (!*confirmed) co_return weir::unexpected(std::move(*confirmed).error());
    co_return result<void>();
}

weir::task<result<void>> subscriber::subscribe(std::vector<std::string> channels) {
    const std::size_t n = channels.size();
    return change("subscribe", std::move(channels), n);
}

weir::task<result<void>> subscriber::psubscribe(std::vector<std::string> patterns) {
    const std::size_t n = patterns.size();
    return change("psubscribe", std::move(patterns), n);
}

// To leave all of none is confirmed as well, once.
weir::task<result<void>> subscriber::unsubscribe(std::vector<std::string> channels) {
    const std::size_t n = channels.empty() ? std::max<std::size_t>(channels_.size(), 1)
                                           : channels.size();
    return change("unsubscribe", std::move(channels), n);
}

weir::task<result<void>> subscriber::punsubscribe(std::vector<std::string> patterns) {
    const std::size_t n = patterns.empty() ? std::max<std::size_t>(patterns_.size(), 1)
                                           : patterns.size();
    return change("punsubscribe", std::move(patterns), n);
}

}  // namespace redis
