#pragma once
// mpmc: first-in first-out channels from many senders to many receivers.
//
// As mpsc, with receivers that can be copied: each value goes to exactly one of them. The ends are
// the classes of mpsc.hpp, which is the manual of their operations; what differs:
//
// Fairness    Waiting receivers are served in the order in which they asked. A woken receiver has the
//             right to one value: nobody who comes later gets in between, and a receiver that is
//             cancelled instead of resumed passes its right on.
// The end     The channel closes when one receiver closes it or the last one is destroyed. recv yields
//             nullopt only when no value can come any more, not even one that another receiver was
//             granted and might still pass on.
// recv_many   takes one value by right, and more only where nobody waits for them.

#include <cstddef>
#include <utility>

#include <weir/detail/channel/kinds.hpp>
#include <weir/mpsc.hpp>

namespace weir { WEIR_ABI_BEGIN namespace mpmc {

template <class T>
using sender = mpsc::sender<T, detail::channel::mpmc_bounded>;
template <class T>
using receiver = mpsc::receiver<T, detail::channel::mpmc_bounded>;
template <class T>
using weak_sender = mpsc::weak_sender<T, detail::channel::mpmc_bounded>;
template <class T>
using permit = mpsc::permit<T, detail::channel::mpmc_bounded>;
template <class T>
using permits = mpsc::permits<T, detail::channel::mpmc_bounded>;
template <class T>
using owned_permit = mpsc::owned_permit<T, detail::channel::mpmc_bounded>;

template <class T>
using unbounded_sender = mpsc::unbounded_sender<T, detail::channel::mpmc_unbounded>;
template <class T>
using unbounded_receiver = mpsc::receiver<T, detail::channel::mpmc_unbounded>;
template <class T>
using weak_unbounded_sender = mpsc::weak_sender<T, detail::channel::mpmc_unbounded>;

using mpsc::send_error;
using mpsc::send_timeout_error;
using mpsc::try_recv_error;
using mpsc::try_reserve_error;
using mpsc::try_send_error;

/// A channel that holds up to `capacity` values.
///
///     auto [tx, rx] = weir::mpmc::channel<job>(64);
///     for (int i = 0; i < 4; ++i) weir::spawn(worker(rx)).detach();   // each with its own receiver
///
/// Errors  Throws std::invalid_argument for a capacity of 0 or of 2^29 and more.
template <class T>
[[nodiscard]] std::pair<sender<T>, receiver<T>> channel(std::size_t capacity) {
    return detail::channel::make_channel<T, detail::channel::mpmc_bounded, sender<T>, receiver<T>>(
        capacity);
}

/// A channel without a limit.
template <class T>
[[nodiscard]] std::pair<unbounded_sender<T>, unbounded_receiver<T>> unbounded_channel() {
    return detail::channel::make_channel<T, detail::channel::mpmc_unbounded, unbounded_sender<T>,
                                         unbounded_receiver<T>>(0);
}

}  // namespace mpmc
WEIR_ABI_END }  // namespace weir
