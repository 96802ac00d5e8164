/* admin.c: answers that only the node has: status as JSON, and the one bootstrap; who belongs to
 * the cluster is membership.c's. Runs on the edge's thread. */
#include "dataplane/keeper/keeper.h"
#include "dataplane/node/agreed.h"
#include "dataplane/node/internal.h"
#include "protocols/wire/fragment.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *node_role_name(uint8_t role)
{
    static const char *const name[] = {"awaiting bootstrap", "follower", "precandidate",
                                       "candidate", "leader"};
    return name[role < COUNT_OF(name) ? role : 0];
}

json_t *node_hex(uint64_t value)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)value);
    return json_string(text);
}

static json_t *whole(uint64_t value)
{
    return json_integer((json_int_t)value);
}

#define STATUS_MEMBERS 16u /* the rest: QUORATE GROUP */

static json_t *members_of(const struct lane_group_status *group)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < min_u32(group->member_count, STATUS_MEMBERS); i++)
        (void)json_array_append_new(list, node_member_json(&group->member[i]));
    return list;
}

static json_t *group_json(const struct lane_group_status *group)
{
    json_t *leader = group->leader == RAFT_NOBODY ? json_null() : json_integer(group->leader);
    json_t *json = json_pack(
        "{s:i, s:b, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o, s:o, s:o}", "group", group->group,
        "doubtful", (int)group->doubtful, "role", node_role_name(group->role), "leader", leader,
        "term", whole(group->term), "commit", whole(group->commit), "applied",
        whole(group->applied), "last_index", whole(group->last_index), "keys", whole(group->keys),
        "sessions", (int)group->sessions, "votes_granted", whole(group->votes_granted), "log_first",
        whole(group->log_first), "digest", node_hex(group->digest));
    json_t *copies = group->role == RAFT_LEADER ? whole(group->full_copies) : json_null();
    json_t *members = json_pack("{s:b, s:o, s:o, s:i, s:o}", "joint", (int)group->joint,
                                "full_copies", copies, "members_index", whole(group->members_index),
                                "level", (int)group->level, "members", members_of(group));
    (void)json_object_update(json, members);
    json_decref(members);
    return json;
}

static void count_into(json_t *counters, const char *prefix, const char *name, uint64_t value)
{
    char key[96];
    if (value == 0)
        return;
    (void)snprintf(key, sizeof key, "%s.%s", prefix, name);
    json_int_t before = json_integer_value(json_object_get(counters, key));
    (void)json_object_set_new(counters, key, json_integer(before + (json_int_t)value));
}

static void lane_counters_json(const struct node *node, uint32_t i, json_t *counters)
{
    const struct lane *lane = node->lane[i].lane;
    uint64_t of_lane[LANE_EVENT_COUNT], of_raft[RAFT_EVENT_COUNT], of_wire[WIRE_REFUSAL_COUNT];
    uint64_t of_state[STATE_EVENT_COUNT];
    const uint64_t *of_pieces = lane_fragment_counters(lane);
    const uint64_t *of_port = port_counters(port_queue_of(node->port, i));
    lane_counters(lane, of_lane);
    lane_raft_counters(lane, of_raft);
    lane_wire_counters(lane, of_wire);
    lane_state_counters(lane, of_state);
    for (uint32_t e = 0; e < LANE_EVENT_COUNT; e++)
        count_into(counters, "lane", lane_event_name((enum lane_event)e), of_lane[e]);
    for (uint32_t e = 0; e < RAFT_EVENT_COUNT; e++)
        count_into(counters, "raft", raft_event_name((enum raft_event)e), of_raft[e]);
    for (uint32_t e = 1; e < WIRE_REFUSAL_COUNT; e++)
        count_into(counters, "wire", wire_refusal_name((enum wire_refusal)e), of_wire[e]);
    for (uint32_t e = 0; e < WIRE_ASSEMBLY_EVENT_COUNT; e++)
        count_into(counters, "pieces", wire_assembly_event_name((enum wire_assembly_event)e),
                   of_pieces[e]);
    for (uint32_t e = 0; e < STATE_EVENT_COUNT; e++)
        count_into(counters, "state", state_event_name((enum state_event)e), of_state[e]);
    for (uint32_t e = 0; e < PORT_EVENT_COUNT; e++)
        count_into(counters, "port", port_event_name((enum port_event)e), of_port[e]);
}

static void edge_counters_json(const struct node *node, json_t *counters)
{
    const uint64_t *of_edge = edge_counters(node->edge);
    uint64_t of_client[CLIENT_EVENT_COUNT];
    edge_client_counters(node->edge, of_client);
    for (uint32_t e = 0; e < EDGE_EVENT_COUNT; e++)
        count_into(counters, "edge", edge_event_name((enum edge_event)e), of_edge[e]);
    for (uint32_t e = 0; e < CLIENT_EVENT_COUNT; e++)
        count_into(counters, "client", client_event_name((enum client_event)e), of_client[e]);
}

