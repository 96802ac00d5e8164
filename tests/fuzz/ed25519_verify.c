/* Batches of good, bent and raw signatures: every backend gives libsodium's verdict on each. The
 * input is a program: how many jobs, then for each whose key, what message, and what is bent. */
#include "crypto/ed25519/ed25519.h"
#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <stdlib.h>

#define SIGNERS  6u
#define RAW_KEYS 2u /* slots for keys out of the input */
#define JOBS_MAX 18u
#define WINDOW   4u

static struct {
    bool ready;
    uint8_t key[SIGNERS][ED25519_KEY_BYTES], secret[SIGNERS][ED25519_SECRET_BYTES];
    struct ed25519_keyset *keyset[ED25519_BACKENDS];
} state;

static void *region(size_t bytes)
{
    void *memory = aligned_alloc(CACHE_LINE_BYTES, round_up(bytes, CACHE_LINE_BYTES));
    ENSURE(memory != NULL);
    return memory;
}

/* The last signer's key gets a part of order 8 added, which libsodium takes. */
static void make_ready(void)
{
    static const uint8_t order8[32] = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f,
                                       0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
                                       0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6,
                                       0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
    for (uint32_t i = 0; i < SIGNERS; i++) {
        uint8_t seed[32] = {(uint8_t)i, 1};
        ENSURE(crypto_sign_seed_keypair(state.key[i], state.secret[i], seed) == 0);
    }
    uint8_t *mixed = state.key[SIGNERS - 1];
    ENSURE(crypto_core_ed25519_add(mixed, mixed, order8) == 0);
    memcpy(state.secret[SIGNERS - 1] + 32, mixed, ED25519_KEY_BYTES);
    for (uint32_t b = 0; b < ED25519_BACKENDS; b++) {
        enum ed25519_backend backend = (enum ed25519_backend)b;
        if (!ed25519_backend_runs(backend))
            continue;
        const struct ed25519_base *base =
            ed25519_base_init(region(ed25519_base_footprint(WINDOW)), WINDOW, backend);
        state.keyset[b] =
            ed25519_keyset_init(region(ed25519_keyset_footprint(SIGNERS + RAW_KEYS, WINDOW)), base,
                                SIGNERS + RAW_KEYS, WINDOW);
        for (uint32_t i = 0; i < SIGNERS; i++) {
            uint32_t slot;
            ENSURE(ed25519_keyset_add(state.keyset[b], state.key[i], &slot) == ED25519_ADDED);
            ENSURE(slot == i);
        }
    }
    state.ready = true;
}

struct batch {
    uint32_t count, raw_keys;
    uint8_t key[JOBS_MAX][ED25519_KEY_BYTES];
    uint8_t signature[JOBS_MAX][ED25519_SIGNATURE_BYTES];
    uint8_t message[JOBS_MAX][256];
    uint32_t message_bytes[JOBS_MAX];
    bool good[JOBS_MAX];
};

/* Adds what is there of 32 bytes of the input. */
static void bend(uint8_t *bytes, struct fuzz_input *input)
{
    uint32_t got, carry = 0;
    const uint8_t *from = fuzz_bytes(input, 32, &got);
    for (uint32_t i = 0; i < 32; i++) {
        carry += bytes[i] + (i < got ? from[i] : 0u);
        bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static void make_job(struct batch *batch, uint32_t i, struct fuzz_input *input)
{
    uint32_t got, signer = fuzz_u8(input) % SIGNERS, how = fuzz_u8(input);
    const uint8_t *message = fuzz_bytes(input, fuzz_u8(input), &got);
    memcpy(batch->message[i], message, got);
    batch->message_bytes[i] = got;
    memcpy(batch->key[i], state.key[signer], ED25519_KEY_BYTES);
    (void)crypto_sign_detached(batch->signature[i], NULL, batch->message[i], got,
                               state.secret[signer]);
    if ((how & 1) != 0)
        bend(batch->signature[i], input);
    if ((how & 2) != 0)
        bend(batch->signature[i] + 32, input);
    if ((how & 4) != 0 && got > 0)
        batch->message[i][0]++;
    if ((how & 8) != 0 && batch->raw_keys < RAW_KEYS) {
        bend(batch->key[i], input);
        batch->raw_keys++;
    }
    if ((how & 16) != 0)
        memset(batch->signature[i], how & 32 ? 0xff : 0, how & 64 ? 31 : 32);
    batch->good[i] = crypto_sign_verify_detached(batch->signature[i], batch->message[i], got,
                                                 batch->key[i]) == 0;
}

static void check(const struct batch *batch, enum ed25519_backend backend)
{
    struct ed25519_keyset *keyset = state.keyset[backend];
    struct ed25519_job jobs[JOBS_MAX];
    bool verdicts[JOBS_MAX];
    for (uint32_t i = 0; i < batch->count; i++) {
        uint32_t slot;
        enum ed25519_refusal refusal = ed25519_keyset_add(keyset, batch->key[i], &slot);
        ENSURE(refusal == ED25519_ADDED || refusal == ED25519_KNOWN || !batch->good[i]);
        jobs[i] = (struct ed25519_job){batch->signature[i], batch->message[i],
                                       batch->message_bytes[i], batch->key[i], slot};
    }
    (void)ed25519_batch_verify(keyset, jobs, batch->count, verdicts);
    for (uint32_t i = 0; i < batch->count; i++)
        ENSURE(verdicts[i] == batch->good[i]);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (jobs[i].slot < SIGNERS || jobs[i].slot == ED25519_SLOT_NONE ||
            ed25519_keyset_find(keyset, batch->key[i]) == ED25519_SLOT_NONE)
            continue;
        ed25519_keyset_retire(keyset, jobs[i].slot);
        ed25519_keyset_reclaim(keyset, jobs[i].slot);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static struct batch batch;
    struct fuzz_input input = {data, bytes};
    if (!state.ready)
        make_ready();
    batch.count = 1 + fuzz_u8(&input) % JOBS_MAX;
    batch.raw_keys = 0;
    for (uint32_t i = 0; i < batch.count; i++)
        make_job(&batch, i, &input);
    for (uint32_t b = 0; b < ED25519_BACKENDS; b++) {
        if (ed25519_backend_runs((enum ed25519_backend)b))
            check(&batch, (enum ed25519_backend)b);
    }
    return 0;
}
