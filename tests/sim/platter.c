#include "tests/sim/platter.h"

#include "dataplane/log/format.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_BYTES        (UINT64_C(32) << 10)
#define ROTTEN_MAX         4u
#define SHOWN_BY_WRITES    3u /* so many behind it show that a write is missing (log-format.md) */
#define STRAY_AHEAD_PIECES 2u

struct flight {
    bool out;
    uint64_t offset;
    const uint8_t *from;
    uint32_t bytes;
    uint64_t due_ns;
};

struct platter {
    struct wal_file file;
    struct world *world;
    uint32_t number;
    struct random_state random;
    uint64_t bytes;
    uint8_t **piece; /* NULL: zeroes */
    uint64_t end;    /* behind the last byte that was ever written */
    struct flight flight[WAL_FILE_SLOTS];
    uint64_t write_ns; /* 0: as usual */
    uint64_t next_ns;
    uint32_t writes_left; /* blocking ones, until they fail */
    bool hangs;
    bool failed;
    bool stray_next;
    /* The write that went astray, while nothing that came later shows it. */
    uint8_t *stray;
    uint64_t stray_offset;
    uint32_t stray_bytes;
    uint32_t stray_age;
};

static struct platter *of(struct wal_file *file)
{
    return (void *)file;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static uint8_t *piece_at(struct platter *platter, uint64_t offset)
{
    uint8_t **piece = &platter->piece[offset / PIECE_BYTES];
    if (*piece == NULL)
        *piece = sim_allocate(PIECE_BYTES);
    return *piece + offset % PIECE_BYTES;
}

static void put(struct platter *platter, uint64_t offset, const uint8_t *from, uint64_t bytes)
{
    ENSURE(offset + bytes <= platter->bytes);
    platter->end = max_u64(platter->end, offset + bytes);
    while (bytes != 0) {
        uint64_t count = min_u64(bytes, PIECE_BYTES - offset % PIECE_BYTES);
        memcpy(piece_at(platter, offset), from, count);
        offset += count;
        from += count;
        bytes -= count;
    }
}

static int read_bytes(struct wal_file *file, uint64_t offset, void *to, size_t bytes)
{
    const struct platter *platter = of(file);
    uint8_t *at = to;
    while (bytes != 0) {
        uint64_t count = min_u64(bytes, PIECE_BYTES - offset % PIECE_BYTES);
        const uint8_t *piece =
            offset < platter->bytes ? platter->piece[offset / PIECE_BYTES] : NULL;
        if (piece != NULL)
            memcpy(at, piece + offset % PIECE_BYTES, count);
        else
            memset(at, 0, count);
        offset += count;
        at += count;
        bytes -= count;
    }
    return 0;
}

/* A log is made by filling it with zeroes, which need no piece. */
static int write_bytes(struct wal_file *file, uint64_t offset, const void *from, size_t bytes)
{
    struct platter *platter = of(file);
    if (platter->writes_left == 0)
        return EIO;
    if (platter->writes_left != UINT32_MAX)
        platter->writes_left--;
    if (platter->end != 0 || load_u64(from) != 0)
        put(platter, offset, from, bytes);
    return 0;
}

static int sync_bytes(struct wal_file *file)
{
    (void)file;
    return 0;
}

/* ---- writes under way ------------------------------------------------------------------------ */

static void keep_next(struct platter *platter)
{
    platter->next_ns = UINT64_MAX;
    for (uint32_t i = 0; i < WAL_FILE_SLOTS; i++)
        if (platter->flight[i].out)
            platter->next_ns = min_u64(platter->next_ns, platter->flight[i].due_ns);
}

static uint64_t due_ns(struct platter *platter)
{
    if (platter->hangs)
        return UINT64_MAX;
    if (platter->failed)
        return platter->world->now_ns;
    uint64_t usual_ns = platter->write_ns != 0 ? platter->write_ns : platter->world->shape.disk_ns;
    return platter->world->now_ns + usual_ns / 2 + random_below(&platter->random, usual_ns);
}

static void begin(struct wal_file *file, uint32_t slot, uint64_t offset, const void *from,
                  uint32_t bytes)
{
    struct platter *platter = of(file);
    struct flight *flight = &platter->flight[slot];
    ENSURE(slot < WAL_FILE_SLOTS && !flight->out);
    *flight = (struct flight){
        .out = true, .offset = offset, .from = from, .bytes = bytes, .due_ns = due_ns(platter)};
    platter->next_ns = min_u64(platter->next_ns, flight->due_ns);
}

/* Somewhere among what is written, or a little ahead of it: never on a superblock. */
static uint64_t wrong_place(struct platter *platter, const struct flight *flight)
{
    uint64_t span = min_u64(platter->end + STRAY_AHEAD_PIECES * PIECE_BYTES, platter->bytes) -
                    FORMAT_SUPER_BYTES - flight->bytes;
    uint64_t place =
        FORMAT_SUPER_BYTES +
        random_below(&platter->random, span / FORMAT_BLOCK_BYTES + 1) * FORMAT_BLOCK_BYTES;
    return place != flight->offset ? place : place + FORMAT_BLOCK_BYTES;
}

static void go_astray(struct platter *platter, const struct flight *flight)
{
    platter->stray_next = false;
    platter->stray = sim_allocate(flight->bytes);
    memcpy(platter->stray, flight->from, flight->bytes);
    platter->stray_offset = flight->offset;
    platter->stray_bytes = flight->bytes;
    platter->stray_age = 0;
    uint64_t place = wrong_place(platter, flight);
    uint64_t bytes = min_u64(flight->bytes, platter->bytes - place);
    world_note(platter->world, TRACE_STRAY, platter->number + 1, flight->bytes, flight->offset,
               place);
    put(platter, place, flight->from, bytes);
}

static void land(struct platter *platter, const struct flight *flight)
{
    if (platter->stray_next && platter->stray == NULL &&
        platter->end + flight->bytes + FORMAT_BLOCK_BYTES < platter->bytes) {
        go_astray(platter, flight);
        return;
    }
    put(platter, flight->offset, flight->from, flight->bytes);
    platter->stray_age++;
}

static uint32_t poll(struct wal_file *file, struct wal_file_done *done)
{
    struct platter *platter = of(file);
    uint32_t count = 0;
    if (platter->next_ns > platter->world->now_ns)
        return 0;
    for (uint32_t slot = 0; slot < WAL_FILE_SLOTS; slot++) {
        struct flight *flight = &platter->flight[slot];
        if (!flight->out || flight->due_ns > platter->world->now_ns)
            continue;
        if (!platter->failed)
            land(platter, flight);
        flight->out = false;
        done[count++] = (struct wal_file_done){slot, platter->failed ? EIO : 0};
    }
    keep_next(platter);
    return count;
}

/* A lane is never closed here as a process would be: its node crashes. */
static void wait_for(struct wal_file *file, uint64_t ns)
{
    (void)file;
    (void)ns;
    ENSURE(false);
}

static void close_file(struct wal_file *file)
{
    (void)file;
}

static const struct wal_file_calls calls = {
    .read = read_bytes,
    .write = write_bytes,
    .sync = sync_bytes,
    .begin = begin,
    .poll = poll,
    .wait = wait_for,
    .close = close_file,
};

/* ---- life ------------------------------------------------------------------------------------ */

struct platter *platter_open(struct world *world, uint32_t node, uint64_t bytes)
{
    struct platter *platter = sim_allocate(sizeof *platter);
    *platter = (struct platter){
        .file = {.calls = &calls, .name = "simulated"},
        .world = world,
        .number = node,
        .bytes = bytes,
        .next_ns = UINT64_MAX,
        .writes_left = UINT32_MAX,
    };
    random_init(&platter->random, random_next(&world->random));
    platter->piece = sim_allocate((bytes + PIECE_BYTES - 1) / PIECE_BYTES * sizeof(uint8_t *));
    return platter;
}

void platter_close(struct platter *platter)
{
    for (uint64_t i = 0; i < (platter->bytes + PIECE_BYTES - 1) / PIECE_BYTES; i++)
        free(platter->piece[i]);
    free(platter->piece);
    free(platter->stray);
    free(platter);
}

struct wal_file *platter_file(struct platter *platter)
{
    return &platter->file;
}

uint64_t platter_next_ns(const struct platter *platter)
{
    return platter->next_ns;
}

/* ---- what happens to it ---------------------------------------------------------------------- */

/* A sector is written whole or not at all. */
static void survive_in_part(struct platter *platter, const struct flight *flight, uint64_t percent)
{
    for (uint32_t at = 0; at < flight->bytes; at += FORMAT_SECTOR_BYTES)
        if (chance(&platter->random, (uint32_t)percent))
            put(platter, flight->offset + at, flight->from + at, FORMAT_SECTOR_BYTES);
}

static void mend_stray(struct platter *platter)
{
    if (platter->stray != NULL && platter->stray_age < SHOWN_BY_WRITES)
        put(platter, platter->stray_offset, platter->stray, platter->stray_bytes);
    free(platter->stray);
    platter->stray = NULL;
    platter->stray_next = false;
}

uint32_t platter_crash(struct platter *platter)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < WAL_FILE_SLOTS; slot++) {
        struct flight *flight = &platter->flight[slot];
        if (!flight->out)
            continue;
        count++;
        flight->out = false;
        if (flight->due_ns <= platter->world->now_ns && !platter->failed)
            land(platter, flight); /* done, and not yet asked for */
        else if (faults_hits(platter->world, FAULT_TORN, platter->number))
            survive_in_part(platter, flight, between(&platter->random, 5, 95));
        else if (!faults_hits(platter->world, FAULT_LOST, platter->number))
            put(platter, flight->offset, flight->from, flight->bytes);
    }
    mend_stray(platter);
    platter->failed = platter->hangs = false;
    platter->writes_left = UINT32_MAX;
    platter->next_ns = UINT64_MAX;
    return count;
}

