/* keeper_fixture.h: two keepers, each with the fake of a lane and a folder, in one thread.
 *
 * Memory: the fixture's. Threads: one, registered as a reader. Time: the fixture's, a millisecond
 * per turn. Limits: small states. Refusals: none.
 */
#ifndef TESTS_UNIT_KEEPER_KEEPER_FIXTURE_H
#define TESTS_UNIT_KEEPER_KEEPER_FIXTURE_H

#include "tests/unit/keeper/fake_lane.h"

#include <algorithm>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <unistd.h>

extern "C" {
#include "dataplane/log/storage_calls.h"
#include "dataplane/view/view.h"
#include "numa/topology.h"
}

constexpr state_config kConfig = {1024, 4u << 20, 0};
constexpr uint64_t kSecond = 1000000000;

struct Node {
    std::string path = "/tmp/quorate-keeper-XXXXXX";
    Replica replica;
    lane door;
    keeper *it = nullptr;
    keeper_config config = {};
    std::vector<std::string> said;

    void make(uint16_t id, const topology *machine)
    {
        ASSERT_NE(mkdtemp(&path[0]), nullptr);
        config.self = id;
        config.group_count = 1;
        config.lane_count = 1;
        config.data = path.c_str();
        config.state = kConfig;
        config.run = 1;
        config.topology = machine;
        config.say = [](void *domain, const char *sentence) {
            static_cast<Node *>(domain)->said.emplace_back(sentence);
        };
        config.say_domain = this;
        door.self = id;
        replica.open(kConfig.keys_max, kConfig.bytes_max);
        door.now = replica.get_state();
        start();
    }

    void start(const storage *disk = nullptr)
    {
        char error[KEEPER_ERROR_MAX];
        it = keeper_open(&config, error);
        ASSERT_NE(it, nullptr) << error;
        keeper_identify(it, 11, 12);
        keeper_serve(it, 0, &door, disk);
    }

    /* kill -9, and once more: what is in memory is gone. */
    void restart()
    {
        keeper_close(it);
        config.run += 1000000;
        door.notes.clear();
        door.loaded = nullptr;
        start();
    }

    uint64_t count(keeper_event event) const
    {
        uint64_t counters[KEEPER_EVENT_COUNT];
        keeper_counters(it, counters);
        return counters[event];
    }

    void fill(uint32_t keys, uint32_t bytes = 100)
    {
        random_state random;
        random_init(&random, 7);
        for (uint32_t i = 0; i < keys; i++) {
            std::string value(bytes, ' ');
            for (char &c : value)
                c = static_cast<char>(random_below(&random, 256));
            replica.run(set("key" + std::to_string(i), value));
        }
    }

    std::vector<std::string> files() const
    {
        std::vector<std::string> names;
        DIR *listing = opendir(path.c_str());
        while (const dirent *entry = readdir(listing))
            if (entry->d_name[0] != '.')
                names.emplace_back(entry->d_name);
        closedir(listing);
        std::sort(names.begin(), names.end());
        return names;
    }

    std::string name(uint64_t index) const
    {
        char text[64];
        (void)snprintf(text, sizeof text, "node-%u-group-0-%020llu.snap", unsigned{config.self},
                       static_cast<unsigned long long>(index));
        return text;
    }

    /* Found again, into a state of its own. */
    uint64_t recover(Replica &into)
    {
        raft_snapshot of;
        state *found = nullptr;
        into.open(kConfig.keys_max, kConfig.bytes_max);
        return keeper_load(it, 0, into.get_state(), &kConfig, &of, &found) ? of.index : 0;
    }

    void bend(const std::string &file, size_t at)
    {
        std::fstream out(path + "/" + file, std::ios::in | std::ios::out | std::ios::binary);
        out.seekg(static_cast<std::streamoff>(at));
        char byte = static_cast<char>(out.get() ^ 8);
        out.seekp(static_cast<std::streamoff>(at));
        out.put(byte);
    }

    void unmake()
    {
        keeper_close(it);
        EXPECT_EQ(system(("rm -r " + path).c_str()), 0);
    }
};

class KeeperTest : public ::testing::Test
{
  protected:
    topology machine_ = {};
    Node a_, b_;
    uint64_t now_ = kSecond;

    void SetUp() override
    {
        ASSERT_EQ(topology_init(&machine_, nullptr), TOPOLOGY_READ);
        view_thread_register();
        a_.make(1, &machine_);
        b_.make(2, &machine_);
        a_.door.peer = &b_.door;
        b_.door.peer = &a_.door;
    }

    void TearDown() override
    {
        a_.unmake();
        b_.unmake();
        view_thread_unregister();
        topology_fini(&machine_);
    }

    /* A turn of everybody, a millisecond later; the lanes' rooms between. */
    void turn()
    {
        now_ += 1000000;
        for (Node *node : {&a_, &b_}) {
            node->door.mark();
            (void)keeper_turn(node->it, now_);
            if (state_capture_phase(node->door.now) == STATE_CAPTURE_WALKED)
                state_capture_end(node->door.now);
        }
    }

    template <typename Done>::testing::AssertionResult turns_until(Done done, uint32_t most = 30000)
    {
        for (uint32_t i = 0; i < most; i++) {
            if (done())
                return ::testing::AssertionSuccess();
            turn();
        }
        return ::testing::AssertionFailure() << "not within " << most << " turns";
    }

    uint64_t take(Node &node)
    {
        size_t before = node.door.taken.size();
        node.door.note(LANE_NOTE_WANTED);
        EXPECT_TRUE(turns_until([&] { return node.door.taken.size() > before; }));
        return node.door.taken.empty() ? 0 : node.door.taken.back().index;
    }

    void offer(uint64_t index)
    {
        a_.door.note(LANE_NOTE_OFFERED, 2, index);
        b_.door.note(LANE_NOTE_COMES, 1, index);
    }

    /* The lane puts it in place, and says so. */
    void install(Node &node)
    {
        ASSERT_TRUE(turns_until([&] { return node.door.loaded != nullptr; }));
        node.door.now = node.door.loaded;
        node.door.loaded = nullptr;
        node.door.note(LANE_NOTE_INSTALLED);
    }
};

#endif
