#pragma once
// Every operation that waits, as a row: what it waits in, what ends the wait, what it yields then.
// The tests wait_as_*.cpp let everybody who can wait go through all the rows.

#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/runtime.hpp>
#include <weir/task.hpp>

#include "awaiting.hpp"

namespace weir_test {

// One row in a state of its own, in which its operation has to wait until `fire`.
class waiting {
public:
    waiting() = default;
    waiting(const waiting&) = delete;
    waiting& operator=(const waiting&) = delete;
    virtual ~waiting() = default;

    virtual foreign<void> as_foreign() = 0;
    virtual weir::task<> as_task() = 0;
    // The operation, made now, to be called on a thread, which it blocks.
    virtual std::function<void()> as_thread() = 0;
    // The blocking form of the operation; empty where it has none.
    virtual std::function<void()> blocking() = 0;
    virtual void fire() = 0;
};

struct waiting_row {
    std::string name;
    std::function<std::unique_ptr<waiting>()> make;
    bool again = true;  // whether a wait that was cancelled can be followed by another
};

struct no_blocking_form {
    template <class State>
    void operator()(State&) const {}
};

template <class State, class Op, class Fire, class Expect, class Block>
class waiting_in final : public waiting {
    using operation = std::invoke_result_t<Op&, State&>;

public:
    waiting_in(Op op, Fire fire, Expect expect, Block block)
        : op_(op), fire_(fire), expect_(expect), block_(block) {}

    foreign<void> as_foreign() override { return await<foreign<void>>(op_(state_), expect_); }
    weir::task<> as_task() override { return await<weir::task<>>(op_(state_), expect_); }
    std::function<void()> as_thread() override {
        auto made = std::make_shared<weir::task<>>(as_task());
        return [made] { weir::block_on(std::move(*made)); };
    }
    std::function<void()> blocking() override {
        if constexpr (std::is_same_v<Block, no_blocking_form>)
            return {};
        else
            return [this] { static_cast<void>(block_(state_)); };
    }
    void fire() override { static_cast<void>(fire_(state_)); }

private:
    template <class Coroutine>
    static Coroutine await(operation op, Expect expect) {
        if constexpr (std::is_void_v<weir::await_result_t<operation>>) {
            co_await std::move(op);
        } else {
            auto result = co_await std::move(op);
            const bool as_expected = expect(result);
            CHECK(as_expected);
        }
    }

    State state_;
    Op op_;
    Fire fire_;
    Expect expect_;
    Block block_;
};

class waiting_table {
public:
    template <class State, class Op, class Fire, class Expect, class Block = no_blocking_form>
    void add(std::string name, Op op, Fire fire, Expect expect, Block block = {}) {
        rows_.push_back({std::move(name), [=]() -> std::unique_ptr<waiting> {
                             using row = waiting_in<State, Op, Fire, Expect, Block>;
                             return std::make_unique<row>(op, fire, expect, block);
                         }});
    }
    // For an operation that uses up what it waits in.
    template <class State, class Op, class Fire, class Expect, class Block = no_blocking_form>
    void add_once(std::string name, Op op, Fire fire, Expect expect, Block block = {}) {
        add<State>(std::move(name), op, fire, expect, block);
        rows_.back().again = false;
    }

    const std::vector<waiting_row>& rows() const { return rows_; }

private:
    std::vector<waiting_row> rows_;
};

// All of them; wait_as_foreign.cpp makes them of waiting_rows.hpp.
const std::vector<waiting_row>& every_wait();

}  // namespace weir_test
