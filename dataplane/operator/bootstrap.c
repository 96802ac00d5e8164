/* bootstrap.c: the first configuration of a cluster: every node is told the same (id, incarnation)
 * pairs. */
#include "dataplane/operator/operator.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct candidate {
    const char *endpoint;
    struct operator_connection connection;
    unsigned id;
    uint64_t incarnation;
    uint64_t cluster; /* 0: in none yet */
    json_t *agreed;   /* its settings that must be equal at all members */
};

static bool ask_incarnation(struct candidate *node)
{
    static const char *const words[] = {"QUORATE", "INCARNATION"};
    struct operator_reply reply = operator_ask(&node->connection, 2, words);
    if (reply.type == REPLY_TEXT) {
        char *end;
        unsigned long id = strtoul(reply.text, &end, 10);
        node->id = id > UINT16_MAX || *end != ' ' ? 0 : (unsigned)id;
        node->incarnation = strtoull(end, &end, 16);
        if (node->id != 0 && node->incarnation != 0 && *end == '\0')
            return true;
    }
    operator_complain(node->endpoint, "does not say its incarnation: %s", reply.text);
    return false;
}

static bool ask_cluster(struct candidate *node)
{
    static const char *const words[] = {"QUORATE", "STATUS"};
    struct operator_reply reply = operator_ask(&node->connection, 2, words);
    json_t *status = reply.type == REPLY_TEXT ? json_loadb(reply.text, reply.bytes, 0, NULL) : NULL;
    const char *cluster = json_string_value(json_object_get(status, "cluster"));
    char *end = NULL;
    node->cluster = cluster == NULL ? 0 : strtoull(cluster, &end, 16);
    bool clear = cluster != NULL && end != cluster && *end == '\0';
    node->agreed = json_incref(json_object_get(status, "agreed"));
    json_decref(status);
    if (!clear)
        operator_complain(node->endpoint, "does not say whether it is in a cluster");
    else if (!json_is_object(node->agreed))
        operator_complain(node->endpoint, "does not say with which settings it runs");
    return clear && json_is_object(node->agreed);
}

static const char *setting(const struct candidate *node, const char *name)
{
    const char *value = json_string_value(json_object_get(node->agreed, name));
    return value == NULL ? "nothing" : value;
}

/* Replicas with other settings would execute the same entries otherwise. */
static bool agree(const struct candidate *node, const struct candidate *first)
{
    const char *name;
    json_t *value;
    json_object_foreach(node->agreed, name, value)
    {
        if (strcmp(setting(node, name), setting(first, name)) == 0)
            continue;
        operator_complain(node->endpoint,
                          "node %u has %s = %s, node %u has %s = %s: it must be the same at all "
                          "members; nothing was changed",
                          node->id, name, setting(node, name), first->id, name,
                          setting(first, name));
        return false;
    }
    return true;
}

/* The incarnation that a member list binds this id to; 0: none. */
static uint64_t bound_incarnation(const json_t *members, unsigned id)
{
    size_t i;
    json_t *member;
    json_array_foreach(members, i, member)
    {
        const char *incarnation = json_string_value(json_object_get(member, "incarnation"));
        if (json_integer_value(json_object_get(member, "id")) == (json_int_t)id)
            return incarnation == NULL ? 0 : strtoull(incarnation, NULL, 16);
    }
    return 0;
}

/* A node that is in the cluster already knows who its members are: in which incarnation, too. */
static bool binds_all(struct candidate *node, const struct candidate *nodes, uint32_t count)
{
    static const char *const words[] = {"QUORATE", "MEMBERS"};
    struct operator_reply reply = operator_ask(&node->connection, 2, words);
    json_t *members =
        reply.type == REPLY_TEXT ? json_loadb(reply.text, reply.bytes, 0, NULL) : NULL;
    bool all = json_array_size(members) == count;
    for (uint32_t i = 0; all && i < count; i++) {
        all = bound_incarnation(members, nodes[i].id) == nodes[i].incarnation;
        if (!all)
            operator_complain(nodes[i].endpoint,
                              "node %u is not the member that the cluster was made with: it has "
                              "lost its log; `quorate member replace` takes it in under an id of "
                              "its own; nothing "
                              "was changed",
                              nodes[i].id);
    }
    if (json_array_size(members) != count)
        operator_complain(node->endpoint, "its cluster has other members; nothing was changed");
    json_decref(members);
    return all;
}

static int by_id(const void *a, const void *b)
{
    unsigned left = ((const struct candidate *)a)->id, right = ((const struct candidate *)b)->id;
    return (left > right) - (left < right);
}

