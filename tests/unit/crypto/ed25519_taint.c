/* Signing with secrets that count as uninitialised: MemorySanitizer reports a branch or an address
 * that depends on one. "ed25519_taint" signs; "ed25519_taint leak" lets one into code for public
 * data, and is to be reported. Valgrind would do, but knows no AVX-512. */
#include "crypto/ed25519/ed25519.h"
#include "crypto/ed25519/field.h"

#include <sanitizer/msan_interface.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT  19u
#define WINDOW 4u

/* libsodium is not instrumented: what it writes has to be said. */
static void sign_tainted(enum ed25519_backend backend)
{
    static uint8_t signature[COUNT][ED25519_SIGNATURE_BYTES], message[COUNT][300];
    struct ed25519_sign_job jobs[COUNT];
    struct ed25519_signer signer = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}};
    size_t bytes = (size_t)round_up(ed25519_base_footprint(WINDOW), CACHE_LINE_BYTES);
    void *memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    ENSURE(memory != NULL);
    const struct ed25519_base *base = ed25519_base_init(memory, WINDOW, backend);
    __msan_unpoison(memory, bytes); /* the base point came out of libsodium */
    for (uint32_t i = 0; i < COUNT; i++)
        jobs[i] = (struct ed25519_sign_job){message[i], (size_t)15 * i, signature[i]};
    __msan_poison(signer.scalar, sizeof signer.scalar);
    __msan_poison(signer.prefix, sizeof signer.prefix);
    ed25519_batch_sign_by(backend, base, &signer, jobs, COUNT);
    ENSURE(__msan_test_shadow(signature, sizeof signature) == 0); /* the secret did reach them */
    free(memory);
}

static void leak(void)
{
    struct field a = {{5, 0, 0, 0, 0}};
    __msan_poison(&a, sizeof a);
    ed25519_field_invert_public(&a, &a);
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        leak();
        return 0;
    }
    if (!ed25519_backend_runs(ED25519_IFMA)) {
        (void)puts(
            "skipped: this CPU has no AVX-512 IFMA, and the other backends sign by libsodium");
        return 77;
    }
    sign_tainted(ED25519_IFMA);
    return 0;
}
