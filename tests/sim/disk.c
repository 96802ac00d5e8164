#include "tests/sim/disk.h"

#include "dataplane/log/format.h"
#include "dataplane/log/storage_calls.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/node.h"
#include "tests/sim/platter.h"
#include "tests/sim/report.h"
#include "tests/sim/witness.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WRITES_MAX        8192u /* waiting; more than a lane hands out */
#define SEGMENT_BYTES     (UINT64_C(256) << 10)
#define SEGMENTS_MIN      32u
#define SEGMENTS_MAX      2048u
#define BATCH_BYTES       (64u << 10)
#define BODY_BYTES_MAX    (16u << 10)
#define BYTES_PER_COMMAND 6000.0 /* a write each, mostly */

struct stored_entry {
    uint64_t term;
    uint64_t hash;
};

struct write {
    struct storage_write what;
    struct stored_entry *entry; /* malloc; NULL: none */
};

struct disk {
    struct storage storage; /* what the lane has */
    struct world *world;
    struct storage *wal; /* NULL: down */
    struct platter *platter;
    struct wal_config config;
    void *memory; /* of the wal */
    uint32_t number;
    bool made;
    bool full;
    bool refuses;
    uint64_t offered_seq;
    uint64_t stored_seq;
    uint32_t head;
    uint32_t tail;
    struct write waiting[WRITES_MAX];
    struct disk_log written[GROUPS_MAX];
    struct disk_log durable[GROUPS_MAX];
};

static struct disk *disk_of(struct storage *storage)
{
    return (void *)storage;
}

/* ---- images ---------------------------------------------------------------------------------- */

static void image_room(struct disk_log *log, uint64_t index)
{
    if (index < log->room)
        return;
    log->room = power_of_two_at_least(index + 1024);
    log->term = sim_grow(log->term, log->room * sizeof *log->term);
    log->chain = sim_grow(log->chain, log->room * sizeof *log->chain);
    log->term[0] = log->chain[0] = 0;
}

static void image_add(struct disk_log *log, uint64_t term, uint64_t hash)
{
    uint64_t index = log->last + 1;
    image_room(log, index);
    log->term[index] = term;
    log->chain[index] = trace_mix(log->chain[index - 1], hash);
    log->last = index;
}

static void image_copy(struct disk_log *to, const struct disk_log *from)
{
    image_room(to, from->last);
    to->last = from->last;
    to->hard_term = from->hard_term;
    to->hard_vote = from->hard_vote;
    to->damaged = from->damaged;
    if (from->last == 0)
        return;
    memcpy(to->term, from->term, (from->last + 1) * sizeof *to->term);
    memcpy(to->chain, from->chain, (from->last + 1) * sizeof *to->chain);
}

static uint64_t entry_hash(const struct wire_entry *entry)
{
    return trace_hash(entry, WIRE_ENTRY_BYTES + entry->body_bytes);
}

const struct disk_log *disk_written(const struct disk *disk, uint16_t group)
{
    return &disk->written[group];
}

const struct disk_log *disk_durable(const struct disk *disk, uint16_t group)
{
    return &disk->durable[group];
}

/* ---- writes ---------------------------------------------------------------------------------- */

/* Truncation may have overtaken a write of a split lane: what is gone, and what is of a later term
 * than the write, is covered by a later one. The log judges alike (writer.c). */
static const struct wire_entry *entry_of(const struct storage_write *what, const struct log *log,
                                         uint64_t index)
{
    if (what->first == 0 || index > what->last)
        return NULL;
    const struct wire_entry *entry = log_entry(log, index);
    return entry != NULL && entry->term <= what->term ? entry : NULL;
}

static void keep_write(struct disk *disk, const struct storage_write *what, const struct log *log)
{
    ENSURE(disk->tail - disk->head < WRITES_MAX);
    struct write *write = &disk->waiting[disk->tail++ % WRITES_MAX];
    *write = (struct write){.what = *what};
    if (what->first == 0)
        return;
    write->entry = sim_allocate((what->last + 1 - what->first) * sizeof *write->entry);
    const struct wire_entry *entry;
    uint64_t index = what->first;
    for (; (entry = entry_of(what, log, index)) != NULL; index++)
        write->entry[index - what->first] = (struct stored_entry){entry->term, entry_hash(entry)};
    write->what.last = index - 1;
}

static void make_durable(struct disk *disk, const struct write *write)
{
    const struct storage_write *what = &write->what;
    struct disk_log *durable = &disk->durable[what->group];
    durable->hard_term = what->term;
    durable->hard_vote = what->vote;
    if (what->first == 0 || what->last < what->first)
        return;
    ENSURE(what->first <= durable->last + 1);
    durable->last = what->first - 1;
    for (uint64_t i = what->first; i <= what->last; i++)
        image_add(durable, write->entry[i - what->first].term, write->entry[i - what->first].hash);
}

