/* groups.c: one group at a time, by its leader, whichever endpoint that is at the moment. Nodes
 * that do not answer are passed over without a word: that somebody is gone is why one asks. */
#include "dataplane/operator/operator.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t operator_now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void operator_pause(void)
{
    const struct timespec pause = {.tv_nsec = OPERATOR_PAUSE_MS * 1000000};
    (void)nanosleep(&pause, NULL);
}

enum operator_reply_type operator_tell(const struct operator_options *options, const char *endpoint,
                                       uint32_t count, const char *const *words, char *text,
                                       size_t capacity)
{
    struct operator_connection connection;
    const char *why;
    text[0] = '\0';
    if (!operator_open(&connection, endpoint, options->timeout_ms, &why)) {
        (void)snprintf(text, capacity, "%s", why);
        return REPLY_BROKEN;
    }
    struct operator_reply reply = operator_ask(&connection, count, words);
    if (reply.type != REPLY_NIL)
        (void)snprintf(text, capacity, "%s", reply.text);
    operator_close(&connection);
    return reply.type;
}

json_t *operator_ask_quietly(const struct operator_options *options, const char *endpoint,
                             uint32_t count, const char *const *words)
{
    struct operator_connection connection;
    const char *why;
    if (!operator_open(&connection, endpoint, options->timeout_ms, &why))
        return NULL;
    struct operator_reply reply = operator_ask(&connection, count, words);
    json_t *answer = reply.type == REPLY_TEXT ? json_loadb(reply.text, reply.bytes, 0, NULL) : NULL;
    operator_close(&connection);
    return answer;
}

bool operator_find_leader(const struct operator_options *options, uint32_t group,
                          struct operator_leader *leader)
{
    char number[12];
    const char *const words[] = {"QUORATE", "GROUP", number};
    (void)snprintf(number, sizeof number, "%u", group);
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        json_t *json = operator_ask_quietly(options, options->endpoint[i], 3, words);
        const char *role = json_string_value(json_object_get(json, "role"));
        if (role != NULL && strcmp(role, "leader") == 0) {
            leader->endpoint = options->endpoint[i];
            leader->group = json;
            leader->id = (unsigned)json_integer_value(json_object_get(json, "leader"));
            return true;
        }
        json_decref(json);
    }
    return false;
}

const json_t *operator_group_member(const json_t *group, unsigned id)
{
    size_t i;
    json_t *member;
    json_array_foreach(json_object_get(group, "members"), i, member)
    {
        if (json_integer_value(json_object_get(member, "id")) == (json_int_t)id)
            return member;
    }
    return NULL;
}

bool operator_has_role(const json_t *member, const char *role)
{
    const char *has = json_string_value(json_object_get(member, "role"));
    return has != NULL && strcmp(has, role) == 0;
}

uint64_t operator_incarnation(const json_t *member)
{
    const char *hex = json_string_value(json_object_get(member, "incarnation"));
    return hex == NULL ? 0 : strtoull(hex, NULL, 16);
}
