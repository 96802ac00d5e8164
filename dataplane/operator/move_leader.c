/* move_leader.c: leadership goes to another member. Only nodes that led when it began are asked, or
 * what one has handed over would be asked of the next. */
#include "dataplane/operator/operator.h"

#include <string.h>
#include <time.h>

struct leader {
    const char *endpoint;
    json_t *status; /* before; NULL: does not answer */
    int id;
    uint32_t led;
};

static bool is_led(const json_t *group)
{
    const char *role = json_string_value(json_object_get(group, "role"));
    return role != NULL && strcmp(role, "leader") == 0;
}

static void look(const struct operator_options *options, struct leader *node)
{
    size_t g;
    json_t *group;
    node->status = operator_ask_json(options, node->endpoint, "STATUS", JSON_OBJECT);
    node->id = (int)json_integer_value(json_object_get(node->status, "id"));
    json_array_foreach(json_object_get(node->status, "groups"), g, group)
    {
        node->led += is_led(group);
    }
}

static bool ask(const struct operator_options *options, const struct leader *node)
{
    char to[8];
    struct operator_connection connection;
    const char *why;
    if (!operator_open(&connection, node->endpoint, options->timeout_ms, &why)) {
        operator_complain(node->endpoint, "%s", why);
        return false;
    }
    (void)snprintf(to, sizeof to, "%u", options->to);
    const char *const words[] = {"QUORATE", "MOVE-LEADER", to};
    struct operator_reply reply = operator_ask(&connection, options->to != 0 ? 3 : 2, words);
    bool taken = reply.type == REPLY_TEXT || reply.type == REPLY_STATUS;
    if (!taken)
        operator_complain(node->endpoint, "%s", reply.text);
    operator_close(&connection);
    return taken;
}

/* Who leads now what the node led before; 0: it does itself, or does not know. */
static int heir(const struct leader *node, const json_t *now, size_t g)
{
    const json_t *group = json_array_get(json_object_get(now, "groups"), g);
    int leader = (int)json_integer_value(json_object_get(group, "leader"));
    return is_led(group) || leader == node->id ? 0 : leader;
}

static uint32_t count_moved(const struct leader *node, const json_t *now)
{
    uint32_t moved = 0;
    size_t g;
    json_t *group;
    json_array_foreach(json_object_get(node->status, "groups"), g, group)
    {
        moved += is_led(group) && heir(node, now, g) != 0;
    }
    return moved;
}

static void say(const struct operator_options *options, const struct leader *node,
                const json_t *now)
{
    static const char *const format[] = {
        [OUTPUT_TABLE] = "group %d: node %d handed over to node %d\n",
        [OUTPUT_JSON] = "{\"group\":%d,\"from\":%d,\"to\":%d}\n",
        [OUTPUT_SIMPLE] = "%d\t%d\t%d\n",
    };
    size_t g;
    json_t *group;
    json_array_foreach(json_object_get(node->status, "groups"), g, group)
    {
        int number = (int)json_integer_value(json_object_get(group, "group"));
        if (is_led(group) && heir(node, now, g) != 0)
            (void)printf(format[options->output], number, node->id, heir(node, now, g));
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int move(const struct operator_options *options, const struct leader *node)
{
    const struct timespec pause = {.tv_nsec = 10000000};
    int64_t until_ms = now_ms() + options->timeout_ms;
    if (!ask(options, node))
        return EX_DATAERR;
    for (;;) {
        json_t *now = operator_ask_json(options, node->endpoint, "STATUS", JSON_OBJECT);
        uint32_t moved = count_moved(node, now);
        bool last = moved == node->led || now == NULL || now_ms() >= until_ms;
        if (last)
            say(options, node, now);
        json_decref(now);
        if (last && moved != node->led)
            operator_complain(node->endpoint, "%u of %u groups were not handed over; try again",
                              node->led - moved, node->led);
        if (last)
            return moved == node->led ? EX_OK : EX_TEMPFAIL;
        (void)nanosleep(&pause, NULL);
    }
}

int operator_move_leader(const struct operator_options *options)
{
    static struct leader nodes[OPERATOR_ENDPOINTS_MAX];
    uint32_t led = 0, answered = 0;
    int code = EX_OK;
    if (options->balance)
        return operator_balance(options);
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        nodes[i].endpoint = options->endpoint[i];
        look(options, &nodes[i]);
        answered += nodes[i].status != NULL;
        led += nodes[i].led;
    }
    for (uint32_t i = 0; i < options->endpoint_count; i++) {
        bool there = options->to != 0 && nodes[i].id == (int)options->to;
        int one = nodes[i].led == 0 || there ? EX_OK : move(options, &nodes[i]);
        code = one != EX_OK ? one : code;
        json_decref(nodes[i].status);
    }
    if (led != 0)
        return code;
    operator_complain(NULL, answered != 0 ? "none of these nodes leads anything; try again"
                                          : "none of these nodes answers");
    return answered != 0 ? EX_TEMPFAIL : EX_UNAVAILABLE;
}
