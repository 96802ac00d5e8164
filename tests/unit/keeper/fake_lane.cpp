#include "tests/unit/keeper/fake_lane.h"

extern "C" {

const struct lane_note *lane_next_note(struct lane *lane)
{
    if (lane->notes.empty())
        return nullptr;
    lane->current = std::move(lane->notes.front());
    lane->notes.pop_front();
    return reinterpret_cast<const lane_note *>(lane->current.data());
}

struct wire_view lane_note_view(const struct lane_note *note)
{
    wire_view view = {};
    view.kind = note->kind == LANE_NOTE_CHUNK ? WIRE_SNAPSHOT_CHUNK : WIRE_SNAPSHOT_ACK;
    view.group = note->group;
    view.bytes = note->body_bytes;
    view.body = reinterpret_cast<const uint8_t *>(note + 1);
    return view;
}

void lane_snapshot_ask(struct lane *lane, uint16_t)
{
    lane->asked++;
    state_capture_ask(lane->now);
}

struct state *lane_state_to_walk(struct lane *lane, uint16_t)
{
    return lane->now;
}

bool lane_snapshot_taken(struct lane *lane, uint16_t, const struct raft_snapshot *snapshot,
                         bool all)
{
    if (!lane->full) {
        lane->taken.push_back(*snapshot);
        lane->taken_all.push_back(all);
    }
    return !lane->full;
}

bool lane_snapshot_sent(struct lane *lane, uint16_t, uint16_t, uint64_t index)
{
    if (!lane->full)
        lane->sent.push_back(index);
    return !lane->full;
}

bool lane_snapshot_failed(struct lane *lane, uint16_t, uint16_t)
{
    lane->failed += !lane->full;
    return !lane->full;
}

uint32_t lane_message_bytes_max(const struct lane *)
{
    return 1400;
}

bool lane_send(struct lane *lane, uint16_t group, uint16_t, const uint8_t *message, uint32_t)
{
    if (lane->full)
        return false;
    lane_note note = {};
    note.kind = message[4] == WIRE_SNAPSHOT_CHUNK ? LANE_NOTE_CHUNK : LANE_NOTE_ACK;
    note.group = group;
    note.member = lane->self;
    note.body_bytes = load_u32(message) - WIRE_MESSAGE_BYTES;
    if (lane->peer != nullptr && !(lane->lost && lane->lost(note)))
        lane->peer->note(note, message + WIRE_MESSAGE_BYTES);
    return true;
}

bool lane_snapshot_install(struct lane *lane, uint16_t, const struct raft_snapshot *snapshot,
                           struct state *loaded)
{
    if (lane->full)
        return false;
    EXPECT_EQ(lane->loaded, nullptr) << "one at a time";
    EXPECT_EQ(state_applied_index(loaded), snapshot->index);
    lane->loaded = loaded;
    lane->loaded_of = *snapshot;
    return true;
}
}
