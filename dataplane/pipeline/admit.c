/* admit: which commands of a client enter the log, and what the others are told. Exactly once rests
 * on apply; here only what could not be executed anyway is kept out, so that retries do not fill
 * the log. */
#include "dataplane/pipeline/internal.h"

void order_refuse(struct lane *lane, struct group *group, const struct asker *asker,
                  enum wire_status status, int64_t integer)
{
    struct parcel *parcel = doorway_reserve(lane->parcels, sizeof *parcel);
    if (parcel == NULL) {
        count_event(lane, LANE_CLIENT_BUSY); /* it will ask again */
        return;
    }
    parcel->kind = PARCEL_REPLY;
    parcel->group = group->number;
    parcel->as.reply.asker = *asker;
    parcel->as.reply.result = (struct wire_result){.status = (uint8_t)status, .integer = integer};
    parcel->as.reply.leader = lane->started ? raft_leader(group->raft) : RAFT_NOBODY;
}

/* Entries on their way into the log: proposed together. */
struct item {
    const uint8_t *body;
    uint64_t nonce; /* of a registration */
    uint32_t body_bytes;
    uint8_t kind;
    struct asker asker;
};

struct batch {
    uint32_t count;
    uint64_t log_bytes;
    uint32_t size[ADMIT_BATCH];
    struct item item[ADMIT_BATCH];
};

static void fill_entry(struct wire_entry *entry, const struct group *group, const struct item *item)
{
    entry->kind = item->kind;
    entry->flags = 0;
    entry->term = raft_term(group->raft);
    entry->time_ms = group->time.last_ms;
    entry->session = item->kind == WIRE_ENTRY_REGISTER ? 0 : item->asker.session;
    entry->sequence = item->kind == WIRE_ENTRY_REGISTER ? item->nonce : item->asker.sequence;
}

static void append_entry(struct group *group, uint64_t index, const struct item *item)
{
    struct wire_entry *entry = log_append(group->log, index, item->body_bytes);
    ENSURE(entry != NULL); /* log_fits was asked */
    fill_entry(entry, group, item);
    if (item->body_bytes != 0)
        memcpy(entry + 1, item->body, item->body_bytes);
}

static void remember_origin(struct group *group, uint64_t index, const struct asker *asker)
{
    group->origins[index % ORIGINS_MAX] = (struct origin){
        .index = index,
        .term = raft_term(group->raft),
        .client = asker->client,
        .sequence = asker->sequence,
        .peer = asker->peer,
        .route = asker->route,
        .member = asker->member,
    };
}

/* It and what follows in its session are to be sent again. */
static void refuse_busy(struct lane *lane, struct group *group, const struct asker *asker)
{
    count_event(lane, LANE_CLIENT_BUSY);
    order_refuse(lane, group, asker, WIRE_BUSY, 0);
    struct admission *admission = &group->admissions[asker->session % SESSIONS_MAX];
    if (admission->session != asker->session || admission->next <= asker->sequence)
        return;
    /* A retry of what is applied took no number when it was admitted, so it gives none back: the
     * numbers between it and `next` are in the log, and nobody will send them again. */
    if (asker->sequence >= state_session_next(group->state, asker->session))
        admission->next = asker->sequence;
}

static void flush_batch(struct lane *lane, struct group *group, struct batch *batch)
{
    uint32_t taken = 0;
    if (order_proposals_stored(lane) && order_log_fits(lane, group, batch->count, batch->log_bytes))
        taken = raft_propose(group->raft, batch->size, batch->count);
    uint64_t first = raft_last_index(group->raft) - taken + 1;
    if (taken != 0)
        (void)order_entry_time_ms(lane, group);
    for (uint32_t i = 0; i < taken; i++) {
        append_entry(group, first + i, &batch->item[i]);
        remember_origin(group, first + i, &batch->item[i].asker);
    }
    for (uint32_t i = taken; i < batch->count; i++)
        refuse_busy(lane, group, &batch->item[i].asker);
    batch->count = 0;
    batch->log_bytes = 0;
}

/* May this sequence be proposed now? WIRE_DONE: yes; WIRE_STATUS_COUNT: say nothing. */
static enum wire_status admit_sequence(struct lane *lane, struct group *group,
                                       const struct asker *asker, int64_t *expected)
{
    struct admission *admission = &group->admissions[asker->session % SESSIONS_MAX];
    uint64_t applied_next = state_session_next(group->state, asker->session);
    if (applied_next == 0) {
        count_event(lane, LANE_CLIENT_SESSION_EXPIRED);
        return WIRE_SESSION_EXPIRED;
    }
    uint64_t term = raft_term(group->raft);
    if (admission->session != asker->session || admission->term != term)
        *admission = (struct admission){asker->session, applied_next, term};
    if (asker->sequence == admission->next) {
        admission->next++;
        return WIRE_DONE;
    }
    if (asker->sequence < applied_next)
        return WIRE_DONE; /* apply answers it from the cache, at a place in the log */
    if (asker->sequence < admission->next) {
        count_event(lane, LANE_CLIENT_DUPLICATE);
        return WIRE_STATUS_COUNT;
    }
    count_event(lane, LANE_CLIENT_OUT_OF_ORDER);
    *expected = (int64_t)admission->next;
    return WIRE_OUT_OF_ORDER;
}

/* Decides about one command. True: *item is to be proposed; false: it has been answered, or will
 * be. */
