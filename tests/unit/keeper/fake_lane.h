/* fake_lane.h: the lane's side of notes.h, without a lane: a state, notes, a wire to another.
 *
 * Memory: the test's. Threads: one. Time: none. Limits: one group, 0. Refusals: `full` makes every
 * call of the keeper find its doorway full.
 */
#ifndef TESTS_UNIT_KEEPER_FAKE_LANE_H
#define TESTS_UNIT_KEEPER_FAKE_LANE_H

#include <deque>
#include <functional>
#include <vector>

#include "tests/unit/state/state_fixture.h"

extern "C" {
#include "dataplane/keeper/keeper.h"
#include "protocols/wire/chunk.h"
}

struct lane {
    uint16_t self = 0;
    state *now = nullptr;
    lane *peer = nullptr; /* where messages go */
    bool full = false;
    std::function<bool(const lane_note &)> lost; /* on the way to the peer */
    uint32_t asked = 0;
    std::vector<raft_snapshot> taken;
    std::vector<bool> taken_all;
    std::vector<uint64_t> sent;
    uint32_t failed = 0;
    state *loaded = nullptr; /* to be installed */
    raft_snapshot loaded_of = {};
    std::deque<std::vector<uint64_t>> notes;
    std::vector<uint64_t> current;

    void note(const lane_note &head, const uint8_t *body = nullptr)
    {
        std::vector<uint64_t> room((sizeof head + head.body_bytes + 7) / 8);
        memcpy(room.data(), &head, sizeof head);
        if (body != nullptr)
            memcpy(reinterpret_cast<uint8_t *>(room.data()) + sizeof head, body, head.body_bytes);
        notes.push_back(std::move(room));
    }

    void note(lane_note_kind kind, uint16_t member = 0, uint64_t index = 0)
    {
        lane_note head = {};
        head.kind = static_cast<uint8_t>(kind);
        head.member = member;
        head.index = index;
        head.term = index == 0 ? 0 : 1;
        head.snapshot = describe(index);
        note(head);
    }

    static raft_snapshot describe(uint64_t index)
    {
        raft_snapshot of = {};
        of.index = index;
        of.term = 1;
        of.members.count = 1;
        of.members.member[0] = {1, WIRE_ROLE_VOTER, WIRE_ROLE_NONE, 1};
        return of;
    }

    /* What apply and order do between two turns of the keeper. */
    void mark()
    {
        if (state_capture_phase(now) != STATE_CAPTURE_ASKED)
            return;
        state_capture_begin(now);
        note(LANE_NOTE_MARKED, 0, state_applied_index(now));
    }
};

#endif
