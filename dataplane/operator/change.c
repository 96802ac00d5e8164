/* change.c: one group is brought to the goal by its leader, step by step: what it says is so
 * decides what it is asked next. */
#include "dataplane/operator/member.h"

#include <inttypes.h>
#include <string.h>

#define CHANGE_WAIT_FACTOR 6    /* of --timeout: a learner catches up, and is watched for a while */
#define HAND_OVER_MS       2000 /* then a leader that is to go is removed as leader */
#define QUORUM_MS          2000 /* a new leader has not heard everybody yet */

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
    case WISH_LEVEL:
        return json_integer_value(json_object_get(group, "level")) >= (json_int_t)goal->id;
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
    if (goal->wish == WISH_LEVEL) {
        (void)snprintf(spec, capacity, "raise:%u", goal->id);
        return;
    }
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
    if (goal->wish == WISH_LEVEL)
        (void)printf(options->output == OUTPUT_JSON ? "{\"group\":%u,\"level\":%u,\"changed\":%s}\n"
                     : options->output == OUTPUT_SIMPLE ? "%u\t%u\t%s\n"
                                                        : "group %u: level %u, raised: %s\n",
                     group, goal->id, did ? "true" : "false");
    else if (options->output == OUTPUT_JSON)
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

int change_all(const struct operator_options *options, const struct goal *goal, uint32_t groups)
{
    int code = EX_OK;
    for (uint32_t g = 0; g < groups && code == EX_OK; g++)
        code = settle(options, goal, g);
    return code;
}
