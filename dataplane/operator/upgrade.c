/* upgrade.c: all members run a newer build, and from here on rely on it: each group is raised to
 * the highest level that every member speaks. There is no way back to an older build. */
#include "dataplane/operator/member.h"

#include <string.h>

/* False: somebody has not said, or this endpoint knows no member. */
static bool lowest(const json_t *members, unsigned *level)
{
    size_t i;
    json_t *member;
    *level = UINT8_MAX + 1u;
    json_array_foreach(members, i, member)
    {
        const char *state = json_string_value(json_object_get(member, "state"));
        const json_t *speaks = json_object_get(member, "speaks");
        if (state != NULL && strcmp(state, "guest") == 0)
            continue;
        if (!json_is_integer(speaks)) {
            operator_complain(NULL, "node %u has not been heard: nobody knows what it speaks",
                              (unsigned)json_integer_value(json_object_get(member, "id")));
            return false;
        }
        if (json_integer_value(speaks) < (json_int_t)*level)
            *level = (unsigned)json_integer_value(speaks);
    }
    if (*level > UINT8_MAX)
        operator_complain(NULL, "the node that was asked knows no member of its cluster");
    return *level <= UINT8_MAX;
}

int operator_upgrade(const struct operator_options *options)
{
    struct goal goal = {.wish = WISH_LEVEL};
    struct fleet fleet = {.cluster = NULL};
    int code = fleet_look(options, &fleet);
    if (code == EX_OK) {
        json_t *members =
            operator_ask_json(options, options->endpoint[fleet.member], "MEMBERS", JSON_ARRAY);
        if (members == NULL || !lowest(members, &goal.id))
            code = EX_TEMPFAIL;
        json_decref(members);
    }
    if (code == EX_OK)
        code = change_all(options, &goal, fleet.groups);
    fleet_forget(&fleet);
    return code;
}
