#include "tests/sim/faults.h"

#include "numa/base/assert.h"
#include "tests/sim/node.h"
#include "tests/sim/strikes.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *text;
    uint8_t percent;
} kinds[FAULT_COUNT] = {
#define FAULT(name, text, percent, of) {text, percent},
#include "tests/sim/faults.def"
#undef FAULT
};

/* Longest episode; they are drawn from an eighth of it upwards. */
static const uint64_t episode_ns[FAULT_COUNT] = {
    [FAULT_CUT] = 3 * SECOND_NS,   [FAULT_PARTITION] = 4 * SECOND_NS, [FAULT_PAUSE] = SECOND_NS,
    [FAULT_CRASH] = 2 * SECOND_NS, [FAULT_SKEW] = 4 * SECOND_NS,      [FAULT_DISK] = 2 * SECOND_NS,
    [FAULT_TRANSFER] = SECOND_NS,  [FAULT_JUMP] = 4 * SECOND_NS,      [FAULT_STALL] = SECOND_NS,
    [FAULT_FULL] = SECOND_NS,      [FAULT_ROT] = 2 * SECOND_NS,       [FAULT_STRAY] = 2 * SECOND_NS,
};

const char *fault_name(enum fault_kind kind)
{
    return kinds[kind].text;
}

const char *fault_role_name(enum fault_role role)
{
    static const char *const names[ROLE_COUNT] = {
        [ROLE_LEADER] = "leader",
        [ROLE_FOLLOWER] = "follower",
        [ROLE_CANDIDATE] = "candidate",
        [ROLE_LEARNER] = "learner",
        [ROLE_RECOVERING] = "recovering",
        [ROLE_STOPPED] = "stopped",
        [ROLE_DOWN] = "down",
    };
    return names[role];
}

static bool parse_word(const char *text, struct fault_plan *plan)
{
    size_t name = strcspn(text, "=");
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (strlen(kinds[kind].text) != name || strncmp(kinds[kind].text, text, name) != 0)
            continue;
        plan->percent[kind] = kinds[kind].percent;
        if (text[name] == '\0')
            return true;
        char *end;
        long percent = strtol(text + name + 1, &end, 10);
        plan->percent[kind] = (uint8_t)percent;
        return end != text + name + 1 && *end == '\0' && percent >= 1 && percent <= 100;
    }
    return false;
}

bool fault_plan_parse(const char *list, struct fault_plan *plan, char word[32])
{
    *plan = (struct fault_plan){0};
    if (strcmp(list, "none") == 0)
        return true;
    if (strcmp(list, "all") == 0) {
        plan->by_seed = true;
        return true;
    }
    for (;;) {
        size_t length = strcspn(list, ",");
        size_t kept = length < 31 ? length : 31;
        memcpy(word, list, kept);
        word[kept] = '\0';
        if (!parse_word(word, plan))
            return false;
        if (list[length] == '\0')
            return true;
        list += length + 1;
    }
}

/* ---- schedule -------------------------------------------------------------------------------- */

static bool is_episodic(int kind)
{
    return episode_ns[kind] != 0;
}

/* Pauses between episodes are drawn so that episodes take their share of the time. */
static uint64_t pause_ns(struct faults *faults, int kind)
{
    uint64_t mean_ns = episode_ns[kind] * 9 / 16;
    uint64_t wait_ns = mean_ns * (100u - faults->percent[kind]) / faults->percent[kind];
    return 1 + random_below(&faults->random, 2 * wait_ns + 1);
}

void faults_keep_next(struct faults *faults)
{
    faults->next_ns = UINT64_MAX;
    for (int kind = 0; kind < FAULT_COUNT; kind++)
        faults->next_ns = min_u64(faults->next_ns, faults->due_ns[kind]);
    for (uint32_t n = 0; n < NODES_MAX; n++)
        faults->next_ns = min_u64(faults->next_ns, faults->asked_ns[n]);
}

