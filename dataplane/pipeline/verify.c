/* verify: whose words are these? What a burst brought, over all groups, is checked in one batch: as
 * many signatures as there are, without waiting for more. */
#include "dataplane/pipeline/internal.h"

/* A signature by a key without a table is checked alone, in some 50 us. They may take a tenth of
 * the room's time: anybody can make up keys, and everybody else would wait. */
#define ALONE_PERIOD_NS 500000u
#define NO_JOB          UINT32_MAX

/* The key has come to its table, or goes without. */
static void settle(struct lane *lane)
{
    struct verify_room *room = &lane->verify;
    if (atomic_load_explicit(&room->want, memory_order_acquire) != WANT_DONE)
        return;
    ed25519_cache_settle(room->cache, room->want_slot);
    count_event(lane, LANE_KEY_SETTLED);
    atomic_store_explicit(&room->want, WANT_NOTHING, memory_order_relaxed);
}

/* No job holds a slot when this is called, so any may give way. */
static void want_table(struct verify_room *room, const uint8_t *key)
{
    if (atomic_load_explicit(&room->want, memory_order_relaxed) != WANT_NOTHING ||
        ed25519_cache_choose(room->cache, key, &room->want_slot) != ED25519_ADDED)
        return;
    atomic_store_explicit(&room->want, WANT_TABLE, memory_order_release);
}

bool lane_build_table(struct lane *lane)
{
    struct verify_room *room = &lane->verify;
    if (room->cache == NULL ||
        atomic_load_explicit(&room->want, memory_order_acquire) != WANT_TABLE)
        return false;
    ed25519_cache_build(room->cache, room->want_slot);
    atomic_store_explicit(&room->want, WANT_DONE, memory_order_release);
    return true;
}

static bool may_check_alone(struct lane *lane)
{
    struct verify_room *room = &lane->verify;
    uint64_t now_ns = lane->look[ROOM_VERIFY]->clock.now_ns;
    if (now_ns < room->next_alone_ns)
        return false;
    room->next_alone_ns = now_ns + ALONE_PERIOD_NS;
    room->report.without_table++;
    return true;
}

/* Takes up to VERIFY_BURST arrivals, and a job for each that has a signature. Returns how many
 * jobs; *arrivals: how many arrivals. */
static uint32_t gather(struct lane *lane, uint32_t *arrivals)
{
    struct verify_room *room = &lane->verify;
    uint32_t count = 0, jobs = 0, bytes;
    struct arrival *arrival;
    while (count < VERIFY_BURST && (arrival = doorway_next(lane->opened, &bytes)) != NULL) {
        room->arrival[count] = arrival;
        room->job_of[count] = NO_JOB;
        if (arrival->signature != NULL) {
            uint32_t slot = ed25519_cache_find(room->cache, arrival->key);
            if (slot != ED25519_SLOT_NONE || may_check_alone(lane)) {
                room->job_of[count] = jobs;
                room->job[jobs++] = (struct ed25519_job){
                    .signature = arrival->signature,
                    .message = arrival->covered,
                    .message_bytes = arrival->covered_bytes,
                    .key = arrival->key,
                    .slot = slot,
                };
            }
        }
        count++;
    }
    *arrivals = count;
    return jobs;
}

static void name_offender(struct lane *lane, const struct arrival *arrival)
{
    count_event(lane, LANE_BAD_SIGNATURE);
    lane->verify.report.bad_peer = arrival->frame.peer;
    memcpy(lane->verify.report.bad_key, arrival->key, ED25519_KEY_BYTES);
}

/* True: the message goes on. */
static bool is_good(struct lane *lane, uint32_t i)
{
    const struct verify_room *room = &lane->verify;
    const struct arrival *arrival = room->arrival[i];
    if (arrival->signature == NULL)
        return true;
    if (room->job_of[i] == NO_JOB) {
        count_event(lane, LANE_VERIFY_CROWDED);
        return false;
    }
    if (!room->verdict[room->job_of[i]]) {
        name_offender(lane, arrival);
        return false;
    }
    return true;
}

uint32_t lane_verify_poll(struct lane *lane)
{
    struct verify_room *room = &lane->verify;
    uint32_t arrivals;
    if (room->cache == NULL || !doorway_fits(lane->verified, VERIFY_BURST, sizeof(struct arrival)))
        return 0;
    settle(lane);
    uint32_t jobs = gather(lane, &arrivals);
    if (arrivals == 0)
        return 0;
    if (jobs != 0) {
        (void)ed25519_batch_verify(ed25519_cache_keyset(room->cache), room->job, jobs,
                                   room->verdict);
        room->report.batches[31 - __builtin_clz(jobs)]++;
    }
    for (uint32_t i = 0; i < arrivals; i++) {
        if (!is_good(lane, i))
            continue;
        struct arrival *on = doorway_reserve(lane->verified, sizeof *on);
        ENSURE(on != NULL);
        *on = *room->arrival[i];
        if (room->job_of[i] != NO_JOB && room->job[room->job_of[i]].slot == ED25519_SLOT_NONE &&
            ed25519_cache_proven(room->cache, on->key))
            want_table(room, on->key);
    }
    doorway_done(lane->opened);
    doorway_publish(lane->verified);
    return arrivals;
}

void lane_verify_report(const struct lane *lane, struct lane_verify_report *report)
{
    *report = lane->verify.report;
    report->on = lane->verify.cache != NULL;
    report->evicted = report->on ? ed25519_cache_evicted(lane->verify.cache) : 0;
}
