/* scalar.h: numbers modulo L = 2^252 + 27742317777372353535851937790883648493, the order of the
 * base point.
 *
 * Shape: four little-endian words. Memory: the caller's; outputs may be inputs. Threads: any. Time:
 * constant, except for scalar_canonical, which sees public bytes. Limits: as said. Refusals: none.
 * Cost: a reduction of 64 bytes about 25 ns; docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_SCALAR_H
#define CRYPTO_ED25519_SCALAR_H

#include "numa/base/types.h"

#define SCALAR_WORDS 4
#define SCALAR_BITS  253

struct scalar {
    uint64_t word[SCALAR_WORDS];
};

/* 32 bytes as they are. */
void ed25519_scalar_load(struct scalar *out, const uint8_t bytes[32]);
void ed25519_scalar_store(uint8_t bytes[32], const struct scalar *a);

/* Below L. */
bool ed25519_scalar_canonical(const struct scalar *a);

/* Eight words, any number below 2^512, to the one in [0, L) that is congruent. */
void ed25519_scalar_reduce(struct scalar *out, const uint64_t wide[8]);

/* a b + c modulo L, for c below 2^255; a and b any. */
void ed25519_scalar_multiply_add(struct scalar *out, const struct scalar *a, const struct scalar *b,
                                 const struct scalar *c);

#endif
