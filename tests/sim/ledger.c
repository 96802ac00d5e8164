#include "tests/sim/ledger.h"

#include "numa/base/assert.h"
#include "tests/sim/disk.h"
#include "tests/sim/node.h"
#include "tests/sim/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_BYTES 4096u

/* One own key: operations on it, by what their process was told. */
struct account {
    uint32_t key;
    uint32_t told;
    uint32_t uncertain;
};

static bool is_own(const struct history *history, uint32_t key, const char *kind)
{
    uint32_t count;
    const uint8_t *bytes = text_bytes(history->texts, key, &count);
    char word[32] = {0};
    memcpy(word, bytes, count < sizeof word - 1 ? count : sizeof word - 1);
    return strstr(word, kind) != NULL;
}

static uint16_t group_of(const struct history *history, uint32_t key)
{
    uint32_t count;
    const uint8_t *bytes = text_bytes(history->texts, key, &count);
    return (uint16_t)(bytes[1] - '0');
}

/* What a node holds under a key: a text, TEXT_NONE when absent. */
static uint32_t held(struct world *world, const struct node *node, uint32_t key)
{
    uint8_t scratch[SCRATCH_BYTES];
    uint32_t count;
    struct wire_command command = {.op = WIRE_OP_GET};
    command.key = text_bytes(world->history->texts, key, &count);
    command.key_bytes = (uint16_t)count;
    struct wire_result result;
    state_read(lane_state(node->lane, group_of(world->history, key)), &command, &result, scratch,
               sizeof scratch);
    if (result.type != WIRE_BYTES)
        return TEXT_NONE;
    return text_of(world->history->texts, result.value, result.value_bytes);
}

static void check_counter(struct world *world, const struct node *node,
                          const struct account *account)
{
    int64_t holds = 0;
    uint32_t text = held(world, node, account->key);
    if (text != TEXT_NONE && !text_to_number(world->history->texts, text, &holds))
        report_violation(world, "exactly once: a counter on node %u is no number", node_id(node));
    if (holds < account->told || holds > (int64_t)account->told + account->uncertain)
        report_violation(world,
                         "exactly once: a counter on node %u holds %" PRIi64
                         "; its process was told of %u "
                         "increments and is uncertain of %u",
                         node_id(node), holds, account->told, account->uncertain);
}

static uint32_t occurrences(const uint8_t *list, uint32_t count, const uint8_t *token,
                            uint32_t token_count)
{
    uint32_t found = 0;
    for (uint32_t at = 0; list != NULL && at + token_count <= count; at++)
        found += (at == 0 || list[at - 1] == ';') && memcmp(list + at, token, token_count) == 0;
    return found;
}

/* In any order: what was left uncertain in one session may happen after what the next one was
 * told. */
static void check_list(struct world *world, const struct node *node, const struct account *account)
{
    struct history *history = world->history;
    uint32_t text = held(world, node, account->key), count = 0, known = 0;
    const uint8_t *list = NULL;
    if (text != TEXT_NONE)
        list = text_bytes(history->texts, text, &count);
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_operation *o = &history->operation[i];
        if (o->key != account->key)
            continue;
        uint32_t token_count;
        const uint8_t *token = text_bytes(history->texts, o->value, &token_count);
        uint32_t found = occurrences(list, count, token, token_count);
        if (found > (o->outcome != HISTORY_FAIL) || found < (o->outcome == HISTORY_OK))
            report_violation(
                world, "exactly once: a list on node %u holds %u times what operation %u appended",
                node_id(node), found, i);
        known += found * token_count;
    }
    if (known != count)
        report_violation(world, "exactly once: a list on node %u holds what nobody appended",
                         node_id(node));
}

void ledger_check(struct world *world)
{
    struct history *history = world->history;
    struct account *accounts = sim_allocate((history->count + 1) * sizeof *accounts);
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct history_operation *o = &history->operation[i];
        if (!is_own(history, o->key, ".counter.") && !is_own(history, o->key, ".list."))
            continue;
        uint32_t a = 0;
        while (a < count && accounts[a].key != o->key)
            a++;
        if (a == count)
            accounts[count++] = (struct account){.key = o->key};
        accounts[a].told += o->outcome == HISTORY_OK;
        accounts[a].uncertain += o->outcome == HISTORY_OPEN;
    }
    for (uint32_t n = 0; n < world->shape.replicas; n++) {
        for (uint32_t a = 0; a < count; a++) {
            if (disk_written(world->node[n]->disk, group_of(history, accounts[a].key))->damaged)
                continue; /* it may lag: see witness_converged */
            if (is_own(history, accounts[a].key, ".counter."))
                check_counter(world, world->node[n], &accounts[a]);
            else
                check_list(world, world->node[n], &accounts[a]);
        }
    }
    free(accounts);
}
