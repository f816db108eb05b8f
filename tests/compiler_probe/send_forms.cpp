// co_await tx.send(command): the line that every program with a manager task writes.

#include <string>
#include <variant>

#include "probe.hpp"

namespace probe {
namespace {

struct get_command {
    std::string key;
    tracked reply;
};
struct set_command {
    std::string key;
    int value;
};
using any_command = std::variant<get_command, set_command>;

class get_with_constructor {
public:
    get_with_constructor(std::string key, tracked reply)
        : key_(std::move(key)), reply_(std::move(reply)) {}
    int intact() const { return key_.empty() ? -100 : reply_.at_home(); }

private:
    std::string key_;
    tracked reply_;
};

int intact(const get_command& command) {
    return command.key.empty() ? -100 : command.reply.at_home();
}
int intact(const any_command& command) { return intact(std::get<get_command>(command)); }
int intact(const get_with_constructor& command) { return command.intact(); }

// What a channel's send returns: it holds the value, and makes its awaiter when it is awaited.
template <class T>
class send_operation {
public:
    explicit send_operation(T value) : value_(std::move(value)) {}
    send_operation(send_operation&&) = default;

    class awaiter {
    public:
        explicit awaiter(T& value) : value_(&value) {}
        awaiter(const awaiter&) = delete;
        awaiter& operator=(const awaiter&) = delete;
        bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> handle) const { suspended = handle; }
        int await_resume() const {
            const T received = std::move(*value_);
            return intact(received);
        }

    private:
        T* value_;
    };
    awaiter operator co_await() { return awaiter(value_); }

private:
    T value_;
};

template <class T>
struct sender {
    send_operation<T> send(T value) const { return send_operation<T>(std::move(value)); }
    send_operation<T> send_rvalue(T&& value) const { return send_operation<T>(std::move(value)); }
};

// Longer than std::string keeps inside, so that two owners of one buffer are a double free.
std::string key() { return "a key that is long enough to be allocated"; }
get_command make_get() { return {key(), tracked{}}; }

const sender<get_command> tx;
const sender<any_command> variant_tx;
const sender<get_with_constructor> constructor_tx;

const form forms[] = {
    {rule::aggregates, "co_await tx.send(aggregate{key, std::move(reply)})",
     []() -> task<int> {
         tracked reply;
         co_return co_await tx.send(get_command{key(), std::move(reply)});
     }},
    {rule::aggregates, "co_await tx.send({key, std::move(reply)})",
     []() -> task<int> {
         tracked reply;
         co_return co_await tx.send({key(), std::move(reply)});
     }},
    {rule::aggregates, "co_await tx.send(aggregate{...}) into T&&",
     []() -> task<int> {
         tracked reply;
         co_return co_await tx.send_rvalue(get_command{key(), std::move(reply)});
     }},
    {rule::aggregates, "co_await tx.send(aggregate{.key = ..., .reply = ...})",
     []() -> task<int> {
         tracked reply;
         co_return co_await tx.send(get_command{.key = key(), .reply = std::move(reply)});
     }},
#if defined(__cpp_aggregate_paren_init)
    {rule::aggregates, "co_await tx.send(aggregate(key, std::move(reply)))",
     []() -> task<int> {
         tracked reply;
         co_return co_await tx.send(get_command(key(), std::move(reply)));
     }},
#endif
    {rule::aggregates, "co_await tx.send(aggregate{...}) into std::variant",
     []() -> task<int> {
         tracked reply;
         co_return co_await variant_tx.send(get_command{key(), std::move(reply)});
     }},
    {rule::relied_on, "co_await tx.send(type_with_constructor{key, std::move(reply)})",
     []() -> task<int> {
         tracked reply;
         co_return co_await constructor_tx.send(get_with_constructor{key(), std::move(reply)});
     }},
    {rule::relied_on, "co_await tx.send({...}) into a type with a constructor",
     []() -> task<int> {
         tracked reply;
         co_return co_await constructor_tx.send({key(), std::move(reply)});
     }},
    {rule::relied_on, "aggregate c{...}; co_await tx.send(std::move(c))",
     []() -> task<int> {
         get_command command{key(), tracked{}};
         co_return co_await tx.send(std::move(command));
     }},
    {rule::relied_on, "aggregate c{...}; co_await tx.send(std::move(c)) into std::variant",
     []() -> task<int> {
         get_command command{key(), tracked{}};
         co_return co_await variant_tx.send(std::move(command));
     }},
    {rule::relied_on, "co_await tx.send(make_aggregate())",
     []() -> task<int> { co_return co_await tx.send(make_get()); }},
    {rule::relied_on, "auto op = tx.send(aggregate{...}); co_await op",
     []() -> task<int> {
         tracked reply;
         auto operation = tx.send(get_command{key(), std::move(reply)});
         co_return co_await operation;
     }},
    {rule::relied_on, "auto op = tx.send(aggregate{...}); co_await std::move(op)",
     []() -> task<int> {
         tracked reply;
         auto operation = tx.send(get_command{key(), std::move(reply)});
         co_return co_await std::move(operation);
     }},
};

}  // namespace

std::span<const form> send_forms() { return forms; }

}  // namespace probe
