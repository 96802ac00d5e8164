/* sign.h: how a batch is signed: [r]B for many secret r at once.
 *
 * Shape: 43 windows of 6 bits, digits of -32..32; the entries 1..32 of a window lie limb by limb,
 * so that a lane picks its own with permutations of whole rows, which every choice reads alike.
 *
 *    sign_table[window][number][limb][entry - 1]    number: y+x, y-x, 2dxy
 *
 * Memory: SIGN_TABLE_BYTES of the base. Threads: readers. Time: constant in scalars, prefixes and
 * r. Limits: none.
 * Refusals: none. Cost: docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_SIGN_H
#define CRYPTO_ED25519_SIGN_H

#include "crypto/ed25519/ed25519.h"
#include "crypto/ed25519/point.h"

#define SIGN_WINDOW      6u
#define SIGN_WINDOWS     43u
#define SIGN_ENTRIES     32u
#define SIGN_ROW         ((size_t)SIGN_ENTRIES)
#define SIGN_TABLE_WORDS ((size_t)SIGN_WINDOWS * 3 * FIELD_LIMBS * SIGN_ENTRIES)
#define SIGN_TABLE_BYTES (SIGN_TABLE_WORDS * sizeof(uint64_t))

/* What those who were called may have left below: spilled registers, and libsodium's copies. Wiped
 * after each call that knew a secret. */
#define SIGN_STACK_BYTES ((size_t)16 << 10)

void ed25519_sign_table_build(uint64_t *sign_table, const struct point *base_point);

void ed25519_ifma_sign(const struct ed25519_base *base, const struct ed25519_signer *signer,
                       const struct ed25519_sign_job *jobs, uint32_t count);

#endif
