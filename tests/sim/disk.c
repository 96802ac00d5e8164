#include "tests/sim/disk.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/node.h"
#include "tests/sim/witness.h"

#include <stdlib.h>
#include <string.h>

#define WRITES_MAX 8192u /* waiting; more than a lane hands out */

struct write {
    struct storage_write what;
    uint64_t due_ns;
    uint8_t *entries; /* a copy, malloc; NULL: none */
    uint64_t entry_bytes;
};

/* What a crash leaves: the log as bytes. */
struct platter {
    struct disk_log log;
    uint64_t *end; /* of entry i in `bytes` */
    uint8_t *bytes;
    uint64_t bytes_room;
};

struct storage {
    struct world *world;
    uint32_t number;
    struct random_state random;
    uint64_t write_ns;     /* 0: as usual */
    uint64_t flush_end_ns; /* under way, or the last one */
    uint64_t next_end_ns;  /* of the one behind it; 0: nothing waits for it */
    uint64_t stored_seq;
    bool failed;
    uint32_t head;
    uint32_t tail;
    struct write waiting[WRITES_MAX];
    struct disk_log written[GROUPS_MAX];
    struct platter durable[GROUPS_MAX];
};

struct storage *disk_open(struct world *world, uint32_t node)
{
    struct storage *disk = sim_allocate(sizeof *disk);
    disk->world = world;
    disk->number = node;
    random_init(&disk->random, random_next(&world->random));
    for (uint32_t g = 0; g < GROUPS_MAX; g++) {
        disk->written[g].hard_vote = RAFT_NOBODY;
        disk->durable[g].log.hard_vote = RAFT_NOBODY;
    }
    return disk;
}

static void log_free(struct disk_log *log)
{
    free(log->term);
    free(log->chain);
}

static void drop_waiting(struct storage *disk)
{
    for (; disk->head != disk->tail; disk->head++)
        free(disk->waiting[disk->head % WRITES_MAX].entries);
}

void disk_close(struct storage *disk)
{
    drop_waiting(disk);
    for (uint32_t g = 0; g < GROUPS_MAX; g++) {
        log_free(&disk->written[g]);
        log_free(&disk->durable[g].log);
        free(disk->durable[g].end);
        free(disk->durable[g].bytes);
    }
    free(disk);
}

/* ---- logs ------------------------------------------------------------------------------------ */

static bool log_room(struct disk_log *log, uint64_t index)
{
    if (index < log->room)
        return false;
    log->room = power_of_two_at_least(index + 1024);
    log->term = sim_grow(log->term, log->room * sizeof *log->term);
    log->chain = sim_grow(log->chain, log->room * sizeof *log->chain);
    log->term[0] = log->chain[0] = 0;
    return true;
}

/* Entry last + 1. */
static void log_add(struct disk_log *log, const struct wire_entry *entry)
{
    uint64_t index = log->last + 1;
    (void)log_room(log, index);
    ENSURE(entry != NULL && entry->index == index);
    uint64_t hash = trace_hash(entry, WIRE_ENTRY_BYTES + entry->body_bytes);
    log->term[index] = entry->term;
    log->chain[index] = trace_mix(log->chain[index - 1], hash);
    log->last = index;
}

static void platter_add(struct platter *platter, const struct wire_entry *entry)
{
    uint32_t size = wire_entry_size(entry->body_bytes);
    uint64_t at = platter->log.last != 0 ? platter->end[platter->log.last] : 0;
    if (log_room(&platter->log, platter->log.last + 1))
        platter->end = sim_grow(platter->end, platter->log.room * sizeof *platter->end);
    if (at + size > platter->bytes_room) {
        platter->bytes_room = power_of_two_at_least(at + size + 4096);
        platter->bytes = sim_grow(platter->bytes, platter->bytes_room);
    }
    memcpy(platter->bytes + at, entry, size);
    log_add(&platter->log, entry);
    platter->end[platter->log.last] = at + size;
}

/* Entries of a write, at most `count` of them, replace what was there. */
static void make_durable(struct storage *disk, const struct write *write, uint64_t count)
{
    struct platter *platter = &disk->durable[write->what.group];
    platter->log.hard_term = write->what.term;
    platter->log.hard_vote = write->what.vote;
    if (write->what.first == 0 || count == 0)
        return;
    ENSURE(write->what.first <= platter->log.last + 1);
    platter->log.last = write->what.first - 1;
    const uint8_t *at = write->entries;
    for (uint64_t i = write->what.first; i <= write->what.last && count != 0; i++, count--) {
        const struct wire_entry *entry = (const void *)at;
        platter_add(platter, entry);
        at += wire_entry_size(entry->body_bytes);
    }
}

