/* lanes.h: texts for the hashes that work on several lanes.
 *
 * Shape: a text is a head of 32 or 64 bytes (R, A; or a prefix) and a message. Memory: the
 * caller's, read during the call.
 * Threads: any. Time: that of the lengths. Limits: a message below 2^60 bytes. Refusals: none.
 * Cost: docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_LANES_H
#define CRYPTO_ED25519_LANES_H

#include "crypto/ed25519/scalar.h"

struct lanes_text {
    const uint8_t *head[2]; /* 32 bytes each; the second may be NULL */
    const uint8_t *message;
    size_t message_bytes;
};

/* SHA-512 of `count` texts, 1 to 8; the digests as eight little-endian words. */
void ed25519_ifma_sha512(uint64_t digest[][8], const struct lanes_text *text, uint32_t count);

/* The same modulo L. */
void ed25519_ifma_hash_scalar(struct scalar *out, const struct lanes_text *text, uint32_t count);

#endif
