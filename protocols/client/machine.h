/* machine.h: the client machine's state, for the files of this folder.
 *
 * Shape: a command lives in a slot. A slot is in one of four states, and in one list at a time by
 * its state; all slots of commands are in the age list too, so the next deadline is its head. With
 * one time-out for all, the flight list in order of sending has the next retry at its head. Nothing
 * is searched.
 *
 *            submit             emit                    result
 *   FREE ───────────► WAITING ────────► FLIGHT ────────────────────► FREE
 *                                        │  ▲
 *                    time-out, redirect, ▼  │ emit
 *                    busy, out of order  RESEND
 *
 *   WAITING  write: list `unsent`; read: list `reads`
 *   FLIGHT   list `flight`
 *   RESEND   write: bit of its sequence in `resend`, so that the lowest is found first; read: list
 *            `reads`
 *
 *   One slot more than the window is `control`: the registration, or a harmless read that looks for
 *   the leader.
 * Memory: one flat region, see client.c. Threads: one. Limits: links are 16 bits. Refusals: none.
 * Cost: O(1) each.
 */
#ifndef PROTOCOLS_CLIENT_MACHINE_H
#define PROTOCOLS_CLIENT_MACHINE_H

#include "numa/base/random.h"
#include "protocols/client/client.h"

#define SLOT_NONE       0xffffu
#define SEQUENCE_MASK   (CLIENT_WINDOW_MAX - 1)
#define RESEND_WORDS    (CLIENT_WINDOW_MAX / 64)
#define NONCE_BIT       (UINT64_C(1) << 63) /* tells nonces from sequences */
#define NONCE_SLOT_BITS 9u                  /* the low bits of a nonce say which slot it is for */

static_assert(CLIENT_WINDOW_MAX < (1u << NONCE_SLOT_BITS), "the control slot fits too");

enum slot_state { SLOT_FREE = 0, SLOT_WAITING, SLOT_FLIGHT, SLOT_RESEND };
enum slot_kind { SLOT_WRITE = 0, SLOT_READ, SLOT_REGISTER, SLOT_PROBE };
enum slot_order { BY_STATE = 0, BY_AGE, SLOT_ORDERS };

struct slot {
    uint64_t cookie;
    uint64_t submitted_ns;
    uint64_t sent_ns;
    uint64_t sequence; /* write: its number; else the nonce of the last attempt */
    uint64_t frame;    /* number of the frame in which it left last */
    uint32_t body_bytes;
    uint32_t attempts;
    uint8_t state;
    uint8_t kind;
    bool silent; /* stands in for a refused write: nobody waits for its completion */
    struct {
        uint16_t previous;
        uint16_t next;
    } link[SLOT_ORDERS];
};

struct slot_list {
    uint16_t head;
    uint16_t tail;
};

struct client {
    struct client_config config;
    struct slot *slot; /* window + 1 of them, the last is control */
    uint8_t *body;     /* of slot i at i * body_stride */
    size_t body_stride;
    uint64_t frame_sequence;
    struct random_state random;

    struct slot_list free; /* by state */
    struct slot_list unsent;
    struct slot_list reads;
    struct slot_list flight;
    struct slot_list age;
    uint32_t free_count;
    uint32_t silent_count;

    /* session */
    uint64_t session; /* 0: none */
    uint64_t session_nonce;
    uint64_t session_heard_ns;
    bool session_checked; /* no rest since the servers were last heard of it */
    uint64_t oldest;      /* lowest sequence that may be outstanding; next_sequence: none */
    uint64_t next_sequence;
    uint64_t barrier; /* while one up to this is unanswered, none above it leaves */
    uint16_t slot_of[CLIENT_WINDOW_MAX]; /* sequence & mask to slot */
    uint64_t resend[RESEND_WORDS];
    uint32_t resend_count;

    /* whom to ask, and when */
    uint16_t current; /* index into config.target */
    uint16_t
        suspect; /* id of the target last skipped: until it answers, nobody's word on it counts */
    uint16_t leader;        /* id last named, or seen leading */
    bool confirmed;         /* current has answered as leader */
    uint32_t hops;          /* redirects since the last progress */
    uint32_t skips;         /* silent targets left since the last progress */
    uint32_t timeouts;      /* of the current target since it answered */
    uint64_t round_trip_ns; /* smoothed, of first attempts */
    bool unauthorized;      /* the servers refused to listen, and have answered nothing since */
    uint64_t retry_ns;      /* the time-out of everything in flight */
    uint64_t busy_ns;       /* next pause after BUSY */
    uint64_t pause_until_ns;

