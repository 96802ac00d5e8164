/* member.h: what the parts of `quorate member` and `quorate upgrade` share. For this folder alone.
 *
 * Shape: member.c and upgrade.c read the words and say the verdict; fleet.c looks at all endpoints,
 * and tells the node that is to come; change.c brings one group there, through its leader.
 *
 *   member.c ─► fleet_look ─► (fleet_invite) ─► change_all: group after group
 *
 * Memory: the fleet's JSON is the caller's, until fleet_forget. Threads: one. Time: each wait is
 * a multiple of --timeout. Limits: OPERATOR_ENDPOINTS_MAX endpoints. Refusals: exit codes, with a
 * sentence on standard error. Cost: not measured.
 */
#ifndef DATAPLANE_OPERATOR_MEMBER_H
#define DATAPLANE_OPERATOR_MEMBER_H

#include "dataplane/operator/operator.h"

enum wish { WISH_LEARNER, WISH_VOTER, WISH_WITNESS, WISH_GONE, WISH_REPLACED, WISH_LEVEL };

struct goal {
    enum wish wish;
    unsigned id;          /* who comes, or changes, or goes; the level */
    uint64_t incarnation; /* of who comes; 0: who has the id */
    unsigned old_id;      /* replaced: who goes */
};

struct fleet {
    json_t *status[OPERATOR_ENDPOINTS_MAX]; /* NULL: does not answer */
    const char *cluster;                    /* the one that the endpoints are in */
    uint32_t member;                        /* an endpoint that is in it */
    uint32_t groups;
};

int fleet_look(const struct operator_options *options, struct fleet *fleet);
void fleet_forget(struct fleet *fleet);
/* The endpoint whose node has this id. */
bool fleet_find(const struct operator_options *options, const struct fleet *fleet, unsigned id,
                uint32_t *at);
/* Does any group have it, as its leader says? */
bool fleet_has(const struct operator_options *options, const struct fleet *fleet, unsigned id);
/* The node that is to come must be at one of the endpoints, empty or of this cluster already. */
int fleet_invite(const struct operator_options *options, const struct fleet *fleet,
                 struct goal *goal);

/* In every group; ends with the first that does not get there. */
int change_all(const struct operator_options *options, const struct goal *goal, uint32_t groups);

#endif
