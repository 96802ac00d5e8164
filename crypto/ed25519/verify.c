#include "crypto/ed25519/work.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <sodium.h>

void ed25519_work_hash(struct work *work, uint32_t index)
{
    const struct ed25519_job *job = work->job[index];
    crypto_hash_sha512_state state;
    uint8_t hash[crypto_hash_sha512_BYTES];
    uint64_t wide[8];
    (void)crypto_hash_sha512_init(&state);
    (void)crypto_hash_sha512_update(&state, job->signature, 32);
    (void)crypto_hash_sha512_update(&state, work->key[index], ED25519_KEY_BYTES);
    (void)crypto_hash_sha512_update(&state, job->message, job->message_bytes);
    (void)crypto_hash_sha512_final(&state, hash);
    for (int i = 0; i < 8; i++)
        wide[i] = load_u64(hash + 8 * i);
    ed25519_scalar_reduce(&work->h[index], wide);
}

static bool verify_alone(const struct ed25519_job *job, const uint8_t *key)
{
    return crypto_sign_verify_detached(job->signature, job->message, job->message_bytes, key) == 0;
}

/* Whether the job is in the work now; if not, it is bad. */
static bool take(struct work *work, const struct ed25519_keyset *keyset,
                 const struct ed25519_job *job)
{
    const uint8_t *key = ed25519_keyset_key(keyset, job->slot);
    struct scalar *s = &work->s[work->count];
    ed25519_scalar_load(s, job->signature + 32);
    if (!ed25519_scalar_canonical(s) || ed25519_small_order(job->signature))
        return false;
    work->job[work->count] = job;
    work->key[work->count] = key;
    work->table[work->count] = keyset_table(keyset, job->slot);
    work->count++;
    return true;
}

static uint64_t verify(enum ed25519_backend backend, struct work *work)
{
    if (work->count == 0)
        return 0;
    switch (backend) {
    case ED25519_IFMA:
        return ed25519_ifma_verify(work);
    case ED25519_AVX2:
        return ed25519_avx2_verify(work);
    case ED25519_PORTABLE:
    default:
        return ed25519_portable_verify(work);
    }
}

bool ed25519_batch_verify_by(enum ed25519_backend backend, const struct ed25519_keyset *keyset,
                             const struct ed25519_job *jobs, uint32_t count, bool *verdicts)
{
    ENSURE(ed25519_backend_runs(backend));
    struct work work;
    uint32_t from[WORK_MAX] = {0};
    bool all = true;
    work.base = keyset->base;
    work.key_window = keyset->window;
    work.count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (jobs[i].slot == ED25519_SLOT_NONE) {
            verdicts[i] = verify_alone(&jobs[i], jobs[i].key);
        } else {
            from[work.count] = i;
            verdicts[i] = take(&work, keyset, &jobs[i]);
        }
        all &= verdicts[i];
        if (work.count == WORK_MAX || i + 1 == count) {
            uint64_t good = verify(backend, &work);
            for (uint32_t j = 0; j < work.count; j++) {
                verdicts[from[j]] = (good >> j & 1) != 0;
                all &= verdicts[from[j]];
            }
            work.count = 0;
        }
    }
    return all;
}

bool ed25519_batch_verify(const struct ed25519_keyset *keyset, const struct ed25519_job *jobs,
                          uint32_t count, bool *verdicts)
{
    return ed25519_batch_verify_by(keyset->base->backend, keyset, jobs, count, verdicts);
}
