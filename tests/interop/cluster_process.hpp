#pragma once
// A cluster of real redis-servers on 127.0.0.1, for the length of a test.

#include <stdlib.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "../../examples/redis/blocking_client.hpp"
#include "../../examples/redis/slots.hpp"
#include "redis_process.hpp"

namespace interop {

/// A folder that is removed with all that is in it.
class temporary_folder {
public:
    temporary_folder() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder");
        path_ = name;
    }
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

/// Writes to its append-only file before it answers, so that a kill loses nothing it has answered.
class cluster_node {
public:
    cluster_node() {
        start();
        id = admin({"CLUSTER", "MYID"}).view();
    }

    redis::address where() const { return {"127.0.0.1", port_}; }
    std::uint16_t bus_port() const noexcept { return bus_port_; }
    void kill() { process_.reset(); }
    void start() {
        process_ = std::make_unique<child_process>(std::vector<std::string>{
            "redis-server", "--port", std::to_string(port_), "--cluster-port",
            std::to_string(bus_port_), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
            "--cluster-node-timeout", "5000", "--cluster-require-full-coverage", "no",
            "--appendonly", "yes", "--save", "", "--dir", folder_.path().string()});
        process_->wait_for("Ready to accept connections", std::chrono::seconds(20));
    }

    /// Asks this node, in a connection of its own. An error reply is an exception.
    redis::reply admin(std::initializer_list<std::string_view> args) const {
        auto client = redis::blocking_client::connect(where());
        auto answer = client.value().call(redis::request(args));
        if (answer.value().is_error()) {
            throw std::runtime_error(std::string(*args.begin()) + ": " +
                                     std::string(answer->view()));
        }
        return std::move(*answer);
    }

    std::string id;

private:
    temporary_folder folder_;
    std::uint16_t port_ = free_port();
    std::uint16_t bus_port_ = free_port();
    std::unique_ptr<child_process> process_;
};

/// Three masters without replicas, a third of the slots each.
class cluster {
public:
    cluster() : nodes(3) {
        const std::size_t share = redis::slot_count / nodes.size() + 1;
        for (std::size_t i = 0; i < nodes.size(); ++i) {
            const std::size_t last = std::min((i + 1) * share, redis::slot_count) - 1;
            nodes[i].admin({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
            nodes[i].admin({"CLUSTER", "ADDSLOTSRANGE", std::to_string(i * share),
                            std::to_string(last)});
            const cluster_node& other = nodes[(i + 1) % nodes.size()];
            nodes[i].admin({"CLUSTER", "MEET", "127.0.0.1", std::to_string(other.where().port),
                            std::to_string(other.bus_port())});
        }
        wait_until_agreed();
    }

    /// Until every node knows of every slot.
    void wait_until_agreed() const {
        const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        for (const cluster_node& n : nodes) {
            while (redis::parse_slots(n.admin({"CLUSTER", "SLOTS"})).size() < nodes.size() ||
                   n.admin({"CLUSTER", "INFO"}).view().find("cluster_state:ok") ==
                       std::string_view::npos) {
                if (std::chrono::steady_clock::now() > give_up) {
                    throw std::runtime_error("the cluster does not come together");
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(20));
            }
        }
    }

    cluster_node& owner_of(std::uint16_t slot) {
        for (const auto& range : redis::parse_slots(nodes[0].admin({"CLUSTER", "SLOTS"}))) {
            if (slot < range.first || slot > range.last) continue;
            for (cluster_node& n : nodes) {
                if (n.where() == range.master) return n;
            }
        }
        throw std::runtime_error("nobody has the slot");
    }

    // The three steps of a migration, as the cluster specification has them.
    static void begin_migration(const std::string& slot, cluster_node& from, cluster_node& to) {
        to.admin({"CLUSTER", "SETSLOT", slot, "IMPORTING", from.id});
        from.admin({"CLUSTER", "SETSLOT", slot, "MIGRATING", to.id});
    }
    /// False: all keys have been moved.
    static bool move_one_key(const std::string& slot, cluster_node& from, cluster_node& to) {
        const auto keys = from.admin({"CLUSTER", "GETKEYSINSLOT", slot, "1"});
        if (keys.elements().empty()) return false;
        from.admin({"MIGRATE", "127.0.0.1", std::to_string(to.where().port),
                    keys.elements()[0].view(), "0", "5000"});
        return true;
    }
    void end_migration(const std::string& slot, cluster_node& to) {
        to.admin({"CLUSTER", "SETSLOT", slot, "NODE", to.id});
        for (cluster_node& n : nodes) n.admin({"CLUSTER", "SETSLOT", slot, "NODE", to.id});
    }

    std::vector<cluster_node> nodes;
};

}  // namespace interop
