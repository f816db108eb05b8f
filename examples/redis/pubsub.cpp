#include "pubsub.hpp"

#include <algorithm>

namespace redis {

namespace {

weir::bytes encode(std::string_view channel, std::string_view message, bool resp3) {
    reply_buffer out;
    out.use_resp3(resp3);
    out.push(3);
    out.bulk("message");
    out.bulk(channel);
    out.bulk(message);
    return weir::bytes(out.joined());
}

}  // namespace

void channel_hub::subscribe(subscriber& s, std::string_view channel) {
    if (!s.channels_.emplace(channel).second) return;
    auto it = listeners_.find(channel);
    if (it == listeners_.end()) it = listeners_.try_emplace(std::string(channel)).first;
    it->second.push_back(&s);
}

void channel_hub::unsubscribe(subscriber& s, std::string_view channel) {
    const auto mine = s.channels_.find(channel);
    if (mine == s.channels_.end()) return;
    s.channels_.erase(mine);
    const auto it = listeners_.find(channel);
    std::erase(it->second, &s);
    if (it->second.empty()) listeners_.erase(it);
}

void channel_hub::unsubscribe_all(subscriber& s) {
    while (!s.channels_.empty()) {
        const std::string channel = *s.channels_.begin();
        unsubscribe(s, channel);
    }
}

std::size_t channel_hub::publish(std::string_view channel, std::string_view message,
                                 const subscriber* self, reply_buffer& out) {
    const auto it = listeners_.find(channel);
    if (it == listeners_.end()) return 0;
    weir::bytes encoded[2];
    for (subscriber* const s : it->second) {
        weir::bytes& e = encoded[s->resp3_ ? 1 : 0];
        if (e.empty()) e = encode(channel, message, s->resp3_);
        if (s == self) {
            out.raw(e);
        } else if (s->deliver_ && !s->deliver_->try_send(e)) {
            s->deliver_.reset();
        }
    }
    return it->second.size();
}

}  // namespace redis