    /* an oversize command on its way out */
    uint16_t cut_slot; /* SLOT_NONE: none */
    uint32_t cut_piece;
    uint64_t cut_resume_ns;
    struct wire_cut cut;
    uint8_t cut_head[WIRE_REQUEST_HEAD_BYTES];

    /* an oversize reply on its way in */
    struct wire_assembly assembly; /* missing_bytes 0: none */
    uint64_t assembly_touched_ns;
    uint8_t *reply_buffer;

    uint64_t counter[CLIENT_EVENT_COUNT];
};

/* Completions of one call. */
struct outcome_list {
    struct client_completion *completions;
    uint32_t count;
};

static inline void list_init(struct slot_list *list)
{
    list->head = SLOT_NONE;
    list->tail = SLOT_NONE;
}

static inline bool list_empty(const struct slot_list *list)
{
    return list->head == SLOT_NONE;
}

static inline void list_append(struct slot *slots, struct slot_list *list, enum slot_order order,
                               uint16_t id)
{
    slots[id].link[order].previous = list->tail;
    slots[id].link[order].next = SLOT_NONE;
    if (list->tail == SLOT_NONE)
        list->head = id;
    else
        slots[list->tail].link[order].next = id;
    list->tail = id;
}

static inline void list_remove(struct slot *slots, struct slot_list *list, enum slot_order order,
                               uint16_t id)
{
    uint16_t previous = slots[id].link[order].previous;
    uint16_t next = slots[id].link[order].next;
    if (previous == SLOT_NONE)
        list->head = next;
    else
        slots[previous].link[order].next = next;
    if (next == SLOT_NONE)
        list->tail = previous;
    else
        slots[next].link[order].previous = previous;
}

static inline uint16_t control_slot(const client *c)
{
    return (uint16_t)c->config.window;
}

static inline uint8_t *slot_body(const client *c, uint16_t id)
{
    return c->body + id * c->body_stride;
}

static inline uint16_t current_target(const client *c)
{
    return c->config.target[c->current];
}

static inline bool session_ready(const client *c)
{
    return c->session != 0 && c->session_checked;
}

/* ---- slots.c: moves between states ----------------------------------------------------------- */

uint16_t client_slot_take(client *c); /* there must be a free one */
void client_slot_wait(client *c, uint16_t id);
void client_slot_sent(client *c, uint16_t id, uint64_t now_ns);
void client_slot_resend(client *c, uint16_t id); /* FLIGHT to RESEND */
void client_slot_release(client *c, uint16_t id);
void client_slot_number(client *c, uint16_t id); /* the next sequence is this write's from now on */
uint16_t client_slot_lowest_resend(const client *c); /* SLOT_NONE: none */
void client_slot_stand_in(client *c, uint16_t id,
                          uint64_t now_ns); /* the harmless command takes the sequence over */
void client_slot_complete(client *c, uint16_t id, enum client_outcome outcome,
                          const struct wire_result *result, struct outcome_list *out);

/* ---- session.c ------------------------------------------------------------------------------- */

bool client_session_wants_control(
    const client *c); /* a registration or a probe should be on its way */
void client_session_settle_control(
    client *c); /* starts it, or drops it when it is wanted no more */
void client_session_adopt(client *c, uint64_t session, uint64_t now_ns);
void client_session_lose(client *c,
                         struct outcome_list *out); /* every write that has left is uncertain */
void client_session_rewind(client *c, uint16_t id,
                           uint64_t expected); /* id was refused: another comes first */

/* ---- pace.c: time-outs, pauses, targets ------------------------------------------------------ */

void client_pace_init(client *c);
void client_pace_collect_due(client *c, uint64_t now_ns);
void client_pace_answered(client *c, const struct slot *slot,
                          uint64_t now_ns); /* by the leader, finally */
void client_pace_busy(client *c, uint64_t now_ns);
void client_pace_redirect(client *c, uint16_t leader, uint64_t now_ns);

#endif
