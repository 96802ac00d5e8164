/* lane.h: one core's pipeline of one node: the corridor that a message walks, room after room.
 *
 * Shape: rooms are functions, joined by doorways (doorway.h); a fused lane polls them in this order
 * on one core, a split one polls stages of them on several. Knowledge flows back through windows
 * only: stored seq, applied index, bytes sealed.
 *
 *   port, ducts ─► rx ─► open ─► [verify] ─► order(+append) ─┬─► persist ── stored ──► order, seal
 *                                                            ├─► apply ── replies ──┐
 *                                                            └─► seal ◄─────────────┘ ─► tx ─► port
 *
 *   A lane serves the groups g with g % lane_count == lane index. Until the view bears a cluster
 *   (bootstrap), it answers clients with NOT_LEADER and refuses members. verify is walked only
 *   where clients have to sign: it checks the signatures of all that a burst brought, over all
 *   groups, in one batch, and waits for no more.
 *
 * Memory: one flat region, lane_footprint bytes; queue, ducts and view cell are lent for the lane's
 *   life. lane_init allocates nothing; lane_fini returns every frame it holds. Threads: each room
 *   on one core at a time; the reading calls at the end from any thread. Time: clock_read, once per
 *   turn, after rx. Chance: config.seed.
 * Members: the view's first configuration is where each group's log begins; what is in force comes
 *   from the log. Whoever is in no configuration that this node knows may say hello, and is in the
 *   next view as a guest: what it then says goes to the machines, which know whom to count.
 * Limits: LANE_GROUPS_MAX groups, LANE_DUCTS_MAX ducts; burst LANE_BURST; the config's sizes.
 * Refusals: lane_events.def, beside those of wire, raft, state and port. Cost: measured per room,
 * see lane_rooms.
 */
#ifndef DATAPLANE_PIPELINE_LANE_H
#define DATAPLANE_PIPELINE_LANE_H

#include "crypto/ed25519/ed25519.h"
#include "dataplane/log/storage.h"
#include "dataplane/port/port.h"
#include "dataplane/ring/duct.h"
#include "dataplane/state/state.h"
#include "dataplane/view/view.h"
#include "protocols/raft/raft.h"

#define LANE_GROUPS_MAX   64u
#define LANE_DUCTS_MAX    8u
#define LANE_BURST        64u
#define LANE_PRIORITY_MAX 3u
#define LANE_CHANGES_MAX  8u /* members that one change concerns */

struct lane;

enum lane_room {
    ROOM_RX,
    ROOM_OPEN,
    ROOM_VERIFY,
    ROOM_ORDER,
    ROOM_PERSIST,
    ROOM_APPLY,
    ROOM_SEAL,
    ROOM_TX,
    ROOM_COUNT
};
const char *lane_room_name(enum lane_room room);

enum lane_event {
#define LANE_EVENT(name, sentence) LANE_##name,
#include "dataplane/pipeline/lane_events.def"
#undef LANE_EVENT
    LANE_EVENT_COUNT
};
const char *lane_event_name(enum lane_event event);
const char *lane_event_sentence(enum lane_event event);

/* Who may ask over the network. The local edge's clients may always. */
struct lane_clients {
    const struct ed25519_base *base; /* NULL: nobody has to sign. Outlives the lane */
    uint32_t tables; /* keys of this lane that have one; the one not seen for longest gives way */
    uint32_t window; /* bits of a table, see ed25519_keyset_window */
    const uint8_t (*key)[ED25519_KEY_BYTES]; /* ascending: only they may ask. Outlives the lane */
    uint32_t key_count;                      /* 0: whoever signs may ask */
};

