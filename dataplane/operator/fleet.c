/* fleet.c: the cluster as its endpoints show it, and who is to come into it. */
#include "dataplane/operator/member.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool in_cluster(const json_t *status)
{
    const char *cluster = json_string_value(json_object_get(status, "cluster"));
    return cluster != NULL && strtoull(cluster, NULL, 16) != 0;
}

int fleet_look(const struct operator_options *options, struct fleet *fleet)
{
    static const char *const words[] = {"QUORATE", "STATUS"};
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        fleet->status[i] = operator_ask_quietly(options, options->endpoint[i], 2, words);
        if (!in_cluster(fleet->status[i]))
            continue;
        const char *cluster = json_string_value(json_object_get(fleet->status[i], "cluster"));
        if (fleet->cluster != NULL && strcmp(fleet->cluster, cluster) != 0) {
            operator_complain(options->endpoint[i], "is in cluster %s, not in %s", cluster,
                              fleet->cluster);
            return EX_DATAERR;
        }
        if (fleet->cluster == NULL) {
            fleet->cluster = cluster;
            fleet->member = i;
            fleet->groups = (uint32_t)json_array_size(json_object_get(fleet->status[i], "groups"));
        }
    }
    if (fleet->cluster != NULL)
        return EX_OK;
    operator_complain(NULL, "none of these nodes answers as one of a cluster");
    return EX_UNAVAILABLE;
}

bool fleet_find(const struct operator_options *options, const struct fleet *fleet, unsigned id,
                uint32_t *at)
{
    for (*at = 0; *at < options->endpoint_count; ++*at)
        if (json_integer_value(json_object_get(fleet->status[*at], "id")) == (json_int_t)id)
            return true;
    return false;
}

static bool agree(const json_t *one, const json_t *other, const char *endpoint)
{
    const json_t *mine = json_object_get(one, "agreed"), *theirs = json_object_get(other, "agreed");
    const char *name;
    json_t *value;
    if (json_is_object(mine) && json_equal(mine, theirs))
        return true;
    json_object_foreach((json_t *)(uintptr_t)mine, name, value)
    {
        const char *said = json_string_value(json_object_get(theirs, name));
        if (said == NULL || strcmp(said, json_string_value(value)) != 0)
            operator_complain(endpoint, "has %s = %s, the cluster has %s: nothing was changed",
                              name, json_string_value(value), said == NULL ? "nothing" : said);
    }
    return false;
}

/* "1=hex,2=hex" or, for who is in it now, "1=hex@10.1.0.1:7700,..." */
static bool list(const json_t *members, bool addresses, unsigned but, char *text, size_t capacity)
{
    size_t i, used = 0;
    json_t *member;
    text[0] = '\0';
    json_array_foreach(members, i, member)
    {
        const char *address = json_string_value(json_object_get(member, "address"));
        const char *state = json_string_value(json_object_get(member, "state"));
        json_int_t id = json_integer_value(json_object_get(member, "id"));
        if (addresses &&
            (id == (json_int_t)but || address == NULL || strncmp(address, "0.", 2) == 0 ||
             (state != NULL && strcmp(state, "guest") == 0)))
            continue;
        int more = snprintf(text + used, capacity - used, "%s%u=%016" PRIx64 "%s%s",
                            used == 0 ? "" : ",", (unsigned)id, operator_incarnation(member),
                            addresses ? "@" : "", addresses ? address : "");
        if (more < 0 || (size_t)more >= capacity - used)
            return false;
        used += (size_t)more;
    }
    return used != 0;
}

static int tell_to_join(const struct operator_options *options, const struct fleet *fleet,
                        uint32_t at, unsigned id)
{
    static const char *const ask[] = {"QUORATE", "MEMBERS"};
    char first[4096], now[4096], text[OPERATOR_SENTENCE_MAX];
    json_t *members = operator_ask_quietly(options, options->endpoint[fleet->member], 2, ask);
    bool known = list(json_object_get(fleet->status[fleet->member], "first"), false, 0, first,
                      sizeof first) &&
                 list(members, true, id, now, sizeof now);
    json_decref(members);
    if (!known) {
        operator_complain(options->endpoint[fleet->member], "does not say who its members are");
        return EX_UNAVAILABLE;
    }
    const char *const words[] = {"QUORATE", "JOIN", fleet->cluster, first, now};
    enum operator_reply_type type =
        operator_tell(options, options->endpoint[at], 5, words, text, sizeof text);
    if (type == REPLY_TEXT)
        return EX_OK;
    operator_complain(options->endpoint[at], "%s", strncmp(text, "ERR ", 4) == 0 ? text + 4 : text);
    return type == REPLY_ERROR ? EX_DATAERR : EX_UNAVAILABLE;
}

int fleet_invite(const struct operator_options *options, const struct fleet *fleet,
                 struct goal *goal)
{
    uint32_t at;
    if (!fleet_find(options, fleet, goal->id, &at)) {
        operator_complain(NULL,
                          "node %u is at none of these endpoints: its RESP edge must be among them",
                          goal->id);
        return EX_UNAVAILABLE;
    }
    const json_t *node = fleet->status[at];
    const char *address = json_string_value(json_object_get(node, "address"));
    goal->incarnation = operator_incarnation(node);
    if (options->address != NULL && (address == NULL || strcmp(address, options->address) != 0)) {
        operator_complain(options->endpoint[at], "node %u is at %s, not at %s: nothing was changed",
                          goal->id, address == NULL ? "no address" : address, options->address);
        return EX_DATAERR;
    }
    if (!agree(node, fleet->status[fleet->member], options->endpoint[at]))
        return EX_DATAERR;
    return in_cluster(node) ? EX_OK : tell_to_join(options, fleet, at, goal->id);
}

bool fleet_has(const struct operator_options *options, const struct fleet *fleet, unsigned id)
{
    struct operator_leader leader;
    bool any = false;
    for (uint32_t g = 0; g < fleet->groups && !any; g++) {
        if (!operator_find_leader(options, g, &leader))
            return true; /* nobody can say: let the change find out */
        any = operator_group_member(leader.group, id) != NULL;
        json_decref(leader.group);
    }
    return any;
}

void fleet_forget(struct fleet *fleet)
{
    for (uint32_t i = 0; i < OPERATOR_ENDPOINTS_MAX; i++)
        json_decref(fleet->status[i]);
}
