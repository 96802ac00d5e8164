#include "numa/base/assert.h"
#include "protocols/wire/fragment.h"

static_assert(WIRE_ASSEMBLIES_MAX == 32, "one bit of `open` per slot");

static const char *const event_name[WIRE_ASSEMBLY_EVENT_COUNT] = {
#define WIRE_ASSEMBLY_EVENT(name, sentence) [WIRE_ASSEMBLY_##name] = #name,
#include "protocols/wire/fragment_events.def"
#undef WIRE_ASSEMBLY_EVENT
};

static const char *const event_sentence[WIRE_ASSEMBLY_EVENT_COUNT] = {
#define WIRE_ASSEMBLY_EVENT(name, sentence) [WIRE_ASSEMBLY_##name] = sentence,
#include "protocols/wire/fragment_events.def"
#undef WIRE_ASSEMBLY_EVENT
};

const char *wire_assembly_event_name(enum wire_assembly_event event)
{
    ENSURE((uint32_t)event < WIRE_ASSEMBLY_EVENT_COUNT);
    return event_name[event];
}

const char *wire_assembly_event_sentence(enum wire_assembly_event event)
{
    ENSURE((uint32_t)event < WIRE_ASSEMBLY_EVENT_COUNT);
    return event_sentence[event];
}

void wire_assembly_table_init(struct wire_assembly_table *table, uint64_t timeout_ns)
{
    *table = (struct wire_assembly_table){.timeout_ns = timeout_ns};
}

/* Walks the open slots: `left` is a copy of table->open that loses its lowest bit each time. */
static uint32_t take_slot(uint32_t *left)
{
    uint32_t i = (uint32_t)__builtin_ctz(*left);
    *left &= *left - 1;
    return i;
}

struct wire_assembly *wire_assembly_find(struct wire_assembly_table *table, uint64_t peer,
                                         const struct wire_fragment *fragment, uint64_t now_ns)
{
    for (uint32_t left = table->open; left != 0;) {
        uint32_t i = take_slot(&left);
        if (table->peer[i] == peer && table->assembly[i].id == fragment->id) {
            if (wire_assembly_lacks(&table->assembly[i], fragment))
                table->touched_ns[i] = now_ns;
            return &table->assembly[i];
        }
    }
    return NULL;
}

static void give_up(struct wire_assembly_table *table, uint32_t i, enum wire_assembly_event event,
                    struct wire_abandoned *abandoned)
{
    const struct wire_assembly *assembly = &table->assembly[i];
    *abandoned = (struct wire_abandoned){
        .buffer = assembly->buffer, .group = assembly->group, .kind = assembly->kind};
    table->open &= ~(UINT32_C(1) << i);
    table->counter[event]++;
}

/* Bits of those of which one would have to go before this peer opens another; 0: none. */
static uint32_t in_the_way(const struct wire_assembly_table *table, uint64_t peer)
{
    uint32_t of_peer = 0;
    for (uint32_t left = table->open; left != 0;) {
        uint32_t i = take_slot(&left);
        if (table->peer[i] == peer)
            of_peer |= UINT32_C(1) << i;
    }
    if (__builtin_popcount(of_peer) >= (int)WIRE_ASSEMBLIES_PER_PEER)
        return of_peer;
    return table->open == UINT32_MAX ? table->open : 0;
}

bool wire_assembly_has_room(const struct wire_assembly_table *table, uint64_t peer)
{
    return in_the_way(table, peer) == 0;
}

bool wire_assembly_make_room(struct wire_assembly_table *table, uint64_t peer, uint64_t now_ns,
                             struct wire_abandoned *abandoned)
{
    uint32_t candidates = in_the_way(table, peer);
    if (candidates == 0)
        return false;
    uint32_t oldest = take_slot(&candidates);
    while (candidates != 0) {
        uint32_t i = take_slot(&candidates);
        if (table->touched_ns[i] < table->touched_ns[oldest])
            oldest = i;
    }
    if (now_ns - table->touched_ns[oldest] < table->patience_ns)
        return false;
    give_up(table, oldest, WIRE_ASSEMBLY_EVICTED, abandoned);
    return true;
}

struct wire_assembly *wire_assembly_open(struct wire_assembly_table *table, uint64_t peer,
                                         const struct wire_fragment *fragment, uint8_t *buffer,
                                         uint64_t now_ns)
{
    ENSURE(table->open != UINT32_MAX);
    uint32_t i = (uint32_t)__builtin_ctz(~table->open);
    table->open |= UINT32_C(1) << i;
    table->peer[i] = peer;
    table->touched_ns[i] = now_ns;
    table->counter[WIRE_ASSEMBLY_OPENED]++;
    wire_assembly_begin(&table->assembly[i], fragment, buffer);
    return &table->assembly[i];
}

struct wire_assembly *wire_assembly_filling(struct wire_assembly_table *table,
                                            const uint8_t *buffer)
{
    for (uint32_t left = table->open; left != 0;) {
        uint32_t i = take_slot(&left);
        if (table->assembly[i].buffer == buffer)
            return &table->assembly[i];
    }
    return NULL;
}

void wire_assembly_close(struct wire_assembly_table *table, struct wire_assembly *assembly)
{
    uint32_t bit = UINT32_C(1) << (assembly - table->assembly);
    ENSURE((table->open & bit) != 0);
    table->open &= ~bit;
    table->counter[assembly->missing_bytes == 0 ? WIRE_ASSEMBLY_COMPLETED
                                                : WIRE_ASSEMBLY_ABANDONED]++;
}

bool wire_assembly_expire(struct wire_assembly_table *table, uint64_t now_ns,
                          struct wire_abandoned *abandoned)
{
    for (uint32_t left = table->open; left != 0;) {
        uint32_t i = take_slot(&left);
        if (now_ns - table->touched_ns[i] >= table->timeout_ns) {
            give_up(table, i, WIRE_ASSEMBLY_EXPIRED, abandoned);
            return true;
        }
    }
    return false;
}
