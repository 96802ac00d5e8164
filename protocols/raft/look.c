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
        .member_count = r->config.member_count,
        .term = r->term,
        .last_index = r->last,
        .stored = r->stored,
        .commit = r->commit,
        .applied = r->applied,
        .lease_until_ns = leads ? r->lease_until_ns : 0,
        .term_start_index = leads ? r->term_start : 0,
    };
    for (uint32_t i = 0; i < r->config.member_count; i++) {
        struct raft_member_status *member = &status->member[i];
        member->id = r->config.member[i];
        if (!leads)
            continue;
        bool self = i == r->self;
        member->progress = self ? (uint8_t)RAFT_REPLICATE : r->follower[i].progress;
        member->match = r->match[i];
        member->next = self ? r->last + 1 : r->follower[i].next;
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
