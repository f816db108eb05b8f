#include "pubsub.hpp"

#include "glob.hpp"

namespace redis {

namespace {

weir::bytes encode(std::string_view channel, std::string_view text, bool resp3) {
    reply_buffer out;
    out.use_resp3(resp3);
    out.push(3);
    out.bulk("message");
    out.bulk(channel);
    out.bulk(text);
    return weir::bytes(out.joined());
}

}  // namespace

message::message(std::uint64_t n, std::uint64_t by, std::string_view to, std::string_view what)
    : number(n),
      publisher(by),
      channel(to),
      text(weir::bytes::copy_of(what)),
      encoded{encode(to, what, false), encode(to, what, true)} {}

void subscription::deliver_to_channel(const message& m, reply_buffer& out) const {
    const auto mine = channels_.find(m.channel);
    if (mine == channels_.end() || m.number <= mine->second) return;
    out.raw(m.encoded[out.uses_resp3() ? 1 : 0]);
}

void subscription::deliver_to_patterns(const message& m, reply_buffer& out) const {
    for (const auto& [pattern, before] : patterns_) {
        if (m.number <= before || !matches_glob(pattern, m.channel)) continue;
        out.push(4);
        out.bulk("pmessage");
        out.bulk(pattern);
        out.bulk(m.channel);
        out.bulk(m.text);
    }
}

std::size_t channel_hub::ring_of(std::string_view channel) noexcept {
    return hash()(channel) % subscription::rings;
}

void channel_hub::listen(subscription& s, std::size_t ring) {
    if (s.heard_[ring]) return;
    if (!rings_[ring]) rings_[ring].emplace(ring_size);
    s.heard_[ring] = true;
    s.feeds_.emplace_back(ring == subscription::pattern_ring, rings_[ring]->subscribe());
}

void channel_hub::send(std::size_t ring, const message_ptr& m) {
    // An error says that nobody is left who listens to this ring, so the message has arrived.
    if (rings_[ring]) static_cast<void>(rings_[ring]->send(message_ptr(m)));
}

void channel_hub::join(counts& to, subscription::names& mine, std::string_view name) {
    if (!mine.emplace(name, last_number_).second) return;
    auto it = to.find(name);
    if (it == to.end()) it = to.try_emplace(std::string(name), 0).first;
    ++it->second;
}

void channel_hub::leave(counts& from, subscription::names& mine, std::string_view name) {
    const auto known = mine.find(name);
    if (known == mine.end()) return;
    const auto it = from.find(name);
    if (--it->second == 0) from.erase(it);
    mine.erase(known);  // last: `name` may be the one in there
}

void channel_hub::forget_if_empty(subscription& s) {
    if (s.size() != 0) return;
    s.feeds_.clear();
    s.heard_.reset();
    ++s.generation_;
}

void channel_hub::subscribe(subscription& s, std::string_view channel) {
    join(channels_, s.channels_, channel);
    listen(s, ring_of(channel));
}

void channel_hub::unsubscribe(subscription& s, std::string_view channel) {
    leave(channels_, s.channels_, channel);
    forget_if_empty(s);
}

void channel_hub::subscribe_pattern(subscription& s, std::string_view pattern) {
    join(patterns_, s.patterns_, pattern);
    listen(s, subscription::pattern_ring);
}

void channel_hub::unsubscribe_pattern(subscription& s, std::string_view pattern) {
    leave(patterns_, s.patterns_, pattern);
    forget_if_empty(s);
}

void channel_hub::unsubscribe_all(subscription& s) {
    while (!s.channels_.empty()) leave(channels_, s.channels_, s.channels_.begin()->first);
    while (!s.patterns_.empty()) leave(patterns_, s.patterns_, s.patterns_.begin()->first);
    forget_if_empty(s);
}

channel_hub::published channel_hub::publish(std::uint64_t publisher, std::string_view channel,
                                            std::string_view text) {
    const auto direct = channels_.find(channel);
    std::size_t by_pattern = 0;
    for (const auto& [pattern, listeners] : patterns_) {
        if (matches_glob(pattern, channel)) by_pattern += listeners;
    }
    published p;
    if (direct == channels_.end() && by_pattern == 0) return p;
    p.sent = std::make_shared<const message>(++last_number_, publisher, channel, text);
    if (direct != channels_.end()) {
        p.receivers += direct->second;
        send(ring_of(channel), p.sent);
    }
    if (by_pattern != 0) send(subscription::pattern_ring, p.sent);
    p.receivers += by_pattern;
    return p;
}

}  // namespace redis
