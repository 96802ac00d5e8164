/* agreed.c: what must be equal at all members. Log size, lanes, heartbeat and the upper time-out
 * may differ: they decide when something happens, not what. */
#include "dataplane/node/agreed.h"

#include "crypto/digest/digest.h"
#include "numa/base/bits.h"

#include <inttypes.h>
#include <string.h>

#define AGREED_SEED        UINT64_C(0x616772656564) /* "agreed": digests of other uses never meet */
#define CONFIGURATION_SEED UINT64_C(0x636f6e6669677572) /* "configur" */

static const struct {
    const char *name;
    const char *unit;
} setting[AGREED_COUNT] = {
    {"groups", ""}, {"keys", ""}, {"bytes", "B"}, {"session_ttl", "ms"}, {"election_timeout", "us"},
};

static void values(const struct node_config *config, uint64_t value[AGREED_COUNT])
{
    value[0] = config->group_count;
    value[1] = config->state.keys_max;
    value[2] = config->state.bytes_max;
    value[3] = config->state.session_ttl_ms;
    value[4] = config->election_timeout_ns / 1000;
}

void agreed_list(const struct node_config *config, struct agreed list[AGREED_COUNT])
{
    uint64_t value[AGREED_COUNT];
    values(config, value);
    for (uint32_t i = 0; i < AGREED_COUNT; i++) {
        list[i].name = setting[i].name;
        (void)snprintf(list[i].value, sizeof list[i].value, "%" PRIu64 "%s", value[i],
                       setting[i].unit);
    }
}

uint64_t agreed_hash(const struct node_config *config)
{
    uint64_t value[AGREED_COUNT];
    uint8_t bytes[AGREED_COUNT * 8];
    values(config, value);
    for (uint32_t i = 0; i < AGREED_COUNT; i++)
        store_u64(bytes + i * sizeof value[0], value[i]);
    return digest_hash64(bytes, sizeof bytes, AGREED_SEED);
}

uint64_t agreed_configuration(uint64_t cluster, const struct wire_members *first, uint64_t agreed)
{
    uint8_t bytes[24 + VIEW_MEMBERS_MAX * 16];
    size_t used = 24;
    store_u64(bytes, cluster);
    store_u64(bytes + 8, first->count);
    store_u64(bytes + 16, agreed);
    for (uint32_t i = 0; i < first->count; i++, used += 16) {
        store_u64(bytes + used, first->member[i].id);
        store_u64(bytes + used + 8, first->member[i].nonce);
    }
    return digest_hash64(bytes, used, CONFIGURATION_SEED);
}

bool agreed_same(const struct node_config *one, const struct node_config *other,
                 char error[HOST_ERROR_MAX])
{
    struct agreed mine[AGREED_COUNT], theirs[AGREED_COUNT];
    agreed_list(one, mine);
    agreed_list(other, theirs);
    for (uint32_t i = 0; i < AGREED_COUNT; i++) {
        if (strcmp(mine[i].value, theirs[i].value) == 0)
            continue;
        (void)snprintf(error, HOST_ERROR_MAX,
                       "node %u has %s = %s, node %u has %s = %s: it must be the same at all "
                       "members",
                       (unsigned)one->id, mine[i].name, mine[i].value, (unsigned)other->id,
                       theirs[i].name, theirs[i].value);
        return false;
    }
    return true;
}
