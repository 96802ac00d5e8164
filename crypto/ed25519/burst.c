#include "crypto/ed25519/burst.h"

#include "crypto/ed25519/keyset.h"
#include "crypto/ed25519/lanes.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "numa/base/layout.h"

#include <sodium.h>

#define HASH_BYTES ED25519_BURST_HASH_BYTES
#define TOGETHER   8u  /* texts hashed at once */
#define STRETCH    64u /* claims looked at together */

#define TEXT_CONTEXT 32u
#define TEXT_COUNT   (TEXT_CONTEXT + 1 + ED25519_BURST_CONTEXT_MAX)
#define TEXT_ROOT    (TEXT_COUNT + 4)
#define TEXT_BYTES   (TEXT_ROOT + HASH_BYTES)

static const uint8_t domain_leaf[HASH_BYTES] = "quorate ed25519 burst 1 leaf";
static const uint8_t domain_node[HASH_BYTES] = "quorate ed25519 burst 1 node";
static const uint8_t domain_root[TEXT_CONTEXT] = "quorate ed25519 burst 1 root";

struct ed25519_burst {
    const struct ed25519_base *base;
    uint32_t capacity;
    uint32_t count;
    uint8_t (*hash)[HASH_BYTES]; /* the leaves, then level by level, the root last */
};

const char *ed25519_burst_refusal_sentence(enum ed25519_burst_refusal refusal)
{
    static const char *const sentences[] = {
        "the message belongs to a burst that the key signed",
#define REFUSAL(name, sentence) sentence,
#include "crypto/ed25519/burst_refusals.def"
#undef REFUSAL
    };
    ENSURE((size_t)refusal < COUNT_OF(sentences));
    return sentences[refusal];
}

/* ---- hashes ---------------------------------------------------------------------------------- */

static struct lanes_text leaf_text(const struct ed25519_burst_message *message)
{
    return (struct lanes_text){{domain_leaf, NULL}, message->message, message->message_bytes};
}

static struct lanes_text node_text(const uint8_t *left, const uint8_t *right)
{
    return (struct lanes_text){{domain_node, left}, right, HASH_BYTES};
}

static void hash_alone(uint8_t digest[crypto_hash_sha512_BYTES], const struct lanes_text *text)
{
    crypto_hash_sha512_state state;
    (void)crypto_hash_sha512_init(&state);
    for (int i = 0; i < 2; i++) {
        if (text->head[i] != NULL)
            (void)crypto_hash_sha512_update(&state, text->head[i], 32);
    }
    (void)crypto_hash_sha512_update(&state, text->message, text->message_bytes);
    (void)crypto_hash_sha512_final(&state, digest);
}

