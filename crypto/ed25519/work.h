/* work.h: a stretch of a batch, between the checks that every backend shares and the arithmetic
 * that each does its way.
 *
 * Shape: batch_verify collects up to WORK_MAX jobs whose S is canonical, whose R is not forbidden
 * and whose key has a slot; a backend fills in h = SHA-512(R A M) mod L, then says for which
 * encode([S]B + [h](-A)) is R.
 * Memory: the caller's stack. Threads: one. Time: public data, no promise. Limits: WORK_MAX.
 * Refusals: none.
 * Cost: docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_WORK_H
#define CRYPTO_ED25519_WORK_H

#include "crypto/ed25519/keyset.h"
#include "crypto/ed25519/point.h"
#include "crypto/ed25519/scalar.h"

#define WORK_MAX 64u

struct work {
    const struct ed25519_base *base;
    uint32_t key_window;
    uint32_t count;
    const uint8_t *table[WORK_MAX];
    const uint8_t *key[WORK_MAX];
    const struct ed25519_job *job[WORK_MAX];
    struct scalar s[WORK_MAX];
    struct scalar h[WORK_MAX];
};

/* Bit i: the signature of job i is good. */
uint64_t ed25519_portable_verify(struct work *work);
uint64_t ed25519_avx2_verify(struct work *work);
uint64_t ed25519_ifma_verify(struct work *work);

/* h of one job, by libsodium. */
void ed25519_work_hash(struct work *work, uint32_t index);

/* The bits, from the sums one by one: X, Y and Z, whose limbs are loose. */
uint64_t ed25519_work_compare(const struct work *work, const struct point *sum);

#endif
