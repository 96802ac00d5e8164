/* balance.c: move-leader --balance: leaders spread over the voters, as evenly as it goes. At once:
 * by itself, with [raft] handover, it comes about when those who shall lead have been up for that
 * long. */
#include "dataplane/operator/operator.h"

#include <string.h>

#define BALANCE_GROUPS_MAX 1024u

struct seat {
    unsigned leader;
    const char *endpoint; /* of its leader */
    json_t *json;         /* NULL: nobody leads it */
};

struct tally {
    unsigned id[OPERATOR_ENDPOINTS_MAX];
    uint32_t led[OPERATOR_ENDPOINTS_MAX];
    uint32_t count;
};

static uint32_t *led_by(struct tally *tally, unsigned id)
{
    for (uint32_t i = 0; i < tally->count; i++)
        if (tally->id[i] == id)
            return &tally->led[i];
    if (tally->count == OPERATOR_ENDPOINTS_MAX)
        return NULL;
    tally->id[tally->count] = id;
    tally->led[tally->count] = 0;
    return &tally->led[tally->count++];
}

/* Who may lead the group, at once: a voter that keeps up. */
static bool may_lead(const struct seat *seat, unsigned id)
{
    const json_t *member = operator_group_member(seat->json, id);
    const char *progress = json_string_value(json_object_get(member, "progress"));
    return member != NULL && operator_has_role(member, "voter") &&
           (id == seat->leader || (progress != NULL && strcmp(progress, "replicate") == 0));
}

static void count(const struct seat *seats, uint32_t groups, struct tally *tally)
{
    tally->count = 0;
    for (uint32_t g = 0; g < groups; g++) {
        size_t i;
        json_t *member;
        json_array_foreach(json_object_get(seats[g].json, "members"), i, member)
        {
            unsigned id = (unsigned)json_integer_value(json_object_get(member, "id"));
            uint32_t *led = may_lead(&seats[g], id) ? led_by(tally, id) : NULL;
            if (led != NULL)
                *led += id == seats[g].leader;
        }
    }
}

/* A group that goes from who leads more to who leads less by two or more. */
static bool next_move(const struct seat *seats, uint32_t groups, struct tally *tally,
                      uint32_t *group, unsigned *to)
{
    uint32_t best = 1;
    for (uint32_t g = 0; g < groups; g++) {
        const uint32_t *from = seats[g].json == NULL ? NULL : led_by(tally, seats[g].leader);
        for (uint32_t i = 0; from != NULL && i < tally->count; i++) {
            if (*from <= tally->led[i] + best || !may_lead(&seats[g], tally->id[i]))
                continue;
            best = *from - tally->led[i];
            *group = g;
            *to = tally->id[i];
        }
    }
    return best > 1;
}

static bool look(const struct operator_options *options, uint32_t group, struct seat *seat)
{
    struct operator_leader leader;
    json_decref(seat->json);
    seat->json = NULL;
    if (!operator_find_leader(options, group, &leader))
        return false;
    *seat = (struct seat){.leader = leader.id, .endpoint = leader.endpoint, .json = leader.group};
    return true;
}

static int move(const struct operator_options *options, uint32_t group, unsigned to,
                struct seat *seat)
{
    char id[12], number[12], text[OPERATOR_SENTENCE_MAX];
    const char *const words[] = {"QUORATE", "MOVE-LEADER", id, number};
    int64_t until_ms = operator_now_ms() + options->timeout_ms;
    unsigned from = seat->leader;
    (void)snprintf(id, sizeof id, "%u", to);
    (void)snprintf(number, sizeof number, "%u", group);
    (void)operator_tell(options, seat->endpoint, 4, words, text, sizeof text);
    while (!look(options, group, seat) || seat->leader != to) {
        if (operator_now_ms() >= until_ms) {
            operator_complain(NULL, "group %u was not handed over to node %u; try again", group,
                              to);
            return EX_TEMPFAIL;
        }
        operator_pause();
    }
    static const char *const format[] = {
        [OUTPUT_TABLE] = "group %u: node %u handed over to node %u\n",
        [OUTPUT_JSON] = "{\"group\":%u,\"from\":%u,\"to\":%u}\n",
        [OUTPUT_SIMPLE] = "%u\t%u\t%u\n",
    };
    (void)printf(format[options->output], group, from, to);
    return EX_OK;
}

static uint32_t group_count(const struct operator_options *options)
{
    static const char *const words[] = {"QUORATE", "STATUS"};
    size_t most = 0;
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        json_t *status = operator_ask_quietly(options, options->endpoint[i], 2, words);
        size_t groups = json_array_size(json_object_get(status, "groups"));
        most = groups > most ? groups : most;
        json_decref(status);
    }
    return most < BALANCE_GROUPS_MAX ? (uint32_t)most : BALANCE_GROUPS_MAX;
}

int operator_balance(const struct operator_options *options)
{
    static struct seat seats[BALANCE_GROUPS_MAX];
    struct tally tally;
    uint32_t groups = group_count(options), led = 0, group = 0;
    unsigned to = 0;
    int code = EX_OK;
    for (uint32_t g = 0; g < groups; g++)
        led += look(options, g, &seats[g]);
    for (count(seats, groups, &tally);
         code == EX_OK && next_move(seats, groups, &tally, &group, &to);
         count(seats, groups, &tally))
        code = move(options, group, to, &seats[group]);
    for (uint32_t g = 0; g < groups; g++)
        json_decref(seats[g].json);
    if (led != 0)
        return code;
    operator_complain(NULL, "none of these nodes leads anything; try again");
    return groups != 0 ? EX_TEMPFAIL : EX_UNAVAILABLE;
}
