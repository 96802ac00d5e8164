#include "protocols/raft/internal.h"

static const struct {
    const char *name;
    const char *sentence;
} events[RAFT_EVENT_COUNT] = {
#define RAFT_EVENT(name, sentence) {#name, sentence},
#include "protocols/raft/raft_events.def"
#undef RAFT_EVENT
};

const char *raft_event_name(enum raft_event event)
{
    return (uint32_t)event < RAFT_EVENT_COUNT ? events[event].name : "UNKNOWN";
}

const char *raft_event_sentence(enum raft_event event)
{
    return (uint32_t)event < RAFT_EVENT_COUNT ? events[event].sentence : "no such event";
}

void raft_status(const raft *r, struct raft_status *status)
{
    bool leads = r->role == RAFT_LEADER;
    *status = (struct raft_status){
        .role = r->role,
        .leader = r->leader,
        .vote = r->vote,
        .member_count = r->force.members.count,
        .term = r->term,
        .last_index = r->last,
        .stored = r->stored,
        .commit = r->commit,
        .applied = r->applied,
        .lease_until_ns = leads ? r->lease_until_ns : 0,
        .term_start_index = leads ? r->term_start : 0,
        .members_index = r->force.index,
        .joint = r->force.members.joint,
        .doubtful = r->doubtful,
    };
    for (uint32_t i = 0; i < r->force.members.count; i++) {
        const struct wire_member *known = &r->force.members.member[i];
        struct raft_member_status *member = &status->member[i];
        *member = (struct raft_member_status){
            .id = known->id, .role = known->role, .old_role = known->old_role};
        if (!leads)
            continue;
        uint32_t position = raft_position(r, known->id);
        bool self = position == r->self;
        member->progress = self ? (uint8_t)RAFT_REPLICATE : r->follower[position].progress;
        member->match = r->match[position];
        member->next = self ? r->last + 1 : r->follower[position].next;
        status->full_copies += (r->electable >> position & 1) != 0 && member->match >= r->commit;
    }
}

uint64_t raft_term(const raft *r)
{
    return r->term;
}

uint64_t raft_last_index(const raft *r)
{
    return r->last;
}

uint64_t raft_commit(const raft *r)
{
    return r->commit;
}

uint16_t raft_leader(const raft *r)
{
    return r->leader;
}

bool raft_is_leader(const raft *r)
{
    return r->role == RAFT_LEADER;
}

bool raft_leader_ready(const raft *r)
{
    return r->role == RAFT_LEADER && r->applied >= r->term_start;
}

uint64_t raft_entry_term(const raft *r, uint64_t index)
{
    return raft_log_term(r, index);
}

const uint64_t *raft_counters(const raft *r)
{
    return r->counter;
}
