/* member.c: member add, promote, remove, replace. Each names a state of affairs, and each group is
 * brought there by its leader: where it is so already nothing is done, so that a change which
 * reached only some groups, or was interrupted, is finished by saying it again. */
#include "dataplane/operator/operator.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CHANGE_WAIT_FACTOR 6    /* of --timeout: a learner catches up, and is watched for a while */
#define HAND_OVER_MS       2000 /* then a leader that is to go is removed as leader */
#define QUORUM_MS          2000 /* a new leader has not heard everybody yet */

enum wish { WISH_LEARNER, WISH_VOTER, WISH_WITNESS, WISH_GONE, WISH_REPLACED };

struct goal {
    enum wish wish;
    unsigned id;          /* who comes, or changes, or goes */
    uint64_t incarnation; /* of who comes; 0: who has the id */
    unsigned old_id;      /* replaced: who goes */
};

/* ---- one group ------------------------------------------------------------------------------- */

static bool is_role(const json_t *group, unsigned id, const char *role)
{
    const json_t *member = operator_group_member(group, id);
    return member != NULL && operator_has_role(member, role);
}

static bool is_reached(const struct goal *goal, const json_t *group)
{
    switch (goal->wish) {
    case WISH_LEARNER:
        return operator_group_member(group, goal->id) != NULL;
    case WISH_VOTER:
        return is_role(group, goal->id, "voter");
    case WISH_WITNESS:
        return is_role(group, goal->id, "witness");
    case WISH_GONE:
        return operator_group_member(group, goal->id) == NULL;
    default:
        return operator_group_member(group, goal->old_id) == NULL &&
               is_role(group, goal->id, "voter");
    }
}

static bool is_settled(const json_t *group)
{
    return !json_is_true(json_object_get(group, "joint")) &&
           json_integer_value(json_object_get(group, "members_index")) <=
               json_integer_value(json_object_get(group, "commit"));
}

static void append(char *spec, size_t capacity, const char *what, unsigned id, uint64_t incarnation)
{
    size_t used = strlen(spec);
    (void)snprintf(spec + used, capacity - used, "%s%s:%u=%016" PRIx64, used == 0 ? "" : ",", what,
                   id, incarnation);
}

/* What the leader is to be asked. */
static void plan(const struct goal *goal, const json_t *group, char *spec, size_t capacity)
{
    const json_t *member = operator_group_member(group, goal->id);
    uint64_t incarnation = member != NULL ? operator_incarnation(member) : goal->incarnation;
    spec[0] = '\0';
    if (goal->wish == WISH_GONE)
        append(spec, capacity, "remove", goal->id, incarnation);
    else if (member == NULL)
        append(spec, capacity, "add", goal->id, incarnation);
    else if (goal->wish == WISH_WITNESS)
        append(spec, capacity, "witness", goal->id, incarnation);
    else if (!operator_has_role(member, "voter"))
        append(spec, capacity, "promote", goal->id, incarnation);
    const json_t *old = operator_group_member(group, goal->old_id);
    if (goal->wish == WISH_REPLACED && member != NULL && old != NULL)
        append(spec, capacity, "remove", goal->old_id, operator_incarnation(old));
}

/* Somebody who is to go should not lead: it would never hear who leads after it, and could not tell
 * its clients what became of their last commands. */
static bool leads_but_goes(const struct goal *goal, const struct operator_leader *leader)
{
    return (goal->wish == WISH_GONE && leader->id == goal->id) ||
           (goal->wish == WISH_REPLACED && leader->id == goal->old_id &&
            is_role(leader->group, goal->id, "learner"));
}

/* Answers that another moment, or another leader, may better. */
static bool may_pass(const char *text, int64_t waited_ms)
{
    static const char *const names[] = {"NOT_LEADER",     "TRANSFERRING",    "TOO_EARLY",
                                        "IN_PROGRESS",    "WINDOW_FULL",     "NOT_CAUGHT_UP",
                                        "CHANGE_CROWDED", "CHANGE_NOT_TAKEN"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strstr(text, names[i]) != NULL)
            return true;
    return strstr(text, "LOSES_QUORUM") != NULL && waited_ms < QUORUM_MS;
}

