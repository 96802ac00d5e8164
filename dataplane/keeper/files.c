/* Names in the folder, what is kept under them, and how a group is found again at a start. */
#include "dataplane/keeper/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FOUND_MAX                                                                                  \
    64u /* files of a group that are looked at; there are two, and what a crash left */

bool keeper_folder(struct keeper *keeper)
{
    if (keeper->folder >= 0)
        return true;
    const char *data = keeper->config.data;
    if (data == NULL) {
        const char *where = getenv("TMPDIR");
        int length =
            snprintf(keeper->own_folder, sizeof keeper->own_folder, "%s/quorate-node-%u-XXXXXX",
                     where != NULL ? where : "/tmp", (unsigned)keeper->config.self);
        if (length < 0 || (size_t)length >= sizeof keeper->own_folder ||
            mkdtemp(keeper->own_folder) == NULL) {
            keeper->own_folder[0] = '\0';
            return false;
        }
        data = keeper->own_folder;
    }
    keeper->folder = open(data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return keeper->folder >= 0;
}

void keeper_name(const struct keeper *keeper, uint16_t group, uint64_t index, const char *end,
                 char name[KEEPER_NAME_MAX])
{
    (void)snprintf(name, KEEPER_NAME_MAX, "node-%u-group-%u-%020" PRIu64 ".%s",
                   (unsigned)keeper->config.self, (unsigned)group, index, end);
}

void keeper_say(struct keeper *keeper, uint16_t group, uint64_t index, const char *sentence)
{
    char line[KEEPER_ERROR_MAX];
    if (keeper->config.say == NULL)
        return;
    (void)snprintf(line, sizeof line, "node %u, group %u, snapshot at %" PRIu64 ": %s",
                   (unsigned)keeper->config.self, (unsigned)group, index, sentence);
    keeper->config.say(keeper->config.say_domain, line);
}

struct snapshot_head keeper_head(struct keeper *keeper, uint16_t group,
                                 const struct raft_snapshot *of)
{
    return (struct snapshot_head){
        .cluster = atomic_load_explicit(&keeper->cluster, memory_order_acquire),
        .config_hash = atomic_load_explicit(&keeper->config_hash, memory_order_relaxed),
        .group = group,
        .index = of->index,
        .term = of->term,
        .members_index = of->members_index,
        .members = of->members,
    };
}

void keeper_zero(void *memory, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)memory, first = round_up(from, page);
    uintptr_t to = from + bytes, last = to - to % page;
    if (first >= last || madvise((void *)first, last - first, MADV_DONTNEED) != 0) {
        memset(memory, 0, bytes);
        return;
    }
    memset(memory, 0, first - from);
    memset((void *)last, 0, to - last);
}

/* ---- what is there --------------------------------------------------------------------------- */

/* Of a name as keeper_name makes it; false: another's. */
static bool parse(const struct keeper *keeper, const char *name, uint16_t *group, uint64_t *index,
                  const char **end)
{
    unsigned node, in;
    int at = 0;
    if (sscanf(name, "node-%u-group-%u-%" SCNu64 ".%n", &node, &in, index, &at) != 3 || at == 0 ||
        node != keeper->config.self || in >= keeper->config.group_count)
        return false;
    char same[KEEPER_NAME_MAX];
    *group = (uint16_t)in;
    *end = name + at;
    keeper_name(keeper, *group, *index, *end, same);
    return strcmp(same, name) == 0;
}

static DIR *open_listing(const struct keeper *keeper)
{
    int fd = openat(keeper->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = fd < 0 ? NULL : fdopendir(fd);
    if (listing == NULL && fd >= 0)
        (void)close(fd);
    return listing;
}

/* The newest ones of a group, newest first. */
static uint32_t find(const struct keeper *keeper, uint16_t group, uint64_t found[FOUND_MAX])
{
    uint32_t count = 0;
    DIR *listing = open_listing(keeper);
    const struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        uint16_t of;
        uint64_t index;
        const char *end;
        if (!parse(keeper, entry->d_name, &of, &index, &end) || of != group ||
            strcmp(end, "snap") != 0)
            continue;
        uint32_t at = count < FOUND_MAX ? count++ : FOUND_MAX - 1;
        if (at == FOUND_MAX - 1 && count == FOUND_MAX && found[at] > index)
            continue;
        for (; at > 0 && found[at - 1] < index; at--)
            found[at] = found[at - 1];
        found[at] = index;
    }
    if (listing != NULL)
        (void)closedir(listing);
    return count;
}

void keeper_prune(struct keeper *keeper, uint16_t group)
{
    uint64_t found[FOUND_MAX];
    uint32_t count = find(keeper, group, found);
    for (uint32_t i = KEEPER_FILES_KEPT; i < count; i++) {
        char name[KEEPER_NAME_MAX];
        keeper_name(keeper, group, found[i], "snap", name);
        (void)unlinkat(keeper->folder, name, 0);
    }
}

void keeper_sweep(struct keeper *keeper, bool all)
{
    DIR *listing = open_listing(keeper);
    const struct dirent *entry;
    while (listing != NULL && (entry = readdir(listing)) != NULL) {
        uint16_t group;
        uint64_t index;
        const char *end;
        if (parse(keeper, entry->d_name, &group, &index, &end) && (all || strcmp(end, "snap") != 0))
            (void)unlinkat(keeper->folder, entry->d_name, 0);
    }
    if (listing != NULL)
        (void)closedir(listing);
}

/* ---- at a start ------------------------------------------------------------------------------ */

static enum snapshot_refusal load_one(struct keeper *keeper, uint16_t group, uint64_t index,
                                      void *memory, const struct state_config *config,
                                      struct snapshot_about *about, struct state **state)
{
    char name[KEEPER_NAME_MAX];
    enum state_load_refusal why;
    struct raft_snapshot any = {.index = index};
    struct snapshot_head of = keeper_head(keeper, group, &any);
    keeper_name(keeper, group, index, "snap", name);
    enum snapshot_refusal refusal =
        snapshot_file_load(keeper->folder, name, &of, memory, config, about, state, &why);
    if (refusal == SNAPSHOT_OK && about->head.index != index)
        refusal = SNAPSHOT_REFUSED_HEAD;
    return refusal;
}

bool keeper_load(void *domain, uint16_t group, void *memory, const struct state_config *config,
                 struct raft_snapshot *snapshot, struct state **state)
{
    struct keeper *keeper = domain;
    uint64_t found[FOUND_MAX];
    uint32_t count = keeper->folder < 0 ? 0 : find(keeper, group, found);
    for (uint32_t i = 0; i < count; i++) {
        struct keeper_group *kept = &keeper->group[group];
        struct snapshot_about about;
        enum snapshot_refusal refusal =
            load_one(keeper, group, found[i], memory, config, &about, state);
        if (refusal == SNAPSHOT_OK) {
            kept->newest = about;
            kept->report.index = about.head.index;
            kept->report.bytes = about.bytes;
            *snapshot = (struct raft_snapshot){about.head.index, about.head.term,
                                               about.head.members_index, about.head.members};
            return true;
        }
        keeper_count(keeper, KEEPER_FILE_PASSED_OVER);
        keeper_say(keeper, group, found[i], snapshot_refusal_sentence(refusal));
        keeper_zero(memory, state_footprint(config));
    }
    return false;
}
