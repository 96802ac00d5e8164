/* records.h: what passes from room to room through doorways. For this folder alone.
 *
 * Shape: one struct per kind; what is said to follow a record lies behind it in the doorway.
 * Memory: of the doorway, until the reader is done with it. Threads: one writes, then one reads.
 * Time: none. Limits: an eighth of the doorway. Refusals: none. Cost: none.
 */
#ifndef DATAPLANE_PIPELINE_RECORDS_H
#define DATAPLANE_PIPELINE_RECORDS_H

#include "dataplane/log/storage.h"
#include "dataplane/port/port.h"
#include "dataplane/state/state.h"
#include "protocols/raft/raft.h"

/* open -> verify -> order: one message; the frame that holds it follows as FRAME_DONE. */
enum arrival_kind { ARRIVAL_MESSAGE = 1, ARRIVAL_FRAME_DONE };

struct arrival {
    uint8_t kind;
    bool member; /* from a checked member, else from a client */
    uint16_t from;
    uint32_t slot;     /* of the group on this lane */
    bool unauthorized; /* a client's, not to be listened to: it is told */
    struct wire_view view;
    uint64_t incarnation; /* of a hello's sender */
    struct frame frame;   /* peer, and on FRAME_DONE what to free */
    /* What verify is to check before the message goes on; signature NULL: nothing. */
    const uint8_t *signature;
    const uint8_t *key;
    const uint8_t *covered;
    uint32_t covered_bytes;
};

/* order -> apply */
enum work_kind { WORK_COMMIT = 1, WORK_READ, WORK_APPENDED, WORK_INSTALL };

struct asker {
    struct endpoint peer;
    uint64_t client;
    uint64_t session;
    uint64_t sequence;
    uint32_t route;
    uint16_t member; /* that forwarded it; WIRE_NODE_CLIENT: it came from the client itself */
};

struct work {
    uint8_t kind;
    bool leading;    /* answers are due */
    uint16_t leader; /* WORK_READ: whom its answer names */
    uint32_t slot;
    uint64_t first;
    uint64_t last;
    struct asker asker;   /* WORK_READ; the command body follows */
    struct state *loaded; /* WORK_INSTALL */
    uint32_t body_bytes;
    uint32_t spare;
};

/* order -> order, per group: a read waiting for its ticket; the command body follows. */
struct waiting_read {
    struct raft_ticket ticket;
    struct asker asker;
    uint32_t body_bytes;
    uint32_t spare;
};

/* order, apply -> seal */
enum parcel_kind { PARCEL_RAFT = 1, PARCEL_REPLY, PARCEL_FORWARD, PARCEL_ENCODED };

struct parcel {
    uint8_t kind;
    uint16_t group;
    uint32_t slot;
    union {
        struct {
            struct raft_send send;
            uint64_t last_term; /* of the last entry, for log_copy */
            bool lean;          /* to a witness: entries go without their bodies */
        } raft;
        struct {
            struct asker asker;
            struct wire_result result; /* value_bytes follow the record */
            uint16_t leader;           /* id, RAFT_NOBODY: unknown */
        } reply;
        struct {
            uint16_t member;
            uint32_t bytes; /* of the encoded message that follows */
        } forward;
        struct {
            struct endpoint peer;
            uint32_t bytes;  /* of the encoded message that follows */
            uint16_t member; /* as in struct asker */
        } encoded;
    } as;
};

/* order -> control */
struct lane_hello {
    uint16_t from;
    uint64_t incarnation;
    struct wire_hello hello;
};

/* keeper -> order: see notes.h */
enum errand_kind { ERRAND_TAKEN = 1, ERRAND_SENT, ERRAND_FAILED, ERRAND_SEND, ERRAND_INSTALL };

struct errand {
    uint8_t kind;
    bool all;        /* TAKEN: no margin is kept */
    uint16_t member; /* SENT, FAILED, SEND */
    uint32_t slot;
    uint32_t bytes;                /* SEND: of the encoded message that follows */
    uint64_t index;                /* SENT */
    struct state *loaded;          /* INSTALL */
    struct raft_snapshot snapshot; /* TAKEN, INSTALL */
};

#endif
