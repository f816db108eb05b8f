#pragma once
// A program that a test starts, talks to and never leaves behind.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace interop {

/// A child process with its input and its output (standard and error) on pipes. The destructor
/// kills it: no outcome of a test leaves it running, not even the death of the test itself.
class child_process {
public:
    using clock = std::chrono::steady_clock;

    /// Errors: throws std::runtime_error with what to install when there is no such program.
    explicit child_process(std::vector<std::string> command) : name_(command.at(0)) {
        ::signal(SIGPIPE, SIG_IGN);  // a child that is gone shows as a failed write
        const auto [in_read, in_write] = make_pipe();
        const auto [out_read, out_write] = make_pipe();
        const auto [failed_read, failed_write] = make_pipe();
        std::vector<char*> argv;
        for (std::string& word : command) argv.push_back(word.data());
        argv.push_back(nullptr);
        pid_ = ::fork();
        if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ == 0) {
            // Between fork and exec only what a signal handler might do, too.
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(in_read, 0);
            ::dup2(out_write, 1);
            ::dup2(out_write, 2);
            ::execvp(argv[0], argv.data());
            const char failed = 'x';
            static_cast<void>(!::write(failed_write, &failed, 1));
            ::_exit(127);
        }
        ::close(in_read);
        ::close(out_write);
        ::close(failed_write);
        input_ = in_write;
        output_ = out_read;
        char failed = 0;
        const bool missing = ::read(failed_read, &failed, 1) == 1;
        ::close(failed_read);
        if (missing) {
            end();
            throw std::runtime_error("cannot run " + name_ +
                                     ": install it (Debian: apt-get install redis-server)");
        }
    }
    child_process(const child_process&) = delete;
    child_process& operator=(const child_process&) = delete;
    ~child_process() { end(); }

    pid_t pid() const noexcept { return pid_; }

    void write(std::string_view text) {
        if (::write(input_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
            throw std::runtime_error(name_ + " does not read its input");
        }
    }

    /// Reads until `text` has been printed.
    const std::string& wait_for(std::string_view text, std::chrono::seconds limit) {
        const auto deadline = clock::now() + limit;
        while (seen_.find(text) == std::string::npos) {
            if (!read_some(deadline)) {
                throw std::runtime_error(name_ + " ended without \"" + std::string(text) +
                                         "\":\n" + seen_);
            }
        }
        return seen_;
    }

    /// Closes the input, reads to the end and returns all that was printed. The exit status must
    /// be zero.
    std::string finish(std::chrono::seconds limit) {
        close_input();
        const auto deadline = clock::now() + limit;
        while (read_some(deadline)) {
        }
        int status = 0;
        ::waitpid(std::exchange(pid_, -1), &status, 0);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            throw std::runtime_error(name_ + " failed:\n" + seen_);
        }
        return seen_;
    }

private:
    static std::pair<int, int> make_pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) {
            throw std::system_error(errno, std::generic_category(), "pipe2");
        }
        return {ends[0], ends[1]};
    }

    // False at the end of the output.
    bool read_some(clock::time_point deadline) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
        pollfd p{output_, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&p, 1, static_cast<int>(left.count())) == 0) {
            throw std::runtime_error(name_ + " takes too long:\n" + seen_);
        }
        char buffer[4096];
        const ssize_t n = ::read(output_, buffer, sizeof buffer);
        if (n > 0) seen_.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }

    void close_input() noexcept {
        if (input_ >= 0) ::close(std::exchange(input_, -1));
    }

    void end() noexcept {
        close_input();
        if (output_ >= 0) ::close(std::exchange(output_, -1));
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(std::exchange(pid_, -1), nullptr, 0);
        }
    }

    std::string name_;
    pid_t pid_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string seen_;
};

}  // namespace interop
