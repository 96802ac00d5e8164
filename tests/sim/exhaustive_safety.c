#include "tests/sim/exhaustive_safety.h"

#include "numa/base/assert.h"
#include "tests/sim/exhaustive_store.h"

#include <stdlib.h>
#include <string.h>

static_assert(sizeof(struct exhaustive_state) == 68, "no padding");

struct exhaustive_safety {
    struct exhaustive_store *logs; /* number 0 is the empty one */
    bool same_members;
};

static uint16_t number_of(struct exhaustive_safety *safety, const struct refine_log *log)
{
    uint32_t number = exhaustive_store_put(safety->logs, (const uint8_t *)log, sizeof *log);
    ENSURE(number <= UINT16_MAX);
    return (uint16_t)number;
}

static struct refine_log log_of(const struct exhaustive_safety *safety, uint16_t number)
{
    uint32_t bytes;
    struct refine_log log;
    memcpy(&log, exhaustive_store_get(safety->logs, number, &bytes), sizeof log);
    return log;
}

struct exhaustive_safety *exhaustive_safety_new(bool same_members)
{
    struct exhaustive_safety *safety = malloc(sizeof *safety);
    ENSURE(safety != NULL);
    safety->logs = exhaustive_store_new();
    safety->same_members = same_members;
    const struct refine_log empty = {0};
    (void)number_of(safety, &empty);
    return safety;
}

void exhaustive_safety_free(struct exhaustive_safety *safety)
{
    exhaustive_store_free(safety->logs);
    free(safety);
}

static const char *lead(struct exhaustive_safety *safety, struct exhaustive_state *next,
                        const struct refine_server *s)
{
    uint32_t term = s->memory.term - 1u;
    if (next->led_by[term] != 0 && next->led_by[term] != s->self)
        return "election safety: a second leader in one term";
    struct refine_log led = log_of(safety, next->led_log[term]);
    struct refine_log committed = log_of(safety, next->committed);
    if (next->led_by[term] == 0) {
        uint32_t before = term == 0 ? 0 : next->committed_by[term - 1];
        if (!refine_same_prefix(&s->memory.log, &committed, before))
            return "leader completeness: elected without an entry that is committed";
        next->led_by[term] = s->self;
    } else if (!refine_same_prefix(&s->memory.log, &led, led.count)) {
        return "leader append-only: a leader has changed its log";
    }
    next->led_log[term] = number_of(safety, &s->memory.log);
    return NULL;
}

static const char *commit(struct exhaustive_safety *safety, struct exhaustive_state *next,
                          const struct refine_server *s)
{
    struct refine_log committed = log_of(safety, next->committed);
    uint32_t common = s->commit < committed.count ? s->commit : committed.count;
    if (!refine_same_prefix(&committed, &s->memory.log, common))
        return "state machine safety: another entry is committed at this index";
    if (s->commit <= committed.count)
        return NULL;
    memset(&committed, 0, sizeof committed);
    committed.count = s->commit;
    memcpy(committed.entry, s->memory.log.entry, s->commit * sizeof committed.entry[0]);
    next->committed = number_of(safety, &committed);
    for (uint32_t term = s->memory.term - 1u; term < REFINE_TERMS_MAX; term++) {
        next->committed_by[term] = s->commit;
        struct refine_log led = log_of(safety, next->led_log[term]);
        if (next->led_by[term] != 0 && !refine_same_prefix(&led, &committed, committed.count))
            return "leader completeness: committed behind the back of a later leader";
    }
    return NULL;
}

static const char *match(const struct exhaustive_members *members,
                         const struct exhaustive_state *next, const struct refine_server *s,
                         uint32_t member)
{
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++) {
        const struct refine_server *other = exhaustive_member_server(members, next->member[i]);
        if (i != member && (!refine_logs_match(&s->memory.log, &other->memory.log) ||
                            !refine_logs_match(&s->memory.log, &other->disk.log) ||
                            !refine_logs_match(&s->disk.log, &other->disk.log)))
            return "log matching: one index, one term, and different logs up to there";
    }
    return NULL;
}

static const char *keep(const struct exhaustive_safety *safety,
                        const struct exhaustive_members *members,
                        const struct exhaustive_state *next)
{
    struct refine_log committed = log_of(safety, next->committed);
    uint8_t copies = 0;
    for (uint32_t i = 0; i < REFINE_MEMBERS; i++)
        if (refine_same_prefix(&exhaustive_member_server(members, next->member[i])->disk.log,
                               &committed, committed.count))
            copies |= (uint8_t)(1u << i);
    return refine_quorum(&committed, copies) ? NULL : "committed, and not on a quorum of the disks";
}

/* Only a leader can have sent what is acknowledged. */
static const char *acknowledge(const struct exhaustive_safety *safety,
                               const struct exhaustive_members *members,
                               const struct exhaustive_state *next, const struct refine_server *s,
                               const struct exhaustive_step *step)
{
    for (uint32_t i = 0; i < step->send_count; i++) {
        const struct refine_message *m = exhaustive_message(members, step->sends[i]);
        if (m->kind != WIRE_APPEND_REPLY || m->flags & WIRE_RAFT_REJECTED)
            continue;
        struct refine_log led = log_of(safety, next->led_log[m->term - 1]);
        if (!refine_same_prefix(&s->disk.log, &led, m->index))
            return "acknowledged what is not the leader's log";
    }
    return NULL;
}

const char *exhaustive_safety_step(struct exhaustive_safety *safety,
                                   const struct exhaustive_members *members,
                                   struct exhaustive_state *next, uint32_t member,
                                   const struct exhaustive_step *step)
{
    const struct refine_server *s = exhaustive_member_server(members, step->state);
    const char *broken = NULL;
    if (s->role == REFINE_LEADER)
        broken = lead(safety, next, s);
    if (broken == NULL && s->commit > 0)
        broken = commit(safety, next, s);
    if (broken == NULL)
        broken = match(members, next, s, member);
    if (broken == NULL && safety->same_members)
        broken = keep(safety, members, next);
    return broken == NULL ? acknowledge(safety, members, next, s, step) : broken;
}
