#include "numa/base/assert.h"
#include "numa/base/layout.h"
#include "protocols/client/machine.h"

#define BODY_ALIGN        64u
#define REPLY_BYTES_LEAST 512u /* a smaller buffer would hold less than a frame does */

static const char *const event_name[CLIENT_EVENT_COUNT] = {
#define CLIENT_EVENT(name, sentence) [CLIENT_##name] = #name,
#include "protocols/client/client_events.def"
#undef CLIENT_EVENT
};

static const char *const event_sentence[CLIENT_EVENT_COUNT] = {
#define CLIENT_EVENT(name, sentence) [CLIENT_##name] = sentence,
#include "protocols/client/client_events.def"
#undef CLIENT_EVENT
};

const char *client_event_name(enum client_event event)
{
    ENSURE((uint32_t)event < CLIENT_EVENT_COUNT);
    return event_name[event];
}

const char *client_event_sentence(enum client_event event)
{
    ENSURE((uint32_t)event < CLIENT_EVENT_COUNT);
    return event_sentence[event];
}

static bool acceptable(const struct client_config *config)
{
    return config->client != 0 && config->window > 0 && config->window <= CLIENT_WINDOW_MAX &&
           config->target_count > 0 && config->target_count <= CLIENT_TARGETS_MAX &&
           config->command_bytes_max >= WIRE_COMMAND_BYTES &&
           config->command_bytes_max <= WIRE_BODY_BYTES_MAX &&
           (config->reply_bytes_max == 0 || config->reply_bytes_max >= REPLY_BYTES_LEAST) &&
           config->reply_bytes_max <= WIRE_FRAGMENT_TOTAL_MAX && config->retry_ns > 0 &&
           config->retry_max_ns >= config->retry_ns && config->deadline_ns > 0;
}

struct parts {
    size_t slots;
    size_t bodies;
    size_t reply;
    size_t body_stride;
    size_t bytes;
};

static struct parts lay_out(const struct client_config *config)
{
    struct layout layout = {0};
    struct parts parts;
    size_t slot_count = config->window + 1u;
    parts.body_stride = (size_t)round_up(config->command_bytes_max, BODY_ALIGN);
    (void)layout_add(&layout, sizeof(struct client));
    parts.slots = layout_add(&layout, slot_count * sizeof(struct slot));
    parts.bodies = layout_add(&layout, slot_count * parts.body_stride);
    parts.reply = layout_add(&layout, config->reply_bytes_max);
    parts.bytes = layout.bytes;
    return parts;
}

size_t client_footprint(const struct client_config *config)
{
    return acceptable(config) ? lay_out(config).bytes : 0;
}

client *client_init(void *memory, const struct client_config *config, uint64_t now_ns)
{
    ENSURE(acceptable(config));
    struct parts parts = lay_out(config);
    uint8_t *base = memory;
    client *c = memory;
    memset(c, 0, sizeof *c);
    memset(base + parts.slots, 0, (config->window + 1u) * sizeof(struct slot));
    c->config = *config;
    c->slot = (void *)(base + parts.slots);
    c->body = base + parts.bodies;
    c->body_stride = parts.body_stride;
    c->reply_buffer = base + parts.reply;
    /* Two clients with one seed must not ask for a session with one nonce. */
    random_init(&c->random, config->seed ^ config->client * UINT64_C(0x9e3779b97f4a7c15));
    list_init(&c->free);
    list_init(&c->unsent);
    list_init(&c->reads);
    list_init(&c->flight);
    list_init(&c->age);
    for (uint16_t i = 0; i < config->window; i++)
        list_append(c->slot, &c->free, BY_STATE, i);
    c->free_count = config->window;
    for (uint32_t i = 0; i < CLIENT_WINDOW_MAX; i++)
        c->slot_of[i] = SLOT_NONE;
    c->oldest = 1;
    c->next_sequence = 1;
    c->session_heard_ns = now_ns;
    c->cut_slot = SLOT_NONE;
    client_pace_init(c);
    return c;
}

/* After a rest the session may have expired; asking first spares the next writes an uncertain
 * end. */
static void check_rest(client *c, uint64_t now_ns)
{
    bool resting = list_empty(&c->unsent) && c->oldest == c->next_sequence;
    if (resting && now_ns - c->session_heard_ns > c->config.deadline_ns)
        c->session_checked = false;
}

static bool submit(client *c, const struct wire_command *command, uint64_t cookie, uint64_t now_ns,
                   enum slot_kind kind)
{
    if (c->free_count == 0) {
        c->counter[CLIENT_SUBMIT_FULL]++;
        return false;
    }
    uint16_t id = c->free.head;
    struct wire_command decoded;
    uint64_t body_bytes = (uint64_t)WIRE_COMMAND_BYTES + command->key_bytes + command->old_bytes +
                          command->value_bytes;
    bool fits = body_bytes <= c->config.command_bytes_max && command->op != WIRE_OP_REGISTER;
    if (fits)
        wire_command_encode(command, slot_body(c, id));
    if (!fits || wire_command_decode(slot_body(c, id), (uint32_t)body_bytes, &decoded) != WIRE_OK) {
        c->counter[CLIENT_SUBMIT_TOO_BIG]++;
        return false;
    }
    struct slot *slot = &c->slot[client_slot_take(c)];
    slot->cookie = cookie;
    slot->submitted_ns = now_ns;
    slot->sequence = 0;
    slot->body_bytes = (uint32_t)body_bytes;
    slot->attempts = 0;
    slot->silent = false;
    slot->kind = (uint8_t)kind;
    if (slot->kind == SLOT_WRITE)
        check_rest(c, now_ns);
    client_slot_wait(c, id);
    return true;
}

bool client_submit(client *c, const struct wire_command *command, uint64_t cookie, uint64_t now_ns)
{
    return submit(c, command, cookie, now_ns,
                  command->op <= WIRE_OP_WRITE_LAST ? SLOT_WRITE : SLOT_READ);
}

bool client_submit_ordered(client *c, const struct wire_command *command, uint64_t cookie,
                           uint64_t now_ns)
{
    return submit(c, command, cookie, now_ns, SLOT_WRITE);
}

uint32_t client_tick(client *c, uint64_t now_ns, struct client_completion *completions,
                     uint32_t capacity)
{
    ENSURE(capacity >= CLIENT_WINDOW_MAX);
    struct outcome_list out = {completions, 0};
    while (!list_empty(&c->age)) {
        uint16_t id = c->age.head;
        const struct slot *slot = &c->slot[id];
        if (now_ns < slot->submitted_ns + c->config.deadline_ns)
            break;
        c->counter[CLIENT_DEADLINE]++;
        if (slot->kind == SLOT_READ || slot->state == SLOT_WAITING) {
            struct wire_result why = {.status = c->unauthorized ? WIRE_UNAUTHORIZED : WIRE_DONE};
            client_slot_complete(c, id, CLIENT_REFUSED, &why, &out);
        } else {
            c->counter[CLIENT_SESSION_LEFT]++;
            client_session_lose(c, &out);
        }
    }
    client_session_settle_control(c);
    return out.count;
}

uint32_t client_outstanding(const client *c)
{
    return c->config.window - c->free_count - c->silent_count;
}

uint32_t client_room(const client *c)
{
    return c->free_count;
}

uint16_t client_leader(const client *c)
{
    return c->leader;
}

const uint64_t *client_counters(const client *c)
{
    return c->counter;
}
