#include "dataplane/node/identity.h"

#include "crypto/digest/digest.h"
#include "numa/base/bits.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_BYTES   4096u
#define COPIES        2u
#define MAGIC         UINT64_C(0x3144495251) /* "QRID1" */
#define IDENTITY_SEED UINT64_C(0x6964656e74697479)
#define FIXED_BYTES   64u
#define MEMBER_BYTES  16u
#define PLACE_BYTES   16u

static_assert(FIXED_BYTES + VIEW_MEMBERS_MAX * (MEMBER_BYTES + PLACE_BYTES) + 8 <= BLOCK_BYTES,
              "one block");

static void encode(const struct identity *identity, uint8_t block[BLOCK_BYTES])
{
    memset(block, 0, BLOCK_BYTES);
    store_u64(block, MAGIC);
    store_u64(block + 8, identity->edition);
    store_u64(block + 16, identity->incarnation);
    store_u64(block + 24, identity->cluster);
    store_u64(block + 32, identity->agreed);
    store_u64(block + 40, identity->node);
    store_u64(block + 48, (uint64_t)identity->member_count << 1 | identity->made);
    store_u64(block + 56, identity->place_count);
    uint8_t *at = block + FIXED_BYTES;
    for (uint32_t i = 0; i < identity->member_count; i++, at += MEMBER_BYTES) {
        store_u64(at, identity->member[i]);
        store_u64(at + 8, identity->member_incarnation[i]);
    }
    for (uint32_t i = 0; i < identity->place_count; i++, at += PLACE_BYTES) {
        const struct identity_place *place = &identity->place[i];
        store_u64(at, place->incarnation);
        store_u64(at + 8, (uint64_t)place->ip << 32 | (uint32_t)place->port << 16 | place->id);
    }
    store_u64(block + BLOCK_BYTES - 8, digest_hash64(block, BLOCK_BYTES - 8, IDENTITY_SEED));
}

static bool decode(const uint8_t block[BLOCK_BYTES], struct identity *identity)
{
    if (load_u64(block) != MAGIC ||
        load_u64(block + BLOCK_BYTES - 8) != digest_hash64(block, BLOCK_BYTES - 8, IDENTITY_SEED) ||
        load_u64(block + 48) >> 1 > VIEW_MEMBERS_MAX || load_u64(block + 56) > VIEW_MEMBERS_MAX)
        return false;
    *identity = (struct identity){
        .edition = load_u64(block + 8),
        .incarnation = load_u64(block + 16),
        .cluster = load_u64(block + 24),
        .agreed = load_u64(block + 32),
        .node = (uint16_t)load_u64(block + 40),
        .made = (load_u64(block + 48) & 1) != 0,
        .member_count = (uint16_t)(load_u64(block + 48) >> 1),
        .place_count = (uint16_t)load_u64(block + 56),
    };
    const uint8_t *at = block + FIXED_BYTES;
    for (uint32_t i = 0; i < identity->member_count; i++, at += MEMBER_BYTES) {
        identity->member[i] = (uint16_t)load_u64(at);
        identity->member_incarnation[i] = load_u64(at + 8);
    }
    for (uint32_t i = 0; i < identity->place_count; i++, at += PLACE_BYTES) {
        uint64_t where = load_u64(at + 8);
        identity->place[i] = (struct identity_place){
            .incarnation = load_u64(at),
            .ip = (uint32_t)(where >> 32),
            .port = (uint16_t)(where >> 16),
            .id = (uint16_t)where,
        };
    }
    return true;
}

/* The newer whole copy. False: there are bytes, and no copy is whole. */
static bool read_copies(int fd, struct identity *identity)
{
    uint8_t block[BLOCK_BYTES];
    bool blank = true;
    *identity = (struct identity){0};
    for (uint32_t copy = 0; copy < COPIES; copy++) {
        struct identity found;
        ssize_t bytes = pread(fd, block, sizeof block, (off_t)copy * BLOCK_BYTES);
        for (ssize_t i = 0; i < bytes; i++)
            blank &= block[i] == 0;
        if (bytes == (ssize_t)sizeof block && decode(block, &found) &&
            found.edition > identity->edition)
            *identity = found;
    }
    return blank || identity->edition != 0;
}

bool node_identity_path(const struct node_config *config, char *path, size_t bytes)
{
    int length = snprintf(path, bytes, "%s/node-%u.id", config->data, (unsigned)config->id);
    return length > 0 && (size_t)length < bytes;
}

bool node_snapshot_name(const struct node_config *config, uint32_t group, uint64_t index,
                        char *name, size_t bytes)
{
    int length = snprintf(name, bytes, "node-%u-group-%u-%020" PRIu64 ".snap", (unsigned)config->id,
                          group, index);
    return length > 0 && (size_t)length < bytes;
}

bool identity_open(struct identity_file *file, const char *path, struct identity *identity,
                   char error[HOST_ERROR_MAX])
{
    const char *problem = NULL;
    file->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->fd < 0)
        problem = strerrordesc_np(errno);
    else if (flock(file->fd, LOCK_EX | LOCK_NB) != 0)
        problem = "another process runs this node";
    else if (!read_copies(file->fd, identity))
        problem = "damaged: who this node was is lost, and it must come back as a new one";
    if (problem == NULL)
        return true;
    (void)snprintf(error, HOST_ERROR_MAX, "%.160s: %.90s", path, problem);
    identity_close(file);
    return false;
}

bool identity_write(const struct identity_file *file, struct identity *identity)
{
    uint8_t block[BLOCK_BYTES];
    struct identity next = *identity;
    next.edition++;
    encode(&next, block);
    off_t place = (off_t)(next.edition % COPIES) * BLOCK_BYTES;
    if (pwrite(file->fd, block, sizeof block, place) != (ssize_t)sizeof block ||
        fdatasync(file->fd) != 0)
        return false;
    *identity = next;
    return true;
}

void identity_close(struct identity_file *file)
{
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = -1;
}
