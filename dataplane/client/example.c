/* example.c: a program that uses a cluster. quorate_client_example A.B.C.D:PORT..., the UDP
 * endpoints of all members. QUORATE_SECRET in the environment: the file of a secret key, to sign
 * with. */
#include "dataplane/client/quorate_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#define COUNTERS 100u

/* Says how a command ended unless it was done. */
static int done(const char *what, enum quorate_status status)
{
    if (status == QUORATE_OK)
        return 1;
    (void)fprintf(stderr, "%s: %s\n", what, quorate_status_sentence(status));
    return 0;
}

/* One at a time. */
static int greet(struct quorate *handle)
{
    struct quorate_result result;
    if (!done("set", quorate_set(handle, "greeting", 8, "hello", 5, 0)) ||
        !done("cas", quorate_cas(handle, "greeting", 8, "hello", 5, "hello, world", 12)) ||
        !done("get", quorate_get(handle, "greeting", 8, &result)))
        return 0;
    return printf("%.*s\n", (int)result.value_bytes, (const char *)result.value) > 0;
}

/* Many at a time: what does not fit the window waits until something is done. */
static int count(struct quorate *handle)
{
    struct wire_command add = {
        .op = WIRE_OP_INCRBY,
        .key_bytes = 7,
        .argument = 1,
        .key = (const uint8_t *)"counter",
    };
    struct quorate_result results[16];
    uint32_t submitted = 0, finished = 0;
    int64_t sum = 0;
    while (finished < COUNTERS) {
        while (submitted < COUNTERS && quorate_submit(handle, &add, submitted) == QUORATE_OK)
            submitted++;
        uint32_t got = quorate_poll(handle, results, 16, UINT64_MAX);
        for (uint32_t i = 0; i < got; i++) {
            if (!done("incr", results[i].status))
                return 0;
            sum = results[i].integer > sum ? results[i].integer : sum;
        }
        finished += got;
    }
    return printf("counted to %lld\n", (long long)sum) > 0;
}

int main(int words, char **word)
{
    char error[QUORATE_ERROR_BYTES];
    if (words < 2) {
        (void)fprintf(stderr, "usage: quorate_client_example A.B.C.D:PORT...\n");
        return EX_USAGE;
    }
    uint8_t secret[QUORATE_SECRET_BYTES];
    struct quorate_options options = {0};
    const char *path = getenv("QUORATE_SECRET"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (path != NULL) {
        if (!quorate_secret_load(path, secret)) {
            perror(path);
            return EX_NOINPUT;
        }
        options.secret = secret;
    }
    struct quorate *handle =
        quorate_open((const char *const *)(word + 1), (uint32_t)(words - 1), &options, error);
    if (handle == NULL) {
        (void)fprintf(stderr, "%s\n", error);
        return EX_USAGE;
    }
    int good = greet(handle) && count(handle);
    quorate_close(handle);
    return good ? EX_OK : EX_UNAVAILABLE;
}
