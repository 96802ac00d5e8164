/* saving.c: QUORATE SNAPSHOT, for `quorate snapshot save`: a snapshot that reaches an entry, and
 * its bytes. On the edge's thread: a piece is one read of a bounded size.
 *
 *   TAKE group index          {"index":n,"bytes":n}, or {} while the keeper is at it
 *   READ group index offset   hexadecimal, as texts hold no zeros; nothing: the end */
#include "dataplane/keeper/keeper.h"
#include "dataplane/node/internal.h"

#include "crypto/ed25519/ed25519.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_BYTES 30000u /* twice that is a text */

static bool refuse(char *text, uint32_t capacity, const char *why)
{
    (void)snprintf(text, capacity, "%s", why);
    return false;
}

/* One that began since it was asked for reaches whatever was applied before. */
static bool take(struct node *node, uint16_t group, uint64_t index, char *text, uint32_t capacity)
{
    struct keeper_group_report report;
    struct keeper_answer answer;
    uint64_t *ticket = &node->saving[group];
    if (keeper_report(node->keeper, group, &report) && report.index != 0 && report.index >= index) {
        *ticket = 0;
        (void)snprintf(text, capacity, "{\"index\":%" PRIu64 ",\"bytes\":%" PRIu64 "}",
                       report.index, report.bytes);
        return true;
    }
    (void)snprintf(text, capacity, "{}");
    if (*ticket != 0 && !keeper_answer(node->keeper, group, *ticket, &answer))
        return true;
    if (*ticket != 0 && answer.refusal != SNAPSHOT_OK) {
        *ticket = 0;
        return refuse(text, capacity, snapshot_refusal_sentence(answer.refusal));
    }
    *ticket = keeper_ask(node->keeper, group); /* or again: the last one does not reach so far */
    return true;
}

static bool read_piece(const struct node *node, uint16_t group, uint64_t index, uint64_t offset,
                       char *text, uint32_t capacity)
{
    uint8_t piece[PIECE_BYTES];
    char path[512], name[SNAPSHOT_NAME_BYTES];
    if (!node_snapshot_name(&node->config, group, index, name, sizeof name))
        return refuse(text, capacity, "there is no such snapshot");
    (void)snprintf(path, sizeof path, "%s/%s", node->config.data, name);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return refuse(text, capacity, "this snapshot is gone: begin again");
    ssize_t bytes = pread(file, piece, min_u32(sizeof piece, capacity / 2 - 1), (off_t)offset);
    (void)close(file);
    if (bytes < 0)
        return refuse(text, capacity, "this snapshot can not be read");
    ed25519_to_hex(text, piece, (size_t)bytes);
    return true;
}

bool node_snapshot(struct node *node, const char *argument, char *text, uint32_t capacity)
{
    char verb[8] = "", rest = '\0';
    uint64_t index = 0, offset = 0;
    unsigned group = 0;
    int said =
        sscanf(argument, "%7s %u %" SCNu64 " %" SCNu64 "%c", verb, &group, &index, &offset, &rest);
    bool takes = strcmp(verb, "TAKE") == 0 && said == 3;
    if (!takes && !(strcmp(verb, "READ") == 0 && said == 4 && offset <= INT64_MAX))
        return refuse(text, capacity, "wants: TAKE group index, or READ group index offset");
    if (group >= node->config.group_count)
        return refuse(text, capacity, "this node has no such group");
    if (node->config.data == NULL)
        return refuse(text, capacity, "durability = volatile: this node keeps no files");
    return takes ? take(node, (uint16_t)group, index, text, capacity)
                 : read_piece(node, (uint16_t)group, index, offset, text, capacity);
}
