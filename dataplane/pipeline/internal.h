/* internal.h: the furniture that the rooms of one lane share. For this folder alone.
 *
 * Shape: each room owns one struct below and touches no other's; what passes between rooms are
 * records (records.h), through doorways, and the windows, each with one writer. Memory, threads,
 * limits: see lane.h.
 */
#ifndef DATAPLANE_PIPELINE_INTERNAL_H
#define DATAPLANE_PIPELINE_INTERNAL_H

#include "dataplane/pipeline/clock.h"
#include "dataplane/pipeline/doorway.h"
#include "dataplane/pipeline/notes.h"
#include "dataplane/pipeline/records.h"
#include "dataplane/pipeline/replay.h"
#include "dataplane/pipeline/seats.h"
#include "dataplane/state/capture.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "protocols/wire/chunk.h"
#include "protocols/wire/fragment.h"
#include "protocols/wire/signed.h"

#include <stdatomic.h>

#define ADMIT_BATCH         64u
#define ORIGINS_MAX         65536u /* unapplied proposals whose asker is remembered; power of two */
#define VERIFY_BURST        256u   /* messages that one poll of verify takes */
#define HELD_MAX            4096u  /* messages waiting for storage; power of two */
#define PENDING_WRITES_MAX  4096u  /* writes handed to persist and not yet stored; power of two */
#define PENDING_REFUSED     256u   /* a follower's, behind a storage that takes none */
#define CLIENT_FRAMES_MAX   16u    /* frames to different clients that are open at a time */
#define FRAME_STASH         32u
#define READS_BYTES         (4u << 20)  /* an eighth holds the reads of one burst */
#define READ_BODY_MAX       1024u       /* of a read's command: key or pattern */
#define APPLY_SCRATCH_BYTES (64u << 10) /* a SCAN's answer */
#define CUTTINGS_MAX        2u
#define GUIDE_SILENT_MAX    8u
#define BROUGHT_MAX         8u /* configurations that one APPEND may bring */
#define STATUS_PERIOD_NS    1000000u
#define HELLO_PERIOD_NS     1000000000u
#define INSTALL_LOOK_NS     100000u
#define REASSEMBLY_NS       200000000u
#define REASSEMBLY_QUIET_NS                                                                        \
    25000000u /* so long without a piece, and a message gives way to a newer one */

/* Who asked for the proposal at an index; only the leader that proposed it answers. */
struct origin {
    uint64_t index;
    uint64_t term;
    uint64_t client;
    uint64_t sequence;
    struct endpoint peer;
    uint32_t route;
    uint16_t member;
};

/* Next sequence that a session may propose under the current leadership. */
struct admission {
    uint64_t session;
    uint64_t next;
    uint64_t term;
};

/* Log time may not run away with a leader's wall clock: anchored when its term starts. */
struct log_clock {
    uint64_t last_ms;      /* of the last entry in the log         */
    uint64_t last_seen_ns; /* when that entry was appended here    */
    uint64_t anchor_ms;    /* log time at the start of the term    */
    uint64_t anchor_now_ns;
    uint64_t anchor_term;
};

/* A change of members on its way from any thread to order, and its answer back. */
enum change_state { CHANGE_FREE, CHANGE_CLAIMED, CHANGE_ASKED, CHANGE_TAKEN, CHANGE_ANSWERED };

struct change_box {
    _Atomic uint32_t state; /* enum change_state: who sees which value owns the rest */
    bool answer_wanted;
    uint32_t count;
    struct raft_change change[LANE_CHANGES_MAX];
    struct lane_change_answer answer;
};

/* What a restart found of a group: what its machine begins with. */
struct kept {
    bool any;
    struct raft_restore restore;
    struct wire_members members;   /* in force before the first entry in the ring, if known */
    bool unspoken;                 /* a configuration is of a level above wire_level */
    struct raft_snapshot snapshot; /* index 0: none */
};

