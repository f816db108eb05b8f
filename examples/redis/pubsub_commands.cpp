// Commands on channels of messages.

#include "call.hpp"

namespace redis::commands {

namespace {

std::size_t channel_count(const call& c) {
    return c.client.listening ? c.client.listening->channels().size() : 0;
}

void confirm(call& c, std::string_view what, const std::string_view* channel) {
    c.out.push(3);
    c.out.bulk(what);
    if (channel != nullptr) {
        c.out.bulk(*channel);
    } else {
        c.out.null();
    }
    c.out.integer(static_cast<std::int64_t>(channel_count(c)));
}

}  // namespace

void subscribe(call& c) {
    if (!c.client.listening) {
        c.client.listening = std::make_unique<subscriber>();
        c.client.listening->use_resp3(c.client.protocol == 3);
    }
    for (std::size_t i = 1; i < c.args.size(); ++i) {
        const std::string_view channel = c.args[i];
        c.db.channels.subscribe(*c.client.listening, channel);
        confirm(c, "subscribe", &channel);
    }
}

void unsubscribe(call& c) {
    const auto leave = [&c](std::string_view channel) {
        if (c.client.listening) c.db.channels.unsubscribe(*c.client.listening, channel);
        confirm(c, "unsubscribe", &channel);
    };
    for (std::size_t i = 1; i < c.args.size(); ++i) leave(c.args[i]);
    if (c.args.size() > 1) return;
    if (channel_count(c) == 0) return confirm(c, "unsubscribe", nullptr);
    const auto all = c.client.listening->channels();
    for (const std::string& channel : all) leave(channel);
}

void publish(call& c) {
    const std::size_t listeners =
        c.db.channels.publish(c.args[1], c.args[2], c.client.listening.get(), c.out);
    c.out.integer(static_cast<std::int64_t>(listeners));
}

}  // namespace redis::commands
