/* judge.c: is this a configuration that can be started? The same answer for a file that is only
 * checked and for a node that is about to start. */
#include "dataplane/node/internal.h"

#include "protocols/wire/fragment.h"

#include <stdarg.h>

/* Of the log: room for the largest entry several times over (log.h); a term for each entry of the
 * smallest size that fits is kept in memory (raft.h). */
#define LOG_BYTES_MIN power_of_two_at_least(4 * (uint64_t)WIRE_BODY_BYTES_MAX)
#define LOG_BYTES_MAX ((uint64_t)RAFT_ENTRIES_MAX * NODE_ENTRY_BYTES)
/* Eight segments, of which two are a reserve; and less than a disk is likely to have. */
#define LOG_FILE_BYTES_MIN (UINT64_C(128) << 20)
#define LOG_FILE_BYTES_MAX (UINT64_C(1) << 40)
#define SNAPSHOT_RATE_MIN  (UINT64_C(1) << 20)
#define SNAPSHOT_RATE_MAX  (UINT64_C(1) << 40)
#define KEYS_MIN           1024u
#define KEYS_MAX           (1u << 30)
#define BYTES_MAX          (UINT64_C(1) << 40) /* state.h */

__attribute__((format(printf, 2, 3))) static bool refuse(char *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(error, HOST_ERROR_MAX, format, arguments);
    va_end(arguments);
    return false;
}

bool node_mtu_check(const char *port, uint32_t granted, char *error)
{
    if (granted >= WIRE_MTU_MIN)
        return true;
    return refuse(error, "port %s grants an MTU of %u: %u is the least that carries large values",
                  port, granted, WIRE_MTU_MIN);
}

/* As the configuration file would have it: in the largest unit that leaves no rest. */
static const char *size_text(uint64_t bytes, char text[32])
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB"};
    uint32_t at = 0;
    while (at + 1 < COUNT_OF(unit) && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        at++;
    }
    (void)snprintf(text, 32, "%llu%s", (unsigned long long)bytes, unit[at]);
    return text;
}

static bool check_shape(const struct node_config *config, char *error)
{
    if (config->id == 0 || config->id >= RAFT_NOBODY)
        return refuse(error, "[node] id = %u: a number from 1 to %u", (unsigned)config->id,
                      RAFT_NOBODY - 1u);
    if (config->lane_count == 0 || config->lane_count > WIRE_LANES_MAX)
        return refuse(error, "[node] lanes = %u: a number from 1 to %u",
                      (unsigned)config->lane_count, WIRE_LANES_MAX);
    if (config->group_count == 0 || config->group_count > LANE_GROUPS_MAX)
        return refuse(error, "[node] groups = %u: a number from 1 to %u",
                      (unsigned)config->group_count, LANE_GROUPS_MAX);
    if (config->lane_count > config->group_count)
        return refuse(error, "[node] lanes = %u: at most as many as groups, which are %u",
                      (unsigned)config->lane_count, (unsigned)config->group_count);
    return true;
}

static bool check_port(const struct node_config *config, char *error)
{
    uint32_t first = config->ip >> 24;
    if (config->ip != 0 && (first == 0 || first == 127 || first >= 224))
        return refuse(error,
                      "[port] address = %u.%u.%u.%u: that of a host, not of a network, a "
                      "group or this machine alone",
                      first, config->ip >> 16 & 255, config->ip >> 8 & 255, config->ip & 255);
    if (config->udp_port == 0 || config->udp_port + config->lane_count - 1u > UINT16_MAX)
        return refuse(error, "[port] udp_port = %u: 1 to %u with %u lanes",
                      (unsigned)config->udp_port, UINT16_MAX - config->lane_count + 1u,
                      (unsigned)config->lane_count);
    if (config->mtu < WIRE_MTU_MIN || config->mtu > PORT_MTU_MAX)
        return refuse(error, "[port] mtu = %u: from %u to %u bytes, without a unit",
                      (unsigned)config->mtu, WIRE_MTU_MIN, PORT_MTU_MAX);
    return true;
}

