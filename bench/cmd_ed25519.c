#include "bench/build.h"
#include "bench/calibrate.h"
#include "bench/cmd.h"
#include "bench/ed25519_vectors.h"
#include "bench/machine.h"
#include "bench/option.h"
#include "crypto/ed25519/ed25519.h"
#include "numa/memory.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* NOLINTBEGIN(concurrency-mt-unsafe): there is one thread */

#define KEYS_MAX          1000u
#define BATCH_MAX         4096u
#define MESSAGE_BYTES_MAX 65536u
#define POOL              2048u /* distinct signatures, cycled: no table hotter than in life */
#define ROUNDS_MAX        4096u
#define OURS_PER_ROUND    1024u
#define THEIRS_PER_ROUND  48u
#define BASE_WINDOW       14u
#define TABLES_MIB        44u /* of keys; with that of B below 64 */

struct options {
    uint32_t keys, batch, message_bytes, tables_mib;
    double seconds;
    enum ed25519_backend backend;
    bool json;
    const char *vectors;
};

struct figures {
    double ours[ROUNDS_MAX], theirs[ROUNDS_MAX], ratio[ROUNDS_MAX];
};

struct trial {
    const struct options *options;
    uint32_t window;
    struct ed25519_base *base;
    struct ed25519_keyset *keyset;
    size_t bytes; /* of base and keyset */
    uint8_t (*key)[ED25519_KEY_BYTES];
    uint8_t (*secret)[ED25519_SECRET_BYTES];
    uint8_t (*signature)[ED25519_SIGNATURE_BYTES];
    uint8_t *message;
    struct ed25519_job
        *job; /* POOL, then the first BATCH_MAX again, so that a batch may begin anywhere */
    struct ed25519_sign_job *sign_job;
    bool verdict[BATCH_MAX];
    uint32_t rounds, next, next_theirs;
    double key_setup_ns;
    struct figures verify, sign;
};

/* ---- options --------------------------------------------------------------------------------- */

enum key {
    KEY_KEYS = 256,
    KEY_BATCH,
    KEY_MESSAGE,
    KEY_SECONDS,
    KEY_BACKEND,
    KEY_TABLES,
    KEY_VECTORS,
    KEY_JSON
};

static const struct argp_option table[] = {
    {"keys", KEY_KEYS, "K", 0, "Registered keys, 1 to 1000 (31)", 1},
    {"batch", KEY_BATCH, "B", 0, "Signatures a call, 1 to 4096 (64)", 1},
    {"message-bytes", KEY_MESSAGE, "M", 0, "Bytes of a message, 0 to 65536 (100)", 1},
    {"seconds", KEY_SECONDS, "S", 0, "Seconds of measuring (3)", 1},
    {"backend", KEY_BACKEND, "NAME", 0, "ifma, avx2 or portable (the fastest that runs here)", 1},
    {"tables-mib", KEY_TABLES, "MIB", 0, "Most memory for the keys' tables, 1 to 4096 (44)", 1},
    {"vectors", KEY_VECTORS, "FILE", 0, "Judge the signatures of a file instead", 1},
    {"json", KEY_JSON, NULL, 0, "One JSON object instead of a table", 1},
    {NULL, 0, NULL, 0, NULL, 0},
};

