/* ed25519.h: signatures of known signers, checked and made in batches.
 *
 * Shape: the signers are known beforehand, so each registered key A has a table of multiples of -A
 * and the base point B one of its own; [S]B + [h](-A) is then some fifty additions without a
 * doubling, eight signatures side by side where the CPU has AVX-512 IFMA, four with AVX2, one
 * otherwise. docs/ed25519.md explains it.
 *
 *    ed25519_base   multiples of B, one a process or NUMA node; read only once made
 *    ed25519_keyset slots with tables of keys: a slot is free -> live -> retired -> free
 *    ed25519_cache  a keyset that forgets the key it has not seen for longest: for clients
 *    ed25519_batch_verify, ed25519_batch_sign
 *
 * The verdict on each signature is that of libsodium 1.0.18's crypto_sign_verify_detached, for
 * every input: S < L; R not of small order; A canonical, not of small order, on the curve; R's
 * bytes equal those of [S]B - [h]A. It is per signature: no random combination, so nobody's bad
 * signature costs others a second look. Signing gives crypto_sign_detached's bytes.
 *
 * Memory: the caller's regions (X_footprint bytes, aligned to a cache line), kept until the caller
 * forgets the object; nothing is allocated, and there is no fini: no object holds anything but its
 * region, and public data. Jobs, and what they point to, are read during the call alone, some of it
 * twice: nobody may write there meanwhile (two texts under one nonce would give the secret key
 * away). A call uses up to 96 KiB of stack.
 * Threads: base: any number of readers. Keyset: one writer (add, retire, reclaim) beside any number
 * of verifiers. A slot's table does not change from add to reclaim; the writer calls reclaim once
 * no verifier can hold the slot's number any more (RCU: a grace period after the view without it
 * was published). Cache: one thread, but for build. Signing: any.
 * Time: verification depends on its inputs, which are public. Signing: no branch and no address
 * depends on a secret; secrets on the stack are wiped before return.
 * Limits: ED25519_WINDOW_MIN..ED25519_WINDOW_MAX; keys by the footprint; messages by size_t; a
 * batch by uint32_t.
 * Refusals: enum ed25519_refusal, with a sentence each; the keyset counts them. A false verdict is
 * not a refusal.
 * Cost: docs/ed25519.md, with the commands that measured it.
 * Source: RFC 8032; Hisil et al., "Twisted Edwards Curves Revisited" (2008), formulas of 3.1 for a
 * = -1.
 */
#ifndef CRYPTO_ED25519_ED25519_H
#define CRYPTO_ED25519_ED25519_H

#include "numa/base/types.h"

#define ED25519_KEY_BYTES       32u
#define ED25519_SECRET_BYTES    64u /* libsodium's form: seed, public key */
#define ED25519_SIGNATURE_BYTES 64u

#define ED25519_WINDOW_MIN 4u
#define ED25519_WINDOW_MAX 14u
#define ED25519_SLOT_NONE  UINT32_MAX

/* ---- backends -------------------------------------------------------------------------------- */

enum ed25519_backend {
    ED25519_PORTABLE = 0,
    ED25519_AVX2, /* four lanes: also BMI2 */
    ED25519_IFMA, /* eight lanes: AVX-512 F, BW, DQ, VL, IFMA; BMI2 */
};
#define ED25519_BACKENDS 3u

/* The fastest that this CPU and its kernel can run. */
enum ed25519_backend ed25519_backend_best(void);

/* Whether they can run this one. */
bool ed25519_backend_runs(enum ed25519_backend backend);

/* "portable", "avx2", "ifma". */
const char *ed25519_backend_name(enum ed25519_backend backend);

/* False: no such name. */
bool ed25519_backend_named(const char *name, enum ed25519_backend *backend);

/* ---- the base point -------------------------------------------------------------------------- */

struct ed25519_base;

/* 12 bits: 4.1 MiB, 21 additions. 0: no such width. */
size_t ed25519_base_footprint(uint32_t window);

/* Builds the tables: some ms, more for each bit of the window. The backend runs here; it is that of
 * all who use this base. */
