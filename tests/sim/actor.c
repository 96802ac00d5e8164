#include "tests/sim/actor.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"
#include "tests/sim/ledger.h"
#include "tests/sim/network.h"
#include "tests/sim/node.h"
#include "tests/sim/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COMMAND_BYTES_MAX 8192u
#define REPLY_BYTES_MAX   65536u
#define SHARED_KEYS       3u
#define LARGE_BYTES       6000u
#define FINISH_RETRY_NS   (50 * MILLISECOND_NS)
#define TURN_NS           MICROSECOND_NS
#define RESTART_PER_MILLE 3u

enum finish { FINISH_NOT, FINISH_WANTED, FINISH_ASKED, FINISH_DONE };

struct actor {
    struct world *world;
    client *machine;
    uint32_t number;
    uint32_t process;
    uint32_t node; /* NODES_MAX: on the network */
    uint32_t host;
    uint16_t group;
    bool dead; /* its node is down */
    enum finish finish;
    uint32_t finish_operation;
    uint64_t next_ns;   /* it thinks until then */
    uint64_t rested_ns; /* no turn before: time must pass between two */
    uint64_t wake_ns;   /* kept: it is asked for at every step */
    uint32_t own_writes;
    uint32_t seen; /* text of the value it read last: what CAS expects */
    struct random_state random;
    struct client_completion completion[CLIENT_WINDOW_MAX];
};

/* After whatever may have moved it. */
static void keep_wake(struct actor *actor)
{
    actor->wake_ns = actor->dead ? UINT64_MAX
                                 : max_u64(actor->rested_ns,
                                           min_u64(actor->next_ns, client_wake_ns(actor->machine)));
}

/* ---- life ------------------------------------------------------------------------------------ */

static void start_machine(struct actor *actor)
{
    struct world *world = actor->world;
    struct client_config config = {
        .client = random_next(&actor->random) | 1,
        .cluster = world->cluster,
        .seed = random_next(&actor->random),
        .group = actor->group,
        .window = ACTOR_WINDOW,
        .command_bytes_max = COMMAND_BYTES_MAX,
        .reply_bytes_max = REPLY_BYTES_MAX,
        .retry_ns = world->shape.retry_ns,
        .retry_max_ns = 400 * MILLISECOND_NS,
        .deadline_ns = between(&actor->random, 1, 4) * SECOND_NS,
    };
    if (actor->node != NODES_MAX) {
        config.fixed_target = true;
        config.target_count = 1;
        config.target[0] = (uint16_t)(actor->node + 1);
    } else {
        config.target_count = (uint16_t)world->shape.replicas;
        for (uint32_t i = 0; i < world->shape.replicas; i++)
            config.target[i] = (uint16_t)(i + 1);
    }
    size_t bytes = client_footprint(&config);
    ENSURE(bytes != 0);
    void *memory = aligned_alloc(CACHE_LINE_BYTES, round_up(bytes, CACHE_LINE_BYTES));
    ENSURE(memory != NULL);
    memset(memory, 0, bytes);
    actor->machine = client_init(memory, &config, world->now_ns);
    actor->process = world->processes++;
    actor->own_writes = 0;
}

struct actor *actor_open_edge(struct world *world, uint32_t number, uint16_t group, uint32_t node)
{
    struct actor *actor = sim_allocate(sizeof *actor);
    *actor = (struct actor){
        .world = world, .number = number, .group = group, .node = node, .dead = node != NODES_MAX};
    actor->host = world->shape.replicas + number;
    random_init(&actor->random, random_next(&world->random));
    start_machine(actor);
    actor->next_ns = random_below(&actor->random, SECOND_NS);
    keep_wake(actor);
    return actor;
}

struct actor *actor_open(struct world *world, uint32_t number, uint16_t group)
{
    return actor_open_edge(world, number, group, NODES_MAX);
}

void actor_close(struct actor *actor)
{
    free(actor->machine);
    free(actor);
}

uint32_t actor_host(const struct actor *actor)
{
    return actor->host;
}

uint32_t actor_node(const struct actor *actor)
{
    return actor->node;
}

void actor_restart(struct actor *actor)
{
    uint32_t before = actor->process;
    free(actor->machine);
    start_machine(actor);
    actor->dead = false;
    if (actor->finish == FINISH_ASKED)
        actor->finish = FINISH_WANTED;
    keep_wake(actor);
    world_note(actor->world, TRACE_RESTARTS, before, actor->process, 0, 0);
}

