#include "dataplane/client/internal.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW_DEFAULT      64u
#define VALUE_BYTES_DEFAULT 65536u
#define DEADLINE_DEFAULT_NS UINT64_C(5000000000)
#define RETRY_DEFAULT_NS    UINT64_C(50000000)
#define RETRY_DOUBLED       16u
#define DEADLINE_MAX_NS     (UINT64_MAX / 4) /* its sum with a clock does not wrap */
#define SOCKET_BUFFER_BYTES (4 << 20) /* pieces of a few large values; the kernel may grant less */

static const char *const status_name[QUORATE_STATUS_COUNT] = {
#define QUORATE_STATUS(name, sentence) [QUORATE_##name] = #name,
#include "dataplane/client/quorate_status.def"
#undef QUORATE_STATUS
};

static const char *const status_sentence[QUORATE_STATUS_COUNT] = {
#define QUORATE_STATUS(name, sentence) [QUORATE_##name] = sentence,
#include "dataplane/client/quorate_status.def"
#undef QUORATE_STATUS
};

const char *quorate_status_name(enum quorate_status status)
{
    return (uint32_t)status < QUORATE_STATUS_COUNT ? status_name[status] : "?";
}

const char *quorate_status_sentence(enum quorate_status status)
{
    return (uint32_t)status < QUORATE_STATUS_COUNT ? status_sentence[status] : "no such status";
}

static uint64_t or_default(uint64_t value, uint64_t fallback)
{
    return value != 0 ? value : fallback;
}

static bool parse_endpoint(const char *text, struct sockaddr_in *endpoint)
{
    const char *colon = text != NULL ? strrchr(text, ':') : NULL;
    char address[INET_ADDRSTRLEN];
    if (colon == NULL || (size_t)(colon - text) >= sizeof address)
        return false;
    memcpy(address, text, (size_t)(colon - text));
    address[colon - text] = '\0';
    char *end;
    errno = 0;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (errno != 0 || colon[1] < '0' || colon[1] > '9' || *end != '\0' || port == 0 ||
        port > UINT16_MAX)
        return false;
    *endpoint = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    return inet_pton(AF_INET, address, &endpoint->sin_addr) == 1;
}

bool quorate_secret_load(const char *path, uint8_t secret[QUORATE_SECRET_BYTES])
{
    char text[2 * QUORATE_SECRET_BYTES + 1];
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool good = fread(text, 1, sizeof text, file) == sizeof text && text[sizeof text - 1] == '\n' &&
                ed25519_from_hex(secret, QUORATE_SECRET_BYTES, text);
    (void)fclose(file);
    explicit_bzero(text, sizeof text);
    if (!good)
        errno = EINVAL;
    return good;
}

static bool fill_config(const struct quorate_options *options, uint32_t count,
                        struct client_config *config)
{
    uint64_t chance[2];
    uint64_t value_bytes = or_default(options->value_bytes_max, VALUE_BYTES_DEFAULT);
    if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance ||
        value_bytes > WIRE_VALUE_BYTES_MAX)
        return false;
    *config = (struct client_config){
        .client = chance[0] | 1,
        .cluster = options->cluster,
        .seed = chance[1],
        .group = options->group,
        .one_message = options->secret != NULL,
        .target_count = (uint16_t)count,
        .window = (uint32_t)or_default(options->window, WINDOW_DEFAULT),
        .command_bytes_max = WIRE_COMMAND_BYTES + WIRE_KEY_BYTES_MAX + 2 * (uint32_t)value_bytes,
        .reply_bytes_max = WIRE_REPLY_HEAD_BYTES + (uint32_t)round_up(max_u64(value_bytes, 512), 8),
        .retry_ns = or_default(options->retry_ns, RETRY_DEFAULT_NS),
        .deadline_ns =
            min_u64(or_default(options->deadline_ns, DEADLINE_DEFAULT_NS), DEADLINE_MAX_NS),
    };
    config->retry_max_ns = RETRY_DOUBLED * config->retry_ns;
    for (uint32_t i = 0; i < count; i++)
        config->target[i] = (uint16_t)i;
    return client_footprint(config) != 0;
}

static int open_socket(void)
{
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int bytes = SOCKET_BUFFER_BYTES;
    if (descriptor < 0)
        return -1;
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return descriptor;
}

/* Fills an empty handle; what it has taken when it fails is given back by quorate_close. */
static const char *build(struct quorate *handle, const struct quorate_options *options)
{
    struct client_config config;
    if (!fill_config(options, handle->endpoint_count, &config))
        return "options are out of range: see quorate_client.h for the limits";
    size_t bytes = (size_t)round_up(client_footprint(&config), CACHE_LINE_BYTES);
    handle->memory = aligned_alloc(CACHE_LINE_BYTES, bytes);
    if (handle->memory == NULL)
        return "no memory for the window: ask for a smaller one, or for smaller values";
    handle->socket = open_socket();
    if (handle->socket < 0)
        return "no UDP socket could be opened";
    handle->cluster = options->cluster;
    handle->signs = options->secret != NULL;
    if (handle->signs)
        ed25519_signer_init(&handle->signer, options->secret);
    handle->machine = client_init(handle->memory, &config, quorate_carrier_now_ns());
    return NULL;
}

static struct quorate *fail(struct quorate *handle, char *error, const char *sentence)
{
    if (error != NULL)
        snprintf(error, QUORATE_ERROR_BYTES, "%s", sentence);
    quorate_close(handle);
    return NULL;
}

struct quorate *quorate_open(const char *const *endpoints, uint32_t count,
                             const struct quorate_options *options, char *error)
{
    static const struct quorate_options defaults = {0};
    if (count == 0 || count > QUORATE_ENDPOINTS_MAX)
        return fail(NULL, error, "between 1 and 64 endpoints are needed");
    struct quorate *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return fail(NULL, error, "no memory for a handle");
    handle->socket = -1;
    handle->endpoint_count = count;
    for (uint32_t i = 0; i < count; i++)
        if (!parse_endpoint(endpoints[i], &handle->endpoint[i]))
            return fail(handle, error, "an endpoint is not of the form a.b.c.d:port");
    const char *sentence = build(handle, options != NULL ? options : &defaults);
    return sentence != NULL ? fail(handle, error, sentence) : handle;
}

void quorate_close(struct quorate *handle)
{
    if (handle == NULL)
        return;
    for (uint32_t i = 0; i < handle->finished_count; i++)
        free(handle->finished[i].copy);
    for (uint32_t i = 0; i < handle->taken_count; i++)
        free(handle->taken[i]);
    if (handle->socket >= 0)
        close(handle->socket);
    free(handle->memory);
    ed25519_signer_fini(&handle->signer);
    free(handle);
}