static void note_offered(struct disk *disk, const struct storage_write *what, const struct log *log)
{
    struct world *world = disk->world;
    struct disk_log *written = &disk->written[what->group];
    const struct node *node = world->node[disk->number];
    uint64_t held = witness_held(world->witness, node, what->group);
    disk->offered_seq = what->seq;
    written->hard_term = what->term;
    written->hard_vote = what->vote;
    if (what->hard_state_changed)
        world_note(world, TRACE_VOTES, disk->number, what->seq, what->term, what->vote);
    const struct wire_entry *entry = entry_of(what, log, what->first);
    if (entry != NULL) {
        ENSURE(what->first <= written->last + 1);
        written->last = what->first - 1;
        for (uint64_t i = what->first; entry != NULL; entry = entry_of(what, log, ++i))
            image_add(written, entry->term, entry_hash(entry));
        world_note(world, TRACE_WRITES, disk->number, what->seq, what->first, what->last);
    }
    witness_wrote(world->witness, node, what->group,
                  entry_of(what, log, what->first) != NULL ? what->first : 0, held);
}

/* ---- storage.h ------------------------------------------------------------------------------- */

static uint32_t submit(struct storage *storage, const struct storage_write *writes, uint32_t count,
                       struct log *const *logs, uint64_t now_ns)
{
    struct disk *disk = disk_of(storage);
    uint32_t taken = 0;
    for (; taken < count; taken++) {
        const struct storage_write *what = &writes[taken];
        if (what->seq > disk->offered_seq)
            note_offered(disk, what, logs[taken]);
        if ((disk->full && what->first != 0) ||
            storage_submit(disk->wal, what, 1, &logs[taken], now_ns) == 0)
            break;
        keep_write(disk, what, logs[taken]);
    }
    disk->refuses = taken < count;
    return taken;
}

static uint64_t poll(struct storage *storage, uint64_t now_ns)
{
    struct disk *disk = disk_of(storage);
    uint64_t stored = storage_poll(disk->wal, now_ns);
    if (stored == disk->stored_seq)
        return stored;
    disk->stored_seq = stored;
    for (; disk->head != disk->tail; disk->head++) {
        struct write *write = &disk->waiting[disk->head % WRITES_MAX];
        if (write->what.seq > stored)
            break;
        make_durable(disk, write);
        free(write->entry);
    }
    world_note(disk->world, TRACE_STORED, disk->number, stored, 0, 0);
    return stored;
}

static void release(struct storage *storage, uint16_t group, uint64_t index, uint64_t term)
{
    storage_release(disk_of(storage)->wal, group, index, term);
}

static bool failed(const struct storage *storage)
{
    return storage_failed(((const struct disk *)storage)->wal);
}

static bool full(const struct storage *storage)
{
    const struct disk *disk = (const void *)storage;
    return disk->full || storage_full(disk->wal);
}

static uint64_t age_ns(const struct storage *storage, uint64_t now_ns)
{
    return storage_age_ns(((const struct disk *)storage)->wal, now_ns);
}

static void report(const struct storage *storage, struct storage_report *report)
{
    storage_report(((const struct disk *)storage)->wal, report);
}

static const struct storage_calls calls = {
    .durability = "simulated",
    .submit = submit,
    .poll = poll,
    .release = release,
    .failed = failed,
    .full = full,
    .age_ns = age_ns,
    .report = report,
};

/* ---- life ------------------------------------------------------------------------------------ */

static uint32_t segments_of(const struct world *world)
{
    double clients = world->shape.network_actors + world->shape.edge_actors;
    double commands = clients * world->options.minutes * 60.0 * (double)SECOND_NS /
                      ((double)world->shape.think_ns / 2.0);
    double segments = commands * BYTES_PER_COMMAND / (double)SEGMENT_BYTES;
    return SEGMENTS_MIN + (uint32_t)min_u64((uint64_t)segments, SEGMENTS_MAX);
}

struct disk *disk_open(struct world *world, uint32_t node)
{
    struct disk *disk = sim_allocate(sizeof *disk);
    disk->storage.calls = &calls;
    disk->world = world;
    disk->number = node;
    for (uint32_t g = 0; g < GROUPS_MAX; g++)
        disk->written[g].hard_vote = disk->durable[g].hard_vote = RAFT_NOBODY;
    wal_config_defaults(&disk->config);
    disk->config.cluster = world->cluster;
    disk->config.nonce = trace_mix(world->cluster, node + 1);
    disk->config.nonce_known = true;
    disk->config.segment_bytes = SEGMENT_BYTES;
    disk->config.segments = segments_of(world);
    disk->config.batch_bytes = BATCH_BYTES;
    disk->config.body_bytes_max = BODY_BYTES_MAX;
    disk->config.group_count = (uint16_t)world->shape.groups;
    disk->config.node = (uint16_t)(node + 1);
    disk->platter =
        platter_open(world, node, FORMAT_SUPER_BYTES + disk->config.segments * SEGMENT_BYTES);
    disk->config.file = platter_file(disk->platter);
    size_t bytes = round_up(wal_footprint(&disk->config), CACHE_LINE_BYTES);
    disk->memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    ENSURE(bytes != 0 && disk->memory != NULL);
    return disk;
}