void disk_settle(struct storage *disk)
{
    uint64_t before = disk->stored_seq;
    for (; disk->head != disk->tail; disk->head++) {
        struct write *write = &disk->waiting[disk->head % WRITES_MAX];
        if (write->due_ns > disk->world->now_ns)
            break;
        make_durable(disk, write, UINT64_MAX);
        disk->stored_seq = write->what.seq;
        free(write->entries);
    }
    if (disk->stored_seq != before)
        world_note(disk->world, TRACE_STORED, disk->number, disk->stored_seq, 0, 0);
}

const struct disk_log *disk_written(const struct storage *disk, uint16_t group)
{
    return &disk->written[group];
}

const struct disk_log *disk_durable(struct storage *disk, uint16_t group)
{
    disk_settle(disk);
    return &disk->durable[group].log;
}

/* ---- storage.h ------------------------------------------------------------------------------- */

static uint64_t flush_ns(struct storage *disk)
{
    uint64_t usual_ns = disk->write_ns != 0 ? disk->write_ns : disk->world->shape.disk_ns;
    return usual_ns / 2 + random_below(&disk->random, usual_ns);
}

/* One flush at a time; what is written meanwhile waits for the next one, together. */
static uint64_t due_ns(struct storage *disk)
{
    uint64_t now_ns = disk->world->now_ns;
    if (disk->failed)
        return UINT64_MAX;
    if (now_ns >= disk->flush_end_ns) {
        disk->flush_end_ns = disk->next_end_ns;
        disk->next_end_ns = 0;
    }
    if (now_ns >= disk->flush_end_ns)
        return disk->flush_end_ns = now_ns + flush_ns(disk);
    if (disk->next_end_ns == 0)
        disk->next_end_ns = disk->flush_end_ns + flush_ns(disk);
    return disk->next_end_ns;
}

/* Truncation may have overtaken a write of a split lane: what is gone is covered by a later
 * write. */
static void copy_entries(struct write *write, const struct log *log)
{
    const struct wire_entry *entry;
    uint64_t end = write->what.first;
    for (; end <= write->what.last && (entry = log_entry(log, end)) != NULL; end++)
        write->entry_bytes += wire_entry_size(entry->body_bytes);
    write->what.last = end - 1;
    if (end == write->what.first)
        write->what.first = 0;
    write->entries = sim_allocate(write->entry_bytes);
    uint8_t *to = write->entries;
    for (uint64_t i = write->what.first; i != 0 && i < end; i++) {
        entry = log_entry(log, i);
        memcpy(to, entry, wire_entry_size(entry->body_bytes));
        to += wire_entry_size(entry->body_bytes);
    }
}

static void submit(struct storage *disk, const struct storage_write *what, struct log *log)
{
    struct world *world = disk->world;
    struct disk_log *written = &disk->written[what->group];
    ENSURE(disk->tail - disk->head < WRITES_MAX);
    const struct node *node = world->node[disk->number];
    uint64_t held = witness_held(world->witness, node, what->group);
    struct write *write = &disk->waiting[disk->tail++ % WRITES_MAX];
    *write = (struct write){.what = *what, .due_ns = due_ns(disk)};
    written->hard_term = what->term;
    written->hard_vote = what->vote;
    if (what->hard_state_changed)
        world_note(world, TRACE_VOTES, disk->number, what->seq, what->term, what->vote);
    if (what->first != 0)
        copy_entries(write, log);
    what = &write->what;
    if (what->first != 0) {
        ENSURE(what->first <= written->last + 1);
        written->last = what->first - 1;
        const uint8_t *at = write->entries;
        for (uint64_t i = what->first; i <= what->last; i++) {
            const struct wire_entry *entry = (const void *)at;
            log_add(written, entry);
            at += wire_entry_size(entry->body_bytes);
        }
        world_note(world, TRACE_WRITES, disk->number, what->seq, what->first, what->last);
    }
    witness_wrote(world->witness, node, what->group, what->first, held);
}

uint32_t storage_submit(struct storage *disk, const struct storage_write *writes, uint32_t count,
                        struct log *const *logs, uint64_t now_ns)
{
    (void)now_ns; /* the lane's; the disk has the world's */
    for (uint32_t i = 0; i < count; i++)
        submit(disk, &writes[i], logs[i]);
    return count;
}