struct ed25519_base *ed25519_base_init(void *memory, uint32_t window, enum ed25519_backend backend);

/* ---- keys ------------------------------------------------------------------------------------ */

enum ed25519_refusal {
    ED25519_ADDED = 0,
#define REFUSAL(name, sentence) ED25519_##name,
#include "crypto/ed25519/refusals.def"
#undef REFUSAL
    ED25519_REFUSALS
};
const char *ed25519_refusal_sentence(enum ed25519_refusal refusal);

/* Whether signatures by this key can be good at all: ED25519_ADDED, or NONCANONICAL, SMALL_ORDER,
 * NO_POINT. */
CHECK_RESULT enum ed25519_refusal ed25519_key_judge(const uint8_t key[ED25519_KEY_BYTES]);

/* A new pair, of the system's randomness. */
void ed25519_generate(uint8_t key[ED25519_KEY_BYTES], uint8_t secret[ED25519_SECRET_BYTES]);

/* Keys as people see them: small hexadecimal digits out, either case in. By libsodium, in time that
 * does not depend on the bytes. `text` has room for 2 * count + 1; in: 2 * count digits, whatever
 * follows. */
void ed25519_to_hex(char *text, const uint8_t *bytes, size_t count);
CHECK_RESULT bool ed25519_from_hex(uint8_t *bytes, size_t count, const char *text);

struct ed25519_keyset;

/* The widest window with which `capacity` tables take at most `budget_bytes`, and one of them is
 * built in less than 1 ms where docs/ed25519.md measured it (10 bits by IFMA, 7 by others); 0: not
 * even the narrowest. */
uint32_t ed25519_keyset_window(enum ed25519_backend backend, uint32_t capacity,
                               size_t budget_bytes);

/* Of one key's table. */
size_t ed25519_table_bytes(uint32_t window);

/* 0: no slots, no such width, or a sum beyond size_t. */
size_t ed25519_keyset_footprint(uint32_t capacity, uint32_t window);

/* `base` outlives the keyset. */
struct ed25519_keyset *ed25519_keyset_init(void *memory, const struct ed25519_base *base,
                                           uint32_t capacity, uint32_t window);

/* Checks the key, builds its table and makes the slot live. *slot is its number; if the key is
 * refused as KNOWN, that of its live slot; otherwise ED25519_SLOT_NONE. O(capacity) and the
 * table. */
CHECK_RESULT enum ed25519_refusal ed25519_keyset_add(struct ed25519_keyset *keyset,
                                                     const uint8_t key[ED25519_KEY_BYTES],
                                                     uint32_t *slot);

/* The live slot of a key, or ED25519_SLOT_NONE. O(capacity): for the writer. */
uint32_t ed25519_keyset_find(const struct ed25519_keyset *keyset,
                             const uint8_t key[ED25519_KEY_BYTES]);

/* From now on the slot is found no more; whoever holds its number may still verify with it. The
 * slot is live. */
void ed25519_keyset_retire(struct ed25519_keyset *keyset, uint32_t slot);

/* Nobody holds its number: add may use it again. The slot is retired. */
void ed25519_keyset_reclaim(struct ed25519_keyset *keyset, uint32_t slot);

/* The key of a slot that is live or retired. */
const uint8_t *ed25519_keyset_key(const struct ed25519_keyset *keyset, uint32_t slot);

uint64_t ed25519_keyset_refused(const struct ed25519_keyset *keyset, enum ed25519_refusal refusal);

/* ---- keys that come and go ------------------------------------------------------------------- */

struct ed25519_cache;

/* As of the keyset. */
size_t ed25519_cache_footprint(uint32_t capacity, uint32_t window);

/* `seed` is not to be guessed by those who choose keys: it keeps them from crowding one chain of
 * the index. */
struct ed25519_cache *ed25519_cache_init(void *memory, const struct ed25519_base *base,
                                         uint32_t capacity, uint32_t window,
                                         const uint8_t seed[16]);

/* The slot of a key, which counts as seen now; ED25519_SLOT_NONE: not here, so its jobs take
 * libsodium's path. O(1). */
uint32_t ed25519_cache_find(struct ed25519_cache *cache, const uint8_t key[ED25519_KEY_BYTES]);