/* All must answer, with different ids and equal settings, and none may be in another cluster. */
static int check(const struct operator_options *options, struct candidate *nodes, uint32_t count,
                 uint64_t wanted)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *why;
        if (!operator_open(&nodes[i].connection, nodes[i].endpoint, options->timeout_ms, &why)) {
            operator_complain(nodes[i].endpoint, "%s; nothing was changed", why);
            return EX_UNAVAILABLE;
        }
        if (!ask_incarnation(&nodes[i]) || !ask_cluster(&nodes[i]))
            return EX_UNAVAILABLE;
        if (nodes[i].cluster != 0 && nodes[i].cluster != wanted) {
            operator_complain(nodes[i].endpoint,
                              "node %u is in cluster %016" PRIx64 " already; nothing was changed",
                              nodes[i].id, nodes[i].cluster);
            return EX_DATAERR;
        }
    }
    qsort(nodes, count, sizeof *nodes, by_id);
    for (uint32_t i = 1; i < count; i++)
        if (nodes[i].id == nodes[i - 1].id) {
            operator_complain(nodes[i].endpoint, "node %u, as %s is; nothing was changed",
                              nodes[i].id, nodes[i - 1].endpoint);
            return EX_DATAERR;
        }
    for (uint32_t i = 1; i < count; i++)
        if (!agree(&nodes[i], &nodes[0]) || !agree(&nodes[0], &nodes[i]))
            return EX_DATAERR;
    for (uint32_t i = 0; i < count; i++)
        if (nodes[i].cluster != 0 && !binds_all(&nodes[i], nodes, count))
            return EX_DATAERR;
    return EX_OK;
}

static bool draw(uint64_t *cluster)
{
    while (*cluster == 0)
        if (getrandom(cluster, sizeof *cluster, 0) != (ssize_t)sizeof *cluster)
            return false;
    return true;
}

static void say(const struct operator_options *options, const struct candidate *node,
                uint64_t cluster, const char *what)
{
    if (options->output == OUTPUT_JSON)
        (void)printf("{\"id\":%u,\"incarnation\":\"%016" PRIx64 "\",\"cluster\":\"%016" PRIx64
                     "\",\"did\":\"%s\"}\n",
                     node->id, node->incarnation, cluster, what);
    else
        (void)printf("node %u at %s, incarnation %016" PRIx64 ": %s\n", node->id, node->endpoint,
                     node->incarnation, what);
}

static int tell(const struct operator_options *options, struct candidate *nodes, uint32_t count,
                uint64_t cluster)
{
    char name[17], members[OPERATOR_ENDPOINTS_MAX * 32];
    int at = 0;
    (void)snprintf(name, sizeof name, "%016" PRIx64, cluster);
    for (uint32_t i = 0; i < count; i++)
        at += snprintf(members + at, sizeof members - (size_t)at, "%s%u=%016" PRIx64,
                       i == 0 ? "" : ",", nodes[i].id, nodes[i].incarnation);
    const char *const words[] = {"QUORATE", "BOOTSTRAP", name, members};
    uint32_t failed = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i].cluster == cluster) {
            say(options, &nodes[i], cluster, "in it already");
            continue;
        }
        struct operator_reply reply = operator_ask(&nodes[i].connection, 4, words);
        if (reply.type != REPLY_TEXT && reply.type != REPLY_STATUS) {
            operator_complain(nodes[i].endpoint, "%s", reply.text);
            failed++;
            continue;
        }
        say(options, &nodes[i], cluster, "bootstrapped");
    }
    if (failed != 0) {
        operator_complain(NULL,
                          "%u of %u nodes were not reached: mend them, then run bootstrap again "
                          "with --cluster %s",
                          failed, count, name);
        return EX_TEMPFAIL;
    }
    if (options->output != OUTPUT_JSON)
        (void)printf("cluster %s has %u members\n", name, count);
    return EX_OK;
}

int operator_bootstrap(const struct operator_options *options)
{
    static struct candidate nodes[OPERATOR_ENDPOINTS_MAX];
    uint64_t cluster = options->cluster;
    uint32_t count = options->endpoint_count;
    for (uint32_t i = 0; i < count; i++)
        nodes[i] = (struct candidate){.endpoint = options->endpoint[i], .connection.fd = -1};
    int code = check(options, nodes, count, cluster);
    if (code == EX_OK && !draw(&cluster)) {
        operator_complain(NULL, "the kernel gives no random number");
        code = EX_OSERR;
    }
    if (code == EX_OK)
        code = tell(options, nodes, count, cluster);
    for (uint32_t i = 0; i < count; i++)
        operator_close(&nodes[i].connection);
    for (uint32_t i = 0; i < count; i++)
        json_decref(nodes[i].agreed);
    return code;
}
