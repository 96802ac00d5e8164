#include "bench/signers.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "protocols/wire/signed.h"

#include <stdlib.h>
#include <string.h>

#define BASE_WINDOW ED25519_WINDOW_MIN /* signing has a table of its own */

struct pair {
    uint8_t key[ED25519_KEY_BYTES];
    uint8_t secret[ED25519_SECRET_BYTES];
};

struct signers {
    uint32_t count;
    uint8_t (*key)[ED25519_KEY_BYTES];
    struct ed25519_signer *signer;
    void *base_memory;
    struct ed25519_base *base;
    uint32_t added;
    struct ed25519_sign_job job[PORT_BURST_MAX];
};

static int compare_pairs(const void *a, const void *b)
{
    return memcmp(a, b, ED25519_KEY_BYTES);
}

static bool draw_keys(struct signers *signers)
{
    struct pair *pairs = calloc(signers->count, sizeof *pairs);
    if (pairs == NULL)
        return false;
    for (uint32_t i = 0; i < signers->count; i++)
        ed25519_generate(pairs[i].key, pairs[i].secret);
    qsort(pairs, signers->count, sizeof *pairs, compare_pairs);
    for (uint32_t i = 0; i < signers->count; i++) {
        memcpy(signers->key[i], pairs[i].key, ED25519_KEY_BYTES);
        ed25519_signer_init(&signers->signer[i], pairs[i].secret);
    }
    explicit_bzero(pairs, signers->count * sizeof *pairs);
    free(pairs);
    return true;
}

struct signers *signers_create(uint32_t count)
{
    struct signers *signers = calloc(1, sizeof *signers);
    if (signers == NULL)
        return NULL;
    signers->count = count;
    signers->key = calloc(count, sizeof *signers->key);
    signers->signer = calloc(count, sizeof *signers->signer);
    size_t bytes = round_up(ed25519_base_footprint(BASE_WINDOW), CACHE_LINE_BYTES);
    signers->base_memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (signers->key == NULL || signers->signer == NULL || signers->base_memory == NULL ||
        !draw_keys(signers)) {
        signers_destroy(signers);
        return NULL;
    }
    signers->base = ed25519_base_init(signers->base_memory, BASE_WINDOW, ed25519_backend_best());
    return signers;
}

void signers_destroy(struct signers *signers)
{
    if (signers == NULL)
        return;
    for (uint32_t i = 0; signers->signer != NULL && i < signers->count; i++)
        ed25519_signer_fini(&signers->signer[i]);
    free(signers->signer);
    free(signers->key);
    free(signers->base_memory);
    free(signers);
}

const uint8_t (*signers_keys(const struct signers *signers))[ED25519_KEY_BYTES]
{
    return (const uint8_t(*)[ED25519_KEY_BYTES])signers->key;
}

void signers_add(struct signers *signers, uint32_t client, uint64_t cluster, struct frame *frame)
{
    struct ed25519_sign_job *job = &signers->job[signers->added++];
    struct wire_signed made;
    ENSURE(signers->added <= PORT_BURST_MAX);
    wire_wrap_signed(frame->data, &frame->bytes, frame->capacity, cluster, signers->key[client],
                     &job->signature, &made);
    job->message = made.covered;
    job->message_bytes = made.covered_bytes;
}

void signers_sign(struct signers *signers, uint32_t client)
{
    if (signers->added != 0)
        ed25519_batch_sign(signers->base, &signers->signer[client], signers->job, signers->added);
    signers->added = 0;
}
