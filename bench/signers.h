/* signers.h: the keys of a load's clients, and how their frames are signed.
 *
 * Shape: a key per client, drawn at random for each run. What a client has to say in one turn is
 * signed in one batch, when it is about to leave.
 *
 *   add(frame) ... ─► sign: envelopes around all that were added, by one client
 *
 * Memory: allocated, some 0.4 MiB and 1 KiB a client; secrets are wiped by destroy. Threads: the
 * load loop's, but for create and destroy. Time: none. Limits: PORT_BURST_MAX frames between two
 * signs.
 * Refusals: NULL, no memory. Cost: quorate-bench ed25519, sign_ns; docs/ed25519.md.
 */
#ifndef BENCH_SIGNERS_H
#define BENCH_SIGNERS_H

#include "crypto/ed25519/ed25519.h"
#include "dataplane/port/port.h"

struct signers;

struct signers *signers_create(uint32_t count);
void signers_destroy(struct signers *); /* NULL is fine */

/* Ascending; client i has key i. */
const uint8_t (*signers_keys(const struct signers *))[ED25519_KEY_BYTES];

/* The frame holds one message, and has room for WIRE_SIGNED_BYTES more. */
void signers_add(struct signers *, uint32_t client, uint64_t cluster, struct frame *frame);
/* What was added is all of this client's. */
void signers_sign(struct signers *, uint32_t client);

#endif
