/* client.h: the one client machine: session, window, retry, redirect, reply matching.
 *
 * Shape: pure and pull-style. The owner submits commands; the machine fills frames; the owner
 * carries them (kernel UDP in dataplane/client, a port in the load generator, a duct in the RESP
 * edge) and hands the reply messages back; completions come out in the call that saw the reply or
 * the deadline.
 *
 *   submit ─► [window of sequences] ─► emit: frame for member m ─► ... ─► receive ─► completion
 *                      ▲                                                          │
 *                      └── retry: time-out, not leader, busy, out of order ◄──────┘
 *
 *   One machine holds one session of one group. A write gets its number when it first leaves, in
 *   submission order, and is executed at most once; a retry through another member bears the same
 *   number. Reads are not numbered in the session: they carry a fresh nonce per attempt, and are
 *   ordered among themselves and with writes by their completions only. A machine opens its session
 *   by itself (WIRE_OP_REGISTER) before the first write leaves, and asks for it again, with the
 *   same nonce, after a rest of deadline_ns. While it does not know who leads, it asks with what
 *   does no harm (registration, reads), so that a write which finds no leader is refused and not
 *   uncertain. The servers execute in order, so a number that was used is never given up alone:
 *   when a write that has left runs out of time, or when the session has expired, every write that
 *   has left completes as CLIENT_UNCERTAIN and the others go on in a new session. A number whose
 *   write the server refused is used up by a harmless command.
 *
 * Memory: one flat region of the caller, client_footprint bytes: window slots of command_bytes_max
 *   each (the command is copied in at submit, since a retry may need it), one reassembly buffer of
 *   reply_bytes_max.
 * Threads: one owner. Time: `now` in ns of one monotonic clock, passed in. Chance: config.seed and
 * .client.
 * Limits: window <= 256 (CLIENT_WINDOW_MAX), the session's own bound at the server.
 * Refusals: submit returns false when the window is full or the command does not fit;
 * client_events.def.
 * Cost: O(1) per command and per result; measured: not measured.
 */
#ifndef PROTOCOLS_CLIENT_CLIENT_H
#define PROTOCOLS_CLIENT_CLIENT_H

#include "protocols/wire/fragment.h"

#define CLIENT_WINDOW_MAX  256u
#define CLIENT_TARGETS_MAX 64u

typedef struct client client;

enum client_event {
#define CLIENT_EVENT(name, sentence) CLIENT_##name,
#include "protocols/client/client_events.def"
#undef CLIENT_EVENT
    CLIENT_EVENT_COUNT
};
const char *client_event_name(enum client_event event);
const char *client_event_sentence(enum client_event event);

struct client_config {
    uint64_t client;  /* random name, never 0, never shared: replies bear it */
    uint64_t cluster; /* 0: any */
    uint64_t seed;
    uint32_t route; /* echoed by the servers */
    uint16_t group;
    uint16_t target_count;               /* members to try, in turn until one leads */
    uint16_t target[CLIENT_TARGETS_MAX]; /* their ids: what client_emit names */
    uint32_t window;                     /* commands outstanding, reads and writes together */
    uint32_t command_bytes_max;          /* largest command body accepted by submit */
    uint32_t reply_bytes_max;            /* largest reassembled reply; 0: none beyond a frame */
    uint64_t retry_ns;                   /* first retry after this, then doubling */
    uint64_t retry_max_ns;               /* up to this */
    uint64_t deadline_ns;                /* a command older than this completes, see below */
    bool one_message;  /* in a frame: for a carrier that puts it into an envelope */
    bool fixed_target; /* always target[0], which forwards by itself (the edge's local lane) */
};

enum client_outcome {
    /* result is the server's answer; any status of apply (also NO_SPACE, WRONG_TYPE) */
    CLIENT_DONE = 0,
    /* never executed and never will be: deadline passed before it was ever sent, or the server said
     * so (too big, bad command); a read that ran out of time, whether sent or not, since it has no
     * effect. The result's status says which: WIRE_DONE is time, WIRE_UNAUTHORIZED is time during
     * which the servers would not listen */
    CLIENT_REFUSED,
    CLIENT_UNCERTAIN, /* was sent, outcome unknown: deadline, or session lost */
    CLIENT_GONE,      /* executed; the answer is no longer kept by the server */
};

struct client_completion {
    uint64_t cookie;
    uint64_t submitted_ns;
    uint32_t attempts; /* times it was sent */
    enum client_outcome outcome;
    struct wire_result
        result; /* its value lies in the message or the machine, until the next call */
};

size_t client_footprint(const struct client_config *config); /* 0: not acceptable */
client *client_init(void *memory, const struct client_config *config, uint64_t now_ns);

/* Takes a copy of the command, a read or a write. False: window full, larger than
 * command_bytes_max, or not well formed (wire_command_decode). */
bool client_submit(client *, const struct wire_command *command, uint64_t cookie, uint64_t now_ns);
/* The same, but a read takes its place among the writes: it is numbered in the session like one of
 * them, and answered at its place in the log. It costs what a write costs, and ends like one:
 * uncertain, or gone. */
bool client_submit_ordered(client *, const struct wire_command *command, uint64_t cookie,
                           uint64_t now_ns);

/* Fills one frame (header to messages) if there is anything to send now; *target is the member it
 * is for. Call until it returns false. Commands are packed, up to the capacity, which is the same
 * in every call and at least WIRE_FRAGMENT_FRAME_BYTES_MIN; an oversize command leaves as
 * fragments, one frame each, paced. */
bool client_emit(client *, void *payload, uint32_t capacity, uint64_t now_ns, uint32_t *bytes,
                 uint16_t *target);

/* One WIRE_REPLY (or WIRE_FRAGMENT of one) message. Returns how many completions it wrote; at most
 * `capacity`, which must be >= CLIENT_WINDOW_MAX so that none is lost. */
uint32_t client_receive(client *, const struct wire_view *message, uint64_t now_ns,
                        struct client_completion *completions, uint32_t capacity);

/* Deadlines: completions of what ran out of time. Same capacity rule. */
uint32_t client_tick(client *, uint64_t now_ns, struct client_completion *completions,
                     uint32_t capacity);

/* Emit or tick no later than this, which may be in the past; UINT64_MAX: nothing outstanding. */
uint64_t client_wake_ns(const client *);
uint32_t client_outstanding(const client *); /* submitted, not completed */
uint32_t client_room(const client *);        /* how many more submit would take now */
uint16_t client_leader(const client *); /* id last named as leader, WIRE_NODE_CLIENT: unknown */
const uint64_t *client_counters(const client *);

#endif
