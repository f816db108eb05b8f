#include "typed_commands.hpp"

namespace redis {

namespace {

weir::unexpected<failure> refused(const reply& r) {
    return weir::unexpected(r.is_error()
                                ? failure(std::string(r.view()))
                                : failure("the server sent a reply of an unexpected type"));
}

}  // namespace

result<value> as_value(reply r) {
    if (r.is_null()) return value();
    if (r.kind() != reply::type::bulk) return refused(r);
    return value(r.text());
}

result<void> as_ok(reply r) {
    if (r.kind() != reply::type::simple) return refused(r);
    return {};
}

result<std::string> as_text(reply r) {
    if (r.kind() != reply::type::simple && r.kind() != reply::type::bulk) return refused(r);
    return std::string(r.view());
}

result<std::int64_t> as_integer(reply r) {
    if (r.kind() != reply::type::integer) return refused(r);
    return r.integer();
}

}  // namespace redis
