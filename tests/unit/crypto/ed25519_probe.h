/* ed25519_probe.h: what tests ask of the files inside crypto/ed25519, whose headers are not for
 * C++.
 *
 * Shape: plain C around internal functions, compiled with ED25519_CHECK_BOUNDS. Memory, threads:
 * the caller's, one.
 * Time, limits, refusals, cost: none.
 */
#ifndef TESTS_UNIT_CRYPTO_ED25519_PROBE_H
#define TESTS_UNIT_CRYPTO_ED25519_PROBE_H

#include "crypto/ed25519/ed25519.h"

#define PROBE_LIMBS      5
#define PROBE_WIDE_LIMBS 10
#define PROBE_LANES      8

enum probe_operation {
    PROBE_MULTIPLY,
    PROBE_MULTIPLY_LIFTED, /* IFMA alone */
    PROBE_SQUARE,
    PROBE_ADD,
    PROBE_SUBTRACT,
    PROBE_CARRY,
    PROBE_INVERT
};

/* out = a op b modulo p, stored canonically, in the one-number field. */
void probe_field(enum probe_operation operation, uint8_t out[32], const uint64_t a[PROBE_LIMBS],
                 const uint64_t b[PROBE_LIMBS]);

/* The same in eight lanes with IFMA, and in four of ten limbs with AVX2; neither squares, and AVX2
 * does not invert. */
void probe_ifma(enum probe_operation operation, uint8_t out[PROBE_LANES][32],
                const uint64_t a[PROBE_LANES][PROBE_LIMBS],
                const uint64_t b[PROBE_LANES][PROBE_LIMBS]);
void probe_avx2(enum probe_operation operation, uint8_t out[4][32],
                const uint64_t a[4][PROBE_WIDE_LIMBS], const uint64_t b[4][PROBE_WIDE_LIMBS]);

/* Bit i: the backend finds [scalar i]B + [h](neutral) encoded by the bytes at encoded + 32 i.
 * Scalars below L. */
uint64_t probe_base_multiple(enum ed25519_backend backend, const struct ed25519_base *base,
                             const uint8_t *scalars, const uint8_t *encoded, uint32_t count);

void probe_reduce(uint8_t out[32], const uint8_t wide[64]);
void probe_reduce_lanes(uint8_t out[PROBE_LANES][32], const uint64_t wide[PROBE_LANES][8]);
void probe_multiply_add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32],
                        const uint8_t c[32]);

/* SHA-512 of texts of a head of 32 or 64 bytes and a message, in lanes. */
void probe_hash(uint8_t digest[][64], const uint8_t *const head[], bool long_head,
                const uint8_t *const message[], const size_t message_bytes[], uint32_t count);

#endif
