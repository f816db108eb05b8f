#include "pubsub.hpp"

#include "glob.hpp"

namespace redis {

namespace {

constexpr std::string_view line_end = "\r\n";

// What both protocols have in common: all but the first byte.
weir::bytes encode(std::string_view channel, std::string_view text) {
    reply_buffer out;
    out.array(3);
    out.bulk("message");
    out.bulk(channel);
    out.bulk(text);
    return weir::bytes(out.joined()).slice(1);
}

}  // namespace

message::message(std::uint64_t number, std::uint64_t publisher, std::string_view channel,
                 std::string_view text)
    : number_(number), publisher_(publisher), encoded_(encode(channel, text)) {
    constexpr std::string_view head = "3\r\n$7\r\nmessage\r\n$";
    const std::size_t name = head.size() + std::to_string(channel.size()).size() + line_end.size();
    channel_ = encoded_.slice(name, channel.size());
    text_ = encoded_.slice(encoded_.size() - line_end.size() - text.size(), text.size());
}

void message::append_to(reply_buffer& out) const {
    out.push_mark();
    out.raw(encoded_);
}

void subscription::deliver_to_channel(const message& m, reply_buffer& out) const {
    const auto mine = channels_.find(m.channel());
    if (mine != channels_.end() && m.number() > mine->second) m.append_to(out);
}

void subscription::deliver_to_patterns(const message& m, reply_buffer& out) const {
    for (const auto& [pattern, before] : patterns_) {
        if (m.number() <= before || !matches_glob(pattern, m.channel())) continue;
        out.push(4);
        out.bulk("pmessage");
        out.bulk(pattern);
        out.bulk(m.channel());
        out.bulk(m.text());
    }
}

std::size_t channel_hub::ring_of(std::string_view channel) noexcept {
    return hash()(channel) % subscription::rings;
}

std::size_t channel_hub::backlog(std::string_view channel) const noexcept {
    const auto& ring = rings_[ring_of(channel)];
    return ring ? ring->size() : 0;
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
