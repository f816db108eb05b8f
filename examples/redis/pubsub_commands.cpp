// Commands on channels of messages.

#include "call.hpp"

namespace redis::commands {

namespace {

// A message that this client has published to itself stays in front of the reply.
void deliver_to_publisher(call& c, const message& m) {
    if (!c.client.listening) return;
    c.client.listening->deliver_to_channel(m, c.out);
    c.client.listening->deliver_to_patterns(m, c.out);
}

void confirm(call& c, std::string_view what, const std::string_view* name) {
    c.out.push(3);
    c.out.bulk(what);
    if (name != nullptr) {
        c.out.bulk(*name);
    } else {
        c.out.null();
    }
    c.out.integer(c.client.listening ? static_cast<std::int64_t>(c.client.listening->size()) : 0);
}

using hub_operation = void (channel_hub::*)(subscription&, std::string_view);

void enter_each(call& c, std::string_view what, hub_operation enter) {
    if (!c.client.listening) c.client.listening = std::make_unique<subscription>();
    for (std::size_t i = 1; i < c.args.size(); ++i) {
        const std::string_view name = c.args[i];
        c.server.channels.with([&](channel_hub& h) { (h.*enter)(*c.client.listening, name); });
        confirm(c, what, &name);
    }
}

void leave_each(call& c, std::string_view what, hub_operation leave,
                const subscription::names& (subscription::*all)() const noexcept) {
    const auto leave_one = [&](std::string_view name) {
        if (c.client.listening) {
            c.server.channels.with([&](channel_hub& h) { (h.*leave)(*c.client.listening, name); });
        }
        confirm(c, what, &name);
    };
    for (std::size_t i = 1; i < c.args.size(); ++i) leave_one(c.args[i]);
    if (c.args.size() > 1) return;
    if (!c.client.listening || (*c.client.listening.*all)().empty()) {
        return confirm(c, what, nullptr);
    }
    const subscription::names names = (*c.client.listening.*all)();
    for (const auto& [name, since] : names) leave_one(name);
}

}  // namespace

void subscribe(call& c) { enter_each(c, "subscribe", &channel_hub::subscribe); }

void unsubscribe(call& c) {
    leave_each(c, "unsubscribe", &channel_hub::unsubscribe, &subscription::channels);
}

void psubscribe(call& c) { enter_each(c, "psubscribe", &channel_hub::subscribe_pattern); }

void punsubscribe(call& c) {
    leave_each(c, "punsubscribe", &channel_hub::unsubscribe_pattern, &subscription::patterns);
}

void publish(call& c) {
    const auto p = c.server.channels.with(
        [&](channel_hub& h) { return h.publish(c.client.id, c.args[1], c.args[2]); });
    if (p.sent) deliver_to_publisher(c, *p.sent);
    c.out.integer(static_cast<std::int64_t>(p.receivers));
    if (++c.client.published == conversation::publish_burst) c.client.burst_channel = c.args[1];
}

}  // namespace redis::commands