struct lane_config {
    uint16_t self;
    uint8_t index; /* this lane among the node's */
    uint8_t lane_count;
    uint16_t group_count; /* of the node, over all lanes */
    uint64_t incarnation;
    uint64_t seed;
    uint64_t heartbeat_ns;
    uint64_t election_timeout_ns;
    uint64_t election_timeout_max_ns;
    uint32_t drift_ppm;
    bool lease_reads;
    uint64_t log_bytes;        /* per group; power of two */
    uint32_t entries_max;      /* per group; power of two */
    struct state_config state; /* per group */
    uint64_t time_jump_max_ms; /* how far a new leader's wall clock may move log time at most */
    uint32_t voters_max;       /* per group: promotions beyond are refused; 0: no such limit  */
    struct view_cell *view;
    struct port_queue *queue;
    struct storage *storage;
    struct duct *duct[LANE_DUCTS_MAX];
    uint32_t duct_count;
    void *clock; /* clock_read's domain */
    bool strict; /* no restart is trusted: none votes before its log is matched (raft.h, doubt) */
    uint64_t write_age_max_ns; /* as in raft_config */
    /* 0 to LANE_PRIORITY_MAX: who has more leads, after handover_ns of being fit to. Among equals
     * the groups of a node with several take turns, by their numbers. */
    uint8_t priority;
    uint64_t handover_ns; /* as in raft_config; 0: leaders stay where elections have put them */
    /* What survived a restart, for lane_recover; NULL with volatile storage. recover_entry: NULL
     * behind the last. */
    bool (*recover)(void *domain, uint16_t group, struct storage_recovered *recovered);
    const struct wire_entry *(*recover_entry)(void *domain, uint16_t group, uint64_t index);
    void *recover_domain;
    /* The newest whole snapshot of the group, loaded into state_footprint bytes of `memory`; false:
     * there is none. NULL: there never is. */
    bool (*recover_state)(void *domain, uint16_t group, void *memory,
                          const struct state_config *config, struct raft_snapshot *snapshot,
                          struct state **state);
    void *recover_state_domain;
    struct lane_clients clients;
};

/* 0: not acceptable. The first *steady_bytes (may be NULL) are used from the start and worth being
 * populated; the rest are tables whose pages come with their keys. */
size_t lane_footprint(const struct lane_config *config, size_t *steady_bytes);
struct lane *lane_init(void *memory, const struct lane_config *config);
/* Reads back what storage kept: entries that are known to be committed are applied, the others wait
 * in the log. After lane_init and before the first poll; what was recovered is not looked at again.
 * NULL: done; else a sentence that says why not, and the lane can not be used. */
const char *lane_recover(struct lane *);
void lane_fini(struct lane *);

/* One turn of all rooms. Returns how much work was found; 0: idle turn. The caller reports
 * quiescence. */
uint32_t lane_poll(struct lane *);

/* The same, room by room, for a split lane: order of calls does not matter, only who calls. */
uint32_t lane_room_poll(struct lane *, enum lane_room room);

/* When the lane next has something to do by itself (virtual time skips to it). Owner. */
uint64_t lane_wake_ns(const struct lane *);

/* Builds the table of a client's key that the verify room asked for: some 0.6 ms that no polling
 * core shall spend. Control thread, each of its turns. False: there was none. */
bool lane_build_table(struct lane *);

/* Hellos of others in this cluster, for the control thread, which publishes what they say. They
 * need not be members here: whoever has joined, or leads a configuration that this node has not
 * heard of, is first known by its hello. False: no more. */
bool lane_next_hello(struct lane *lane, uint16_t *from, uint64_t *incarnation,
                     struct wire_hello *hello);

/* If this lane leads the group, hand it over to member `to`; RAFT_NOBODY: to the follower with the
 * longest log. Status tells when it has worked; raft gives up after an election time-out. Any
 * thread; of several wishes the last one counts. False: no such group on this lane. */
bool lane_transfer(struct lane *lane, uint16_t group, uint16_t to);

/* ---- members: the view follows the log ------------------------------------------------------- */

/* Who belongs to a group, as its log on this node has it. */
struct lane_members {
    uint64_t index; /* of the entry that brought `force`; 0: the first configuration */
    bool committed; /* false: it may still be taken back */
    struct wire_members force;
    /* Who belonged since a configuration was last known to be committed, and does no longer. */
    uint32_t other_count;
    struct wire_member other[VIEW_MEMBERS_MAX];
};

/* False: nothing new since *seen (0: never looked), or no such group on this lane. Control thread,
 * which publishes a view of all groups' members. */
bool lane_members(const struct lane *lane, uint16_t group, uint64_t *seen,
                  struct lane_members *members);