struct group {
    raft *raft;
    struct log *log;
    struct state *_Atomic state; /* apply's; another one after an installation */
    struct doorway *reads;       /* waiting for a round: order to order */
    struct origin *origins;
    struct admission *admissions;
    struct log_clock time;
    struct kept kept;
    uint64_t wake_ns;
    uint64_t handed;     /* last index given to apply */
    uint64_t first_told; /* log_first_index as raft knows it */
    uint64_t applied_told;
    uint64_t installing; /* index of a snapshot on its way to apply, 0: none */
    uint64_t reads_from; /* a follower that has handed less to apply sends reads to its leader */
    uint32_t reads_waiting;
    uint64_t votes_granted;
    uint16_t number;
    bool touched;        /* in this turn's list */
    bool led;            /* by this node when its machine last spoke */
    bool joint;          /* so is the configuration in force */
    bool has_witness;    /* as above */
    bool out;            /* no configuration gives this node a role */
    bool snapshot_asked; /* the keeper has been told that one is wanted */
    uint32_t marks_seen;
    uint64_t mark_index;       /* apply's, behind `marks` */
    _Atomic uint32_t marks;    /* window: apply -> order: how often the state was marked */
    uint16_t guide;            /* who leads, as a member has said that was asked */
    uint32_t guide_unanswered; /* requests that went there since its last answer */
    uint32_t guides_tried;
    _Atomic uint32_t transfer_to; /* id + 1 of who shall lead, 0: nothing asked; any to order */
    CACHE_ALIGNED _Atomic uint64_t status_version; /* odd: being written */
    struct lane_group_status status;
    CACHE_ALIGNED _Atomic uint64_t members_version; /* odd: being written */
    struct lane_members members;
    struct change_box change;
};

/* ---- rooms ----------------------------------------------------------------------------------- */

struct open_room {
    struct seats seats;
    struct replay_window window[VIEW_MEMBERS_MAX][WIRE_LANES_MAX];
    uint64_t refused[WIRE_REFUSAL_COUNT];
};

/* A table that is being built: the room asks, control answers. */
enum want { WANT_NOTHING, WANT_TABLE, WANT_DONE };

struct verify_room {
    struct ed25519_cache *cache; /* NULL: nobody has to sign */
    struct arrival *arrival[VERIFY_BURST];
    struct ed25519_job job[VERIFY_BURST];
    bool verdict[VERIFY_BURST];
    uint32_t job_of[VERIFY_BURST]; /* by arrival */
    uint32_t want_slot;
    uint64_t next_alone_ns;
    CACHE_ALIGNED _Atomic uint32_t want; /* enum want */
    CACHE_ALIGNED struct lane_verify_report report;
};

struct pending_write {
    uint64_t seq;
    uint32_t slot;
};

struct order_room {
    uint64_t next_seq;
    bool storage_refuses; /* this turn: full, or failed */
    uint64_t give_up_ns;  /* storage failed: leadership is to go then */
    struct pending_write pending[PENDING_WRITES_MAX];
    uint32_t pending_head;
    uint32_t pending_tail;
    uint32_t touched[LANE_GROUPS_MAX];
    uint32_t touched_count;
    uint64_t wake_ns;
    uint64_t next_status_ns;
    uint32_t wishes_seen;
    struct frame freed[LANE_BURST];
    uint32_t freed_count;
    uint32_t brought_count;
    struct wire_members brought[BROUGHT_MAX]; /* by the APPEND that is being stepped */
    struct wire_assembly_table *assemblies;
};

/* A result too large for one frame leaves in pieces, over as many polls as seal needs. */
struct cutting {
    uint16_t group;
    uint32_t next_piece;
    struct asker asker;
    struct wire_cut cut;
    uint8_t head[WIRE_REPLY_HEAD_BYTES];
    uint8_t *copy; /* APPLY_SCRATCH_BYTES, for what does not lie in the state */
};

struct apply_room {
    uint64_t operations;
    uint64_t cursor; /* next index of the commit record at the head; 0: none begun */
    struct cutting cutting[CUTTINGS_MAX]; /* a queue: the first is being sent */
    uint32_t cutting_first;
    uint32_t cutting_count;
    uint64_t cut_resume_ns;
    uint64_t cut_since_ns; /* no value could be reclaimed since */
    uint8_t *scratch;
    uint32_t piece_id;
};

/* A frame being filled. */
struct outgoing {
    struct frame frame;
    struct wire_writer writer;
    bool open;
    bool reply; /* its last message is a reply, of: */
    uint16_t group;
    uint32_t route;
    uint64_t client;
    uint64_t session;
};

struct seal_room {
    struct seats seats;
    struct outgoing member[VIEW_MEMBERS_MAX];
    struct outgoing client[CLIENT_FRAMES_MAX];
    uint64_t open_members; /* bit per member with an open frame */
    uint32_t open_clients; /* bit per client slot               */
    uint32_t next_client;
    uint64_t frame_number[VIEW_MEMBERS_MAX]; /* by seat, as the frames above */
    struct parcel *held;                     /* HELD_MAX, waiting for storage     */
    uint32_t held_head;
    uint32_t held_tail;
    struct frame stash[FRAME_STASH]; /* empty frames of the port */
    uint32_t stash_count;
    uint32_t piece_id;
    uint32_t next_piece; /* of the oversize entry at the head of parcels */
    uint64_t next_hello_ns;
    uint64_t hello_epoch;
};

