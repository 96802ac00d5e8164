/* digest.h: keyless hashes of canonical bytes: of a configuration, of a value that replicas
 * compare.
 *
 * Shape: BLAKE2b, cut to 64 bits. Enough against accident and against whoever can not choose both
 * inputs; not a signature and not for authentication. Memory: the caller's bytes, read only during
 * the call.
 * Threads: any. Time: none. Limits: none. Refusals: none. Cost: O(bytes); measured: not measured.
 * Source: RFC 7693; the seed goes in as BLAKE2b's salt, so digests of different uses never meet.
 */
#ifndef CRYPTO_DIGEST_DIGEST_H
#define CRYPTO_DIGEST_DIGEST_H

#include "numa/base/types.h"

/* Same bytes and seed, same digest, on every machine and in every version. `data` may be NULL for 0
 * bytes. */
uint64_t digest_hash64(const void *data, size_t bytes, uint64_t seed);

#endif
