/* sha512.h: the constants of SHA-512: of the square and cube roots of the first primes, 64 bits
 * behind the point.
 *
 * Shape, memory: constants. Threads: any. Time, limits, refusals, cost: none. Source: FIPS 180-4,
 * 4.2.3 and 5.3.5; the unit test computes hashes with them and compares with libsodium's.
 */
#ifndef CRYPTO_ED25519_SHA512_H
#define CRYPTO_ED25519_SHA512_H

#include "numa/base/types.h"

extern const uint64_t ed25519_sha512_start[8];
extern const uint64_t ed25519_sha512_k[80];

#endif