/* Up to TOGETHER texts. Outputs may lie in texts. */
static void hash_texts(enum ed25519_backend backend, uint8_t *const out[],
                       const struct lanes_text *text, uint32_t count)
{
    uint64_t digest[TOGETHER][crypto_hash_sha512_BYTES / sizeof(uint64_t)];
    if (backend == ED25519_IFMA && count > 1) {
        ed25519_ifma_sha512(digest, text, count);
    } else {
        for (uint32_t i = 0; i < count; i++)
            hash_alone((uint8_t *)digest[i], &text[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        memcpy(out[i], digest[i], HASH_BYTES);
}

/* What is signed. */
static void write_text(uint8_t text[TEXT_BYTES], const struct ed25519_burst_context *context,
                       uint32_t count, const uint8_t root[HASH_BYTES])
{
    ENSURE(context->context_bytes <= ED25519_BURST_CONTEXT_MAX);
    memset(text, 0, TEXT_BYTES);
    memcpy(text, domain_root, sizeof domain_root);
    text[TEXT_CONTEXT] = (uint8_t)context->context_bytes;
    if (context->context_bytes > 0)
        memcpy(text + TEXT_CONTEXT + 1, context->context, context->context_bytes);
    store_u32(text + TEXT_COUNT, count);
    memcpy(text + TEXT_ROOT, root, HASH_BYTES);
}

/* ---- sender ---------------------------------------------------------------------------------- */

struct burst_parts {
    size_t hash, bytes;
};

static struct burst_parts burst_walk(uint32_t capacity)
{
    struct layout layout = {0};
    struct burst_parts parts;
    (void)layout_add(&layout, sizeof(struct ed25519_burst));
    /* each level is at most half of the last and a half more */
    parts.hash = layout_add(&layout, (2 * (size_t)capacity + ED25519_BURST_PATH_MAX) * HASH_BYTES);
    parts.bytes = layout.bytes;
    return parts;
}

size_t ed25519_burst_footprint(uint32_t capacity)
{
    return capacity == 0 || capacity > ED25519_BURST_MAX ? 0 : burst_walk(capacity).bytes;
}

struct ed25519_burst *ed25519_burst_init(void *memory, const struct ed25519_base *base,
                                         uint32_t capacity)
{
    ENSURE(ed25519_burst_footprint(capacity) != 0);
    ENSURE((uintptr_t)memory % CACHE_LINE_BYTES == 0);
    struct ed25519_burst *burst = memory;
    *burst = (struct ed25519_burst){
        .base = base,
        .capacity = capacity,
        .hash = (uint8_t(*)[HASH_BYTES])(void *)((uint8_t *)memory + burst_walk(capacity).hash),
    };
    return burst;
}

static void hash_leaves(struct ed25519_burst *burst, const struct ed25519_burst_message *messages)
{
    struct lanes_text text[TOGETHER];
    uint8_t *out[TOGETHER];
    for (uint32_t first = 0; first < burst->count; first += TOGETHER) {
        uint32_t some = min_u32(burst->count - first, TOGETHER);
        for (uint32_t i = 0; i < some; i++) {
            text[i] = leaf_text(&messages[first + i]);
            out[i] = burst->hash[first + i];
        }
        hash_texts(burst->base->backend, out, text, some);
    }
}

/* The level above `width` hashes, behind them. */
static void hash_level(enum ed25519_backend backend, uint8_t (*from)[HASH_BYTES], uint32_t width)
{
    struct lanes_text text[TOGETHER];
    uint8_t *out[TOGETHER], (*to)[HASH_BYTES] = from + width;
    for (uint32_t first = 0; first < width / 2; first += TOGETHER) {
        uint32_t some = min_u32(width / 2 - first, TOGETHER);
        for (uint32_t i = 0; i < some; i++) {
            text[i] = node_text(from[2 * (first + i)], from[2 * (first + i) + 1]);
            out[i] = to[first + i];
        }
        hash_texts(backend, out, text, some);
    }
    if (width % 2 != 0)
        memcpy(to[width / 2], from[width - 1], HASH_BYTES);
}

void ed25519_burst_sign(struct ed25519_burst *burst, const struct ed25519_signer *signer,
                        const struct ed25519_burst_context *context,
                        const struct ed25519_burst_message *messages, uint32_t count,
                        uint8_t signature[ED25519_SIGNATURE_BYTES])
{
    ENSURE(count > 0 && count <= burst->capacity);
    uint8_t text[TEXT_BYTES], (*level)[HASH_BYTES] = burst->hash;
    burst->count = count;
    hash_leaves(burst, messages);
    for (uint32_t width = count; width > 1; width = (width + 1) / 2) {
        hash_level(burst->base->backend, level, width);
        level += width;
    }
    write_text(text, context, count, *level);
    struct ed25519_sign_job job = {text, sizeof text, signature};
    ed25519_batch_sign(burst->base, signer, &job, 1);
}

uint32_t ed25519_burst_path(const struct ed25519_burst *burst, uint32_t index,
                            uint8_t path[ED25519_BURST_PATH_MAX * HASH_BYTES])
{
    ENSURE(index < burst->count);
    uint32_t hashes = 0;
    uint8_t(*level)[HASH_BYTES] = burst->hash;
    for (uint32_t width = burst->count; width > 1; width = (width + 1) / 2, index /= 2) {
        if ((index ^ 1) < width)
            memcpy(path + (size_t)hashes++ * HASH_BYTES, level[index ^ 1], HASH_BYTES);
        level += width;
    }
    return hashes;
}

/* ---- receiver -------------------------------------------------------------------------------- */

/* A claim on its way up. */
struct climb {
    uint8_t hash[HASH_BYTES];
    const uint8_t *next; /* of the path */
    uint32_t index, width;
};

/* How many hashes the path of a place has. */
static uint32_t path_of(uint32_t index, uint32_t count)
{
    uint32_t hashes = 0;
    for (uint32_t width = count; width > 1; width = (width + 1) / 2, index /= 2)
        hashes += (index ^ 1) < width;
    return hashes;
}

static enum ed25519_burst_refusal judge(const struct ed25519_burst_claim *claim)
{
    if (claim->count == 0 || claim->count > ED25519_BURST_MAX)
        return ED25519_BURST_SIZE;
    if (claim->index >= claim->count)
        return ED25519_BURST_INDEX;
    return claim->path_count == path_of(claim->index, claim->count) ? ED25519_BURST_GOOD
                                                                    : ED25519_BURST_PATH;
}

/* Whether there is a node to hash, whose text is *text now; if not, the climb is at the root. */
static bool climb_on(struct climb *climb, struct lanes_text *text)
{
    while (climb->width > 1) {
        bool paired = (climb->index ^ 1) < climb->width, right = climb->index % 2 != 0;
        climb->index /= 2;
        climb->width = (climb->width + 1) / 2;
        if (!paired)
            continue;
        *text = right ? node_text(climb->next, climb->hash) : node_text(climb->hash, climb->next);
        climb->next += HASH_BYTES;
        return true;
    }
    return false;
}

/* From up to TOGETHER claims to their roots, which are left in climb[i].hash. */
static void climb_together(enum ed25519_backend backend, struct climb *climb,
                           const struct ed25519_burst_claim *const claim[], uint32_t count)
{
    struct lanes_text text[TOGETHER];
    uint8_t *out[TOGETHER];
    for (uint32_t i = 0; i < count; i++) {
        climb[i].next = claim[i]->path;
        climb[i].index = claim[i]->index;
        climb[i].width = claim[i]->count;
        text[i] = leaf_text(&claim[i]->message);
        out[i] = climb[i].hash;
    }
    for (uint32_t some = count; some > 0;) {
        hash_texts(backend, out, text, some);
        some = 0;
        for (uint32_t i = 0; i < count; i++) {
            out[some] = climb[i].hash;
            some += climb_on(&climb[i], &text[some]);
        }
    }
}

/* The roots that were signed, by whom, and the claims that rest on them. */
struct stretch {
    struct ed25519_job job[STRETCH];
    uint8_t text[STRETCH][TEXT_BYTES];
    uint32_t jobs;
    uint32_t claim[STRETCH], job_of[STRETCH]; /* claims that are not refused yet */
    uint32_t claims;
};

static bool same_job(const struct ed25519_job *a, const struct ed25519_job *b)
{
    return a->slot == b->slot &&
           memcmp(a->message + TEXT_COUNT, b->message + TEXT_COUNT, TEXT_BYTES - TEXT_COUNT) == 0 &&
           memcmp(a->signature, b->signature, ED25519_SIGNATURE_BYTES) == 0 &&
           (a->slot != ED25519_SLOT_NONE || memcmp(a->key, b->key, ED25519_KEY_BYTES) == 0);
}

/* The number of the job that checks this claim, a new one if none does yet. */
static uint32_t job_for(struct stretch *stretch, const struct ed25519_burst_context *context,
                        const struct ed25519_burst_claim *claim, const uint8_t root[HASH_BYTES])
{
    uint8_t *text = stretch->text[stretch->jobs];
    write_text(text, context, claim->count, root);
    struct ed25519_job *job = &stretch->job[stretch->jobs];
    *job = (struct ed25519_job){claim->signature, text, TEXT_BYTES, claim->key, claim->slot};
    for (uint32_t i = 0; i < stretch->jobs; i++) {
        if (same_job(&stretch->job[i], job))
            return i;
    }
    return stretch->jobs++;
}

static void find_roots(enum ed25519_backend backend, struct stretch *stretch,
                       const struct ed25519_burst_context *context,
                       const struct ed25519_burst_claim *claims)
{
    struct climb climb[TOGETHER];
    const struct ed25519_burst_claim *some[TOGETHER];
    for (uint32_t first = 0; first < stretch->claims; first += TOGETHER) {
        uint32_t count = min_u32(stretch->claims - first, TOGETHER);
        for (uint32_t i = 0; i < count; i++)
            some[i] = &claims[stretch->claim[first + i]];
        climb_together(backend, climb, some, count);
        for (uint32_t i = 0; i < count; i++)
            stretch->job_of[first + i] = job_for(stretch, context, some[i], climb[i].hash);
    }
}

static uint32_t verify_stretch(enum ed25519_backend backend, const struct ed25519_keyset *keyset,
                               const struct ed25519_burst_context *context,
                               const struct ed25519_burst_claim *claims, uint32_t count,
                               enum ed25519_burst_refusal *verdicts)
{
    struct stretch stretch;
    bool good[STRETCH];
    stretch.jobs = stretch.claims = 0;
    for (uint32_t i = 0; i < count; i++) {
        verdicts[i] = judge(&claims[i]);
        if (verdicts[i] == ED25519_BURST_GOOD)
            stretch.claim[stretch.claims++] = i;
    }
    find_roots(backend, &stretch, context, claims);
    (void)ed25519_batch_verify_by(backend, keyset, stretch.job, stretch.jobs, good);
    for (uint32_t i = 0; i < stretch.claims; i++) {
        if (!good[stretch.job_of[i]])
            verdicts[stretch.claim[i]] = ED25519_BURST_SIGNATURE;
    }
    return stretch.jobs;
}

uint32_t ed25519_burst_verify_by(enum ed25519_backend backend, const struct ed25519_keyset *keyset,
                                 const struct ed25519_burst_context *context,
                                 const struct ed25519_burst_claim *claims, uint32_t count,
                                 enum ed25519_burst_refusal *verdicts)
{
    uint32_t checks = 0;
    for (uint32_t first = 0; first < count; first += STRETCH)
        checks += verify_stretch(backend, keyset, context, claims + first,
                                 min_u32(count - first, STRETCH), verdicts + first);
    return checks;
}

uint32_t ed25519_burst_verify(const struct ed25519_keyset *keyset,
                              const struct ed25519_burst_context *context,
                              const struct ed25519_burst_claim *claims, uint32_t count,
                              enum ed25519_burst_refusal *verdicts)
{
    return ed25519_burst_verify_by(keyset->base->backend, keyset, context, claims, count, verdicts);
}
