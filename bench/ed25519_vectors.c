#include "bench/ed25519_vectors.h"

#include "crypto/ed25519/ed25519.h"
#include "numa/base/bits.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WINDOW 4u /* tables are made for a handful of signatures each */

struct vector {
    uint8_t *key, *signature, *message; /* one allocation, key's */
    size_t message_bytes;
    bool whole; /* key and signature have their lengths */
};

struct vectors {
    struct vector *vector;
    size_t count, room;
    bool *verdict;
    void *base_memory, *keyset_memory;
};

/* ---- reading --------------------------------------------------------------------------------- */

/* The bytes of a word of hex digits; false: it is none. */
static bool parse_hex(const char *text, uint8_t *bytes, size_t room, size_t *length)
{
    const char *end = NULL;
    size_t digits = strlen(text);
    return digits % 2 == 0 && sodium_hex2bin(bytes, room, text, digits, NULL, length, &end) == 0 &&
           end == text + digits;
}

static bool parse_line(struct vector *vector, char *line)
{
    char *rest = NULL;
    const char *key = strtok_r(line, " \t\r\n", &rest);
    const char *signature = strtok_r(NULL, " \t\r\n", &rest);
    const char *message = strtok_r(NULL, " \t\r\n", &rest);
    if (message == NULL || strtok_r(NULL, " \t\r\n", &rest) != NULL)
        return false;
    if (strcmp(message, "-") == 0)
        message = "";
    size_t key_bytes, signature_bytes;
    size_t key_room = strlen(key) + 1, signature_room = strlen(signature) + 1;
    size_t message_room = strlen(message) + 1;
    vector->key = malloc(key_room + signature_room + message_room);
    if (vector->key == NULL)
        return false;
    vector->signature = vector->key + key_room;
    vector->message = vector->signature + signature_room;
    if (!parse_hex(key, vector->key, key_room, &key_bytes) ||
        !parse_hex(signature, vector->signature, signature_room, &signature_bytes) ||
        !parse_hex(message, vector->message, message_room, &vector->message_bytes)) {
        free(vector->key);
        return false;
    }
    vector->whole = key_bytes == ED25519_KEY_BYTES && signature_bytes == ED25519_SIGNATURE_BYTES;
    return true;
}

static bool make_room(struct vectors *vectors)
{
    if (vectors->count < vectors->room)
        return true;
    size_t room = vectors->room == 0 ? 1024 : 2 * vectors->room;
    struct vector *more = realloc(vectors->vector, room * sizeof *more);
    if (more == NULL)
        return false;
    vectors->vector = more;
    vectors->room = room;
    return true;
}

static int read_lines(struct vectors *vectors, FILE *in, char *error)
{
    char *line = NULL;
    size_t room = 0;
    int status = EX_OK;
    for (uint64_t number = 1; status == EX_OK && getline(&line, &room, in) >= 0; number++) {
        if (line[strspn(line, " \t\r\n")] == '\0')
            continue;
        if (!make_room(vectors)) {
            (void)snprintf(error, ED25519_VECTORS_ERROR_MAX, "no memory for the vectors");
            status = EX_OSERR;
        } else if (!parse_line(&vectors->vector[vectors->count], line)) {
            (void)snprintf(error, ED25519_VECTORS_ERROR_MAX,
                           "line %llu is not: public key, signature, message, in hex digits",
                           (unsigned long long)number);
            status = EX_DATAERR;
        } else {
            vectors->count++;
        }
    }
    free(line);
    return status;
}

/* ---- judging --------------------------------------------------------------------------------- */

static void judge_by_libsodium(struct vectors *vectors)
{
    for (size_t i = 0; i < vectors->count; i++) {
        const struct vector *vector = &vectors->vector[i];
        vectors->verdict[i] =
            vector->whole && crypto_sign_verify_detached(vector->signature, vector->message,
                                                         vector->message_bytes, vector->key) == 0;
    }
}

/* Up to ED25519_VECTORS_KEYS vectors from `first` on; keys that get no slot have their verdict by
 * that. */