/* What a room knows of the world in this turn. */
struct look {
    const struct view *view;
    struct clock_sample clock;
};

struct lane {
    struct lane_config config;
    struct look *look[ROOM_COUNT]; /* the same for all rooms that one core polls */
    struct look looks[ROOM_COUNT];
    uint32_t group_count; /* on this lane */
    bool started;         /* groups exist: the view bears a cluster */
    bool fused;           /* one core polls all rooms */
    uint64_t cluster;
    uint64_t config_hash;
    _Atomic uint64_t heard_hash; /* configuration that others voted under before bootstrap */
    struct group *group;
    uint32_t raft_entry_bytes_max;
    uint64_t frame_number_base;

    struct doorway *arrived;  /* rx -> open */
    struct doorway *opened;   /* open -> verify */
    struct doorway *verified; /* verify -> order; the same as opened where nobody has to sign */
    struct doorway *writes;   /* order -> persist */
    struct doorway *work;     /* order -> apply */
    struct doorway *parcels;  /* order -> seal */
    struct doorway *replies;  /* apply -> seal */
    struct doorway *sealed;   /* seal -> tx */
    struct doorway *hellos;   /* order -> control */
    struct doorway *notes;    /* order -> keeper */
    struct doorway *errands;  /* keeper -> order */

    struct open_room open;
    struct verify_room verify;
    struct order_room order;
    struct apply_room apply;
    struct seal_room seal;
    struct raft_entry *step_entries;

    CACHE_ALIGNED _Atomic uint64_t stored; /* window: persist -> order, seal */
    CACHE_ALIGNED _Atomic uint32_t
        tx_waiting; /* window: tx -> seal: frames that the device did not take yet */
    CACHE_ALIGNED _Atomic uint32_t wishes_asked; /* window: any -> order */
    CACHE_ALIGNED _Atomic uint64_t captures; /* bit per group whose state is asked for or walked */
    CACHE_ALIGNED struct lane_room_meter meter[ROOM_COUNT];
    uint64_t counter[LANE_EVENT_COUNT];
};

/* ---- rooms, in the order of the corridor; each returns how much it did ----------------------- */
uint32_t lane_rx_poll(struct lane *);
uint32_t lane_open_poll(struct lane *);
uint32_t lane_verify_poll(struct lane *);
uint32_t lane_order_poll(struct lane *);
uint32_t lane_persist_poll(struct lane *);
uint32_t lane_apply_poll(struct lane *);
uint32_t lane_seal_poll(struct lane *);
uint32_t lane_tx_poll(struct lane *);

/* ---- order's parts --------------------------------------------------------------------------- */

/* First use of a group in a turn: tells its machine the time and what was applied. */
void order_touch(struct lane *, uint32_t slot);
bool order_has_room(struct lane *);
/* Pulls everything the machine has to say and hands it on. False: a doorway is full, again next
 * turn. */
bool order_ready(struct lane *, uint32_t slot);

void order_raft(struct lane *, const struct arrival *arrival);
bool order_append_in_place(struct lane *, uint32_t slot, struct wire_raft *message,
                           uint8_t *memory);
void order_request(struct lane *, const struct arrival *arrival,
                   const struct wire_request *request);
/* Tells a client that it may not ask. */
void order_unauthorized(struct lane *, const struct arrival *arrival,
                        const struct wire_request *request);
bool order_request_in_place(struct lane *, const struct arrival *arrival,
                            const struct wire_request *request, uint8_t *memory);
void order_fragment(struct lane *, const struct arrival *arrival);
void order_expire_fragments(struct lane *);
/* Would the storage take them? A leader begins to refuse clients before it is full, so that what
 * leads out of that state, the first entry of another leader's term, finds room everywhere. */
bool order_proposals_stored(struct lane *);
bool order_appends_stored(struct lane *);
/* Asks that what is led here be handed over, again and again: this storage has failed. */
void order_give_up_leading(struct lane *);
/* log_fits, but that messages in pieces make room. */
bool order_log_fits(struct lane *, struct group *, uint32_t count, uint64_t bytes);
void order_reply_home(struct lane *, const struct arrival *arrival);
void order_hello(struct lane *, const struct arrival *arrival);

struct asker order_asker(const struct arrival *arrival, const struct wire_request *request);
/* Reads are answered here, though another member leads (reads.c): a local edge's, and those that
 * may be stale. False: they are not all reads, or this member had better not. */