static void keeper_counters_json(const struct node *node, json_t *counters)
{
    uint64_t of_keeper[KEEPER_EVENT_COUNT];
    keeper_counters(node->keeper, of_keeper);
    for (uint32_t e = 0; e < KEEPER_EVENT_COUNT; e++)
        count_into(counters, "keeper", keeper_event_name((enum keeper_event)e), of_keeper[e]);
}

/* What the card or its driver dropped by itself, before or behind our rooms. */
static void device_counters_json(const struct node *node, json_t *counters)
{
    struct port_report report;
    port_report(node->port, &report);
    count_into(counters, "device", "RX_MISSED", report.device_rx_missed);
    count_into(counters, "device", "RX_ERRORS", report.device_rx_errors);
    count_into(counters, "device", "TX_ERRORS", report.device_tx_errors);
}

static json_t *agreed_json(const struct node *node)
{
    struct agreed list[AGREED_COUNT];
    json_t *agreed = json_object();
    agreed_list(&node->config, list);
    for (uint32_t i = 0; i < AGREED_COUNT; i++)
        (void)json_object_set_new(agreed, list[i].name, json_string(list[i].value));
    return agreed;
}

static json_t *status_json(struct node *node)
{
    json_t *groups = json_array(), *counters = json_object();
    for (uint16_t g = 0; g < node->config.group_count; g++) {
        struct lane_group_status group;
        if (node_group_status(node, g, &group))
            (void)json_array_append_new(groups, group_json(&group));
    }
    for (uint32_t i = 0; i < node->config.lane_count; i++)
        lane_counters_json(node, i, counters);
    edge_counters_json(node, counters);
    device_counters_json(node, counters);
    keeper_counters_json(node, counters);
    char line[PORT_REPORT_LINE_MAX];
    node_port_line(node, line);
    json_t *status =
        json_pack("{s:i, s:o, s:o, s:s, s:s, s:o, s:o, s:o}", "id", node->config.id, "incarnation",
                  node_hex(node->incarnation), "cluster", node_hex(node->cluster_shown),
                  "durability", storage_durability(node->lane[0].storage), "port", line, "agreed",
                  agreed_json(node), "groups", groups, "counters", counters);
    char address[32];
    (void)snprintf(address, sizeof address, "%u.%u.%u.%u:%u", node->config.ip >> 24,
                   node->config.ip >> 16 & 255, node->config.ip >> 8 & 255, node->config.ip & 255,
                   (unsigned)node->config.udp_port);
    (void)json_object_set_new(status, "address", json_string(address));
    (void)json_object_set_new(status, "first", node_first_json(node));
    node_verify_report(node, status);
    node_storage_report(node, status);
    node_keeper_report(node, status);
    return status;
}

static bool say(json_t *json, char *text, uint32_t capacity)
{
    if (json == NULL) {
        (void)snprintf(text, capacity, "this node has no such group");
        return false;
    }
    size_t bytes = json_dumpb(json, text, capacity - 1, JSON_COMPACT);
    json_decref(json);
    if (bytes == 0 || bytes >= capacity) {
        (void)snprintf(text, capacity, "the answer is too long");
        return false;
    }
    text[bytes] = '\0';
    return true;
}

/* "cluster-hex id=incarnation-hex,id=incarnation-hex,..." Returns how many members; 0: not well
 * formed. */
static uint32_t parse_members(const char *text, uint64_t *cluster, uint16_t *ids,
                              uint64_t *incarnations)
{
    char *end;
    uint32_t count = 0;
    *cluster = strtoull(text, &end, 16);
    while (*end == ' ' || (*end == ',' && count > 0)) {
        unsigned long id = strtoul(end + 1, &end, 10);
        if (*end != '=' || id == 0 || id >= RAFT_NOBODY || count == VIEW_MEMBERS_MAX)
            return 0;
        ids[count] = (uint16_t)id;
        incarnations[count] = strtoull(end + 1, &end, 16);
        if (incarnations[count] == 0 || (count > 0 && ids[count] <= ids[count - 1]))
            return 0;
        count++;
    }
    return *end == '\0' && *cluster != 0 ? count : 0;
}

/* A list of other members than the configuration file's would found a cluster beside the real
 * one. */
static bool configured(const struct node *node, const uint16_t *ids, uint32_t count)
{
    bool same = node->config.member_count == count;
    for (uint32_t i = 0; same && i < count; i++)
        same = node->config.member[i] == ids[i];
    return same;
}

static bool heard_another(const struct node *node, const struct view *view)
{
    for (uint32_t i = 0; i < node->config.lane_count; i++) {
        uint64_t heard = lane_heard_configuration(node->lane[i].lane);
        if (heard != 0 && heard != view->config_hash)
            return true;
    }
    return false;
}