static bool check_times(const struct node_config *config, char *error)
{
    if (config->heartbeat_ns == 0)
        return refuse(error, "[raft] heartbeat = 0ms: above 0");
    if (config->heartbeat_ns > config->election_timeout_ns / 2)
        return refuse(error, "[raft] election_timeout = %lluus: at least twice the heartbeat",
                      (unsigned long long)config->election_timeout_ns / 1000);
    if (config->election_timeout_max_ns <= config->election_timeout_ns)
        return refuse(error,
                      "[raft] election_timeout_max = %lluus: above election_timeout, or members "
                      "stand for election at the same time",
                      (unsigned long long)config->election_timeout_max_ns / 1000);
    if (config->election_timeout_max_ns > RAFT_TIMEOUT_NS_MAX)
        return refuse(error, "[raft] election_timeout_max = %llus: at most %llus",
                      (unsigned long long)config->election_timeout_max_ns / 1000000000,
                      (unsigned long long)RAFT_TIMEOUT_NS_MAX / 1000000000);
    return true;
}

static bool check_sizes(const struct node_config *config, char *error)
{
    const struct state_config *state = &config->state;
    char is[32], least[32], most[32];
    if (!is_power_of_two(config->log_bytes) || config->log_bytes < LOG_BYTES_MIN ||
        config->log_bytes > LOG_BYTES_MAX)
        return refuse(error, "[storage] log = %s: a power of two from %s to %s",
                      size_text(config->log_bytes, is), size_text(LOG_BYTES_MIN, least),
                      size_text(LOG_BYTES_MAX, most));
    if (!is_power_of_two(config->log_file_bytes) || config->log_file_bytes < LOG_FILE_BYTES_MIN ||
        config->log_file_bytes > LOG_FILE_BYTES_MAX)
        return refuse(error, "[storage] log_file = %s: a power of two from %s to %s",
                      size_text(config->log_file_bytes, is), size_text(LOG_FILE_BYTES_MIN, least),
                      size_text(LOG_FILE_BYTES_MAX, most));
    if (config->snapshot_after_bytes > config->log_file_bytes / 2)
        return refuse(error, "[storage] snapshot_after = %s: at most half of log_file",
                      size_text(config->snapshot_after_bytes, is));
    if (config->snapshot_rate_bytes < SNAPSHOT_RATE_MIN ||
        config->snapshot_rate_bytes > SNAPSHOT_RATE_MAX)
        return refuse(error, "[storage] snapshot_rate = %s: from %s to %s a second",
                      size_text(config->snapshot_rate_bytes, is),
                      size_text(SNAPSHOT_RATE_MIN, least), size_text(SNAPSHOT_RATE_MAX, most));
    if (!is_power_of_two(state->keys_max) || state->keys_max < KEYS_MIN ||
        state->keys_max > KEYS_MAX)
        return refuse(error, "[state] keys = %u: a power of two from %u to %u", state->keys_max,
                      KEYS_MIN, KEYS_MAX);
    if (state->bytes_max == 0 || state->bytes_max > BYTES_MAX)
        return refuse(error, "[state] bytes = %s: from 1B to %s", size_text(state->bytes_max, is),
                      size_text(BYTES_MAX, most));
    return true;
}

uint32_t node_client_tables(const struct node_clients *clients)
{
    return clients->key_count == 0 ? clients->tables : min_u32(clients->tables, clients->key_count);
}

static bool check_clients(const struct node_config *config, char *error)
{
    const struct node_clients *clients = &config->clients;
    size_t least = ed25519_table_bytes(ED25519_WINDOW_MIN);
    uint32_t tables = node_client_tables(clients);
    char is[32];
    if (clients->key_count != 0 && !clients->sign)
        return refuse(error, "[clients] keys are listed, but sign is no: nobody would be asked for "
                             "a signature");
    if (clients->sign && (tables == 0 || tables > clients->table_bytes / least))
        return refuse(error, "[clients] table_memory = %s: %u tables take %zu KiB each at least",
                      size_text(clients->table_bytes, is), tables, least >> 10);
    return true;
}

bool node_config_check(const struct node_config *config, char error[HOST_ERROR_MAX])
{
    return check_shape(config, error) && check_port(config, error) && check_times(config, error) &&
           check_sizes(config, error) && check_clients(config, error);
}
