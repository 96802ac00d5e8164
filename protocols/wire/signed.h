/* signed.h: a message in an envelope that says who signed it.
 *
 * Shape: the envelope is a message whose body is a signature, what it was made for, and one message
 * as it would stand in the frame by itself. The signature covers all that follows it, in one run,
 * so that it can be checked where it lies.
 *
 *   signed   | signature 64 | purpose 8 | cluster 8 | key 32 | header 16 | body | pad to 8 |
 *                           └──────────────── covered ────────────────────────────────────┘
 *
 *   group is the inner message's, flags its kind. The cluster keeps a signature from counting in
 *   another one; that it counts once is up to the inner message (sessions number their commands).
 *
 *   sender:    fill a frame with one message, WIRE_SIGNED_BYTES below its capacity ─► wrap ─► sign
 *   receiver:  get ─► check the signature ─► inner
 *
 * Memory: the caller's; views point into the frame. Threads, time: none.
 * Limits: one message in an envelope, none of them an envelope. Refusals: enum wire_refusal; what
 * is signed is not looked into before the signature is known to be good.
 * Cost: wrapping moves the message by 128 bytes. Source: ours; RFC 8032 for the signature.
 */
#ifndef PROTOCOLS_WIRE_SIGNED_H
#define PROTOCOLS_WIRE_SIGNED_H

#include "protocols/wire/wire.h"

#define WIRE_KEY_BYTES       32u
#define WIRE_SIGNATURE_BYTES 64u
#define WIRE_SIGNED_FIXED    (WIRE_SIGNATURE_BYTES + 8u + 8u + WIRE_KEY_BYTES)
/* What an envelope adds to a message. */
#define WIRE_SIGNED_BYTES (WIRE_MESSAGE_BYTES + WIRE_SIGNED_FIXED)

struct wire_signed {
    const uint8_t *signature; /* WIRE_SIGNATURE_BYTES */
    const uint8_t *key;       /* WIRE_KEY_BYTES: whose it claims to be */
    const uint8_t *covered;
    uint32_t covered_bytes;
    uint64_t cluster;
    struct wire_view inner;
};

/* Refuses: short, a purpose that is not ours, flags that are not the inner kind, a group that is
 * not the inner group, an inner message that does not fill the rest or is an envelope itself. */
enum wire_refusal wire_get_signed(const struct wire_view *view, struct wire_signed *out);

/* Puts the only message of a frame into an envelope: *bytes grows by WIRE_SIGNED_BYTES, and
 * `capacity` must allow that. Fills `out`; the signature's bytes are zero, and the caller writes
 * them to *signature. */
void wire_wrap_signed(void *frame, uint32_t *bytes, uint32_t capacity, uint64_t cluster,
                      const uint8_t key[WIRE_KEY_BYTES], uint8_t **signature,
                      struct wire_signed *out);

#endif
