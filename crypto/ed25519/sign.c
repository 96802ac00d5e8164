#include "crypto/ed25519/sign.h"

#include "crypto/ed25519/keyset.h"
#include "crypto/ed25519/scalar.h"
#include "crypto/ed25519/table.h"

#include <sodium.h>

void ed25519_sign_table_build(uint64_t *sign_table, const struct point *base_point)
{
    uint8_t entries[SIGN_ENTRIES * POINT_ENTRY_BYTES];
    struct point power = *base_point;
    for (uint32_t window = 0; window < SIGN_WINDOWS; window++) {
        uint64_t *rows = sign_table + window * (size_t)(3 * FIELD_LIMBS) * SIGN_ENTRIES;
        ed25519_table_multiples(entries, &power, SIGN_ENTRIES);
        for (uint32_t entry = 0; entry < SIGN_ENTRIES; entry++) {
            for (uint32_t number = 0; number < 3; number++) {
                struct field value;
                field_load(&value, entries + entry * POINT_ENTRY_BYTES + (size_t)32 * number);
                for (uint32_t i = 0; i < FIELD_LIMBS; i++)
                    rows[(number * FIELD_LIMBS + i) * SIGN_ROW + entry] = value.limb[i];
            }
        }
        for (uint32_t bit = 0; bit < SIGN_WINDOW; bit++)
            ed25519_point_double(&power, &power);
    }
}

void ed25519_signer_init(struct ed25519_signer *signer, const uint8_t secret[ED25519_SECRET_BYTES])
{
    uint8_t hash[crypto_hash_sha512_BYTES], wide[crypto_core_ed25519_NONREDUCEDSCALARBYTES] = {0};
    (void)crypto_hash_sha512(hash, secret, crypto_sign_SEEDBYTES);
    hash[0] &= 248;
    hash[31] = (uint8_t)((hash[31] & 127) | 64);
    memcpy(wide, hash, 32);
    crypto_core_ed25519_scalar_reduce(signer->scalar, wide);
    memcpy(signer->prefix, hash + 32, 32);
    memcpy(signer->key, secret + crypto_sign_SEEDBYTES, ED25519_KEY_BYTES);
    sodium_memzero(hash, sizeof hash);
    sodium_memzero(wide, sizeof wide);
    sodium_stackzero(SIGN_STACK_BYTES);
}

void ed25519_generate(uint8_t key[ED25519_KEY_BYTES], uint8_t secret[ED25519_SECRET_BYTES])
{
    ENSURE(sodium_init() >= 0);
    (void)crypto_sign_keypair(key, secret);
}

void ed25519_signer_fini(struct ed25519_signer *signer)
{
    sodium_memzero(signer, sizeof *signer);
}

/* SHA-512 of a head of 32 or 64 bytes and the message, modulo L. */
static void hash_scalar(uint8_t out[32], const uint8_t *head, size_t head_bytes,
                        const struct ed25519_sign_job *job)
{
    crypto_hash_sha512_state state;
    uint8_t hash[crypto_hash_sha512_BYTES];
    (void)crypto_hash_sha512_init(&state);
    (void)crypto_hash_sha512_update(&state, head, head_bytes);
    (void)crypto_hash_sha512_update(&state, job->message, job->message_bytes);
    (void)crypto_hash_sha512_final(&state, hash);
    crypto_core_ed25519_scalar_reduce(out, hash);
    sodium_memzero(hash, sizeof hash);
    sodium_memzero(&state, sizeof state);
}

/* By libsodium's parts: S = r + h a (RFC 8032, 5.1.6). */
static void sign_alone(const struct ed25519_signer *signer, const struct ed25519_sign_job *job)
{
    uint8_t r[32], h[32], head[64];
    hash_scalar(r, signer->prefix, sizeof signer->prefix, job);
    /* refuses r = 0 alone, whose R is then the neutral point */
    if (crypto_scalarmult_ed25519_base_noclamp(head, r) != 0) {
        memset(head, 0, 32);
        head[0] = 1;
    }
    memcpy(head + 32, signer->key, ED25519_KEY_BYTES);
    hash_scalar(h, head, sizeof head, job);
    memcpy(job->signature, head, 32);
    crypto_core_ed25519_scalar_mul(h, h, signer->scalar);
    crypto_core_ed25519_scalar_add(job->signature + 32, h, r);
    sodium_memzero(r, sizeof r);
    sodium_memzero(h, sizeof h);
}

void ed25519_sign(const struct ed25519_signer *signer, const struct ed25519_sign_job *job)
{
    sign_alone(signer, job);
    sodium_stackzero(SIGN_STACK_BYTES);
}

void ed25519_batch_sign_by(enum ed25519_backend backend, const struct ed25519_base *base,
                           const struct ed25519_signer *signer, const struct ed25519_sign_job *jobs,
                           uint32_t count)
{
    ENSURE(ed25519_backend_runs(backend));
    if (backend == ED25519_IFMA) {
        ed25519_ifma_sign(base, signer, jobs, count);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        sign_alone(signer, &jobs[i]);
    sodium_stackzero(SIGN_STACK_BYTES);
}

void ed25519_batch_sign(const struct ed25519_base *base, const struct ed25519_signer *signer,
                        const struct ed25519_sign_job *jobs, uint32_t count)
{
    ed25519_batch_sign_by(base->backend, base, signer, jobs, count);
}
