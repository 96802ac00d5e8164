/* control.c: what a node knows of its cluster: bound at bootstrap, kept up by its logs and by
 * hellos (follow.c), published as views. */
#include "dataplane/node/agreed.h"
#include "dataplane/node/internal.h"

#include "dataplane/keeper/keeper.h"

#include <string.h>
#include <time.h>

void node_address_of(const struct node *node, struct view_member *member)
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
    if (member->id == config->id) {
        member->known = true;
        member->ip = config->ip;
        member->lane_count = config->lane_count;
        member->hello_epoch = node->boots + 1; /* newer than any of an earlier start */
        for (uint32_t lane = 0; lane < config->lane_count; lane++)
            member->port[lane] = (uint16_t)(config->udp_port + lane);
    }
    for (uint32_t lane = 0; lane < config->lane_count && member->ip != 0; lane++)
        member->source_port_to_us[lane] = port_source_port(node->port, lane, member->ip);
}

/* False: this node, in this incarnation, is not among them. Ids are ascending. */
bool node_bind(struct node *node, uint64_t cluster, const uint16_t *ids,
               const uint64_t *incarnations, uint32_t count, struct view *view)
{
    bool self = false;
    *view = node->view;
    view->cluster = cluster;
    view->member_count = (uint16_t)count;
    view->first = (struct wire_members){.count = (uint16_t)count};
    for (uint32_t i = 0; i < count; i++) {
        struct view_member *member = &view->member[i];
        *member = (struct view_member){.id = ids[i], .incarnation = incarnations[i]};
        node_address_of(node, member);
        view->first.member[i] =
            (struct wire_member){.id = ids[i], .role = WIRE_ROLE_VOTER, .nonce = incarnations[i]};
        self |= ids[i] == node->config.id && incarnations[i] == node->incarnation;
    }
    view->config_hash =
        agreed_configuration(view->cluster, &view->first, agreed_hash(&node->config));
    return self;
}

void node_publish(struct node *node)
{
    node->view.epoch++;
    view_publish(node->view_cell, &node->view);
    keeper_identify(node->keeper, node->view.cluster, node->view.config_hash);
    (void)pthread_mutex_lock(&node->view_lock);
    if (!node->view_asked)
        node->shown_view = node->view;
    (void)pthread_mutex_unlock(&node->view_lock);
}

/* Who joined later is not in the first configuration. */
static bool began_with(const struct identity *identity, uint16_t id)
{
    for (uint32_t i = 0; i < identity->member_count; i++)
        if (identity->member[i] == id)
            return true;
    return false;
}

bool node_return(struct node *node, char *error)
{
    const struct identity *identity = &node->identity;
    if (identity->cluster == 0)
        return true;
    struct view view;
    bool self = node_bind(node, identity->cluster, identity->member, identity->member_incarnation,
                          identity->member_count, &view);
    if (!self && began_with(identity, node->config.id)) {
        (void)snprintf(error, HOST_ERROR_MAX, "the .id file's members do not name this node");
        return false;
    }
    if (!self)
        node_joined_view(node, &view);
    node->view = node->shown_view = view;
    node->cluster_shown = identity->cluster;
    node_publish(node);
    return true;
}

uint64_t node_now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The operator has bound this node to a cluster. */
static bool take_view(struct node *node)
{
    (void)pthread_mutex_lock(&node->view_lock);
    bool asked = node->view_asked;
    uint64_t epoch = node->view.epoch;
    if (asked) {
        node->view_asked = false;
        node->view = node->shown_view;
        node->view.epoch = epoch;
    }
    (void)pthread_mutex_unlock(&node->view_lock);
    return asked;
}

void node_control(struct node *node)
{
    uint64_t now_ns = node_now_ns(), incarnation;
    bool changed = take_view(node);
    uint16_t from;
    struct wire_hello hello;
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        while (lane_next_hello(node->lane[i].lane, &from, &incarnation, &hello))
            changed |= node_hear(node, from, incarnation, &hello, now_ns);
    changed |= node_follow(node, now_ns);
    node_promote(node, now_ns);
    if (node->mending)
        node_mend(node);
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
        if (!node_remember(nodes[i], &view)) {
            (void)snprintf(error, HOST_ERROR_MAX, "node %u can not write to [storage] data",
                           (unsigned)ids[i]);
            return false;
        }
        nodes[i]->view = nodes[i]->shown_view = view;
        nodes[i]->cluster_shown = cluster;
        node_publish(nodes[i]);
    }
    return true;
}