void actor_crash(struct actor *actor)
{
    actor->dead = true;
    keep_wake(actor);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static uint32_t text_printed(struct actor *actor, const char *format, unsigned a, unsigned b,
                             unsigned c)
{
    char text[64];
    int count = snprintf(text, sizeof text, format, a, b, c);
    return text_of(actor->world->history->texts, text, (uint32_t)count);
}

static uint32_t shared_key(struct actor *actor, char kind)
{
    char format[] = "g%u.x%u.%u";
    format[4] = kind;
    return text_printed(actor, format, actor->group,
                        (unsigned)(actor->world->now_ns / actor->world->shape.key_epoch_ns),
                        (unsigned)random_below(&actor->random, SHARED_KEYS));
}

/* A value that nobody else writes, so that a read tells which write it saw. */
static uint32_t fresh_value(struct actor *actor)
{
    uint32_t operation = actor->world->history->count;
    if (!actor->world->shape.large_values || !chance(&actor->random, 5))
        return text_printed(actor, "%u.%u;", actor->process, operation, 0);
    char *large = sim_allocate(LARGE_BYTES);
    uint32_t count = (uint32_t)between(&actor->random, 64, LARGE_BYTES);
    memset(large, '.', count);
    (void)snprintf(large, 64, "%u.%u;", actor->process, operation);
    uint32_t text = text_of(actor->world->history->texts, large, count);
    free(large);
    return text;
}

static void choose_own(struct actor *actor, struct history_operation *o)
{
    bool counter = chance(&actor->random, 50);
    o->key = text_printed(actor, counter ? LEDGER_COUNTER : LEDGER_LIST, actor->group,
                          actor->process, 0);
    o->op = counter ? HISTORY_INCRBY : HISTORY_APPEND;
    if (counter)
        o->number = 1;
    else
        o->value = text_printed(actor, "%u;", actor->own_writes++, 0, 0);
}

static void choose_number(struct actor *actor, struct history_operation *o)
{
    uint64_t dice = random_below(&actor->random, 100);
    o->key = shared_key(actor, 'n');
    if (dice < 45) {
        o->op = HISTORY_INCRBY;
        o->number = (int64_t)between(&actor->random, 1, 3);
    } else if (dice < 85) {
        o->op = HISTORY_GET;
    } else if (dice < 92) {
        o->op = HISTORY_SET;
        o->value = text_printed(actor, "%u", (unsigned)random_below(&actor->random, 1000), 0, 0);
    } else if (dice < 96) {
        o->op = HISTORY_DEL;
    } else {
        o->op = HISTORY_EXPIRE;
        o->number = (int64_t)between(&actor->random, 1, 1000);
    }
}

static void choose_set(struct actor *actor, struct history_operation *o)
{
    o->op = HISTORY_SET;
    o->value = fresh_value(actor);
    if (chance(&actor->random, 30))
        o->number = (int64_t)between(&actor->random, 1, 1500);
    else if (chance(&actor->random, 15))
        o->flags |= HISTORY_KEEP_TTL;
    if (chance(&actor->random, 20))
        o->flags |= HISTORY_RETURN_OLD;
    if (chance(&actor->random, 20))
        o->flags |= chance(&actor->random, 50) ? HISTORY_IF_ABSENT : HISTORY_IF_PRESENT;
}

static void choose_string(struct actor *actor, struct history_operation *o)
{
    uint64_t dice = random_below(&actor->random, 100);
    o->key = shared_key(actor, 's');
    if (dice < 25) {
        choose_set(actor, o);
    } else if (dice < 60) {
        o->op = HISTORY_GET;
    } else if (dice < 75) {
        o->op = HISTORY_APPEND;
        o->value = fresh_value(actor);
    } else if (dice < 85) {
        o->op = HISTORY_CAS;
        o->old = actor->seen != TEXT_NONE ? actor->seen : text_printed(actor, "nothing", 0, 0, 0);
        o->value = fresh_value(actor);
    } else if (dice < 90) {
        o->op = HISTORY_DEL;
    } else if (dice < 93) {
        o->op = HISTORY_EXPIRE;
        o->number = (int64_t)between(&actor->random, 1, 1500) - 20;
    } else {
        static const uint8_t others[] = {HISTORY_PERSIST, HISTORY_EXISTS, HISTORY_STRLEN,
                                         HISTORY_TTL};
        o->op = others[random_below(&actor->random, COUNT_OF(others))];
    }
}

static const uint8_t wire_ops[HISTORY_OP_COUNT] = {
    [HISTORY_SET] = WIRE_OP_SET,       [HISTORY_GET] = WIRE_OP_GET,
    [HISTORY_DEL] = WIRE_OP_DEL,       [HISTORY_INCRBY] = WIRE_OP_INCRBY,
    [HISTORY_APPEND] = WIRE_OP_APPEND, [HISTORY_CAS] = WIRE_OP_CAS,
    [HISTORY_EXPIRE] = WIRE_OP_EXPIRE, [HISTORY_PERSIST] = WIRE_OP_PERSIST,
    [HISTORY_EXISTS] = WIRE_OP_EXISTS, [HISTORY_STRLEN] = WIRE_OP_STRLEN,
    [HISTORY_TTL] = WIRE_OP_TTL,
};

static uint8_t wire_flags(uint8_t flags)
{
    return (uint8_t)((flags & HISTORY_IF_ABSENT ? WIRE_SET_IF_ABSENT : 0) |
                     (flags & HISTORY_IF_PRESENT ? WIRE_SET_IF_PRESENT : 0) |
                     (flags & HISTORY_RETURN_OLD ? WIRE_SET_RETURN_OLD : 0) |
                     (flags & HISTORY_KEEP_TTL ? WIRE_SET_KEEP_TTL : 0));
}

static struct wire_command command_of(const struct text_table *texts,
                                      const struct history_operation *o)
{
    uint32_t key_bytes;
    struct wire_command command = {
        .op = wire_ops[o->op], .flags = wire_flags(o->flags), .argument = o->number};
    command.key = text_bytes(texts, o->key, &key_bytes);
    command.key_bytes = (uint16_t)key_bytes;
    if (o->value != TEXT_NONE)
        command.value = text_bytes(texts, o->value, &command.value_bytes);
    if (o->old != TEXT_NONE)
        command.old = text_bytes(texts, o->old, &command.old_bytes);
    return command;
}

/* False: the window is full. */
static bool ask(struct actor *actor, struct history_operation *o)
{
    struct world *world = actor->world;
    o->process = actor->process;
    o->outcome = HISTORY_OPEN; /* until it is told otherwise */
    o->invoke_ns = world->now_ns;
    o->return_ns = UINT64_MAX;
    struct wire_command command = command_of(world->history->texts, o);
    if (wire_command_size(&command) > COMMAND_BYTES_MAX ||
        !client_submit(actor->machine, &command, world->history->count, world->now_ns))
        return false;
    world_note(world, TRACE_ASKS, actor->process, history_add(world->history, o), 0, 0);
    return true;
}

static void ask_something(struct actor *actor)
{
    uint32_t count = chance(&actor->random, 10) ? (uint32_t)between(&actor->random, 2, 6) : 1;
    for (uint32_t i = 0; i < count; i++) {
        struct history_operation o = {0};
        uint64_t dice = random_below(&actor->random, 100);
        if (dice < 10)
            choose_own(actor, &o);
        else if (dice < 40)
            choose_number(actor, &o);
        else
            choose_string(actor, &o);
        if (!ask(actor, &o))
            return;
    }
}

static void ask_last(struct actor *actor)
{
    struct history_operation o = {.op = HISTORY_INCRBY, .number = 1};
    o.key = text_printed(actor, LEDGER_COUNTER, actor->group, actor->process, 0);
    actor->finish_operation = actor->world->history->count;
    if (ask(actor, &o))
        actor->finish = FINISH_ASKED;
}

/* ---- being told ------------------------------------------------------------------------------ */

static void take_result(struct actor *actor, struct history_operation *o,
                        const struct wire_result *result)
{
    switch (result->status) {
    case WIRE_NO_SPACE:
        o->answer = HISTORY_NO_SPACE;
        return;
    case WIRE_WRONG_TYPE:
        o->answer = HISTORY_WRONG_TYPE;
        return;
    case WIRE_DONE:
        break;
    default:
        report_violation(actor->world,
                         "process %u was told %s as the answer of an executed command",
                         actor->process, wire_status_name((enum wire_status)result->status));
    }
    switch ((enum wire_type)result->type) {
    case WIRE_NIL:
        o->answer = HISTORY_NIL;
        break;
    case WIRE_INTEGER:
        o->answer = HISTORY_INTEGER;
        o->integer = result->integer;
        break;
    case WIRE_STATUS_OK:
        o->answer = HISTORY_STATUS_OK;
        break;
    case WIRE_BYTES:
        o->answer = HISTORY_TEXT;
        o->text = text_of(actor->world->history->texts, result->value, result->value_bytes);
        actor->seen = o->text;
        break;
    }
}

static void complete(struct actor *actor, uint32_t count)
{
    struct world *world = actor->world;
    for (uint32_t i = 0; i < count; i++) {
        const struct client_completion *completion = &actor->completion[i];
        uint32_t index = (uint32_t)completion->cookie;
        struct history_operation *o = &world->history->operation[index];
        if (o->process != actor->process || o->return_ns != UINT64_MAX)
            report_violation(world,
                             "process %u was told about operation %u, which it does not wait for",
                             actor->process, index);
        o->return_ns = world->now_ns;
        switch (completion->outcome) {
        case CLIENT_DONE:
            o->outcome = HISTORY_OK;
            take_result(actor, o, &completion->result);
            break;
        case CLIENT_REFUSED:
            o->outcome = HISTORY_FAIL;
            break;
        case CLIENT_GONE:
            o->outcome = HISTORY_OK;
            o->answer = HISTORY_UNKNOWN;
            break;
        case CLIENT_UNCERTAIN:
            break;
        }
        world_note(world, TRACE_IS_TOLD, actor->process, index, o->outcome, (uint64_t)o->integer);
        if (actor->finish == FINISH_ASKED && index == actor->finish_operation)
            actor->finish = o->outcome == HISTORY_OK ? FINISH_DONE : FINISH_WANTED;
    }
}

void actor_receive(struct actor *actor, const uint8_t *payload, uint32_t bytes)
{
    struct wire_frame frame;
    uint32_t offset = WIRE_FRAME_BYTES;
    if (wire_frame_decode(payload, bytes, &frame) != WIRE_OK)
        report_violation(actor->world, "process %u received a malformed frame", actor->process);
    for (;;) {
        struct wire_view view;
        if (wire_message_next(payload, bytes, &offset, &view) != WIRE_OK)
            report_violation(actor->world, "process %u received a malformed message",
                             actor->process);
        if (view.kind == 0)
            break;
        complete(actor, client_receive(actor->machine, &view, actor->world->now_ns,
                                       actor->completion, CLIENT_WINDOW_MAX));
    }
    keep_wake(actor);
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool emit_to_network(struct actor *actor)
{
    struct frame frame;
    uint16_t target;
    struct network *network = actor->world->network;
    network_take(network, actor->host, &frame);
    if (!client_emit(actor->machine, frame.data, frame.capacity, actor->world->now_ns, &frame.bytes,
                     &target)) {
        network_return(network, actor->host, &frame);
        return false;
    }
    frame.peer = network_endpoint(target - 1u);
    network_send(network, actor->host, &frame);
    return true;
}

static bool emit_to_duct(struct actor *actor)
{
    struct node *node = actor->world->node[actor->node];
    struct frame frame;
    uint16_t target;
    if (duct_take(node->duct, DUCT_EDGE, &frame, 1) == 0)
        return false;
    if (!client_emit(actor->machine, frame.data, frame.capacity, actor->world->now_ns, &frame.bytes,
                     &target)) {
        duct_free(node->duct, DUCT_EDGE, &frame, 1);
        return false;
    }
    duct_send(node->duct, DUCT_EDGE, &frame, 1);
    node_wake(node);
    return true;
}

void actor_run(struct actor *actor)
{
    struct world *world = actor->world;
    uint64_t now_ns = world->now_ns;
    complete(actor, client_tick(actor->machine, now_ns, actor->completion, CLIENT_WINDOW_MAX));
    if (now_ns >= actor->next_ns) {
        if (actor->finish == FINISH_NOT) {
            actor->next_ns = now_ns + 1 + random_below(&actor->random, world->shape.think_ns);
            if (world->faults.percent[FAULT_CRASH] != 0 &&
                random_below(&actor->random, 1000) < RESTART_PER_MILLE)
                actor_restart(actor);
            ask_something(actor);
        } else {
            actor->next_ns = now_ns + FINISH_RETRY_NS;
            if (actor->finish == FINISH_WANTED)
                ask_last(actor);
        }
    }
    while (actor->node != NODES_MAX ? emit_to_duct(actor) : emit_to_network(actor)) {
    }
    actor->rested_ns = now_ns + TURN_NS;
    keep_wake(actor);
}

uint64_t actor_wake_ns(const struct actor *actor)
{
    return actor->wake_ns;
}

void actor_finish(struct actor *actor)
{
    actor->finish = FINISH_WANTED;
    actor->next_ns = actor->world->now_ns;
    keep_wake(actor);
}

bool actor_finished(const struct actor *actor)
{
    return actor->finish == FINISH_DONE && client_outstanding(actor->machine) == 0;
}