struct lane_change_answer {
    enum raft_event event; /* RAFT_CHANGE_STARTED, or why not */
    uint64_t index;        /* of the entry, where it has started */
};

/* Asks this node's machine to change who belongs to the group. Any thread. False: no such group
 * on this lane, another change is being asked for, or too many at once. Without answer_wanted it
 * shows in status alone. */
bool lane_change(struct lane *lane, uint16_t group, const struct raft_change *changes,
                 uint32_t count, bool answer_wanted);
/* By who asked: false: not yet. */
bool lane_change_answer(struct lane *lane, uint16_t group, struct lane_change_answer *answer);
/* By who asked and waits no longer. False: too late, the answer comes or is there. */
bool lane_change_forget(struct lane *lane, uint16_t group);

/* ---- looks, from any thread ------------------------------------------------------------------ */

struct lane_group_status {
    uint16_t group;
    uint8_t role; /* enum raft_role, 0: awaiting bootstrap */
    uint16_t leader;
    uint64_t term;
    uint64_t last_index;
    uint64_t commit;
    uint64_t applied;
    uint64_t keys;
    uint32_t sessions;
    uint64_t log_first;
    uint64_t votes_granted;
    bool doubtful;   /* its log may lack what it had promised: see raft.h, doubt */
    uint64_t digest; /* of the state at `applied` */
    uint64_t time_ms;
    bool joint;             /* a change of members is under way                       */
    uint32_t full_copies;   /* leader: see raft_status                                */
    uint64_t members_index; /* of the configuration in force                          */
    uint8_t level;          /* of the same; see wire_level                            */
    uint16_t member_count;
    struct raft_member_status member[QUORUM_MEMBERS_MAX]; /* in force; match and next: leader's */
};

/* Consistent copy, at most a millisecond old (seqlock). False: no such group on this lane. */
bool lane_group_status(const struct lane *, uint16_t group, struct lane_group_status *status);

/* Hash of a configuration that members were heard to vote under while this node was in none; 0:
 * silence. A node that hears one lost its log, and must not be bootstrapped into another. Any
 * thread. */
uint64_t lane_heard_configuration(const struct lane *);

struct lane_room_meter {
    uint64_t cycles;      /* TSC cycles of polls that found work */
    uint64_t idle_cycles; /* ... of polls that did not           */
    uint64_t polls_with_work;
    uint64_t items;
};
void lane_rooms(const struct lane *, struct lane_room_meter meter[ROOM_COUNT]);
void lane_counters(const struct lane *, uint64_t counters[LANE_EVENT_COUNT]);
uint64_t lane_operations(const struct lane *); /* client commands applied, as leader */
void lane_raft_counters(const struct lane *,
                        uint64_t counters[RAFT_EVENT_COUNT]); /* sum over groups */
void lane_wire_counters(const struct lane *, uint64_t counters[WIRE_REFUSAL_COUNT]);
/* By enum wire_assembly_event; and of its groups' states, summed, by enum state_event. */
const uint64_t *lane_fragment_counters(const struct lane *);
void lane_state_counters(const struct lane *, uint64_t counters[STATE_EVENT_COUNT]);

/* What the verify room has seen. Batches are counted by size: [i] those of 2^i to 2^(i+1) - 1
 * signatures. */
#define LANE_BATCH_SIZES 9u
struct lane_verify_report {
    bool on;
    uint64_t batches[LANE_BATCH_SIZES];
    uint64_t without_table;             /* signatures that libsodium checked one by one */
    uint64_t evicted;                   /* tables that gave way */
    struct endpoint bad_peer;           /* where the last bad signature came from; ip 0: none yet */
    uint8_t bad_key[ED25519_KEY_BYTES]; /* whose it claimed to be: not proven */
};
void lane_verify_report(const struct lane *, struct lane_verify_report *report);

/* The group's state for lock-free reads by registered readers (edge, tests); NULL: not on this
 * lane. */
const struct state *lane_state(const struct lane *, uint16_t group);

/* Log entries still in memory, for checkers in the simulator. Owner or stopped lane only. */
const struct log *lane_log(const struct lane *, uint16_t group);
raft *lane_raft(const struct lane *, uint16_t group);

#endif