bool order_read_here(struct lane *, const struct arrival *arrival,
                     const struct wire_request *request);
/* Waits in reads.c for its ticket, a leader's or a follower's; one that may be stale needs none. */
void order_await_read(struct lane *, struct group *, const struct asker *asker, const uint8_t *body,
                      uint32_t body_bytes, bool stale);
/* A message of a local edge goes on to the leader, one hop. False: nobody to forward to. */
bool order_forward(struct lane *, const struct arrival *arrival);
void order_refuse(struct lane *, struct group *, const struct asker *asker, enum wire_status status,
                  int64_t integer);
void order_reads(struct lane *, uint32_t slot);
/* A new leader's first entry; a time entry while a key is due. */
uint64_t order_entry_time_ms(struct lane *, struct group *);
/* Hand-overs and changes of members that were asked for since the last turn. */
uint32_t order_wishes(struct lane *);
/* One group's. Returns how many: of transfer.c, of members.c. */
uint32_t order_transfer(struct lane *, uint32_t slot);
uint32_t order_change(struct lane *, uint32_t slot);
/* A leader's way out of a joint configuration, once that is committed. */
void order_leave_joint(struct lane *, struct group *);
/* The configuration in force is another one, or is committed now: control shall know. */
void order_tell_members(struct group *, uint16_t self);
/* Whether this node would rather lead the group than others, by the configuration in force. */
void order_prefer(const struct lane *, struct group *);
/* An entry that holds a configuration, into lane->order.brought. False: no room for one more. */
bool order_bring(struct lane *, const uint8_t *body, uint32_t bytes, struct raft_entry *entry);
void order_noop(struct lane *, struct group *);
void order_time(struct lane *, struct group *);

/* Snapshots: notes.c. */
void order_snapshot_wanted(struct lane *, struct group *);
void order_offer(struct lane *, struct group *, const struct raft_send *send);
void order_snapshot(struct lane *, const struct arrival *arrival);
void order_snapshot_bytes(struct lane *, const struct arrival *arrival);
uint32_t order_mark(struct lane *, uint32_t slot);
void order_installed(struct lane *, struct group *);
uint32_t order_errands(struct lane *);
/* Entries up to `index`, of `term`, go from storage, behind the writes that were handed to it. */
void order_forget_stored(struct lane *, struct group *, uint64_t index, uint64_t term);

/* ---- apply's parts --------------------------------------------------------------------------- */
bool apply_replies_fit(struct lane *);
/* May something be executed whose answer outgrows a frame? */
bool cut_has_room(const struct lane *);
void cut_begin(struct lane *, uint16_t group, uint16_t leader, const struct asker *asker,
               const struct wire_result *result);
uint64_t apply_captures(struct lane *, uint32_t *done);
/* Goes on with what was begun. Returns how many pieces went to seal. */
uint32_t cut_on(struct lane *);

/* ---- seal's parts ---------------------------------------------------------------------------- */
/* An open frame with room for `bytes` more; NULL: no frame, or nowhere to send to. */
struct outgoing *seal_to_member(struct lane *, uint16_t id, uint16_t group, uint32_t bytes);
struct outgoing *seal_to_client(struct lane *, const struct endpoint *peer, uint32_t bytes);
/* All open frames go to tx. Returns how many. */
uint32_t seal_flush(struct lane *);
uint32_t seal_hello(struct lane *);
/* An APPEND to a witness. */
void seal_lean(struct lane *, const struct parcel *parcel);
/* Another view: its members keep their frame numbers. No frame is open. */
void seal_follow(struct lane *);

/* An entry into a group's state: of one that holds a configuration, its time. */
void apply_entry(struct state *, const struct wire_entry *entry, struct wire_result *result);
void status_publish(struct lane *);
bool lane_start(struct lane *);
/* Machine of a group, from what lane_recover has found; and its members told. */
void recover_machine(struct group *, const struct raft_config *machine);

/* Where this lane keeps a group. False: another lane's, or nobody's. */
static inline bool group_slot(const struct lane *lane, uint16_t group, uint32_t *slot)
{
    uint32_t lanes = lane->config.lane_count;
    *slot = group / lanes;
    return group % lanes == lane->config.index && *slot < lane->group_count;
}

/* order has something to look at in its group. */
static inline void wish(struct lane *lane)
{
    atomic_fetch_add_explicit(&lane->wishes_asked, 1, memory_order_release);
}

static inline void count_event(struct lane *lane, enum lane_event event)
{
    lane->counter[event]++;
}

#endif