/* One question to the leader. EX_TEMPFAIL: it may go better later, `last` says why it did not now.
 * */
static int ask_leader(const struct operator_options *options, const struct goal *goal,
                      uint32_t group, const struct operator_leader *leader, int64_t waited_ms,
                      char last[OPERATOR_SENTENCE_MAX])
{
    char number[12], spec[256];
    (void)snprintf(number, sizeof number, "%u", group);
    if (leads_but_goes(goal, leader) && waited_ms < HAND_OVER_MS) {
        const char *const words[] = {"QUORATE", "MOVE-LEADER", "0", number};
        (void)operator_tell(options, leader->endpoint, 4, words, last, OPERATOR_SENTENCE_MAX);
        (void)snprintf(last, OPERATOR_SENTENCE_MAX, "node %u does not hand over", leader->id);
        return EX_TEMPFAIL;
    }
    plan(goal, leader->group, spec, sizeof spec);
    const char *const words[] = {"QUORATE", "CHANGE", number, spec};
    enum operator_reply_type type =
        operator_tell(options, leader->endpoint, 4, words, last, OPERATOR_SENTENCE_MAX);
    if (type == REPLY_ERROR && !may_pass(last, waited_ms)) {
        operator_complain(leader->endpoint, "group %u: %s", group,
                          strncmp(last, "ERR ", 4) == 0 ? last + 4 : last);
        return EX_DATAERR;
    }
    if (type == REPLY_TEXT)
        (void)snprintf(last, OPERATOR_SENTENCE_MAX, "the change has begun and is not committed");
    return EX_TEMPFAIL;
}

static void say(const struct operator_options *options, const struct goal *goal, uint32_t group,
                bool did)
{
    static const char *const now[] = {"member", "voter", "witness", "gone", "voter"};
    if (options->output == OUTPUT_JSON)
        (void)printf("{\"group\":%u,\"id\":%u,\"is\":\"%s\",\"changed\":%s}\n", group, goal->id,
                     now[goal->wish], did ? "true" : "false");
    else if (options->output == OUTPUT_SIMPLE)
        (void)printf("%u\t%u\t%s\n", group, goal->id, now[goal->wish]);
    else
        (void)printf("group %u: node %u is %s%s\n", group, goal->id,
                     goal->wish == WISH_LEARNER ? "a member" : now[goal->wish],
                     did ? "" : " already");
}

static int settle(const struct operator_options *options, const struct goal *goal, uint32_t group)
{
    char last[OPERATOR_SENTENCE_MAX] = "nobody leads it";
    int64_t start_ms = operator_now_ms(), waited_ms = 0;
    bool did = false;
    for (;; operator_pause()) {
        struct operator_leader leader;
        int code = EX_TEMPFAIL;
        waited_ms = operator_now_ms() - start_ms;
        if (operator_find_leader(options, group, &leader)) {
            bool settled = is_settled(leader.group);
            if (settled && is_reached(goal, leader.group))
                code = EX_OK;
            else if (settled)
                code = ask_leader(options, goal, group, &leader, waited_ms, last);
            did |= code != EX_OK;
            json_decref(leader.group);
        }
        if (code == EX_OK)
            say(options, goal, group, did);
        if (code != EX_TEMPFAIL)
            return code;
        if (waited_ms >= (int64_t)options->timeout_ms * CHANGE_WAIT_FACTOR)
            break;
    }
    operator_complain(NULL, "group %u: %s; say it again to go on from here", group, last);
    return EX_TEMPFAIL;
}

static int settle_all(const struct operator_options *options, const struct goal *goal,
                      uint32_t groups)
{
    int code = EX_OK;
    for (uint32_t g = 0; g < groups && code == EX_OK; g++)
        code = settle(options, goal, g);
    return code;
}