static void judge_some(struct vectors *vectors, size_t first, size_t count,
                       const struct ed25519_base *base)
{
    struct ed25519_keyset *keyset =
        ed25519_keyset_init(vectors->keyset_memory, base, ED25519_VECTORS_KEYS, WINDOW);
    struct ed25519_job jobs[ED25519_VECTORS_KEYS];
    size_t from[ED25519_VECTORS_KEYS];
    bool verdicts[ED25519_VECTORS_KEYS];
    uint32_t job_count = 0;
    for (size_t i = first; i < first + count; i++) {
        const struct vector *vector = &vectors->vector[i];
        uint32_t slot = ED25519_SLOT_NONE;
        vectors->verdict[i] = false;
        if (!vector->whole)
            continue;
        if (ed25519_keyset_add(keyset, vector->key, &slot) != ED25519_ADDED &&
            slot == ED25519_SLOT_NONE)
            continue;
        from[job_count] = i;
        jobs[job_count++] = (struct ed25519_job){.signature = vector->signature,
                                                 .message = vector->message,
                                                 .message_bytes = vector->message_bytes,
                                                 .slot = slot};
    }
    (void)ed25519_batch_verify(keyset, jobs, job_count, verdicts);
    for (uint32_t i = 0; i < job_count; i++)
        vectors->verdict[from[i]] = verdicts[i];
}

static void judge_by(struct vectors *vectors, enum ed25519_backend backend)
{
    const struct ed25519_base *base = ed25519_base_init(vectors->base_memory, WINDOW, backend);
    for (size_t first = 0; first < vectors->count; first += ED25519_VECTORS_KEYS)
        judge_some(vectors, first, min_u64(vectors->count - first, ED25519_VECTORS_KEYS), base);
}

static void write_verdicts(const struct vectors *vectors, const char *backend, FILE *out)
{
    size_t accepted = 0;
    for (size_t i = 0; i < vectors->count; i++)
        accepted += vectors->verdict[i];
    (void)fprintf(out, "{\"backend\":\"%s\",\"total\":%zu,\"accepted\":%zu,\"verdicts\":\"",
                  backend, vectors->count, accepted);
    for (size_t i = 0; i < vectors->count; i++)
        (void)fputc(vectors->verdict[i] ? '1' : '0', out);
    (void)fputs("\"}\n", out);
}

static int judge_all(struct vectors *vectors, FILE *out, char *error)
{
    vectors->verdict = calloc(vectors->count + 1, sizeof *vectors->verdict);
    vectors->base_memory =
        aligned_alloc(CACHE_LINE_BYTES, round_up(ed25519_base_footprint(WINDOW), CACHE_LINE_BYTES));
    vectors->keyset_memory = aligned_alloc(
        CACHE_LINE_BYTES,
        round_up(ed25519_keyset_footprint(ED25519_VECTORS_KEYS, WINDOW), CACHE_LINE_BYTES));
    if (vectors->verdict == NULL || vectors->base_memory == NULL ||
        vectors->keyset_memory == NULL) {
        (void)snprintf(error, ED25519_VECTORS_ERROR_MAX, "no memory for the tables");
        return EX_OSERR;
    }
    for (uint32_t i = ED25519_BACKENDS; i-- > 0;) {
        enum ed25519_backend backend = (enum ed25519_backend)i;
        if (!ed25519_backend_runs(backend))
            continue;
        judge_by(vectors, backend);
        write_verdicts(vectors, ed25519_backend_name(backend), out);
    }
    judge_by_libsodium(vectors);
    write_verdicts(vectors, "libsodium", out);
    return EX_OK;
}

int ed25519_vectors_run(FILE *in, FILE *out, char error[ED25519_VECTORS_ERROR_MAX])
{
    struct vectors vectors = {0};
    int status = read_lines(&vectors, in, error);
    if (status == EX_OK)
        status = judge_all(&vectors, out, error);
    for (size_t i = 0; i < vectors.count; i++)
        free(vectors.vector[i].key);
    free(vectors.vector);
    free(vectors.verdict);
    free(vectors.base_memory);
    free(vectors.keyset_memory);
    return status;
}
