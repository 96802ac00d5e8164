#include "crypto/digest/digest.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <sodium.h>

#define DIGEST_BYTES 32u

uint64_t digest_hash64(const void *data, size_t bytes, uint64_t seed)
{
    static const uint8_t personal[crypto_generichash_blake2b_PERSONALBYTES] = "quorate digest1";
    uint8_t salt[crypto_generichash_blake2b_SALTBYTES] = {0};
    uint8_t hash[DIGEST_BYTES];
    store_u64(salt, seed);
    int status = crypto_generichash_blake2b_salt_personal(hash, sizeof hash, data, bytes, NULL, 0,
                                                          salt, personal);
    ENSURE(status == 0);
    return load_u64(hash);
}
