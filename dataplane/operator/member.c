/* member.c: member add, promote, remove, replace. Each names a state of affairs, and each group is
 * brought there by its leader: where it is so already nothing is done, so that a change which
 * reached only some groups, or was interrupted, is finished by saying it again. */
#include "dataplane/operator/member.h"

#include <stdlib.h>
#include <string.h>

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
    bool in = goal->wish != WISH_LEARNER && fleet_has(options, fleet, known);
    if (goal->wish == WISH_REPLACED && !in)
        in = fleet_has(options, fleet, goal->id);
    if (goal->wish != WISH_LEARNER && !in)
        return no_member(known);
    int code =
        comes && !fleet_has(options, fleet, goal->id) ? fleet_invite(options, fleet, goal) : EX_OK;
    if (code == EX_OK && comes && goal->incarnation == 0) {
        uint32_t at; /* in some groups already: the rest take the same one */
        if (fleet_find(options, fleet, goal->id, &at))
            goal->incarnation = operator_incarnation(fleet->status[at]);
    }
    return code != EX_OK ? code : change_all(options, goal, fleet->groups);
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
    int code = fleet_look(options, &fleet);
    if (code == EX_OK)
        code = reach(options, &fleet, &goal);
    fleet_forget(&fleet);
    return code;
}
