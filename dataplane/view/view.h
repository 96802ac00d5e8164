/* view.h: what every core knows of the cluster, read without a lock, replaced under full load.
 *
 * Shape: a view is an immutable value; the control thread publishes a new one, readers hold a
 * pointer until their next quiescent report (QSBR). Grace periods come out as a counter, so that
 * owners of other shared memory (the key-value table) can tell when what they unlinked is unseen.
 *
 *   control: view_publish(new) ── view_synchronize() ──► grace epoch + 1 ── old view reused
 *   reader:  v = view_read(cell) ... use v ... view_quiescent()
 *
 *   Who is in it follows the groups' logs; those have ids and nonces. Where a member is, it says
 *   itself: by HELLO, each second, to everybody in its view. Who joins was told by the operator
 *   where the others are, and is a guest of theirs from its first hello on: heard and answered, but
 *   of no configuration. What a configuration file says of an address holds until the first hello.
 *
 *   Threads register with liburcu. Its report may have to wake the waiter, which is a system call,
 *   so a polling core has a place here instead and reports by a store; control looks at the places
 *   before it asks liburcu.
 *
 * Memory: a cell holds VIEW_VERSIONS copies; publish waits for a grace period before it reuses one,
 *   so it is for the control thread alone. Threads: readers register first; a reader that will
 *   sleep goes offline.
 * Time: a grace period lasts as long as the longest turn of a core; control naps meanwhile.
 * Limits: VIEW_MEMBERS_MAX members, WIRE_LANES_MAX lanes each; VIEW_CORES_MAX polling cores in a
 * process.
 * Refusals: none. Cost: view_read one load; view_quiescent of a core one load, and a locked store
 * per grace period.
 */
#ifndef DATAPLANE_VIEW_VIEW_H
#define DATAPLANE_VIEW_VIEW_H

#include "protocols/core/quorum.h"
#include "protocols/wire/members.h"

#define VIEW_MEMBERS_MAX QUORUM_MEMBERS_MAX
#define VIEW_CORES_MAX   256u

struct view_member {
    uint16_t id;
    bool known;           /* a hello was heard, or the embedder told: addresses below are good */
    bool guest;           /* of no configuration here: heard, and answered, but without a say  */
    uint64_t heard_ns;    /* of a guest, by the control thread's clock; for that alone          */
    uint64_t incarnation; /* bound by the configuration; frames of another are refused          */
    uint64_t hello_epoch;
    uint8_t level; /* the highest that it speaks, as its last hello said */
    uint32_t ip;
    uint16_t resp_port; /* where its RESP edge listens, 0: unknown */
    uint16_t lane_count;
    uint16_t port[WIRE_LANES_MAX];
    uint16_t source_port[WIRE_LANES_MAX]; /* to send from, so that its queue is hit; 0: any  */
    uint16_t
        source_port_to_us[WIRE_LANES_MAX]; /* what we ask of it in our hello                  */
};

struct view {
    uint64_t epoch;       /* rises with each publish                                         */
    uint64_t cluster;     /* 0: not bootstrapped: refuses every peer                          */
    uint64_t config_hash; /* of cluster, first members, and settings that must be equal      */
    uint16_t self;
    uint16_t member_count;
    uint16_t group_count;
    /* Whoever some group's configuration names, the former one too until its successor is
     * committed, this node itself, and guests. Ascending ids. */
    struct view_member member[VIEW_MEMBERS_MAX];
    /* The cluster's first configuration, the same for ever: where this node's logs begin. Who is
     * not in it has joined later. */
    struct wire_members first;
};

struct view_cell;

size_t view_cell_footprint(void);
struct view_cell *view_cell_init(void *memory, const struct view *first);

/* Control thread only; waits for one grace period. */
void view_publish(struct view_cell *, const struct view *next);

/* Reader, registered and online: valid until its next view_quiescent or view_offline. */
const struct view *view_read(const struct view_cell *);

/* NULL: no such member. */
const struct view_member *view_member_find(const struct view *, uint16_t id);

/* ---- readers and grace periods: process-wide, as liburcu is ---------------------------------- */

void view_thread_register(void); /* comes back online, with liburcu */
void view_core_register(void);   /* the same for a polling core     */
void view_thread_unregister(void);
void view_quiescent(void); /* once per loop turn: holds no pointer from before */
void view_offline(void);   /* before any sleep */
void view_online(void);

/* Control thread: waits until every online reader has reported, then moves the completed epoch
 * on. */
void view_synchronize(void);
uint64_t view_epoch_started(void); /* an owner tags what it unlinks with this ...                */
uint64_t
view_epoch_completed(void); /* ... and reuses it once this is above the tag               */

#endif