/* ---- the cluster, and who is to come --------------------------------------------------------- */

struct fleet {
    json_t *status[OPERATOR_ENDPOINTS_MAX]; /* NULL: does not answer */
    const char *cluster;                    /* the one that the endpoints are in */
    uint32_t member;                        /* an endpoint that is in it */
    uint32_t groups;
};

static bool in_cluster(const json_t *status)
{
    const char *cluster = json_string_value(json_object_get(status, "cluster"));
    return cluster != NULL && strtoull(cluster, NULL, 16) != 0;
}

static int look(const struct operator_options *options, struct fleet *fleet)
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

/* The endpoint whose node has this id. */
static bool find_node(const struct operator_options *options, const struct fleet *fleet,
                      unsigned id, uint32_t *at)
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

/* The node that is to come must be at one of the endpoints, empty or of this cluster already. */
static int invite(const struct operator_options *options, const struct fleet *fleet,
                  struct goal *goal)
{
    uint32_t at;
    if (!find_node(options, fleet, goal->id, &at)) {
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

/* Does any group have it, as its leader says? */
static bool belongs(const struct operator_options *options, const struct fleet *fleet, unsigned id)
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

static int no_member(unsigned id)
{
    operator_complain(NULL, "no member has the id %u: nothing was changed", id);
    return EX_DATAERR;
}

static int reach(const struct operator_options *options, const struct fleet *fleet,
                 struct goal *goal)
{
    unsigned known = goal->wish == WISH_REPLACED ? goal->old_id : goal->id;
    bool comes = goal->wish == WISH_LEARNER || goal->wish == WISH_REPLACED;
    bool in = goal->wish != WISH_LEARNER && belongs(options, fleet, known);
    if (goal->wish == WISH_REPLACED && !in)
        in = belongs(options, fleet, goal->id);
    if (goal->wish != WISH_LEARNER && !in)
        return no_member(known);
    int code = comes && !belongs(options, fleet, goal->id) ? invite(options, fleet, goal) : EX_OK;
    if (code == EX_OK && comes && goal->incarnation == 0) {
        uint32_t at; /* in some groups already: the rest take the same one */
        if (find_node(options, fleet, goal->id, &at))
            goal->incarnation = operator_incarnation(fleet->status[at]);
    }
    return code != EX_OK ? code : settle_all(options, goal, fleet->groups);
}

static bool parse_id(const char *text, unsigned *id)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    *id = (unsigned)value;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && value > 0 && value < UINT16_MAX;
}

int operator_member(const struct operator_options *options)
{
    static const struct {
        const char *verb;
        enum wish wish;
        uint32_t words;
    } verbs[] = {{"add", WISH_LEARNER, 3},
                 {"promote", WISH_VOTER, 3},
                 {"remove", WISH_GONE, 3},
                 {"replace", WISH_REPLACED, 4}};
    struct goal goal = {.wish = WISH_LEARNER};
    struct fleet fleet = {.cluster = NULL};
    uint32_t verb = 0;
    while (strcmp(verbs[verb].verb, options->word[1]) != 0)
        verb++;
    goal.wish = verbs[verb].wish;
    if (goal.wish == WISH_VOTER && options->witness)
        goal.wish = WISH_WITNESS;
    if (options->word_count != verbs[verb].words ||
        !parse_id(options->word[options->word_count - 1], &goal.id) ||
        (goal.wish == WISH_REPLACED &&
         (!parse_id(options->word[2], &goal.old_id) || goal.old_id == goal.id))) {
        operator_complain("member", "%s wants %s, see --help", verbs[verb].verb,
                          goal.wish == WISH_REPLACED ? "two different ids" : "an id");
        return EX_USAGE;
    }
    int code = look(options, &fleet);
    if (code == EX_OK)
        code = reach(options, &fleet, &goal);
    for (uint32_t i = 0; i < options->endpoint_count; i++)
        json_decref(fleet.status[i]);
    return code;
}
