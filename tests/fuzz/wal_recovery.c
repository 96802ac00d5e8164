/* A log on a disk that rotted, tore and lost: the input edits a good one. Whatever it does, the log
 * opens or is refused; what is found is in order; and without `damaged`, what had been reported is
 * there. An input that seals its edits again (first byte odd) gets past the checksums. */
#include "dataplane/log/format.h"
#include "dataplane/log/wal.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#define SEGMENT_BYTES 20480u
#define SEGMENTS      4u
#define DISK_BYTES    (FORMAT_SUPER_BYTES + (uint64_t)SEGMENTS * SEGMENT_BYTES)
#define ENTRIES       9u
#define NONCE         UINT64_C(0x5151)

struct disk {
    struct wal_file file;
    uint8_t bytes[DISK_BYTES];
    struct wal_file_done done[WAL_FILE_SLOTS];
    uint32_t done_count;
};

static int disk_read(struct wal_file *file, uint64_t offset, void *to, size_t bytes)
{
    memcpy(to, ((struct disk *)(void *)file)->bytes + offset, bytes);
    return 0;
}

static int disk_write(struct wal_file *file, uint64_t offset, const void *from, size_t bytes)
{
    memcpy(((struct disk *)(void *)file)->bytes + offset, from, bytes);
    return 0;
}

static int disk_sync(struct wal_file *file)
{
    (void)file;
    return 0;
}

static void disk_begin(struct wal_file *file, uint32_t slot, uint64_t offset, const void *from,
                       uint32_t bytes)
{
    struct disk *disk = (void *)file;
    (void)disk_write(file, offset, from, bytes);
    disk->done[disk->done_count++] = (struct wal_file_done){.slot = slot};
}

static uint32_t disk_poll(struct wal_file *file, struct wal_file_done *done)
{
    struct disk *disk = (void *)file;
    uint32_t count = disk->done_count;
    memcpy(done, disk->done, count * sizeof *done);
    disk->done_count = 0;
    return count;
}

static void disk_wait(struct wal_file *file, uint64_t ns)
{
    (void)file, (void)ns;
}

static const struct wal_file_calls calls = {
    .read = disk_read,
    .write = disk_write,
    .sync = disk_sync,
    .begin = disk_begin,
    .poll = disk_poll,
    .wait = disk_wait,
};

static struct disk good, disk;
static uint8_t memory[1u << 18] __attribute__((aligned(64)));

static struct storage *open_log(struct disk *on)
{
    struct wal_config config;
    wal_config_defaults(&config);
    config.nonce = NONCE;
    config.node = 1;
    config.segments = SEGMENTS;
    config.segment_bytes = SEGMENT_BYTES;
    config.batch_bytes = 4096;
    config.body_bytes_max = 1024;
    config.file = &on->file;
    on->file.calls = &calls;
    ENSURE(wal_footprint(&config) != 0 && wal_footprint(&config) <= sizeof memory);
    enum wal_refusal refusal;
    struct storage *storage = wal_open(memory, &config, &refusal);
    ENSURE((storage == NULL) == (refusal != WAL_OPENED));
    return storage;
}

static void make_good(void)
{
    struct log_config log_config = {.bytes = 1u << 24, .entries_max = 1u << 10, .first_index = 1};
    struct log *log =
        log_init(aligned_alloc(64, round_up(log_footprint(&log_config), 64)), &log_config);
    struct storage *storage = open_log(&good);
    ENSURE(storage != NULL);
    for (uint64_t i = 1; i <= ENTRIES; i++) {
        struct wire_entry *entry = log_append(log, i, 700);
        entry->term = i;
        memset(entry + 1, (int)i, 704);
        struct storage_write write = {.seq = i, .term = i, .first = i, .last = i, .vote = 1};
        ENSURE(storage_submit(storage, &write, 1, &log, 0) == 1);
        for (int turn = 0; storage_poll(storage, 0) != i; turn++)
            ENSURE(turn < 10);
    }
    wal_close(storage);
    free(log);
}

/* The write that holds this place gets checksums that fit. */
static void seal_again(uint64_t offset)
{
    uint64_t start = offset / FORMAT_BLOCK_BYTES * FORMAT_BLOCK_BYTES;
    if (start < FORMAT_SUPER_BYTES) {
        struct format_super super;
        memcpy(&super, disk.bytes + start, sizeof super);
        format_super_put(&super, disk.bytes + start);
        return;
    }
    struct format_head *head = (void *)(disk.bytes + start);
    if (format_write_bytes(head->bytes) != FORMAT_BLOCK_BYTES || head->bytes % 8 != 0 ||
        head->bytes < FORMAT_HEAD_BYTES)
        return;
    (void)format_seal(disk.bytes + start, NONCE, start / FORMAT_SECTOR_BYTES);
}

static void look(struct storage *storage, bool whole)
{
    struct storage_recovered found;
    bool any = wal_recover(storage, 0, &found);
    ENSURE(any);
    uint64_t term = 0;
    for (uint64_t i = found.first; i <= found.last; i++) {
        const struct wire_entry *entry = wal_recover_entry(storage, 0, i);
        ENSURE(entry != NULL && entry->index == i && entry->term >= term);
        term = entry->term;
    }
    ENSURE(wal_recover_entry(storage, 0, found.last + 1) == NULL);
    ENSURE(!whole || found.damaged || (found.first == 1 && found.last == ENTRIES));
}

/* One edit: some bytes are flipped or set. Returns whether they were set. */
static bool edit(struct fuzz_input *input, bool seals)
{
    uint64_t place = (fuzz_u16(input) | (uint64_t)fuzz_u8(input) << 16) % DISK_BYTES;
    uint64_t length = min_u64(fuzz_u8(input) + 1u, DISK_BYTES - place);
    uint8_t value = fuzz_u8(input);
    bool sets = (fuzz_u8(input) & 1) != 0;
    for (uint64_t i = place; i < place + length; i++)
        disk.bytes[i] = sets ? value : disk.bytes[i] ^ value;
    if (seals)
        seal_again(place);
    return sets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    if (good.file.calls == NULL)
        make_good();
    memcpy(&disk, &good, sizeof disk);
    bool seals = (fuzz_u8(&input) & 1) != 0;
    /* Several edits can blank a sector, or forge one: then it has to end well, and no more. */
    bool forged = seals;
    for (uint32_t edits = 0; input.bytes != 0 && edits < 64; edits++)
        forged |= edit(&input, seals) || edits != 0;
    struct storage *storage = open_log(&disk);
    ENSURE(storage != NULL || forged);
    if (storage == NULL)
        return 0;
    look(storage, !forged);
    wal_close(storage);
    return 0;
}