/* About as many checks by libsodium as a table costs: who floods the cache with new keys makes
 * nobody pay more than twice what they cost without it. */
#define ED25519_CACHE_TRIAL 18u

/* A job of a key without a slot was good, by libsodium. True: that was so ED25519_CACHE_TRIAL
 * times, and it may have a table; its count begins anew. Keys on trial are counted in a fixed
 * table, where one that shares its place with others that are as frequent may wait for ever.
 * O(1). */
bool ed25519_cache_proven(struct ed25519_cache *cache, const uint8_t key[ED25519_KEY_BYTES]);

/* Takes the key in, and evicts the one not seen for longest if there is no free slot: no job may
 * hold its number. Refused: as keyset_add, but FULL only if every slot is being built; KNOWN counts
 * as seen. */
CHECK_RESULT enum ed25519_refusal ed25519_cache_admit(struct ed25519_cache *cache,
                                                      const uint8_t key[ED25519_KEY_BYTES],
                                                      uint32_t *slot);

/* The same in steps, for an owner that must not stop for a table: choose (evicts), build on any
 * thread while the owner goes on, settle once that has returned. The key is found from then on. */
CHECK_RESULT enum ed25519_refusal ed25519_cache_choose(struct ed25519_cache *cache,
                                                       const uint8_t key[ED25519_KEY_BYTES],
                                                       uint32_t *slot);
void ed25519_cache_build(struct ed25519_cache *cache, uint32_t slot);
void ed25519_cache_settle(struct ed25519_cache *cache, uint32_t slot);

/* For ed25519_batch_verify. */
const struct ed25519_keyset *ed25519_cache_keyset(const struct ed25519_cache *cache);

uint64_t ed25519_cache_evicted(const struct ed25519_cache *cache);

/* ---- verification ---------------------------------------------------------------------------- */

struct ed25519_job {
    const uint8_t *signature; /* ED25519_SIGNATURE_BYTES */
    const uint8_t *message;   /* may be NULL for 0 bytes */
    size_t message_bytes;
    const uint8_t *key; /* read if slot is ED25519_SLOT_NONE: libsodium checks this one alone */
    uint32_t slot;      /* live, or retired and not reclaimed */
};

/* verdicts[i]: whether jobs[i] is good. True: all are. No order and no alignment is asked of
 * anything. */
bool ed25519_batch_verify(const struct ed25519_keyset *keyset, const struct ed25519_job *jobs,
                          uint32_t count, bool *verdicts);

/* The same by another backend than the base's; it runs here. */
bool ed25519_batch_verify_by(enum ed25519_backend backend, const struct ed25519_keyset *keyset,
                             const struct ed25519_job *jobs, uint32_t count, bool *verdicts);

/* ---- signing --------------------------------------------------------------------------------- */

/* A secret key, expanded. It is a secret: the owner keeps it in memory fit for one and wipes it
 * with ed25519_signer_fini. */
struct ed25519_signer {
    uint8_t scalar[32]; /* reduced mod L */
    uint8_t prefix[32];
    uint8_t key[ED25519_KEY_BYTES];
};

void ed25519_signer_init(struct ed25519_signer *signer, const uint8_t secret[ED25519_SECRET_BYTES]);
void ed25519_signer_fini(struct ed25519_signer *signer);

struct ed25519_sign_job {
    const uint8_t *message; /* may be NULL for 0 bytes */
    size_t message_bytes;
    uint8_t *signature; /* written, ED25519_SIGNATURE_BYTES; apart from every message */
};

/* One alone, by libsodium's parts: for those who sign seldom and want no tables. */
void ed25519_sign(const struct ed25519_signer *signer, const struct ed25519_sign_job *job);

void ed25519_batch_sign(const struct ed25519_base *base, const struct ed25519_signer *signer,
                        const struct ed25519_sign_job *jobs, uint32_t count);
void ed25519_batch_sign_by(enum ed25519_backend backend, const struct ed25519_base *base,
                           const struct ed25519_signer *signer, const struct ed25519_sign_job *jobs,
                           uint32_t count);

#endif