uint64_t storage_poll(struct storage *disk, uint64_t now_ns)
{
    (void)now_ns;
    disk_settle(disk);
    return disk->stored_seq;
}

bool storage_failed(const struct storage *disk)
{
    return disk->failed;
}

/* No world takes snapshots yet. */
void storage_release(struct storage *disk, uint16_t group, uint64_t index, uint64_t term)
{
    (void)disk;
    (void)group;
    (void)index;
    (void)term;
}

bool storage_full(const struct storage *disk)
{
    (void)disk;
    return false;
}

const char *storage_durability(const struct storage *disk)
{
    (void)disk;
    return "simulated";
}

/* ---- what happens to it ---------------------------------------------------------------------- */

uint64_t disk_next_ns(const struct storage *disk)
{
    return disk->head != disk->tail ? disk->waiting[disk->head % WRITES_MAX].due_ns : UINT64_MAX;
}

void disk_slow(struct storage *disk, uint64_t write_ns)
{
    disk->write_ns = write_ns;
    if (write_ns != 0 || disk->failed)
        return;
    /* Well again: nothing waits longer than two flushes from now. */
    uint64_t end_ns = disk->world->now_ns + 2 * disk->world->shape.disk_ns;
    for (uint32_t i = disk->head; i != disk->tail; i++)
        disk->waiting[i % WRITES_MAX].due_ns =
            min_u64(disk->waiting[i % WRITES_MAX].due_ns, end_ns);
    disk->flush_end_ns = min_u64(disk->flush_end_ns, end_ns);
    disk->next_end_ns = min_u64(disk->next_end_ns, end_ns);
}

void disk_fail(struct storage *disk)
{
    disk->failed = true;
    for (uint32_t i = disk->head; i != disk->tail; i++)
        disk->waiting[i % WRITES_MAX].due_ns = UINT64_MAX;
}

void disk_crash(struct storage *disk)
{
    disk_settle(disk);
    uint32_t pending = disk->tail - disk->head;
    uint32_t survive = (uint32_t)random_below(&disk->random, pending + 1);
    for (uint32_t i = 0; i < survive; i++)
        make_durable(disk, &disk->waiting[(disk->head + i) % WRITES_MAX], UINT64_MAX);
    if (survive < pending) {
        const struct write *torn = &disk->waiting[(disk->head + survive) % WRITES_MAX];
        if (chance(&disk->random, 50))
            make_durable(disk, torn, random_below(&disk->random, 8));
    }
    world_note(disk->world, TRACE_CRASH, disk->number, pending, survive, 0);
    drop_waiting(disk);
    disk->failed = false;
    disk->stored_seq = 0; /* a booted lane counts from 1 again */
    disk->flush_end_ns = disk->next_end_ns = 0;
    for (uint32_t g = 0; g < GROUPS_MAX; g++) {
        struct disk_log *written = &disk->written[g];
        const struct disk_log *durable = &disk->durable[g].log;
        written->last = durable->last;
        written->hard_term = durable->hard_term;
        written->hard_vote = durable->hard_vote;
        (void)log_room(written, durable->last);
        for (uint64_t i = 1; i <= durable->last; i++) {
            written->term[i] = durable->term[i];
            written->chain[i] = durable->chain[i];
        }
    }
}

bool disk_recover(void *domain, uint16_t group, struct storage_recovered *recovered)
{
    struct storage *disk = domain;
    const struct disk_log *durable = &disk->durable[group].log;
    uint64_t boots = disk->world->node[disk->number]->boots;
    if (boots == 1)
        return false;
    *recovered = (struct storage_recovered){
        .term = durable->hard_term,
        .boots = boots,
        .first = 1,
        .last = durable->last,
        .vote = durable->hard_vote,
    };
    world_note(disk->world, TRACE_RECOVERED, disk->number, group, durable->hard_term,
               durable->last);
    return true;
}

const struct wire_entry *disk_recover_entry(void *domain, uint16_t group, uint64_t index)
{
    const struct storage *disk = domain;
    const struct platter *platter = &disk->durable[group];
    if (index == 0 || index > platter->log.last)
        return NULL;
    uint64_t at = index != 1 ? platter->end[index - 1] : 0;
    return (const void *)(platter->bytes + at);
}