static void choose_backend(struct options *options, struct argp_state *state, const char *text)
{
    if (!ed25519_backend_named(text, &options->backend))
        argp_error(state, "--backend is ifma, avx2 or portable, not '%s'", text);
    else if (!ed25519_backend_runs(options->backend))
        argp_failure(state, EX_UNAVAILABLE, 0, "--backend %s does not run on this CPU", text);
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_KEYS:
        options->keys = option_small_number(state, "keys", text, 1, KEYS_MAX);
        return 0;
    case KEY_BATCH:
        options->batch = option_small_number(state, "batch", text, 1, BATCH_MAX);
        return 0;
    case KEY_MESSAGE:
        options->message_bytes =
            option_small_number(state, "message-bytes", text, 0, MESSAGE_BYTES_MAX);
        return 0;
    case KEY_SECONDS:
        options->seconds = option_seconds(state, text);
        return 0;
    case KEY_BACKEND:
        choose_backend(options, state, text);
        return 0;
    case KEY_TABLES:
        options->tables_mib = option_small_number(state, "tables-mib", text, 1, 4096);
        return 0;
    case KEY_VECTORS:
        options->vectors = text;
        return 0;
    case KEY_JSON:
        options->json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "ed25519 takes options only, not '%s'", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- preparation ----------------------------------------------------------------------------- */

static struct topology topology;

static void *reserve(struct trial *trial, size_t bytes)
{
    void *memory = memory_reserve(bytes, 0, &topology, NULL);
    if (memory != NULL && !memory_populate(memory, bytes))
        return NULL;
    trial->bytes += bytes;
    return memory;
}

static bool build_tables(struct trial *trial)
{
    const struct options *options = trial->options;
    void *base_memory = reserve(trial, ed25519_base_footprint(BASE_WINDOW));
    void *keyset_memory = reserve(trial, ed25519_keyset_footprint(options->keys, trial->window));
    if (base_memory == NULL || keyset_memory == NULL)
        return false;
    trial->base = ed25519_base_init(base_memory, BASE_WINDOW, options->backend);
    trial->keyset = ed25519_keyset_init(keyset_memory, trial->base, options->keys, trial->window);
    uint64_t begin = machine_thread_cpu_ns();
    for (uint32_t i = 0; i < options->keys; i++) {
        uint32_t slot;
        if (ed25519_keyset_add(trial->keyset, trial->key[i], &slot) != ED25519_ADDED || slot != i)
            return false;
    }
    trial->key_setup_ns = (double)(machine_thread_cpu_ns() - begin) / options->keys;
    return true;
}

static bool make_pool(struct trial *trial)
{
    const struct options *options = trial->options;
    size_t message_bytes = options->message_bytes;
    trial->key = calloc(options->keys, sizeof *trial->key);
    trial->secret = calloc(options->keys, sizeof *trial->secret);
    trial->signature = calloc(POOL + BATCH_MAX, sizeof *trial->signature);
    trial->message = calloc(POOL, message_bytes + 1);
    trial->job = calloc(POOL + BATCH_MAX, sizeof *trial->job);
    trial->sign_job = calloc(POOL + BATCH_MAX, sizeof *trial->sign_job);
    if (trial->key == NULL || trial->secret == NULL || trial->signature == NULL ||
        trial->message == NULL || trial->job == NULL || trial->sign_job == NULL)
        return false;
    for (uint32_t i = 0; i < options->keys; i++)
        (void)crypto_sign_keypair(trial->key[i], trial->secret[i]);
    randombytes_buf(trial->message, POOL * message_bytes);
    for (uint32_t i = 0; i < POOL + BATCH_MAX; i++) {
        const uint8_t *message = trial->message + i % POOL * message_bytes;
        uint32_t slot = i % POOL % options->keys;
        if (i < POOL)
            (void)crypto_sign_detached(trial->signature[i], NULL, message, message_bytes,
                                       trial->secret[slot]);
        trial->job[i] =
            (struct ed25519_job){trial->signature[i % POOL], message, message_bytes, NULL, slot};
        trial->sign_job[i] = (struct ed25519_sign_job){message, message_bytes,
                                                       trial->signature[POOL + i % BATCH_MAX]};
    }
    return true;
}

/* The figures are those of the CPU that the process is on now. */
static void stay_here(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

/* ---- rounds ---------------------------------------------------------------------------------- */

static void note(struct figures *figures, uint32_t round, double ours, double theirs)
{
    figures->ours[round] = ours;
    figures->theirs[round] = theirs;
    figures->ratio[round] = theirs / ours;
}

static bool verify_round(struct trial *trial)
{
    const struct options *options = trial->options;
    bool good = true;
    uint32_t count = 0;
    uint64_t begin = machine_thread_cpu_ns();
    for (uint32_t i = 0; i < THEIRS_PER_ROUND; i++) {
        const struct ed25519_job *job = &trial->job[trial->next_theirs];
        good &= crypto_sign_verify_detached(job->signature, job->message, job->message_bytes,
                                            trial->key[job->slot]) == 0;
        trial->next_theirs = (trial->next_theirs + 1) % POOL;
    }
    uint64_t middle = machine_thread_cpu_ns();
    for (; count < OURS_PER_ROUND; count += options->batch) {
        good &= ed25519_batch_verify(trial->keyset, trial->job + trial->next, options->batch,
                                     trial->verdict);
        trial->next = (trial->next + options->batch) % POOL;
    }
    uint64_t end = machine_thread_cpu_ns();
    note(&trial->verify, trial->rounds, (double)(end - middle) / count,
         (double)(middle - begin) / THEIRS_PER_ROUND);
    return good;
}

static void sign_round(struct trial *trial, const struct ed25519_signer *signer)
{
    const struct options *options = trial->options;
    uint32_t count = 0;
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    uint64_t begin = machine_thread_cpu_ns();
    for (uint32_t i = 0; i < THEIRS_PER_ROUND; i++)
        (void)crypto_sign_detached(signature, NULL, trial->sign_job[i].message,
                                   options->message_bytes, trial->secret[0]);
    uint64_t middle = machine_thread_cpu_ns();
    for (; count < OURS_PER_ROUND / 4; count += options->batch)
        ed25519_batch_sign(trial->base, signer, trial->sign_job + count % POOL, options->batch);
    uint64_t end = machine_thread_cpu_ns();
    note(&trial->sign, trial->rounds, (double)(end - middle) / count,
         (double)(middle - begin) / THEIRS_PER_ROUND);
}

static bool measure(struct trial *trial)
{
    struct ed25519_signer signer;
    bool good = true;
    uint64_t end = machine_now_ns() + (uint64_t)(trial->options->seconds * 1e9);
    ed25519_signer_init(&signer, trial->secret[0]);
    do {
        good &= verify_round(trial);
        sign_round(trial, &signer);
        trial->rounds++;
    } while (machine_now_ns() < end && trial->rounds < ROUNDS_MAX);
    ed25519_signer_fini(&signer);
    return good;
}

/* ---- report ---------------------------------------------------------------------------------- */

static json_t *describe(struct trial *trial)
{
    const struct options *options = trial->options;
    struct machine machine;
    machine_describe(&machine);
    uint32_t rounds = trial->rounds;
    json_t *object =
        json_pack("{s:i,s:i,s:i,s:f,s:s,s:f,s:f,s:f,s:f,s:f,s:f,s:f,s:I,s:I,s:i,s:i,s:i}", "keys",
                  (int)options->keys, "batch", (int)options->batch, "message_bytes",
                  (int)options->message_bytes, "seconds", options->seconds, "backend",
                  ed25519_backend_name(options->backend), "verify_ns",
                  calibrate_median(trial->verify.ours, rounds), "libsodium_verify_ns",
                  calibrate_median(trial->verify.theirs, rounds), "ratio_to_libsodium",
                  calibrate_median(trial->verify.ratio, rounds), "sign_ns",
                  calibrate_median(trial->sign.ours, rounds), "libsodium_sign_ns",
                  calibrate_median(trial->sign.theirs, rounds), "ratio_sign",
                  calibrate_median(trial->sign.ratio, rounds), "key_setup_ns", trial->key_setup_ns,
                  "table_bytes_per_key", (json_int_t)ed25519_table_bytes(trial->window),
                  "tables_bytes", (json_int_t)trial->bytes, "key_window", (int)trial->window,
                  "base_window", (int)BASE_WINDOW, "rounds", (int)rounds);
    json_t *where = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:b}", "host", machine.host, "cpu",
                              machine.cpu, "kernel", machine.kernel, "cc", build_cc(), "flags",
                              build_flags(), "git", build_git(), "dirty", build_dirty());
    (void)json_object_update_new(object, where);
    return object;
}

