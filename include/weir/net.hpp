#pragma once
// TCP. Each result is an expected<_, std::error_code>.

#include <weir/net/endpoint.hpp>      // an address and a port; the errors
#include <weir/net/tcp_listener.hpp>  // bind, accept
#include <weir/net/tcp_stream.hpp>    // connect, read, write, shutdown, split
