// The same bytes to redis-server and to ours: the same bytes must come back, and the connection
// must have the same fate, for every input of the table, well-formed or hostile.

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../../examples/redis/embedded_server.hpp"
#include "redis_process.hpp"

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

struct input {
    explicit input(std::string b, bool half = false) : bytes(std::move(b)), half_close(half) {}
    std::string bytes;
    bool half_close;  // end the write side behind the bytes
};

std::string element(std::string_view length) { return "*1\r\n$" + std::string(length) + "\r\n"; }

// Inputs run at the same time, so each uses keys of its own.
std::vector<input> all_inputs() {
    std::vector<input> all;
    // Lengths and counts.
    for (const char* length : {"9223372036854775807", "18446744073709551616", "4294967296",
                               "536870913", "-1", "-2", "5x", "+4", "04", "", " 5", "-0"}) {
        all.emplace_back(element(length) + "PING\r\n");
    }
    for (const char* count : {"-1", "0", "-5", "1000000000", "2147483647", "2147483648", "abc", "",
                              "-0", "+1", "01", "1x", "9223372036854775808"}) {
        all.emplace_back("*"s + count + "\r\n");
        all.emplace_back("*"s + count + "\r\nPING\r\n");
    }
    all.emplace_back(element("536870912") + "x");
    all.emplace_back("*1\r\n$0\r\n\r\n");
    // Types.
    for (const char* line : {":5", "*1", "+a", "", "\n", "\xff", "PING", "_", "%1"}) {
        all.emplace_back("*1\r\n"s + line + "\r\n");
    }
    // Ends of lines and strings.
    all.emplace_back("*1\r\n$4\r\nPINGzz*1\r\n$4\r\nPING\r\n");
    all.emplace_back("*1\rx$4\ryPING\r\n");
    all.emplace_back("*1\n$4\nPING\n");
    all.emplace_back("*1\r\n$4\r\nPING\r");
    all.emplace_back("*1\r\n\0$4\r\nPING\r\n"s);
    all.emplace_back("PI\0NG\r\nPING\r\n"s);
    // Inline requests.
    for (const char* line :
         {"PING", "PING\n", "\r\n\r\n \r\nPING\n", "PING \"a b\"", "PING \"\\x41\\n\\q\\\"\"",
          "PING 'a\\'b\\n'", "PING a\"b\"", "PING \v a\tb", "PING \"a\"b", "PING \"a", "PING 'a",
          "PING \"\\", "'' a", "\"PING\"", "ping\xff"}) {
        all.emplace_back(line + "\r\n"s);
    }
    // Lines without an end.
    const std::string digits(70'000, '1');
    for (const char* begin : {"", "*", "*1\r\n$", "*1\r\n"}) all.emplace_back(begin + digits);
    all.emplace_back(std::string(65'536, 'a'));
    all.emplace_back(std::string(65'537, 'a'));
    // Nesting, which requests do not know.
    std::string nested;
    for (int i = 0; i < 1'000'000; ++i) nested += "*1\r\n";
    all.emplace_back(nested);
    // Floods, answered in order.
    std::string flood;
    for (int i = 0; i < 100'000; ++i) flood += "ECHO " + std::to_string(i) + "\r\n";
    all.emplace_back(flood, true);
    std::string small;
    for (int i = 0; i < 50'000; ++i) small += "*1\r\n$4\r\nPING\r\n";
    all.emplace_back(small, true);
    all.emplace_back(small + "*1\r\n$x\r\n");
    // Web browsers.
    all.emplace_back("POST / HTTP/1.1\r\nHost: x\r\n\r\n");
    all.emplace_back("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    all.emplace_back("\x16\x03\x01\x02\x00\x01\xfc"s);
    // Mistakes that cost nothing.
    for (const char* line :
         {"GET", "GET a b", "FOO a b", "SET k", "SET k v EX 0", "SET k v EX -1", "SET k v FOO",
          "SET k v EX 9223372036854775807", "SET k v EX 18446744073709551615", "SET k v EX 1x",
          "SET k v EX", "SET k v PX 1 EX 1", "SET k v NX XX", "SET k v KEEPTTL EX 5", "SELECT x",
          "SELECT -1", "HELLO 4", "HELLO x", "HELLO 3 FOO", "HELLO 3", "HELLO", "AUTH a",
          "AUTH a b", "AUTH default b", "CONFIG", "CONFIG GET", "CONFIG FOO", "CLIENT", "RESET",
          "CLIENT FOO", "CLIENT GETNAME", "COMMAND FOO", "QUIT", "QUIT a b", "ECHO", "PING a b",
          "INFO nosuch", "DBSIZE a", "FLUSHALL x", "CONFIG GET save", "CONFIG GET appendonly",
          "CONFIG GET sav[a-f]", "CONFIG GET SAVE nosuch", "SCAN", "SCAN x", "SCAN -1",
          "SCAN 0 COUNT", "SCAN 0 COUNT 0", "SCAN 0 COUNT x", "SCAN 0 FOO x", "KEYS", "KEYS a b",
          "KEYS nosuch*", "EXPIRE nosuch 1", "EXPIRE k 1 NX XX", "EXPIRE k 1 GT LT",
          "EXPIRE k 1 FOO", "EXPIRE k x NX", "EXPIRE k 9223372036854775807",
          "PEXPIRE k 9223372036854775807", "EXPIRE nosuch -9223372036854775808", "TYPE nosuch",
          "TTL nosuch", "PTTL", "PERSIST nosuch", "CLIENT SETNAME 'a b'", "CLIENT INFO x",
          "CLIENT NO-EVICT x", "CLIENT ID x", "COMMAND COUNT x", "PSUBSCRIBE", "MSET a",
          "MSET a b c", "SELECT 99999999999999999999", "HELLO 3 AUTH a", "HELLO 3 SETNAME",
          "HELLO 3 SETNAME 'a b'", "HELLO 2 AUTH default x", "HELLO 2 AUTH a b", "GET",
          "SET k v EXAT 0", "SET k v PXAT -1", "SET k v PX 9223372036854775807 NX XX",
          "SET k v EX 9223372036854775 GET", "SET k v GET GET FOO", "RESET x", "FLUSHDB x y"}) {
        all.emplace_back(line + "\r\n"s);
        all.emplace_back(line + "\r\nPING\r\n"s);
    }
    all.emplace_back("FOO " + std::string(200, 'a') + " b\r\n");
    all.emplace_back(std::string(200, 'F') + " a\r\n");
    all.emplace_back("*2\r\n$3\r\nF\rO\r\n$5\r\na\0b\nc\r\n"s);
    all.emplace_back("SET k1 v\r\nSET k1 2 NX\r\nSET k1 3 XX GET\r\nINCR k1\r\nGET k1\r\n");
    all.emplace_back("SET k2 v EX 10 EX 20\r\nTTL k2\r\nSET k2 w KEEPTTL\r\nTTL k2\r\n");
    all.emplace_back("SET k3 v PXAT 1\r\nGET k3\r\nEXISTS k3\r\n");
    all.emplace_back("*3\r\n$3\r\nSET\r\n$3\r\nk\0\n\r\n$4\r\n\r\n\0\xff\r\n"
                     "*2\r\n$3\r\nGET\r\n$3\r\nk\0\n\r\n"s);
    all.emplace_back("*3\r\n$3\r\nSET\r\n$0\r\n\r\n$0\r\n\r\n*2\r\n$3\r\nGET\r\n$0\r\n\r\n");
    all.emplace_back("HELLO 3\r\nGET nosuch\r\nCONFIG GET save\r\nRESET\r\nGET nosuch\r\n");
    // Channels.
    all.emplace_back("SUBSCRIBE\r\n");
    all.emplace_back("SUBSCRIBE c1\r\nSUBSCRIBE c1\r\nGET k\r\nPING\r\nPING a\r\n");
    all.emplace_back("SUBSCRIBE c7\r\nUNSUBSCRIBE\r\nPING\r\n");
    all.emplace_back("SUBSCRIBE c2 c3\r\nFOO\r\nGET\r\nUNSUBSCRIBE c3 x\r\nRESET\r\nPING\r\n");
    all.emplace_back("SUBSCRIBE c4\r\nQUIT\r\n");
    all.emplace_back("UNSUBSCRIBE\r\nUNSUBSCRIBE a b\r\nHELLO 3\r\nUNSUBSCRIBE\r\n");
    all.emplace_back("HELLO 3\r\nSUBSCRIBE c5\r\nPUBLISH c5 m\r\nGET nosuch\r\nPING\r\n");
    all.emplace_back("PUBLISH c6\r\nPUBLISH c6 m\r\n");
    all.emplace_back("PSUBSCRIBE p1*\r\nPSUBSCRIBE p1*\r\nSUBSCRIBE p10\r\nPUNSUBSCRIBE x p1*\r\n"
                     "UNSUBSCRIBE\r\nPUNSUBSCRIBE\r\nPING\r\n");
    all.emplace_back("HELLO 3\r\nPSUBSCRIBE p2[0]\r\nSUBSCRIBE p20\r\nPUBLISH p20 m\r\n"
                     "PUBLISH p21 m\r\nPUNSUBSCRIBE\r\nPUBLISH p20 m\r\n");
    all.emplace_back("PUNSUBSCRIBE\r\nPUNSUBSCRIBE a b\r\nPSUBSCRIBE p3\r\nGET k\r\nRESET\r\n"
                     "GET nosuch\r\n");
    all.emplace_back("HELLO 3\r\nSUBSCRIBE c8\r\nHELLO 2\r\nGET k\r\nPING\r\nQUIT\r\n");
    std::string many = "*10001\r\n$9\r\nSUBSCRIBE\r\n";
    for (int i = 10'000; i < 20'000; ++i) many += "$6\r\nm" + std::to_string(i) + "\r\n";
    all.emplace_back(many + "SUBSCRIBE m10000\r\nUNSUBSCRIBE m10000 m19999\r\n");
    // Ends of connections.
    all.emplace_back("GET nosuch\r\n", true);
    all.emplace_back("*2\r\n$3\r\nGET\r\n$5\r\nab", true);
    all.emplace_back("", true);
    all.emplace_back("PING\r\nQUIT\r\nPING\r\n");
    all.emplace_back("*3\r\n$3\r\nSET\r\n$2\r\nk4\r\n$1000000\r\n" + std::string(1'000'000, '\n') +
                     "\r\nGET k4\r\n");
    all.emplace_back("SET k5 v PX 1000000\r\nPEXPIRE k5 100 GT\r\nEXPIRE k5 100 LT\r\nTTL k5\r\n"
                     "PERSIST k5\r\nEXPIRE k5 5 XX\r\nEXPIRE k5 -1\r\nEXISTS k5\r\n");
    all.emplace_back("PING\r\n*x\r\nPING\r\n");
    return all;
}

// A raw connection that collects what comes back.
class probe {
public:
    probe(std::uint16_t port, const input& in) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
            throw std::runtime_error("cannot connect");
        }
        to_send_ = in.bytes;
        half_close_ = in.half_close;
    }
    probe(const probe&) = delete;
    probe& operator=(const probe&) = delete;
    probe(probe&& o) noexcept
        : fd_(std::exchange(o.fd_, -1)),
          to_send_(o.to_send_),
          half_close_(o.half_close_),
          seen_(std::move(o.seen_)),
          closed_(o.closed_) {}
    ~probe() {
        if (fd_ >= 0) ::close(fd_);
    }

    pollfd interest() const {
        const int events = POLLIN | (to_send_.empty() ? 0 : POLLOUT);
        return {closed_ ? -1 : fd_, static_cast<short>(events), 0};
    }
    // Reads and writes: a server that waits until its replies are read reads nothing meanwhile.
    void go_on(short events) {
        if (events & POLLOUT) write();
        if (events & ~POLLOUT) read();
    }
    void write() {
        const ssize_t n =
            ::send(fd_, to_send_.data(), to_send_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        // A server that has closed reads no more; what it has said before can still be read.
        to_send_.remove_prefix(n < 0 ? to_send_.size() : static_cast<std::size_t>(n));
        if (to_send_.empty() && half_close_) ::shutdown(fd_, SHUT_WR);
    }
    void read() {
        char buffer[65536];
        const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
        closed_ = n <= 0;
        if (n > 0) seen_.append(buffer, static_cast<std::size_t>(n));
    }

    // Bytes and fate. The number of a connection is the one thing that differs.
    std::string outcome() const {
        constexpr std::string_view field = "$2\r\nid\r\n:";
        std::string shown = seen_;
        for (auto at = shown.find(field); at != shown.npos; at = shown.find(field, at)) {
            at += field.size();
            shown.erase(at, shown.find('\r', at) - at);
        }
        return shown + (closed_ ? "[closed]" : "[open]");
    }

private:
    int fd_;
    std::string_view to_send_;
    bool half_close_ = false;
    std::string seen_;
    bool closed_ = false;
};

// One connection for each input, to one server.
std::vector<probe> connect_all(std::uint16_t port, const std::vector<input>& inputs) {
    std::vector<probe> all;
    all.reserve(inputs.size());
    for (const input& in : inputs) {
        all.emplace_back(port, in);
        if (in.bytes.empty()) all.back().write();
    }
    return all;
}

// Collects until both servers have answered alike and nothing has come for a while; where they do
// not, until the time is up.
void collect(std::vector<probe>& theirs, std::vector<probe>& ours) {
    const auto alike = [&] {
        for (std::size_t i = 0; i < theirs.size(); ++i) {
            if (theirs[i].outcome() != ours[i].outcome()) return false;
        }
        return true;
    };
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < deadline) {
        std::vector<pollfd> fds;
        std::vector<probe*> probes;
        for (auto* side : {&theirs, &ours}) {
            for (probe& p : *side) {
                fds.push_back(p.interest());
                probes.push_back(&p);
            }
        }
        const int ready = ::poll(fds.data(), fds.size(), 500);
        for (std::size_t i = 0; i < fds.size(); ++i) {
            if (fds[i].revents != 0) probes[i]->go_on(fds[i].revents);
        }
        if (ready == 0 && alike()) return;
    }
}

void compare_with_redis_server(redis::state_kind kind) {
    interop::redis_process real;
    redis::server_options options;
    options.state = kind;
    redis::embedded_server own(options);
    const std::vector<input> inputs = all_inputs();
    std::vector<probe> theirs = connect_all(real.port(), inputs);
    std::vector<probe> ours = connect_all(own.port(), inputs);
    collect(theirs, ours);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        CAPTURE(inputs[i].bytes.substr(0, 200));
        const std::string a = ours[i].outcome();
        const std::string b = theirs[i].outcome();
        // What is large is not printed.
        if (a.size() + b.size() < 2000) {
            CHECK(a == b);
        } else {
            CHECK((a == b));
        }
    }
}

TEST_SUITE("redis_oracle") {
    TEST_CASE("every input is answered as redis-server answers it, wherever the keys are") {
        compare_with_redis_server(redis::state_kind::one_lock);
        compare_with_redis_server(redis::state_kind::shards);
        compare_with_redis_server(redis::state_kind::manager);
    }
}

}  // namespace
