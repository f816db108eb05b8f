#pragma once
// The operations of channels that wait: what co_await is given.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <weir/detail/channel/awaiters.hpp>
#include <weir/detail/channel/errors.hpp>
#include <weir/detail/core/value_check.hpp>
#include <weir/expected.hpp>

namespace weir { WEIR_ABI_BEGIN namespace detail::channel {

/// Makes what has private constructors: handles and permits befriend it.
struct access {
    template <class R, class... Args>
    static R make(Args&&... args) {
        return R(std::forward<Args>(args)...);
    }
};

template <class State>
class send_operation : public awaitable_base {
    using T = typename State::value_type;

public:
    template <class U>
    send_operation(State& s, U&& value) : state_(&s), value_(as_value<T>(std::forward<U>(value))) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_data;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public push_awaiter<State> {
    public:
        awaiter(send_operation& op, owner& o) noexcept
            : push_awaiter<State>(*op.state_, o, op.value_) {}
        expected<void, send_error<T>> await_resume() {
            if (this->deliver()) return {};
            return expected<void, send_error<T>>(unexpect, this->undelivered());
        }
    };

    State* state_;
    T value_;
};

/// Slots that were claimed and not filled: given back on destruction.
template <class State>
class slot_hold {
public:
    slot_hold(State& s, std::uint32_t n) noexcept
        : memory_(memory_share<State>::make(s)), count_(n) {}
    slot_hold(slot_hold&& other) noexcept
        : memory_(std::move(other.memory_)), count_(std::exchange(other.count_, 0)) {}
    slot_hold& operator=(slot_hold&& other) noexcept {
        slot_hold old(std::move(other));
        std::swap(memory_, old.memory_);
        std::swap(count_, old.count_);
        return *this;
    }
    ~slot_hold() {
        if (count_ != 0) memory_->release_reserved(count_);
    }

    [[nodiscard]] std::uint32_t count() const noexcept { return count_; }
    /// Fills one of them.
    /// Errors  Throws already_consumed_error if there is none left.
    template <class U>
    void send(U&& value) {
        if (count_ == 0)
            fail<already_consumed_error>("this channel permit was used already: reserve again");
        auto v = as_value<typename State::value_type>(std::forward<U>(value));
        static_cast<void>(memory_->push_reserved(v));
        --count_;
    }

private:
    memory_share<State> memory_;
    std::uint32_t count_;
};

/// Claims slots for a permit that does not keep the channel open.
template <class State, class Permit>
class reserve_operation : public awaitable_base {
public:
    reserve_operation(State& s, std::size_t n) noexcept
        : state_(&s),
          count_(static_cast<std::uint32_t>(std::min<std::size_t>(n, UINT32_MAX))) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public slot_awaiter<State> {
    public:
        awaiter(reserve_operation& op, owner& o) noexcept
            : slot_awaiter<State>(*op.state_, o, op.count_) {}
        expected<Permit, weir::closed> await_resume() noexcept {
            if (!this->take_grant()) return unexpected<weir::closed>(weir::closed{});
            return access::make<Permit>(slot_hold<State>(this->state(), this->amount));
        }
    };

    State* state_;
    std::uint32_t count_;
};

/// Claims a slot for a permit that takes the sender over.
template <class State, class Permit>
class reserve_owned_operation : public awaitable_base {
public:
    explicit reserve_owned_operation(sender_share<State>&& s) noexcept : sender_(std::move(s)) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::loses_place;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public slot_awaiter<State> {
    public:
        awaiter(reserve_owned_operation& op, owner& o)
            : slot_awaiter<State>(op.sender_.get("this reserve_owned has yielded its permit already"),
                                  o, 1),
              operation_(&op) {}
        expected<Permit, weir::closed> await_resume() noexcept {
            if (!this->take_grant()) return unexpected<weir::closed>(weir::closed{});
            return access::make<Permit>(std::move(operation_->sender_));
        }

    private:
        reserve_owned_operation* operation_;
    };

    sender_share<State> sender_;
};

template <class State>
class closed_operation : public awaitable_base {
public:
    explicit closed_operation(State& s) noexcept : state_(&s) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public close_awaiter<State> {
    public:
        awaiter(closed_operation& op, owner& o) noexcept : close_awaiter<State>(*op.state_, o) {}
    };

    State* state_;
};

template <class State>
class recv_operation : public awaitable_base {
    using T = typename State::value_type;

public:
    explicit recv_operation(State& s) noexcept : state_(&s) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public value_awaiter<State> {
    public:
        awaiter(recv_operation& op, owner& o) noexcept : value_awaiter<State>(*op.state_, o) {}
        // A value that can be moved without fear is taken at once. One that cannot is moved from
        // the channel into the result, with nothing in between that could lose it.
        bool await_ready() {
            if constexpr (std::is_nothrow_move_constructible_v<T>) {
                if (!this->who->has_budget() || this->state().looks_empty() ||
                    this->state().try_take(value_) == State::poll::empty)
                    return false;
                this->who->spend_budget();
                return true;
            } else {
                return value_awaiter<State>::await_ready();
            }
        }
        std::optional<T> await_resume() {
            if constexpr (std::is_nothrow_move_constructible_v<T>) {
                if (this->granted) take_granted();
                // Not a move of the optional, nor one that a call returns: compilers make that a load
                // of both words at once, which waits for the two stores that have just been made.
                if (value_) return std::optional<T>(std::in_place, std::move(*value_));
                return std::nullopt;
            } else {
                if (!this->granted) return std::nullopt;
                return this->state().template take_promised<std::optional<T>>(*this);
            }
        }

    private:
        WEIR_NOINLINE void take_granted() noexcept {
            value_.emplace(this->state().template take_promised<T>(*this));
        }

        std::optional<T> value_;
    };

    State* state_;
};

template <class State>
class recv_many_operation : public awaitable_base {
    using values = std::vector<typename State::value_type>;

public:
    recv_many_operation(State& s, values& out, std::size_t limit) noexcept
        : state_(&s), out_(&out), limit_(limit) {}

private:
    friend struct detail::awaiter_access;
    static constexpr cancel_safety safety = cancel_safety::safe;
    static constexpr bool awaitable_as_lvalue = true;

    class awaiter : public value_awaiter<State> {
    public:
        awaiter(recv_many_operation& op, owner& o) noexcept
            : value_awaiter<State>(*op.state_, o), out_(op.out_), limit_(op.limit_) {}
        bool await_ready() noexcept { return limit_ == 0 || value_awaiter<State>::await_ready(); }
        std::size_t await_resume() {
            if (!this->granted) return 0;
            // Room is made first, so that nothing can throw between two values but their moves.
            const std::size_t before = out_->size();
            const std::size_t wanted = std::min(limit_, this->state().size());
            if (out_->capacity() - before < wanted)
                out_->reserve(std::max(before + wanted, 2 * out_->capacity()));
            this->state().take_many(
                *this, std::min(limit_, out_->capacity() - before),
                [this](typename State::value_type&& v) { out_->push_back(std::move(v)); });
            return out_->size() - before;
        }

    private:
        values* out_;
        std::size_t limit_;
    };

    State* state_;
    values* out_;
    std::size_t limit_;
};

}  // namespace detail::channel
WEIR_ABI_END }  // namespace weir