static int write_report(struct trial *trial)
{
    json_t *object = describe(trial);
    const char *name;
    json_t *value;
    if (trial->options->json) {
        (void)json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
        (void)fputc('\n', stdout);
    } else {
        json_object_foreach(object, name, value)
        {
            (void)printf("%-22s ", name);
            (void)json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
            (void)fputc('\n', stdout);
        }
    }
    json_decref(object);
    return fflush(stdout) == 0 ? EX_OK : cmd_complain(EX_OSERR, "the report could not be written");
}

static int judge_vectors(const char *path)
{
    char error[ED25519_VECTORS_ERROR_MAX];
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return cmd_complain(EX_NOINPUT, "the file of --vectors can not be read");
    int status = ed25519_vectors_run(file, stdout, error);
    (void)fclose(file);
    return status == EX_OK ? EX_OK : cmd_complain(status, error);
}

int cmd_ed25519(int argc, char **argv)
{
    static const struct argp argp = {
        .options = table,
        .parser = parse,
        .doc = "Measures batches of signatures by known keys against libsodium, in turns on one "
               "core, or judges those of a file."};
    static struct options options = {
        .keys = 31, .batch = 64, .message_bytes = 100, .seconds = 3, .tables_mib = TABLES_MIB};
    static struct trial trial;
    options.backend = ed25519_backend_best();
    argp_err_exit_status = EX_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &options);
    if (sodium_init() < 0)
        return cmd_complain(EX_OSERR, "libsodium can not be used here");
    if (options.vectors != NULL)
        return judge_vectors(options.vectors);
    trial.options = &options;
    trial.window =
        ed25519_keyset_window(options.backend, options.keys, (size_t)options.tables_mib << 20);
    if (trial.window == 0)
        return cmd_complain(EX_USAGE, "so many keys need more --tables-mib");
    stay_here();
    if (topology_init(&topology, NULL) != 0 || !make_pool(&trial) || !build_tables(&trial))
        return cmd_complain(EX_OSERR, "no memory for tables and signatures");
    if (!measure(&trial))
        return cmd_complain(EX_SOFTWARE, "a good signature was found bad");
    return write_report(&trial);
}

/* NOLINTEND(concurrency-mt-unsafe) */
