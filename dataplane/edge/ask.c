/* ask.c: commands become questions to a group, one session per connection and group, in the
 * connection's order. */
#include "dataplane/edge/internal.h"

#include <string.h>

/* ---- slots ----------------------------------------------------------------------------------- */

struct edge_slot *edge_slot_append(struct edge *edge, struct edge_connection *connection)
{
    uint32_t index = edge->slot_free;
    if (index == EDGE_NONE)
        return NULL;
    struct edge_slot *slot = &edge->slots[index];
    edge->slot_free = slot->next;
    slot->next = EDGE_NONE;
    slot->connection = connection->index;
    slot->form = FORM_PLAIN;
    slot->failure = FAILURE_NONE;
    slot->text_bytes = 0;
    slot->is_read = false;
    slot->harmless = false;
    slot->integer = 0;
    if (connection->last == EDGE_NONE)
        connection->first = index;
    else
        edge->slots[connection->last].next = index;
    connection->last = index;
    return slot;
}

void edge_slot_free(struct edge *edge, uint32_t index)
{
    struct edge_slot *slot = &edge->slots[index];
    edge_chain_drop(&edge->pool, &slot->stash);
    slot->state = SLOT_FREE;
    slot->connection = EDGE_NONE;
    slot->next = edge->slot_free;
    edge->slot_free = index;
    edge->wake_stalled = true;
}

struct edge_machine *edge_machine_of(struct edge *edge, const struct edge_connection *connection,
                                     uint16_t group, bool big)
{
    uint32_t sessions = edge->config.sessions;
    uint32_t first = group * (sessions + 1);
    return &edge->machines[first + (big ? sessions : connection->index % sessions)];
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* Too long a wait ends with an answer in the command's place. */
static enum edge_step wait_for(struct edge *edge, struct edge_connection *connection,
                               enum edge_form form, enum edge_event event)
{
    if (connection->stall_since_ns == 0) {
        connection->stall_since_ns = edge->now_ns;
        edge_count(edge, event);
        return STEP_WAIT;
    }
    if (edge->now_ns - connection->stall_since_ns < edge->config.deadline_ns)
        return STEP_WAIT;
    struct edge_slot *slot = edge_slot_append(edge, connection);
    if (slot == NULL)
        return STEP_WAIT;
    slot->form = (uint8_t)form;
    edge_answer_failure(edge, (uint32_t)(slot - edge->slots), FAILURE_TRY_AGAIN);
    return STEP_DONE;
}

/* A read keeps its question, if that is short, in case it must be asked again. */
static void keep_question(struct edge_slot *slot, const struct wire_command *command)
{
    if (command->key_bytes + 1u > sizeof slot->text || command->value_bytes != 0)
        return;
    slot->text[0] = command->op;
    if (command->key_bytes != 0)
        memcpy(slot->text + 1, command->key, command->key_bytes);
    slot->text_bytes = (uint8_t)(1 + command->key_bytes);
}

static bool submit(struct edge *edge, struct edge_machine *machine, uint32_t index,
                   const struct wire_command *command)
{
    if (edge->slots[index].is_read
            ? !client_submit(machine->client, command, index, edge->now_ns)
            : !client_submit_ordered(machine->client, command, index, edge->now_ns))
        return false;
    edge->slots[index].state = SLOT_WAITING;
    machine->waiting++;
    machine->dirty = true;
    edge->waiting++;
    return true;
}

enum edge_step edge_ask(struct edge *edge, struct edge_connection *connection, uint16_t group,
                        const struct wire_command *command, enum edge_form form)
{
    struct edge_order *order = &connection->order[group];
    bool harmless = command->op > WIRE_OP_WRITE_LAST;
    bool logged = harmless && order->writes != 0 && !order->large_answer;
    bool is_read = harmless && !logged;
    bool big = wire_command_size(command) > EDGE_SMALL_BYTES_MAX;
    bool under_way = order->reads + order->writes + order->logged != 0;
    bool waits = is_read ? order->logged + order->writes != 0 : order->reads != 0;
    if (waits || (under_way && big != order->big))
        return wait_for(edge, connection, form, EDGE_ORDER_WAITED);
    struct edge_machine *machine = edge_machine_of(edge, connection, group, big);
    if (client_room(machine->client) == 0 || edge->slot_free == EDGE_NONE)
        return wait_for(edge, connection, form, EDGE_WINDOW_WAITED);
    struct edge_slot *slot = edge_slot_append(edge, connection);
    uint32_t index = (uint32_t)(slot - edge->slots);
    slot->group = group;
    slot->form = (uint8_t)form;
    slot->is_read = is_read;
    slot->harmless = harmless;
    slot->integer = (int64_t)edge->now_ns;
    connection->stall_since_ns = 0;
    struct wire_command asked = *command;
    if (is_read && connection->stale)
        asked.flags |= WIRE_READ_STALE;
    if (!submit(edge, machine, index, &asked)) {
        edge_answer_failure(edge, index, FAILURE_BAD_COMMAND);
        return STEP_DONE;
    }
    order->big = big;
    if (is_read) {
        order->reads++;
        slot->ordinal = order->ordinal_next++;
        keep_question(slot, command);
    } else if (logged) {
        order->logged++;
    } else {
        order->writes++;
    }
    return STEP_DONE;
}

/* ---- reads that were overtaken --------------------------------------------------------------- */

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0; /* ordinals wrap */
}