static void draw_plan(struct faults *faults, bool clocks_matter)
{
    uint32_t any = 0;
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        faults->percent[kind] = 0;
        if (chance(&faults->random, 50))
            faults->percent[kind] =
                (uint8_t)between(&faults->random, 1, 2 * (uint64_t)kinds[kind].percent);
        any += faults->percent[kind] != 0 && is_episodic(kind) && kind != FAULT_SKEW &&
               kind != FAULT_TRANSFER;
    }
    if (clocks_matter) {
        faults->percent[FAULT_SKEW] = 100;
        faults->percent[FAULT_PARTITION] = (uint8_t)between(&faults->random, 20, 40);
        faults->percent[FAULT_TRANSFER] = (uint8_t)between(&faults->random, 20, 50);
        faults->percent[FAULT_CUT] = (uint8_t)between(&faults->random, 5, 20);
        faults->percent[FAULT_VOTER] = chance(&faults->random, 30) ? 50 : 0;
        /* What keeps a leader from serving, or its clients from asking, hides a wrong lease. */
        faults->percent[FAULT_DISK] = faults->percent[FAULT_STALL] = faults->percent[FAULT_FULL] =
            0;
        faults->percent[FAULT_ROT] = faults->percent[FAULT_STRAY] = faults->percent[FAULT_CRASH] =
            0;
    } else if (any == 0)
        faults->percent[FAULT_CRASH] = kinds[FAULT_CRASH].percent;
}

void faults_begin(struct world *world, const struct fault_plan *plan)
{
    struct faults *faults = &world->faults;
    random_init(&faults->random, random_next(&world->random));
    faults->isolate = faults->silence[0] = NODES_MAX;
    for (uint32_t n = 0; n < NODES_MAX; n++)
        faults->asked_ns[n] = UINT64_MAX;
    memcpy(faults->percent, plan->percent, sizeof faults->percent);
    if (plan->by_seed)
        draw_plan(faults, world->shape.clocks_matter);
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        faults->due_ns[kind] = UINT64_MAX;
        if (is_episodic(kind) && faults->percent[kind] != 0)
            faults->due_ns[kind] = SECOND_NS / 2 + pause_ns(faults, kind);
    }
    faults_keep_next(faults);
}

void faults_note(struct world *world, enum fault_kind kind, uint32_t node)
{
    struct faults *faults = &world->faults;
    faults->count[kind]++;
    for (uint16_t g = 0; node < world->shape.replicas && g < world->shape.groups; g++)
        faults->struck[kind][node_role(world->node[node], g)]++;
}

bool faults_hits(struct world *world, enum fault_kind kind, uint32_t node)
{
    struct faults *faults = &world->faults;
    if (faults->percent[kind] == 0 || !chance(&faults->random, faults->percent[kind]))
        return false;
    faults_note(world, kind, node);
    return true;
}

uint64_t faults_next_ns(const struct world *world)
{
    return world->faults.next_ns;
}

void faults_run(struct world *world)
{
    struct faults *faults = &world->faults;
    strikes_asked(world);
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (faults->due_ns[kind] > world->now_ns)
            continue;
        uint64_t after_ns;
        if (faults->active[kind]) {
            strikes_end(world, (enum fault_kind)kind);
            after_ns = pause_ns(faults, kind);
        } else {
            after_ns = between(&faults->random, episode_ns[kind] / 8, episode_ns[kind]);
            strikes_begin(world, (enum fault_kind)kind, after_ns);
        }
        faults->active[kind] = !faults->active[kind];
        faults->due_ns[kind] = world->now_ns + after_ns;
    }
    faults_keep_next(faults);
}

void faults_heal(struct world *world)
{
    struct faults *faults = &world->faults;
    world_note(world, TRACE_HEAL, 0, 0, 0, 0);
    for (int kind = 0; kind < FAULT_COUNT; kind++) {
        if (faults->active[kind])
            strikes_end(world, (enum fault_kind)kind);
        faults->active[kind] = false;
        faults->percent[kind] = 0;
        faults->due_ns[kind] = UINT64_MAX;
    }
    for (uint32_t n = 0; n < NODES_MAX; n++)
        faults->asked_ns[n] = UINT64_MAX;
    faults_keep_next(faults);
    strikes_mend(world);
}
