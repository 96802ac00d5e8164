/* notes.h: what a lane and its keeper tell each other. The keeper (dataplane/keeper) is a thread
 * that may block: it writes snapshots to files, sends and receives them, and loads them; the lane
 * never touches a file.
 *
 * Shape: the lane writes notes, the keeper runs errands; each through a doorway of its own, a look
 *   per turn. Only the lane speaks to the port: what the keeper wants to send goes through it.
 *
 *   taking      keeper: ask ─► apply sets the mark ─► MARKED (or UNMARKED) ─► walk, file
 *               ─► lane_snapshot_taken: the machine may offer it, the log may forget
 *   sending     OFFERED ─► keeper: lane_send chunks ... ACK ... ─► sent or failed
 *   receiving   COMES ─► CHUNK ... keeper writes, lane_send acks ... whole
 *               ─► state loaded ─► lane_snapshot_install ─► INSTALLED or NOT_INSTALLED
 *               a witness keeps no copy: its snapshot is of an empty state, made by its keeper
 *
 *   An installation waits until all that was handed to apply is applied; apply then puts the loaded
 *   state in the old one's place between two entries. Readers may look at the old one until a grace
 *   period after INSTALLED has passed (view.h); then its region is the keeper's.
 * Memory: notes are valid until the next lane_next_note. A state that is installed lies in memory
 *   of the keeper, which outlives the lane. Threads: all calls by one thread per lane, registered
 *   and online as a reader while a capture is under way. Time: none.
 * Limits: bodies up to a frame of the port. When the keeper falls behind, chunks and acks are
 *   dropped, and counted: their senders send again. All other notes wait in the lane.
 * Refusals: false from a call: the doorway is full, again next turn.
 * Cost: a copy per chunk on the lane, each way.
 */
#ifndef DATAPLANE_PIPELINE_NOTES_H
#define DATAPLANE_PIPELINE_NOTES_H

#include "dataplane/pipeline/lane.h"

enum lane_note_kind {
    LANE_NOTE_WANTED = 1,    /* a follower waits, and no snapshot reaches it: take one          */
    LANE_NOTE_MARKED,        /* the state is marked at `snapshot`: walk it                      */
    LANE_NOTE_UNMARKED,      /* it is, but its place in the log is forgotten: abandon the walk  */
    LANE_NOTE_OFFERED,       /* stream the snapshot at `index` to `member`                      */
    LANE_NOTE_COMES,         /* `member` streams `snapshot`, and it is wanted                   */
    LANE_NOTE_CHUNK,         /* from `member`: body                                             */
    LANE_NOTE_ACK,           /* from `member`: body                                             */
    LANE_NOTE_INSTALLED,     /* what was asked to be installed is                               */
    LANE_NOTE_NOT_INSTALLED, /* ... is not needed any more: its memory is free                  */
};

struct lane_note {
    uint8_t kind;
    uint16_t group;
    uint16_t member;
    bool witness; /* OFFERED: `member`, COMES: this node keeps no copy: nothing is streamed */
    uint64_t index;
    uint64_t term;
    struct raft_snapshot snapshot; /* MARKED, COMES */
    uint32_t body_bytes;           /* CHUNK, ACK: the body follows the struct */
};

/* NULL: no more. */
const struct lane_note *lane_next_note(struct lane *lane);
/* A chunk or an ack as chunk.h decodes it. */
struct wire_view lane_note_view(const struct lane_note *note);

/* Marks the group's state at its next entry, or now. The caller has seen that its capture is
 * idle. */
void lane_snapshot_ask(struct lane *lane, uint16_t group);
/* For walks, and to see the capture's phase. */
struct state *lane_state_to_walk(struct lane *lane, uint16_t group);

/* The snapshot is durable. What storage has of the log before it may go, but for a margin, which
 * spares slow followers a snapshot after a restart; with `all`, where room is scarce, that too. */
bool lane_snapshot_taken(struct lane *lane, uint16_t group, const struct raft_snapshot *snapshot,
                         bool all);
bool lane_snapshot_sent(struct lane *lane, uint16_t group, uint16_t to, uint64_t index);
bool lane_snapshot_failed(struct lane *lane, uint16_t group, uint16_t to);
/* One encoded message (wire_put_chunk, wire_put_chunk_ack), of at most lane_message_bytes_max. */
bool lane_send(struct lane *lane, uint16_t group, uint16_t to, const uint8_t *message,
               uint32_t bytes);
uint32_t lane_message_bytes_max(const struct lane *lane);

/* `loaded` is the state at snapshot->index, durable as a file. One at a time per group, until
 * INSTALLED or NOT_INSTALLED. */
bool lane_snapshot_install(struct lane *lane, uint16_t group, const struct raft_snapshot *snapshot,
                           struct state *loaded);

#endif