/* May it have been executed before one that stands before it and is answered? It may if it was
 * asked before that one was asked (again), or if it was under way, with fewer attempts, when that
 * one came back. */
static bool may_be_older(const struct edge_order *order, const struct edge_slot *slot,
                         uint32_t attempts)
{
    return before(slot->ordinal, order->ordinal_answered) ||
           (before(slot->ordinal, order->retried_before) && attempts < order->attempts);
}

static void remember_answered(struct edge_order *order, const struct edge_slot *slot,
                              uint32_t attempts)
{
    order->ordinal_answered = slot->ordinal;
    if (attempts < 2)
        return;
    if (!before(slot->ordinal, order->retried_before) || attempts > order->attempts)
        order->attempts = attempts;
    order->retried_before = order->ordinal_next;
}

/* Was it answered before an earlier one of its connection and group? */
static bool overtook(const struct edge *edge, const struct edge_connection *connection,
                     uint32_t index)
{
    const struct edge_slot *slot = &edge->slots[index];
    for (uint32_t i = connection->first; i != index; i = edge->slots[i].next) {
        const struct edge_slot *earlier = &edge->slots[i];
        if (earlier->state != SLOT_ANSWERED && earlier->is_read && earlier->group == slot->group)
            return true;
    }
    return false;
}

static void forget_under_way(struct edge_connection *connection, const struct edge_slot *slot)
{
    struct edge_order *order = &connection->order[slot->group];
    if (slot->is_read)
        order->reads--;
    else if (slot->harmless)
        order->logged--;
    else
        order->writes--;
}

static void give_up_parked(struct edge *edge, struct edge_connection *connection,
                           struct edge_slot *slot)
{
    forget_under_way(connection, slot);
    edge_count(edge, EDGE_TRY_AGAIN);
    slot->failure = FAILURE_OVERTAKEN;
    slot->integer = 0;
    slot->state = SLOT_ANSWERED;
}

bool edge_ask_parked(struct edge *edge, struct edge_connection *connection)
{
    for (uint32_t i = connection->first; i != EDGE_NONE; i = edge->slots[i].next) {
        struct edge_slot *slot = &edge->slots[i];
        if (slot->state != SLOT_PARKED)
            return true; /* those behind it are asked when it is answered */
        if (slot->text_bytes == 0 ||
            edge->now_ns - (uint64_t)slot->integer >= edge->config.deadline_ns) {
            give_up_parked(edge, connection, slot);
            continue;
        }
        struct wire_command command = {
            .op = slot->text[0],
            .flags = connection->stale ? WIRE_READ_STALE : 0,
            .key = slot->text + 1,
            .key_bytes = (uint16_t)(slot->text_bytes - 1),
        };
        bool big = connection->order[slot->group].big;
        struct edge_machine *machine = edge_machine_of(edge, connection, slot->group, big);
        if (!submit(edge, machine, i, &command))
            return false;
        slot->ordinal = connection->order[slot->group].ordinal_next++;
    }
    return true;
}

/* ---- completions ----------------------------------------------------------------------------- */

/* A read has no effect, so "unknown whether it ran", or "it ran, but its answer is gone", is as
 * good as "never ran". */
static enum edge_failure failure_of(const struct edge_machine *machine,
                                    const struct edge_slot *slot,
                                    const struct client_completion *completion)
{
    if (completion->outcome == CLIENT_GONE && !slot->harmless)
        return FAILURE_GONE;
    if (completion->outcome == CLIENT_UNCERTAIN && !slot->harmless)
        return FAILURE_UNCERTAIN;
    if (completion->outcome == CLIENT_REFUSED && completion->result.status == WIRE_TOO_BIG)
        return FAILURE_TOO_BIG;
    if (completion->outcome == CLIENT_REFUSED && completion->result.status == WIRE_BAD_COMMAND)
        return FAILURE_BAD_COMMAND;
    return client_leader(machine->client) == WIRE_NODE_CLIENT ? FAILURE_CLUSTER_DOWN
                                                              : FAILURE_TRY_AGAIN;
}

void edge_completed(struct edge *edge, struct edge_machine *machine,
                    const struct client_completion *completion)
{
    uint32_t index = (uint32_t)completion->cookie;
    struct edge_slot *slot = &edge->slots[index];
    ENSURE(slot->state == SLOT_WAITING && machine->waiting > 0);
    machine->waiting--;
    edge->waiting--;
    edge->wake_stalled = true;
    if (slot->connection == EDGE_NONE) {
        edge_slot_free(edge, index);
        return;
    }
    struct edge_connection *connection = &edge->connections[slot->connection];
    if (completion->outcome == CLIENT_DONE && slot->is_read) {
        struct edge_order *order = &connection->order[slot->group];
        if (overtook(edge, connection, index) || may_be_older(order, slot, completion->attempts)) {
            edge_count(edge, EDGE_OVERTAKEN);
            slot->state = SLOT_PARKED;
            edge_answer_advance(edge, connection);
            return;
        }
        remember_answered(order, slot, completion->attempts);
    }
    forget_under_way(connection, slot);
    if (slot->harmless)
        connection->order[slot->group].large_answer =
            completion->outcome == CLIENT_GONE ||
            completion->result.value_bytes > EDGE_SMALL_BYTES_MAX;
    if (completion->outcome == CLIENT_DONE)
        edge_answer_result(edge, index, &completion->result);
    else
        edge_answer_failure(edge, index, failure_of(machine, slot, completion));
}
