#include "bench/calibrate.h"

#include "bench/machine.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS_MAX        400u
#define ROUND_TRIPS       256u
#define PINGPONG_LIMIT_NS UINT64_C(300000000)
#define HASHES_PER_ROUND  200u
#define HASH_ROUNDS       51u
#define MESSAGE_BYTES     150u
#define WRITE_BYTES       4096u
#define WRITES            51u

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

double calibrate_median(double *samples, uint32_t count)
{
    qsort(samples, count, sizeof *samples, compare_doubles);
    return (samples[(count - 1) / 2] + samples[count / 2]) / 2;
}

/* ---- cache line ------------------------------------------------------------------------------ */

struct pingpong {
    _Alignas(128) _Atomic uint64_t ball; /* odd: the partner's turn */
    _Alignas(128) int cpu;
};

#define BALL_STOP UINT64_MAX

static bool pin_to(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
}

static void *partner(void *argument)
{
    struct pingpong *game = argument;
    (void)pin_to(game->cpu);
    for (uint64_t expected = 1;;) {
        uint64_t ball = atomic_load_explicit(&game->ball, memory_order_acquire);
        if (ball == BALL_STOP)
            return NULL;
        if (ball == expected) {
            atomic_store_explicit(&game->ball, ball + 1, memory_order_release);
            expected += 2;
        }
    }
}

static double play(struct pingpong *game)
{
    static double samples[ROUNDS_MAX];
    uint32_t count = 0;
    uint64_t ball = 0;
    uint64_t begin = machine_now_ns();
    uint64_t now = begin;
    while (count < ROUNDS_MAX && now - begin < PINGPONG_LIMIT_NS) {
        uint64_t from = now;
        for (uint32_t i = 0; i < ROUND_TRIPS; i++, ball += 2) {
            atomic_store_explicit(&game->ball, ball + 1, memory_order_release);
            while (atomic_load_explicit(&game->ball, memory_order_acquire) != ball + 2)
                ;
        }
        now = machine_now_ns();
        samples[count++] = (double)(now - from) / ROUND_TRIPS;
    }
    atomic_store_explicit(&game->ball, BALL_STOP, memory_order_release);
    return calibrate_median(samples, count);
}

bool calibrate_pingpong_ns(double *round_trip_ns)
{
    cpu_set_t before;
    if (sched_getaffinity(0, sizeof before, &before) != 0 || CPU_COUNT(&before) < 2)
        return false;
    int cpu[2] = {-1, -1};
    for (int i = 0; i < CPU_SETSIZE && cpu[1] < 0; i++) {
        if (CPU_ISSET((size_t)i, &before))
            cpu[cpu[0] < 0 ? 0 : 1] = i;
    }
    static struct pingpong game;
    atomic_store(&game.ball, 0);
    game.cpu = cpu[1];
    pthread_t thread;
    if (!pin_to(cpu[0]) || pthread_create(&thread, NULL, partner, &game) != 0) {
        (void)sched_setaffinity(0, sizeof before, &before);
        return false;
    }
    *round_trip_ns = play(&game);
    (void)pthread_join(thread, NULL);
    (void)sched_setaffinity(0, sizeof before, &before);
    return true;
}

/* ---- hash ------------------------------------------------------------------------------------ */

bool calibrate_sha512_ns(double *hash_ns)
{
    if (sodium_init() < 0)
        return false;
    unsigned char message[MESSAGE_BYTES];
    unsigned char digest[crypto_hash_sha512_BYTES] = {0};
    double samples[HASH_ROUNDS];
    memset(message, 0x5a, sizeof message);
    for (uint32_t round = 0; round < HASH_ROUNDS; round++) {
        uint64_t from = machine_now_ns();
        for (uint32_t i = 0; i < HASHES_PER_ROUND; i++) {
            message[0] = digest[0]; /* each hash waits for the one before: none can be left out */
            (void)crypto_hash_sha512(digest, message, sizeof message);
        }
        samples[round] = (double)(machine_now_ns() - from) / HASHES_PER_ROUND;
    }
    *hash_ns = calibrate_median(samples, HASH_ROUNDS);
    return true;
}

/* ---- disk ------------------------------------------------------------------------------------ */

static bool write_rounds(int file, double *write_ns)
{
    static unsigned char block[WRITE_BYTES];
    double samples[WRITES];
    for (uint32_t i = 0; i < WRITES; i++) { /* blocks exist beforehand: no allocation is measured */
        if (pwrite(file, block, sizeof block, (off_t)i * WRITE_BYTES) != (ssize_t)sizeof block)
            return false;
    }
    if (fsync(file) != 0)
        return false;
    for (uint32_t i = 0; i < WRITES; i++) {
        memset(block, (int)i + 1, sizeof block);
        uint64_t from = machine_now_ns();
        if (pwrite(file, block, sizeof block, (off_t)i * WRITE_BYTES) != (ssize_t)sizeof block ||
            fdatasync(file) != 0)
            return false;
        samples[i] = (double)(machine_now_ns() - from);
    }
    *write_ns = calibrate_median(samples, WRITES);
    return true;
}

bool calibrate_fdatasync_ns(const char *directory, double *write_ns)
{
    if (directory == NULL)
        directory =
            getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): the only thread, nobody sets it */
    if (directory == NULL || directory[0] == '\0')
        directory = "/tmp";
    char path[4096];
    int length = snprintf(path, sizeof path, "%s/quorate-calibrate-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    int file = mkstemp(path);
    if (file < 0)
        return false;
    (void)unlink(path);
    bool done = write_rounds(file, write_ns);
    (void)close(file);
    return done;
}

void calibrate(const char *directory, struct calibration *calibration)
{
    *calibration = (struct calibration){-1, -1, -1};
    (void)calibrate_pingpong_ns(&calibration->cacheline_pingpong_ns);
    (void)calibrate_sha512_ns(&calibration->sha512_150b_ns);
    (void)calibrate_fdatasync_ns(directory, &calibration->fdatasync_4k_ns);
}
