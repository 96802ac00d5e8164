#include "numa/placement.h"

#include "numa/base/assert.h"

#include <stdarg.h>
#include <string.h>

const char *placement_room_name(enum placement_room room)
{
    static const char *const words[] = {
#define PLACEMENT_ROOM(name, word) word,
#include "numa/placement_rooms.def"
#undef PLACEMENT_ROOM
    };
    ENSURE((size_t)room < COUNT_OF(words));
    return words[room];
}

bool placement_parse_cuts(const char *text, uint32_t *cuts)
{
    *cuts = 0;
    if (strcmp(text, "no") == 0)
        return true;
    while (*text != '\0') {
        size_t bytes = strcspn(text, ", ");
        uint32_t room = 1; /* the first begins a stage anyway */
        while (room < PLACEMENT_ROOM_COUNT &&
               (strlen(placement_room_name((enum placement_room)room)) != bytes ||
                strncmp(text, placement_room_name((enum placement_room)room), bytes) != 0))
            room++;
        if (room == PLACEMENT_ROOM_COUNT)
            return false;
        *cuts |= PLACEMENT_CUT(room);
        text += bytes + strspn(text + bytes, ", ");
    }
    return *cuts != 0;
}

const char *placement_refusal_sentence(enum placement_refusal refusal)
{
    static const char *const sentences[] = {
        "",
#define PLACEMENT_REFUSAL(name, sentence) sentence,
#include "numa/placement_refusals.def"
#undef PLACEMENT_REFUSAL
    };
    ENSURE((size_t)refusal < COUNT_OF(sentences));
    return sentences[refusal];
}

const char *placement_warning_sentence(enum placement_warning warning)
{
    static const char *const sentences[] = {
#define PLACEMENT_WARNING(name, sentence) sentence,
#include "numa/placement_warnings.def"
#undef PLACEMENT_WARNING
    };
    ENSURE((size_t)warning < COUNT_OF(sentences));
    return sentences[warning];
}

/* Text that grows in a buffer of fixed size, and knows whether it fitted. */
struct line {
    char *text;
    size_t bytes, used;
    bool overrun;
};

__attribute__((format(printf, 2, 3))) static void line_add(struct line *line, const char *format,
                                                           ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line->text + line->used, line->bytes - line->used, format, arguments);
    va_end(arguments);
    ENSURE(length >= 0);
    if ((size_t)length >= line->bytes - line->used)
        line->overrun = true;
    else
        line->used += (size_t)length;
}

size_t placement_lcores(const struct placement *plan, char *text, size_t bytes)
{
    if (!plan->may_start || bytes == 0)
        return 0;
    struct line line = {.text = text, .bytes = bytes};
    line_add(&line, "0@(");
    for (uint32_t i = 0; i < plan->control_count; i++)
        line_add(&line, i == 0 ? "%u" : ",%u", plan->control[i]);
    line_add(&line, ")");
    for (uint32_t i = 0; i < plan->worker_count; i++)
        line_add(&line, ",%u@%u", placement_lcore_of(i), plan->workers[i].pu);
    return line.overrun ? 0 : line.used;
}

static bool is_fused(const struct placement_lane *lane)
{
    for (uint32_t room = 1; room < PLACEMENT_ROOM_COUNT; room++)
        if (lane->worker[room] != lane->worker[0])
            return false;
    return true;
}

/* A lane that runs here as a whole is one word; of a split one, the rooms are named that run
 * here. */
static void roles_draw(const struct placement *plan, uint32_t worker, FILE *out)
{
    (void)fprintf(out, "lcore %u ", placement_lcore_of(worker));
    for (uint32_t i = 0; i < plan->lane_count; i++) {
        const struct placement_lane *lane = &plan->lanes[i];
        bool named = false;
        for (uint32_t room = 0; room < PLACEMENT_ROOM_COUNT; room++) {
            if (lane->worker[room] != worker)
                continue;
            if (!named)
                (void)fprintf(out, " r%u/l%u", lane->replica, lane->queue);
            if (is_fused(lane))
                break;
            (void)fprintf(out, named ? " %s" : ": %s",
                          placement_room_name((enum placement_room)room));
            named = true;
        }
    }
    (void)fprintf(out, plan->workers[worker].yields ? "  yields\n" : "\n");
}