static bool bootstrap(struct node *node, const char *argument, char *text, uint32_t capacity)
{
    uint16_t ids[VIEW_MEMBERS_MAX];
    uint64_t incarnations[VIEW_MEMBERS_MAX], cluster;
    uint32_t count = parse_members(argument, &cluster, ids, incarnations);
    struct view view;
    const char *why = NULL;
    (void)pthread_mutex_lock(&node->view_lock);
    if (count == 0)
        why = "wants: cluster-hex id=incarnation-hex,... with rising ids";
    else if (node->cluster_shown != 0)
        why = "this node is in a cluster already; `quorate member` changes who belongs to it";
    else if (!configured(node, ids, count))
        why =
            "these are not the members that this node's configuration names; `quorate member add` "
            "takes one more into a cluster that is there";
    if (why == NULL && !node_bind(node, cluster, ids, incarnations, count, &view))
        why = "this node, in this incarnation, is not among the members";
    if (why == NULL && heard_another(node, &view))
        why =
            "members of this cluster vote under another configuration: this node has lost its log; "
            "`quorate member replace` takes it in under an id of its own";
    if (why == NULL && !node_remember(node, &view))
        why = "the folder in [storage] data can not be written";
    if (why == NULL) {
        node->shown_view = view;
        node->view_asked = true;
        node->cluster_shown = cluster;
    }
    (void)pthread_mutex_unlock(&node->view_lock);
    (void)snprintf(text, capacity, "%s", why == NULL ? "bootstrapped" : why);
    return why == NULL;
}

/* "", or a member's id (0: any) and perhaps one group. What is asked for shows in status once it is
 * done. */
static bool move_leader(struct node *node, const char *argument, char *text, uint32_t capacity)
{
    char *end = NULL;
    unsigned long to = strtoul(argument, &end, 10), group = NODE_ALL_GROUPS;
    if (end != argument && *end == ' ')
        group = strtoul(end + 1, &end, 10);
    bool any = to == 0, member = any && (argument[0] == '\0' || group != NODE_ALL_GROUPS);
    const char *why = NULL;
    (void)pthread_mutex_lock(&node->view_lock);
    for (uint32_t i = 0; i < node->shown_view.member_count; i++)
        member |= node->shown_view.member[i].id == to;
    (void)pthread_mutex_unlock(&node->view_lock);
    member &= group == NODE_ALL_GROUPS || group < node->config.group_count;
    if (!member || *end != '\0')
        why = "wants: the id of a member, or nothing: whoever is the furthest";
    else if (to == node->config.id)
        why = "this is that member: ask the node that leads";
    else if (node_hand_over(node, any ? RAFT_NOBODY : (uint16_t)to, (uint32_t)group) == 0)
        why = "this node leads no group";
    (void)snprintf(text, capacity, "%s", why == NULL ? "asked" : why);
    return why == NULL;
}

static bool info(struct node *node, char *text, uint32_t capacity)
{
    struct lane_group_status group;
    bool any = node_group_status(node, 0, &group);
    (void)snprintf(text, capacity,
                   "node_id:%u\r\nincarnation:%016llx\r\ndurability:%s\r\nrole:%s\r\nterm:%llu\r\n",
                   (unsigned)node->config.id, (unsigned long long)node->incarnation,
                   storage_durability(node->lane[0].storage),
                   any ? node_role_name(group.role) : "unknown",
                   any ? (unsigned long long)group.term : 0);
    return true;
}

bool node_answer(void *context, enum edge_question question, const char *argument, char *text,
                 uint32_t capacity)
{
    struct node *node = context;
    switch (question) {
    case EDGE_ASK_STATUS:
        return say(status_json(node), text, capacity);
    case EDGE_ASK_MEMBERS:
        return say(node_members_json(node), text, capacity);
    case EDGE_ASK_INCARNATION:
        (void)snprintf(text, capacity, "%u %016llx", (unsigned)node->config.id,
                       (unsigned long long)node->incarnation);
        return true;
    case EDGE_ASK_BOOTSTRAP:
        return bootstrap(node, argument, text, capacity);
    case EDGE_ASK_MOVE_LEADER:
        return move_leader(node, argument, text, capacity);
    case EDGE_ASK_GROUP:
        return say(node_group_json(node, argument), text, capacity);
    case EDGE_ASK_JOIN:
        return node_join(node, argument, text, capacity);
    case EDGE_ASK_CHANGE:
        return node_change(node, argument, text, capacity);
    case EDGE_ASK_SNAPSHOT:
        return node_snapshot(node, argument, text, capacity);
    case EDGE_ASK_INFO:
        return info(node, text, capacity);
    }
    return false;
}
