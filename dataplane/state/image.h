/* image.h: a state as bytes: what a walk writes and a load reads.
 *
 * Shape: parts, each of whole records of one kind, little-endian:
 *
 *   part     | kind 4 | records ... |
 *   head     | index 8 | time_ms 8 | digest 8 | keys 8 | live bytes 8 | bytes_max 8 | ttl 8
 *            | registrations 8 | keys_max 4 | sessions 4 | counters 8 each
 *            | slots of sessions 2 each: open ones, least recently used first, then free ones,
 *              next first |                                            once, in a part of its own
 *   session  | slot 4 | answers 4 | id 8 | next 8 | nonce 8 | last_ms 8 | answers 32 each |
 *   answer   | status 1 | type 1 | value_bytes 1 | zero 5 | integer 8 | value 16 |
 *   item     | place 4 | value_bytes 4 | expiry_ms 8 | key_bytes 2 | wide 1 | zero 5 | key, value |
 *
 *   Sessions rise by slot, items by place (table.h). An item is `wide` when its version is of a
 *   larger size class than key and value need: that counts into live bytes, so it is part of the
 *   state. An answer's value is filled up with zeros.
 * Memory, threads, time: none. Limits: STATE_PART_BYTES_MAX. Refusals: load.h. Cost: none.
 */
#ifndef DATAPLANE_STATE_IMAGE_H
#define DATAPLANE_STATE_IMAGE_H

#include "dataplane/state/internal.h"

enum image_kind { IMAGE_HEAD = 1, IMAGE_SESSIONS, IMAGE_ITEMS };

#define IMAGE_KIND_BYTES    4u
#define IMAGE_COUNTERS_AT   72u
#define IMAGE_LIST_AT       (IMAGE_COUNTERS_AT + 8u * STATE_EVENT_COUNT)
#define IMAGE_HEAD_BYTES    (IMAGE_LIST_AT + 2u * SESSIONS_MAX)
#define IMAGE_SESSION_BYTES 40u
#define IMAGE_ANSWER_BYTES  32u
#define IMAGE_ITEM_BYTES    24u
/* A part is closed when it has reached this. */
#define IMAGE_PART_FULL (1u << 18)

/* Answers that a session still has. */
static inline uint32_t image_answers(uint64_t next)
{
    return (uint32_t)min_u64(next - 1, SESSION_WINDOW);
}

#endif
