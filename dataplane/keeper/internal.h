/* internal.h: what the files of this folder share. Shape, memory, threads: see keeper.h. */
#ifndef DATAPLANE_KEEPER_INTERNAL_H
#define DATAPLANE_KEEPER_INTERNAL_H

#include "dataplane/keeper/keeper.h"
#include "dataplane/snapshot/transfer.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <pthread.h>
#include <stdatomic.h>

#define KEEPER_SECOND_NS UINT64_C(1000000000)
#define KEEPER_RETRY_NS  KEEPER_SECOND_NS
/* Notes wake nobody: what is under way is looked at this often, and all else. */
#define KEEPER_NAP_NS     UINT64_C(200000)
#define KEEPER_IDLE_NS    UINT64_C(5000000)
#define KEEPER_NOTES_TURN 64u
#define KEEPER_CHUNKS     16u /* per sender and turn */
#define KEEPER_FILES_KEPT 2u
#define KEEPER_NAME_MAX   64u

struct spare {
    void *memory;  /* NULL: not made yet */
    void *mapping; /* what was reserved, wherever the spare is now */
    bool busy;     /* a reception loads into it, or the lane has it */
    bool draining; /* readers of the state that lay here have not all reported */
    uint64_t drained_after;
};

struct keeper_lane {
    struct lane *lane;
    const struct storage *storage;
    struct spare spare;
    uint64_t unit; /* bytes per chunk */
};

enum reception_step {
    RECEPTION_NONE,
    RECEPTION_TAKING,  /* chunks */
    RECEPTION_LOADING, /* it is kept: waits for the spare */
    RECEPTION_ASKING,  /* loaded: the lane is to be asked */
    RECEPTION_WAITING, /* ... and was */
    RECEPTION_DONE     /* answers who asks again */
};

struct reception {
    enum reception_step step;
    bool begun; /* a chunk has come: transfer and fd are good */
    bool ack_due;
    uint16_t from;
    int fd;
    struct raft_snapshot of;
    struct transfer_receiver transfer;
    struct state *loaded;
    struct snapshot_about about;
    char name[KEEPER_NAME_MAX]; /* of the partial file */
};

enum take_step { TAKE_NONE, TAKE_ASKED, TAKE_WALKING };

struct keeper_group {
    _Atomic uint64_t asks; /* the operator's, so far */
    uint64_t serving;      /* ... that the walk under way is for */
    bool wanted;           /* the lane's or the policy's wish */
    uint32_t failures;     /* in a row */
    uint64_t not_before_ns;
    uint64_t written_at; /* by the lane, when the last one was taken */
    bool told_due;       /* lane_snapshot_taken is */
    struct raft_snapshot told;
    struct snapshot_about newest;
    struct reception reception;
    /* under the keeper's lock */
    uint64_t answered;
    struct keeper_answer answer;
    struct keeper_group_report report;
};

enum sender_end { SENDER_GOES, SENDER_SENT, SENDER_FAILED };

struct sender {
    bool used;
    bool held; /* what transfer said is to be sent found no room */
    enum sender_end end;
    uint64_t end_after_ns;
    uint16_t group;
    uint16_t member;
    int fd; /* -1: a witness's */
    uint64_t index;
    uint64_t held_offset;
    uint32_t held_bytes;
    struct transfer_sender transfer;
};

struct keeper {
    struct keeper_config config;
    int folder; /* -1: not yet */
    char own_folder[SNAPSHOT_NAME_BYTES];
    _Atomic uint64_t cluster; /* 0: unknown */
    _Atomic uint64_t config_hash;
    size_t state_bytes;
    uint64_t run;
    uint64_t policy_ns; /* next look */
    /* the one walk */
    enum take_step take_step;
    uint16_t take_group;
    struct snapshot_take *take;
    struct raft_snapshot take_of;
    struct keeper_lane lane[WIRE_LANES_MAX];
    struct sender sender[KEEPER_SENDERS_MAX];
    struct keeper_group *group;
    uint8_t *message; /* one, encoded */
    uint8_t *data;    /* a chunk's */
    uint32_t message_bytes;
    pthread_mutex_t lock;
    _Atomic uint64_t counter[KEEPER_EVENT_COUNT];
};

static inline void keeper_count(struct keeper *keeper, enum keeper_event event)
{
    atomic_fetch_add_explicit(&keeper->counter[event], 1, memory_order_relaxed);
}

static inline struct keeper_lane *keeper_lane_of(struct keeper *keeper, uint16_t group)
{
    return &keeper->lane[group % keeper->config.lane_count];
}

/* files.c */
bool keeper_folder(struct keeper *keeper); /* false: there is none and none can be made */
void keeper_name(const struct keeper *keeper, uint16_t group, uint64_t index, const char *end,
                 char name[KEEPER_NAME_MAX]);
void keeper_prune(struct keeper *keeper, uint16_t group); /* all but the newest */
void keeper_sweep(struct keeper *keeper, bool all);       /* what was begun, or all */
void keeper_zero(void *memory, size_t bytes);             /* pages go back where they can */
struct snapshot_head keeper_head(struct keeper *keeper, uint16_t group,
                                 const struct raft_snapshot *of);
void keeper_say(struct keeper *keeper, uint16_t group, uint64_t index, const char *sentence);

/* take.c */
void take_policy(struct keeper *keeper, uint64_t now_ns);
void take_marked(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns);
void take_begin(struct keeper *keeper, uint64_t now_ns);
bool take_step(struct keeper *keeper, uint64_t now_ns);
void take_tell(struct keeper *keeper, uint16_t group);
/* By the lane, since the start: what the policy counts from. */
uint64_t take_written(const struct keeper_lane *lane);

/* send.c */
void send_offered(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns);
void send_ack(struct keeper *keeper, const struct lane_note *note, uint64_t now_ns);
bool send_step(struct keeper *keeper, uint64_t now_ns);
void send_stop(struct sender *sender);

/* receive.c */
void receive_comes(struct keeper *keeper, const struct lane_note *note);
void receive_chunk(struct keeper *keeper, const struct lane_note *note);
void receive_installed(struct keeper *keeper, const struct lane_note *note, bool installed,
                       uint64_t now_ns);
bool receive_step(struct keeper *keeper, uint16_t group);
void receive_drop(struct keeper *keeper, struct reception *reception);

#endif
