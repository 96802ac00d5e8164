/* burst.h: one signature for all messages of a burst that go to different receivers.
 *
 * Shape: the messages are the leaves of a hash tree (RFC 9162, 2.1: pairs level by level, the last
 * of an odd level goes up as it is); its root is signed, and each message travels with the
 * signature and its path, the hashes beside its way up. Who has the message and the path computes
 * the root, and checks the signature of that as of any text.
 *
 *    leaf   SHA-512("... leaf" message)        cut to 32 bytes, as the two below are
 *    node   SHA-512("... node" left right)
 *    text   "... root" length of context, context, number of messages, root    signed
 *
 * The quoted domains have 32 bytes each (burst.c): a leaf is never taken for a node, and the key
 * signs no other text that begins like the root's. The number of messages is signed, so a place in
 * the burst has one length of path. SHA-512 because it runs in eight lanes here already, and
 * libsodium has the same bytes for other CPUs.
 * Memory: the sender's region (ed25519_burst_footprint, aligned to a cache line); messages and
 * claims are read during the call alone. Threads: a burst is one thread's; verification: any. Time:
 * public data, but for the signer's.
 * Limits: ED25519_BURST_MAX messages, so ED25519_BURST_PATH_MAX hashes a path; the context up to 31
 * bytes.
 * Refusals: enum ed25519_burst_refusal, a sentence each, one a claim; counted by whoever asked.
 * Cost: a leaf and a node for a message that is signed, a leaf and the path for one that is
 * checked; docs/ed25519.md.
 */
#ifndef CRYPTO_ED25519_BURST_H
#define CRYPTO_ED25519_BURST_H

#include "crypto/ed25519/ed25519.h"

#define ED25519_BURST_HASH_BYTES  32u
#define ED25519_BURST_PATH_MAX    16u
#define ED25519_BURST_MAX         (UINT32_C(1) << ED25519_BURST_PATH_MAX)
#define ED25519_BURST_CONTEXT_MAX 31u

/* What the signature is for, and which group: signed, not sent. */
struct ed25519_burst_context {
    const uint8_t *context; /* may be NULL for 0 bytes */
    uint32_t context_bytes; /* at most ED25519_BURST_CONTEXT_MAX */
};

struct ed25519_burst_message {
    const uint8_t *message; /* may be NULL for 0 bytes */
    size_t message_bytes;
};

/* ---- sender ---------------------------------------------------------------------------------- */

struct ed25519_burst;

/* 64 bytes a message. 0: none, or more than ED25519_BURST_MAX. */
size_t ed25519_burst_footprint(uint32_t capacity);

/* `base` outlives the burst. */
struct ed25519_burst *ed25519_burst_init(void *memory, const struct ed25519_base *base,
                                         uint32_t capacity);

/* Builds the tree of 1 to `capacity` messages, in place of the one before, and signs its root. */
void ed25519_burst_sign(struct ed25519_burst *burst, const struct ed25519_signer *signer,
                        const struct ed25519_burst_context *context,
                        const struct ed25519_burst_message *messages, uint32_t count,
                        uint8_t signature[ED25519_SIGNATURE_BYTES]);

/* The path of message `index` of the burst just signed: how many hashes it has. */
uint32_t ed25519_burst_path(const struct ed25519_burst *burst, uint32_t index,
                            uint8_t path[ED25519_BURST_PATH_MAX * ED25519_BURST_HASH_BYTES]);

/* ---- receiver -------------------------------------------------------------------------------- */

enum ed25519_burst_refusal {
    ED25519_BURST_GOOD = 0,
#define REFUSAL(name, sentence) ED25519_BURST_##name,
#include "crypto/ed25519/burst_refusals.def"
#undef REFUSAL
    ED25519_BURST_REFUSALS
};
const char *ed25519_burst_refusal_sentence(enum ed25519_burst_refusal refusal);

/* "This is message `index` of a burst of `count` that the key signed." All of it may be a lie. */
struct ed25519_burst_claim {
    struct ed25519_burst_message message;
    const uint8_t *path; /* path_count hashes, the leaf's neighbour first; may be NULL for none */
    uint32_t path_count;
    uint32_t index;
    uint32_t count;
    uint32_t slot;            /* as of struct ed25519_job */
    const uint8_t *key;       /* as of struct ed25519_job */
    const uint8_t *signature; /* ED25519_SIGNATURE_BYTES */
};

/* verdicts[i]: whether claims[i] holds, or why not. Claims with the same root, signature and key
 * among 64 in a row share one check. Returns how many signatures were checked. */
uint32_t ed25519_burst_verify(const struct ed25519_keyset *keyset,
                              const struct ed25519_burst_context *context,
                              const struct ed25519_burst_claim *claims, uint32_t count,
                              enum ed25519_burst_refusal *verdicts);

/* The same by another backend than the base's; it runs here. */
uint32_t ed25519_burst_verify_by(enum ed25519_backend backend, const struct ed25519_keyset *keyset,
                                 const struct ed25519_burst_context *context,
                                 const struct ed25519_burst_claim *claims, uint32_t count,
                                 enum ed25519_burst_refusal *verdicts);

#endif
