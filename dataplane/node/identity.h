/* identity.h: who a node is, in a file of its own beside its logs: what makes it the same member
 * again after a restart.
 *
 * Shape: two copies of one block, written by turns; the newer whole one counts, so that a write
 *   that is cut leaves what was before. The file is locked for as long as it is open.
 *
 *   node is new ─► identity (made = no) ─► logs ─► made = yes ─► bootstrap, join: cluster, members
 *
 *   With `made` the logs must be there. A node without its logs must not come back under the same
 *   incarnation: it would vote again where it has voted.
 * Memory: the caller's; a descriptor. Threads: one at a time. Time: none.
 * Limits: VIEW_MEMBERS_MAX members. Refusals: a sentence. Cost: start and bootstrap only: a block
 *   and a flush.
 */
#ifndef DATAPLANE_NODE_IDENTITY_H
#define DATAPLANE_NODE_IDENTITY_H

#include "dataplane/node/host.h"

struct identity_place {
    uint64_t incarnation;
    uint32_t ip;
    uint16_t port; /* of lane 0 */
    uint16_t id;
};

struct identity {
    uint64_t edition; /* how often it was written; 0: never */
    uint64_t incarnation;
    uint64_t cluster; /* 0: none yet */
    uint64_t agreed;  /* agreed_hash under which the log began */
    uint16_t node;
    bool made;             /* its logs are there */
    uint16_t member_count; /* of the cluster's first configuration */
    uint16_t member[VIEW_MEMBERS_MAX];
    uint64_t member_incarnation[VIEW_MEMBERS_MAX];
    uint16_t place_count; /* of those that a node which has joined since was told of */
    struct identity_place place[VIEW_MEMBERS_MAX];
};

struct identity_file {
    int fd; /* -1: none */
};

/* Opens or makes the file and locks it. *identity: what it holds, edition 0 if it is new. */
bool identity_open(struct identity_file *file, const char *path, struct identity *identity,
                   char error[HOST_ERROR_MAX]);
/* Durable when it returns; edition rises. False: not written, and nothing is lost. */
bool identity_write(const struct identity_file *file, struct identity *identity);
void identity_close(struct identity_file *file);

#endif
