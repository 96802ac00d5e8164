/* notes_fixture.h: one lane, and a test that plays its keeper, its members and its storage. */
#ifndef TESTS_UNIT_PIPELINE_NOTES_FIXTURE_H
#define TESTS_UNIT_PIPELINE_NOTES_FIXTURE_H

#include "tests/unit/pipeline/lane_fixture.h"

extern "C" {
#include "dataplane/log/storage_calls.h"
#include "dataplane/pipeline/notes.h"
#include "dataplane/state/capture.h"
#include "protocols/wire/chunk.h"
}

namespace
{

struct Released {
    uint16_t group;
    uint64_t index, term;
};

/* Stores at once, and remembers what it may forget. */
struct Forgetful {
    struct storage storage;
    uint64_t stored;
    std::vector<Released> released;
};

Forgetful *forgetful(const struct storage *storage)
{
    return reinterpret_cast<Forgetful *>(const_cast<struct storage *>(storage));
}

uint32_t take(struct storage *storage, const struct storage_write *writes, uint32_t count,
              struct log *const *, uint64_t)
{
    EXPECT_FALSE(writes[count - 1].release) << "those are not submitted";
    forgetful(storage)->stored = writes[count - 1].seq;
    return count;
}

uint64_t taken(struct storage *storage, uint64_t)
{
    return forgetful(storage)->stored;
}

void forget(struct storage *storage, uint16_t group, uint64_t index, uint64_t term)
{
    forgetful(storage)->released.push_back({group, index, term});
}

bool never(const struct storage *)
{
    return false;
}

uint64_t no_age(const struct storage *, uint64_t)
{
    return 0;
}

void no_report(const struct storage *, struct storage_report *)
{
}

const struct storage_calls forgetful_calls = {"forgetful", take,  taken,  forget,
                                              never,       never, no_age, no_report};

class Notes : public Lane
{
  protected:
    Notes()
    {
        tweak = [this](struct lane_config &lane_config) {
            lane_config.storage = &disk.storage;
            if (entries_max != 0)
                lane_config.entries_max = entries_max;
        };
    }

    void TearDown() override
    {
        Lane::TearDown();
        std::free(loaded_memory);
    }

    /* NULL: no note. */
    const struct lane_note *note()
    {
        return lane_next_note(lane);
    }

    void write(uint64_t session, uint64_t first, uint64_t count)
    {
        for (uint64_t i = first; i < first + count; i++)
            ASSERT_EQ(one(session, i, make(WIRE_OP_SET, "key", std::to_string(i))).status,
                      WIRE_DONE);
    }

    /* A state that has applied `count` entries of term 3. */
    struct state *load(uint64_t count)
    {
        if (loaded_memory == nullptr)
            loaded_memory = std::aligned_alloc(64, (state_footprint(&config.state) + 63) / 64 * 64);
        struct state *state = state_init(loaded_memory, &config.state);
        struct wire_command command = make(WIRE_OP_SET, "snapshot", "is here");
        for (uint64_t i = 1; i <= count; i++) {
            std::string encoded = i == 1 ? entry(WIRE_ENTRY_REGISTER, 1, 3, 0, 12)
                                         : entry(WIRE_ENTRY_COMMAND, i, 3, 1, i - 1, &command);
            struct wire_result result;
            state_apply(state, reinterpret_cast<const struct wire_entry *>(encoded.data()),
                        &result);
        }
        return state;
    }

    struct raft_snapshot snapshot_at(uint64_t index, uint64_t term)
    {
        struct raft_snapshot snapshot = {};
        snapshot.index = index;
        snapshot.term = term;
        snapshot.members = view.first;
        return snapshot;
    }

    void offer_from(uint16_t from, uint64_t term, const struct raft_snapshot &snapshot)
    {
        struct wire_snapshot offer = {};
        offer.head.kind = WIRE_SNAPSHOT;
        offer.head.term = term;
        offer.head.index = snapshot.index;
        offer.head.log_term = snapshot.term;
        offer.head.round = 1;
        offer.members_index = snapshot.members_index;
        offer.members = snapshot.members;
        put_from(from, [&offer](struct wire_writer *writer) {
            ASSERT_TRUE(wire_put_snapshot(writer, &offer));
        });
    }

    void append_from(uint16_t from, uint64_t term, uint64_t previous, uint64_t previous_term,
                     uint64_t commit)
    {
        struct wire_raft append = {};
        append.kind = WIRE_APPEND;
        append.term = term;
        append.round = 1;
        append.index = previous;
        append.log_term = previous_term;
        append.entry_count = 1;
        append.commit = commit;
        tell(from, append, entry(WIRE_ENTRY_NOOP, previous + 1, term, 0, 0));
    }

    void chunk_from(uint16_t from, uint32_t bytes)
    {
        std::vector<uint8_t> data(bytes, 7);
        struct wire_chunk chunk = {};
        chunk.id = {20, 3, 99, 5000};
        chunk.unit = 1024;
        chunk.bytes = bytes;
        put_from(from, [&](struct wire_writer *writer) {
            uint8_t *to = wire_put_chunk(writer, &chunk);
            ASSERT_NE(to, nullptr);
            std::memcpy(to, data.data(), bytes);
        });
    }

    uint64_t applied()
    {
        return state_applied_index(lane_state(lane, 0));
    }

    Forgetful disk = {{&forgetful_calls}, 0, {}};
    uint32_t entries_max = 0;
    void *loaded_memory = nullptr;
};

} // namespace

#endif
