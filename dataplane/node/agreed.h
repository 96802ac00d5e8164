/* agreed.h: what must be equal at all members, or replicas differ.
 *
 * Shape: the settings that decide what an entry does (which group a key is in, when a state is
 * full, when a session ends) and the one that leases rest on: nobody may vote sooner than a leader
 * with a lease believes. They are compared by name at bootstrap, and their hash is in the one that
 * every frame between members bears: whoever differs is refused as LANE_CONFIGURATION.
 *
 * Memory: the caller's. Threads: any. Time: none. Limits: AGREED_COUNT settings. Refusals:
 * agreed_same says in what two differ. Cost: start-up only.
 */
#ifndef DATAPLANE_NODE_AGREED_H
#define DATAPLANE_NODE_AGREED_H

#include "dataplane/node/host.h"

#define AGREED_COUNT    5u
#define AGREED_TEXT_MAX 32u

struct agreed {
    const char *name; /* the key of the configuration file */
    char value[AGREED_TEXT_MAX];
};

void agreed_list(const struct node_config *config, struct agreed list[AGREED_COUNT]);
uint64_t agreed_hash(const struct node_config *config);
/* The hash that every vote carries: the cluster, what all its members have agreed on, and who, in
 * which incarnation, was one when it was made. */
uint64_t agreed_configuration(uint64_t cluster, const struct wire_members *first, uint64_t agreed);
/* False: "node 3 has keys = 1024, node 1 has keys = 2048: ..." */
bool agreed_same(const struct node_config *one, const struct node_config *other,
                 char error[HOST_ERROR_MAX]);

#endif