static uint32_t worker_on(const struct placement *plan, uint32_t core)
{
    for (uint32_t i = 0; i < plan->worker_count; i++)
        if (plan->workers[i].core == core)
            return i;
    return TOPOLOGY_NONE;
}

static bool is_control(const struct placement *plan, const struct topology *topology, uint32_t core)
{
    const struct topology_core *c = &topology->cores[core];
    for (uint32_t i = 0; i < c->pu_count; i++)
        for (uint32_t j = 0; j < plan->control_count; j++)
            if (plan->control[j] == topology->pus[c->pu_first + i].os_index)
                return true;
    return false;
}

static void core_draw(const struct placement *plan, const struct topology *topology, uint32_t core,
                      FILE *out)
{
    const struct topology_core *c = &topology->cores[core];
    char pus[40];
    struct line line = {.text = pus, .bytes = sizeof pus};
    for (uint32_t i = 0; i < c->pu_count; i++)
        line_add(&line, i == 0 ? "%u" : ",%u", topology->pus[c->pu_first + i].os_index);
    (void)fprintf(out, "  |  core %-4u PU %-9s ", core, pus);
    bool control = is_control(plan, topology, core);
    uint32_t worker = worker_on(plan, core);
    if (control)
        (void)fprintf(out, worker == TOPOLOGY_NONE ? "control\n" : "control beside ");
    if (worker != TOPOLOGY_NONE)
        roles_draw(plan, worker, out);
}

static bool is_idle(const struct placement *plan, const struct topology *topology, uint32_t core)
{
    return worker_on(plan, core) == TOPOLOGY_NONE && !is_control(plan, topology, core);
}

static void node_draw(const struct placement *plan, const struct topology *topology, uint32_t node,
                      FILE *out)
{
    (void)fprintf(out, "  +- node %u", topology->nodes[node].os_index);
    for (uint32_t i = 0; i < topology->nic_count; i++)
        if (topology->nics[i].node == node)
            (void)fprintf(out, "  [%s%s%s]", topology->nics[i].address,
                          topology->nics[i].name[0] == '\0' ? "" : " ", topology->nics[i].name);
    (void)fprintf(out, node == plan->nic_node ? "  the port's node\n" : "\n");
    uint32_t idle = 0;
    for (uint32_t core = 0; core < topology->core_count; core++) {
        if (topology->cores[core].node != node)
            continue;
        if (is_idle(plan, topology, core))
            idle++;
        else
            core_draw(plan, topology, core, out);
    }
    if (idle > 0)
        (void)fprintf(out, "  |  %u core%s left alone\n", idle, idle == 1 ? "" : "s");
}

void placement_draw(const struct placement *plan, const struct topology *topology, FILE *out)
{
    (void)fprintf(out, "machine: packages %u, nodes %u, cores %u, PUs %u\n",
                  topology->package_count, topology->node_count, topology->core_count,
                  topology->pu_count);
    for (uint32_t node = 0; node < topology->node_count; node++)
        node_draw(plan, topology, node, out);
    for (uint32_t i = 0; i < plan->lane_count; i++) {
        const struct placement_lane *lane = &plan->lanes[i];
        uint32_t groups = plan->groups_per_replica, lanes = plan->lanes_per_replica;
        (void)fprintf(
            out, "lane r%u/l%u: queue %u, groups %u of %u, memory node %u, frames node %u\n",
            lane->replica, lane->queue, lane->queue, (groups + lanes - 1 - lane->queue) / lanes,
            groups, topology->nodes[lane->memory_node].os_index,
            topology->nodes[lane->pool_node].os_index);
    }
    for (uint32_t i = 0; i < PLACEMENT_WARNING_COUNT; i++)
        if ((plan->warnings >> i & 1) != 0)
            (void)fprintf(out, "warning: %s\n",
                          placement_warning_sentence((enum placement_warning)i));
}
