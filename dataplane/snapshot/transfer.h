/* transfer.h: a snapshot on its way from one member to another: who sends which bytes when, pure.
 *
 * Shape: the sender cuts the file into units and keeps up to a window of them on their way; the
 * receiver takes them in any order inside the window, says up to where all is here and what is
 * further on. Whatever was lost is sent again after a while.
 *
 *   sender:    begin ─► next ─► (read the file, send) ... ack(...) ... ─► WHOLE, REFUSED or SILENT
 *   receiver:  begin ─► take(chunk): STORE ─► (write the file) ─► ack ... ─► complete ─► (check the
 *              file's sum) ─► end(whole) ─► ack
 *
 *   A sender that starts anew asks with one unit where to go on; so does one that takes over from
 *   another member, if it has the same snapshot (same id, same bytes). A receiver that starts anew
 *   says so by a higher `run`, with what is left of its file: whole blocks can be told by their
 *   checksums. A witness keeps no copy: no sender is begun for it, the owner says
 *   raft_snapshot_sent at once.
 *
 * Memory: the structs, of the caller. Threads: one per struct. Time: `now` in nanoseconds, of the
 * sender alone.
 * Limits: WIRE_CHUNK_AHEAD_MAX units on their way; bytes_per_second, over any longer time.
 * Refusals: enum transfer_verdict: chunks of another snapshot, outside the window, or damaged,
 *   change nothing. A sender that has heard nothing for silence_ns gives up: SILENT.
 * Cost: O(window) per call.
 */
#ifndef DATAPLANE_SNAPSHOT_TRANSFER_H
#define DATAPLANE_SNAPSHOT_TRANSFER_H

#include "protocols/wire/chunk.h"

/* ---- sender ---------------------------------------------------------------------------------- */

enum transfer_state { TRANSFER_SENDING, TRANSFER_WHOLE, TRANSFER_REFUSED, TRANSFER_SILENT };

struct transfer_config {
    uint32_t unit;   /* bytes per chunk, WIRE_CHUNK_BYTES_MIN to _MAX */
    uint32_t window; /* units on their way, 1 to WIRE_CHUNK_AHEAD_MAX */
    uint64_t resend_ns;
    uint64_t silence_ns;
    uint64_t bytes_per_second; /* 0: no limit */
};

struct transfer_sender {
    struct transfer_config config;
    struct wire_snapshot_id id;
    enum transfer_state state;
    uint64_t run;      /* of the receiver; 0: not heard yet */
    uint64_t acked;    /* all before is there; a multiple of unit, or the end */
    uint64_t ahead;    /* bit i: so is unit i from there */
    uint64_t heard_ns; /* the last ack, or begin */
    uint64_t paced_ns; /* nothing is sent before */
    uint64_t resent;   /* units, so far */
    uint64_t sent_ns[WIRE_CHUNK_AHEAD_MAX]; /* by unit mod window's maximum; 0: not yet */
};

void transfer_send_begin(struct transfer_sender *sender, const struct transfer_config *config,
                         const struct wire_snapshot_id *id, uint64_t now_ns);

/* What is to be sent now, if anything; call until it says false. now_ns is above 0. */
bool transfer_send_next(struct transfer_sender *sender, uint64_t now_ns, uint64_t *offset,
                        uint32_t *bytes);
/* Acks of other snapshots and of former runs are ignored. */
void transfer_send_ack(struct transfer_sender *sender, const struct wire_chunk_ack *ack,
                       uint64_t now_ns);
/* When transfer_send_next may have something, without another ack. */
uint64_t transfer_send_wake(const struct transfer_sender *sender);

/* ---- receiver -------------------------------------------------------------------------------- */

enum transfer_verdict {
    TRANSFER_STORE,     /* write it at its offset, then ack */
    TRANSFER_DUPLICATE, /* it is here: ack */
    TRANSFER_FOREIGN,   /* of another snapshot: nothing */
    TRANSFER_OUTSIDE,   /* not in the window, or of another unit: ack, which says where it is */
    TRANSFER_DAMAGED    /* wrong crc: nothing */
};

struct transfer_receiver {
    uint16_t group;
    struct wire_snapshot_id id;
    uint64_t run;
    uint64_t have; /* bytes, without a gap */
    uint64_t ahead;
    uint32_t unit; /* 0: no chunk has come yet */
    uint32_t status;
};

/* `have` bytes of the file are there and good (0: none); run above 0 and above all before: a clock,
 * since it rises by one whenever another sender cuts the file differently. */
void transfer_receive_begin(struct transfer_receiver *receiver, uint16_t group,
                            const struct wire_snapshot_id *id, uint64_t run, uint64_t have);
enum transfer_verdict transfer_receive(struct transfer_receiver *receiver,
                                       const struct wire_chunk *chunk);
/* All bytes are here: the owner checks them, and says how it went. Not whole: begin again. */
bool transfer_receive_complete(const struct transfer_receiver *receiver);
void transfer_receive_end(struct transfer_receiver *receiver, bool wanted);
void transfer_receive_ack(const struct transfer_receiver *receiver, struct wire_chunk_ack *ack);

#endif
