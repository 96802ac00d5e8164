/* values.c: what stands behind the equals sign: numbers, units, addresses. */
#include "dataplane/node/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit duration_unit[] = {
    {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}, {NULL, 0}};
static const struct unit size_unit[] = {
    {"B", 1}, {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {NULL, 0}};

static bool with_unit(const char *text, const struct unit *units, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (end == text || *text == '-' || errno != 0)
        return false;
    while (*end == ' ')
        end++;
    for (const struct unit *unit = units; unit->name != NULL; unit++) {
        if (strcmp(end, unit->name) == 0) {
            *value = number * unit->factor;
            return number <= UINT64_MAX / unit->factor;
        }
    }
    return false;
}

bool config_duration_ns(const char *text, uint64_t *ns)
{
    return with_unit(text, duration_unit, ns);
}

bool config_size_bytes(const char *text, uint64_t *bytes)
{
    return with_unit(text, size_unit, bytes);
}

bool config_whole(const char *text, uint64_t least, uint64_t most, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *text != '-' && errno == 0 && *value >= least &&
           *value <= most;
}

bool config_address(const char *text, uint32_t *ip)
{
    struct in_addr parsed;
    if (inet_pton(AF_INET, text, &parsed) != 1)
        return false;
    *ip = ntohl(parsed.s_addr);
    return true;
}

bool config_endpoint(const char *text, uint32_t *ip, uint16_t *port)
{
    char host[32];
    uint64_t number;
    const char *colon = strrchr(text, ':');
    if (colon == NULL || (size_t)(colon - text) >= sizeof host ||
        !config_whole(colon + 1, 0, 65535, &number))
        return false;
    memcpy(host, text, (size_t)(colon - text));
    host[colon - text] = '\0';
    *port = (uint16_t)number;
    return config_address(host, ip);
}

bool config_network(const char *text, uint32_t *ip, uint8_t *prefix_bits)
{
    char host[32];
    uint64_t bits;
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) >= sizeof host ||
        !config_whole(slash + 1, 1, 32, &bits))
        return false;
    memcpy(host, text, (size_t)(slash - text));
    host[slash - text] = '\0';
    *prefix_bits = (uint8_t)bits;
    return config_address(host, ip);
}