static void drop_waiting(struct disk *disk)
{
    for (; disk->head != disk->tail; disk->head++)
        free(disk->waiting[disk->head % WRITES_MAX].entry);
}

void disk_close(struct disk *disk)
{
    drop_waiting(disk);
    for (uint32_t g = 0; g < GROUPS_MAX; g++) {
        free(disk->written[g].term);
        free(disk->written[g].chain);
        free(disk->durable[g].term);
        free(disk->durable[g].chain);
    }
    platter_close(disk->platter);
    free(disk->memory);
    free(disk);
}

struct platter *disk_platter(struct disk *disk)
{
    return disk->platter;
}

void disk_crash(struct disk *disk)
{
    uint32_t pending = disk->tail - disk->head;
    uint32_t flying = platter_crash(disk->platter);
    world_note(disk->world, TRACE_CRASH, disk->number, pending, flying, 0);
    disk->wal = NULL;
    disk->full = disk->refuses = false;
    disk->offered_seq = disk->stored_seq = 0; /* a booted lane counts from 1 again */
}

/* ---- recovery -------------------------------------------------------------------------------- */

/* Reported as stored, and not replaced by anything that was under way. */
static uint64_t certain(const struct disk *disk, uint16_t group)
{
    uint64_t last = disk->durable[group].last;
    for (uint32_t i = disk->head; i != disk->tail; i++) {
        const struct storage_write *what = &disk->waiting[i % WRITES_MAX].what;
        if (what->group == group && what->first != 0)
            last = min_u64(last, what->first - 1);
    }
    return last;
}

/* What was reported is there, unless the log says itself that it may not be. */
static void compare(const struct disk *disk, uint16_t group, const struct disk_log *found)
{
    const struct disk_log *durable = &disk->durable[group];
    uint64_t last = certain(disk, group);
    if (found->damaged)
        return;
    if (found->last < last || (last != 0 && found->chain[last] != durable->chain[last]))
        report_violation(disk->world,
                         "durability: node %u reported index %" PRIu64
                         " of group %u as stored, and a start finds another log, ending at "
                         "%" PRIu64 ", undamaged",
                         disk->number + 1, last, group, found->last);
    bool same_term = found->hard_term == durable->hard_term;
    if (found->hard_term < durable->hard_term ||
        (same_term && durable->hard_vote != RAFT_NOBODY && found->hard_vote != durable->hard_vote))
        report_violation(disk->world,
                         "durability: node %u reported term %" PRIu64
                         " and a vote of group %u as stored, and a start finds term %" PRIu64
                         ", undamaged",
                         disk->number + 1, durable->hard_term, group, found->hard_term);
}

static void look_back(struct disk *disk, uint16_t group)
{
    struct storage_recovered found = {.vote = RAFT_NOBODY};
    struct disk_log *written = &disk->written[group];
    bool any = wal_recover(disk->wal, group, &found);
    written->last = 0;
    written->hard_term = found.term;
    written->hard_vote = found.vote;
    written->damaged = found.damaged;
    for (uint64_t i = 1; any && i <= found.last; i++) {
        const struct wire_entry *entry = wal_recover_entry(disk->wal, group, i);
        ENSURE(entry != NULL && entry->index == i);
        image_add(written, entry->term, entry_hash(entry));
    }
    world_note(disk->world, TRACE_RECOVERED, disk->number + 1, group, found.term, found.last);
    if (found.damaged)
        world_note(disk->world, TRACE_DAMAGED, disk->number + 1, group, found.commit, 0);
    compare(disk, group, written);
    witness_found(disk->world->witness, disk->world->node[disk->number], group, found.commit);
    image_copy(&disk->durable[group], written);
}

struct storage *disk_start(struct disk *disk)
{
    enum wal_refusal refusal;
    disk->config.made = disk->made;
    disk->wal = wal_open(disk->memory, &disk->config, &refusal);
    if (disk->wal == NULL) {
        if (refusal != WAL_REFUSED_WRITE)
            report_violation(disk->world, "node %u's log is refused: %s", disk->number + 1,
                             wal_refusal_sentence(refusal));
        return NULL;
    }
    disk->made = true;
    for (uint16_t g = 0; g < disk->world->shape.groups; g++)
        look_back(disk, g);
    drop_waiting(disk);
    return &disk->storage;
}

void *disk_recovery(struct disk *disk)
{
    return disk->wal;
}

void disk_started(struct disk *disk)
{
    wal_recovered(disk->wal);
}

/* ---- looks ----------------------------------------------------------------------------------- */

uint64_t disk_next_ns(const struct disk *disk)
{
    return platter_next_ns(disk->platter);
}

void disk_fill(struct disk *disk, bool full)
{
    disk->full = full;
}

bool disk_refuses(const struct disk *disk)
{
    return disk->refuses;
}
