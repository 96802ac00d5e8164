/* control.c: what a node knows of its cluster: bound at bootstrap, kept up by hellos, published as
 * views. */
#include "dataplane/node/agreed.h"
#include "dataplane/node/internal.h"

#include "crypto/digest/digest.h"

#include <string.h>

#define CONFIGURATION_SEED                                                                         \
    UINT64_C(0x636f6e6669677572) /* "configur": digests of other uses never meet */

/* The hash that every vote carries: the cluster, what all its members have agreed on, and who, in
 * which incarnation, is one. */
static uint64_t configuration_hash(const struct view *view, uint64_t agreed)
{
    uint8_t bytes[24 + VIEW_MEMBERS_MAX * 16];
    size_t used = 24;
    store_u64(bytes, view->cluster);
    store_u64(bytes + 8, view->member_count);
    store_u64(bytes + 16, agreed);
    for (uint32_t i = 0; i < view->member_count; i++, used += 16) {
        store_u64(bytes + used, view->member[i].id);
        store_u64(bytes + used + 8, view->member[i].incarnation);
    }
    return digest_hash64(bytes, used, CONFIGURATION_SEED);
}

/* Where the configuration file says that this member is; a hello may correct it. */
static void address_of(const struct node *node, struct view_member *member)
{
    const struct node_config *config = &node->config;
    for (uint32_t i = 0; i < config->member_count; i++) {
        if (config->member[i] != member->id)
            continue;
        member->ip = config->member_ip[i];
        member->lane_count = config->lane_count;
        for (uint32_t lane = 0; lane < config->lane_count; lane++)
            member->port[lane] = (uint16_t)(config->member_port[i] + lane);
    }
    if (member->id != config->id)
        return;
    member->known = true;
    member->ip = config->ip;
    member->lane_count = config->lane_count;
    member->hello_epoch = 1;
    for (uint32_t lane = 0; lane < config->lane_count; lane++)
        member->port[lane] = (uint16_t)(config->udp_port + lane);
}

/* False: this node, in this incarnation, is not among them. Ids are ascending. */
bool node_bind(struct node *node, uint64_t cluster, const uint16_t *ids,
               const uint64_t *incarnations, uint32_t count, struct view *view)
{
    bool self = false;
    *view = node->view;
    view->cluster = cluster;
    view->member_count = (uint16_t)count;
    for (uint32_t i = 0; i < count; i++) {
        struct view_member *member = &view->member[i];
        *member = (struct view_member){.id = ids[i], .incarnation = incarnations[i]};
        address_of(node, member);
        for (uint32_t lane = 0; lane < node->config.lane_count && member->ip != 0; lane++)
            member->source_port_to_us[lane] = port_source_port(node->port, lane, member->ip);
        self |= ids[i] == node->config.id && incarnations[i] == node->incarnation;
    }
    view->config_hash = configuration_hash(view, agreed_hash(&node->config));
    return self;
}

void node_publish(struct node *node)
{
    node->view.epoch++;
    view_publish(node->view_cell, &node->view);
}

/* True: the hello said something new. */
static bool heed_hello(struct node *node, uint16_t from, const struct wire_hello *hello)
{
    for (uint32_t i = 0; i < node->view.member_count; i++) {
        struct view_member *member = &node->view.member[i];
        if (member->id != from || from == node->config.id)
            continue;
        if (member->known && hello->view_epoch <= member->hello_epoch)
            return false;
        member->known = true;
        member->hello_epoch = hello->view_epoch;
        member->ip = hello->ip;
        member->lane_count = hello->lane_count;
        memcpy(member->port, hello->port, sizeof member->port);
        memcpy(member->source_port, hello->source_port, sizeof member->source_port);
        for (uint32_t lane = 0; lane < node->config.lane_count; lane++)
            member->source_port_to_us[lane] = port_source_port(node->port, lane, member->ip);
        return true;
    }
    return false;
}

void node_control(struct node *node)
{
    bool changed = false;
    uint16_t from;
    struct wire_hello hello;
    (void)pthread_mutex_lock(&node->boot_lock);
    if (node->boot_asked) {
        node->boot_asked = false;
        node->view = node->boot_view;
        changed = true;
    }
    (void)pthread_mutex_unlock(&node->boot_lock);
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        while (lane_next_hello(node->lane[i].lane, &from, &hello))
            changed |= heed_hello(node, from, &hello);
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        (void)lane_build_table(node->lane[i].lane);
    if (changed)
        node_publish(node);
}

static void know_each_other(struct node *node, struct node *const *nodes, uint32_t count)
{
    node->config.member_count = (uint16_t)count;
    for (uint32_t i = 0; i < count; i++) {
        node->config.member[i] = nodes[i]->config.id;
        node->config.member_ip[i] = nodes[i]->config.ip;
        node->config.member_port[i] = nodes[i]->config.udp_port;
    }
}

bool host_bootstrap(struct host *host, struct node *const *nodes, uint32_t count,
                    char error[HOST_ERROR_MAX])
{
    uint16_t ids[VIEW_MEMBERS_MAX];
    uint64_t incarnations[VIEW_MEMBERS_MAX];
    uint64_t cluster = host_random();
    (void)host;
    for (uint32_t i = 0; i < count; i++) {
        ids[i] = nodes[i]->config.id;
        incarnations[i] = nodes[i]->incarnation;
        if (nodes[i]->view.cluster != 0 || (i > 0 && ids[i] <= ids[i - 1])) {
            (void)snprintf(
                error, HOST_ERROR_MAX,
                "node %u can not be bootstrapped: it is in a cluster already, or ids do not rise",
                (unsigned)ids[i]);
            return false;
        }
        if (!agreed_same(&nodes[i]->config, &nodes[0]->config, error))
            return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct view view;
        know_each_other(nodes[i], nodes, count);
        bool self = node_bind(nodes[i], cluster, ids, incarnations, count, &view);
        ENSURE(self); /* ids and incarnations are the nodes' own */
        nodes[i]->view = nodes[i]->boot_view = view;
        nodes[i]->cluster_shown = cluster;
        if (!node_storage_bind(nodes[i], cluster)) {
            (void)snprintf(error, HOST_ERROR_MAX, "node %u can not write its log",
                           (unsigned)ids[i]);
            return false;
        }
        node_publish(nodes[i]);
    }
    return true;
}
