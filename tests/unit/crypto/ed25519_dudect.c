/* Whether the time of signing tells secrets apart: Welch's t-test between one key and many, in
 * random order, after "dude, is my code constant time?" (Reparaz, Balasch, Verbauwhede, 2017).
 * Prints t of all samples and of those below some percentiles; beyond 4.5 they differ. Not a test
 * of CI: machines make noise. `meson test -C build --benchmark ed25519_dudect` runs it. */
#include "crypto/ed25519/ed25519.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "numa/base/random.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#define SAMPLES 100000u
#define SIGNERS 257u /* the first is a class of its own */
#define COUNT   8u
#define WINDOW  4u
#define LIMIT   4.5

struct sample {
    uint64_t cycles;
    bool many;
};

static struct sample sample[SAMPLES];
static struct ed25519_signer
    order[SAMPLES]; /* beforehand, so that both classes come out of memory alike */
static uint64_t sorted[SAMPLES];

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Welch's t between the classes, of samples up to `most`. */
static double welch(uint64_t most)
{
    double count[2] = {0}, mean[2] = {0}, squares[2] = {0};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        if (sample[i].cycles > most)
            continue;
        int class = sample[i].many;
        double value = (double)sample[i].cycles, delta = value - mean[class];
        count[class]++;
        mean[class] += delta / count[class];
        squares[class] += delta * (value - mean[class]);
    }
    double variance = 0;
    for (int class = 0; class < 2; class ++)
        variance += squares[class] / (count[class] - 1) / count[class];
    return (mean[0] - mean[1]) / sqrt(variance);
}

static void measure(const struct ed25519_base *base)
{
    static struct ed25519_signer signers[SIGNERS], used;
    static uint8_t signature[COUNT][ED25519_SIGNATURE_BYTES], message[COUNT][100];
    struct ed25519_sign_job jobs[COUNT];
    struct random_state chance;
    random_init(&chance, 1);
    for (uint32_t i = 0; i < SIGNERS; i++) {
        uint8_t key[ED25519_KEY_BYTES], secret[ED25519_SECRET_BYTES];
        (void)crypto_sign_keypair(key, secret);
        ed25519_signer_init(&signers[i], secret);
    }
    for (uint32_t i = 0; i < COUNT; i++)
        jobs[i] = (struct ed25519_sign_job){message[i], sizeof message[i], signature[i]};
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t choice = random_next(&chance);
        sample[i].many = (choice & 1) != 0;
        order[i] = signers[sample[i].many ? 1 + (choice >> 1) % (SIGNERS - 1) : 0];
    }
    for (uint32_t i = 0; i < SAMPLES; i++) {
        used = order[i];
        __builtin_ia32_lfence();
        uint64_t begin = __builtin_ia32_rdtsc();
        __builtin_ia32_lfence();
        ed25519_batch_sign(base, &used, jobs, COUNT);
        __builtin_ia32_lfence();
        sample[i].cycles = __builtin_ia32_rdtsc() - begin;
    }
}

int main(void)
{
    static const double share[] = {1, 0.99, 0.9, 0.75, 0.5};
    void *memory = aligned_alloc(
        CACHE_LINE_BYTES, (size_t)round_up(ed25519_base_footprint(WINDOW), CACHE_LINE_BYTES));
    ENSURE(sodium_init() >= 0 && memory != NULL);
    enum ed25519_backend backend = ed25519_backend_best();
    measure(ed25519_base_init(memory, WINDOW, backend));
    for (uint32_t i = 0; i < SAMPLES; i++)
        sorted[i] = sample[i].cycles;
    qsort(sorted, SAMPLES, sizeof sorted[0], compare_u64);
    double worst = 0;
    for (size_t i = 0; i < COUNT_OF(share); i++) {
        uint64_t most = sorted[(size_t)(share[i] * (SAMPLES - 1))];
        double t = welch(most);
        (void)printf("%s, %u samples, up to percentile %g (%llu cycles): t = %.2f\n",
                     ed25519_backend_name(backend), SAMPLES, share[i] * 100,
                     (unsigned long long)most, t);
        worst = fmax(worst, fabs(t));
    }
    (void)printf("%s\n", worst < LIMIT ? "no difference seen" : "DIFFERENCE SEEN");
    free(memory);
    return worst < LIMIT ? 0 : 1;
}