/* Nothing waits longer than two writes from now. */
static void hurry(struct platter *platter)
{
    uint64_t end_ns = platter->world->now_ns + 2 * platter->world->shape.disk_ns;
    for (uint32_t slot = 0; slot < WAL_FILE_SLOTS; slot++)
        platter->flight[slot].due_ns = min_u64(platter->flight[slot].due_ns, end_ns);
    keep_next(platter);
}

void platter_slow(struct platter *platter, uint64_t write_ns)
{
    platter->write_ns = write_ns;
    if (write_ns == 0 && !platter->hangs)
        hurry(platter);
}

void platter_hang(struct platter *platter, bool hangs)
{
    platter->hangs = hangs;
    for (uint32_t slot = 0; slot < WAL_FILE_SLOTS && hangs; slot++)
        platter->flight[slot].due_ns = UINT64_MAX;
    keep_next(platter);
    if (!hangs)
        hurry(platter);
}

void platter_fail(struct platter *platter)
{
    platter->failed = true;
    for (uint32_t slot = 0; slot < WAL_FILE_SLOTS; slot++)
        platter->flight[slot].due_ns =
            min_u64(platter->flight[slot].due_ns, platter->world->now_ns);
    keep_next(platter);
}

bool platter_failed(const struct platter *platter)
{
    return platter->failed;
}

void platter_balk(struct platter *platter, uint32_t writes)
{
    platter->writes_left = writes;
}

/* Some bits of one to four sectors, or of one copy of the superblock. */
bool platter_rot(struct platter *platter)
{
    uint32_t count = (uint32_t)between(&platter->random, 1, ROTTEN_MAX);
    bool any = false;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t offset = random_below(&platter->random, platter->end + 1);
        if (chance(&platter->random, 50)) /* the tail is where most is at stake */
            offset = platter->end - min_u64(platter->end, random_below(&platter->random, 16384));
        if (offset >= platter->end || (offset < FORMAT_SUPER_BYTES && offset >= FORMAT_BLOCK_BYTES))
            continue;
        *piece_at(platter, offset) ^= (uint8_t)(1u << random_below(&platter->random, 8));
        world_note(platter->world, TRACE_ROT, platter->number + 1, offset, 0, 0);
        any = true;
    }
    return any;
}

void platter_stray(struct platter *platter)
{
    platter->stray_next = true;
}