static bool admit_command(struct lane *lane, struct group *group, struct item *item)
{
    struct wire_command command;
    enum wire_refusal refusal = wire_command_decode(item->body, item->body_bytes, &command);
    if (refusal != WIRE_OK) {
        bool big = refusal == WIRE_REFUSED_KEY_BYTES || refusal == WIRE_REFUSED_VALUE_BYTES;
        count_event(lane, LANE_CLIENT_BAD_COMMAND);
        lane->open.refused[refusal]++;
        order_refuse(lane, group, &item->asker, big ? WIRE_TOO_BIG : WIRE_BAD_COMMAND, 0);
        return false;
    }
    if (command.op == WIRE_OP_REGISTER) {
        item->kind = WIRE_ENTRY_REGISTER;
        item->nonce = (uint64_t)command.argument;
        item->body_bytes = 0;
        return true;
    }
    item->kind = WIRE_ENTRY_COMMAND;
    if (item->asker.session == 0) {
        if (command.op > WIRE_OP_WRITE_LAST)
            order_await_read(lane, group, &item->asker, item->body, item->body_bytes, false);
        else
            order_refuse(lane, group, &item->asker, WIRE_BAD_COMMAND, 0);
        return false;
    }
    int64_t expected = 0;
    enum wire_status status = admit_sequence(lane, group, &item->asker, &expected);
    if (status != WIRE_DONE && status != WIRE_STATUS_COUNT)
        order_refuse(lane, group, &item->asker, status, expected);
    return status == WIRE_DONE;
}

static void refuse_request(struct lane *lane, struct group *group,
                           const struct wire_request *request, struct asker *asker,
                           enum wire_status status)
{
    const uint8_t *at = request->commands;
    uint32_t body_bytes;
    if (status == WIRE_NOT_LEADER)
        count_event(lane, LANE_CLIENT_NOT_LEADER);
    for (uint32_t i = 0; i < request->count; i++) {
        (void)wire_next_command(&at, &asker->sequence, &body_bytes);
        order_refuse(lane, group, asker, status, 0);
    }
}

static bool leads(const struct lane *lane, const struct group *group)
{
    return lane->started && raft_leader_ready(group->raft);
}

struct asker order_asker(const struct arrival *arrival, const struct wire_request *request)
{
    return (struct asker){
        .peer = arrival->frame.peer,
        .client = request->client,
        .session = request->session,
        .route = request->route,
        .member = arrival->from, /* WIRE_NODE_CLIENT where no member forwarded it */
    };
}

void order_unauthorized(struct lane *lane, const struct arrival *arrival,
                        const struct wire_request *request)
{
    struct asker asker = order_asker(arrival, request);
    refuse_request(lane, &lane->group[arrival->slot], request, &asker, WIRE_UNAUTHORIZED);
}

void order_request(struct lane *lane, const struct arrival *arrival,
                   const struct wire_request *request)
{
    struct group *group = &lane->group[arrival->slot];
    struct asker asker = order_asker(arrival, request);
    if (!leads(lane, group)) {
        if (!order_read_here(lane, arrival, request) && !order_forward(lane, arrival))
            refuse_request(lane, group, request, &asker, WIRE_NOT_LEADER);
        return;
    }
    struct batch batch;
    batch.count = 0;
    batch.log_bytes = 0;
    const uint8_t *at = request->commands;
    for (uint32_t i = 0; i < request->count; i++) {
        struct item *item = &batch.item[batch.count];
        item->asker = asker;
        item->body = wire_next_command(&at, &item->asker.sequence, &item->body_bytes);
        if (!admit_command(lane, group, item))
            continue;
        batch.size[batch.count++] = wire_entry_size(item->body_bytes);
        batch.log_bytes += wire_entry_size(item->body_bytes);
        if (batch.count == ADMIT_BATCH)
            flush_batch(lane, group, &batch);
    }
    if (batch.count != 0)
        flush_batch(lane, group, &batch);
}

/* The command has been put together in a reserved slot of the log and becomes an entry where it
 * lies. False: it did not, the slot is free again. */
bool order_request_in_place(struct lane *lane, const struct arrival *arrival,
                            const struct wire_request *request, uint8_t *memory)
{
    struct group *group = &lane->group[arrival->slot];
    struct item item = {.asker = order_asker(arrival, request)};
    const uint8_t *at = request->commands;
    if (!leads(lane, group) || request->count != 1) {
        struct asker asker = item.asker;
        refuse_request(lane, group, request, &asker, WIRE_NOT_LEADER);
        return false;
    }
    item.body = wire_next_command(&at, &item.asker.sequence, &item.body_bytes);
    if (!admit_command(lane, group, &item))
        return false;
    uint32_t size = wire_entry_size(item.body_bytes);
    if (!order_proposals_stored(lane) || raft_propose(group->raft, &size, 1) == 0) {
        refuse_busy(lane, group, &item.asker);
        return false;
    }
    (void)order_entry_time_ms(lane, group);
    /* An entry header is shorter than what precedes the body in a request, so it may lie over
     * that. */
    uint32_t offset = (uint32_t)(item.body - memory) - WIRE_ENTRY_BYTES;
    struct wire_entry *entry = (void *)(memory + offset);
    entry->body_bytes = item.body_bytes;
    fill_entry(entry, group, &item);
    bool adopted = log_adopt(group->log, memory, offset, raft_last_index(group->raft));
    ENSURE(adopted); /* the slot was reserved, and the index is last + 1 */
    remember_origin(group, raft_last_index(group->raft), &item.asker);
    return true;
}
