#pragma once
// Options of the programs: a table of them, which parses the command line and prints the help.

#include <charconv>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace redis {

/// Reads all of `text` as a number. False, with `number` as it was: it is none, or does not fit.
template <class Number>
bool parse_number(std::string_view text, Number& number) {
    Number parsed{};
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, parsed);
    if (error != std::errc{} || stopped != end) return false;
    number = parsed;
    return true;
}

class command_line {
public:
    /// `usage` follows the program's name in the help; `about` stands below.
    command_line(std::string usage, std::string about)
        : usage_(std::move(usage)), about_(std::move(about)) {}

    /// An option with one value. `take` says whether the value makes sense.
    void add(std::string name, std::string hint, std::string help,
             std::function<bool(std::string_view)> take) {
        options_.push_back({std::move(name), std::move(hint), std::move(help), std::move(take)});
    }

    /// Parses options up to the first word that is none and returns the words from there on, or the
    /// status to exit with: 0 after --help, 2 after a mistake, which stderr names.
    struct parsed {
        std::vector<std::string> words;
        std::optional<int> exit;
    };
    parsed parse(int argc, char** argv) const {
        parsed result;
        int i = 1;
        for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i += 2) {
            const std::string_view name = argv[i];
            if (name == "--help") {
                print_help(stdout, argv[0]);
                return {{}, 0};
            }
            if (!take(name, i + 1 < argc ? argv[i + 1] : nullptr)) {
                std::fprintf(stderr, "%s: %s\n", argv[i],
                             i + 1 < argc ? "not an option, or not a value of it"
                                          : "not an option, or its value is missing");
                print_help(stderr, argv[0]);
                return {{}, 2};
            }
        }
        result.words.assign(argv + i, argv + argc);
        return result;
    }

    void print_help(std::FILE* to, const char* program) const {
        std::fprintf(to, "usage: %s %s\n%s", program, usage_.c_str(), about_.c_str());
        for (const option& o : options_) {
            const std::string left = o.name + ' ' + o.hint;
            std::fprintf(to, "  %-26s%s\n", left.c_str(), o.help.c_str());
        }
    }

private:
    struct option {
        std::string name;
        std::string hint;  // what the value is
        std::string help;
        std::function<bool(std::string_view)> take;
    };

    bool take(std::string_view name, const char* given) const {
        for (const option& o : options_) {
            if (o.name == name) return given != nullptr && o.take(given);
        }
        return false;
    }

    std::string usage_;
    std::string about_;
    std::vector<option> options_;
};

}  // namespace redis
