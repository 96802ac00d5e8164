#include "dataplane/snapshot/transfer.h"

#include "dataplane/snapshot/format.h"
#include "numa/base/assert.h"
#include "numa/base/bits.h"

#define NS_PER_SECOND UINT64_C(1000000000)

/* ---- sender ---------------------------------------------------------------------------------- */

void transfer_send_begin(struct transfer_sender *sender, const struct transfer_config *config,
                         const struct wire_snapshot_id *id, uint64_t now_ns)
{
    ENSURE(config->unit >= WIRE_CHUNK_BYTES_MIN && config->unit <= WIRE_CHUNK_BYTES_MAX &&
           config->window >= 1 && config->window <= WIRE_CHUNK_AHEAD_MAX && id->bytes > 0);
    *sender = (struct transfer_sender){
        .config = *config, .id = *id, .state = TRANSFER_SENDING, .heard_ns = now_ns};
}

static uint64_t *sent_at(struct transfer_sender *sender, uint32_t ahead)
{
    return &sender->sent_ns[(sender->acked / sender->config.unit + ahead) % WIRE_CHUNK_AHEAD_MAX];
}

static void pace(struct transfer_sender *sender, uint64_t now_ns, uint32_t bytes)
{
    if (sender->config.bytes_per_second != 0)
        sender->paced_ns = max_u64(sender->paced_ns, now_ns) +
                           bytes * NS_PER_SECOND / sender->config.bytes_per_second;
}

bool transfer_send_next(struct transfer_sender *sender, uint64_t now_ns, uint64_t *offset,
                        uint32_t *bytes)
{
    const struct transfer_config *config = &sender->config;
    if (sender->state == TRANSFER_SENDING && now_ns - sender->heard_ns >= config->silence_ns)
        sender->state = TRANSFER_SILENT;
    if (sender->state != TRANSFER_SENDING || now_ns < sender->paced_ns)
        return false;
    /* Until the receiver has said where it is, one unit asks. */
    uint32_t window = sender->run == 0 ? 1 : config->window;
    /* When all is there and nobody says that it is whole, the last unit asks. */
    uint64_t first = sender->acked;
    if (first == sender->id.bytes) {
        first = (sender->id.bytes - 1) / config->unit * config->unit;
        window = 1;
    }
    for (uint32_t i = 0; i < window; i++) {
        uint64_t at = first + (uint64_t)i * config->unit;
        if (at >= sender->id.bytes)
            return false;
        uint64_t *sent = sent_at(sender, i);
        if ((sender->ahead >> i & 1) != 0 || (*sent != 0 && now_ns - *sent < config->resend_ns))
            continue;
        sender->resent += *sent != 0;
        *sent = now_ns;
        *offset = at;
        *bytes = wire_chunk_length(sender->id.bytes, at, config->unit);
        pace(sender, now_ns, *bytes);
        return true;
    }
    return false;
}

/* Units that are passed are forgotten, so that their places are free for those further on. */
static void move_to(struct transfer_sender *sender, uint64_t offset)
{
    uint64_t units = (offset - sender->acked + sender->config.unit - 1) / sender->config.unit;
    for (uint32_t i = 0; i < min_u64(units, WIRE_CHUNK_AHEAD_MAX); i++)
        *sent_at(sender, i) = 0;
    sender->acked = offset;
}

void transfer_send_ack(struct transfer_sender *sender, const struct wire_chunk_ack *ack,
                       uint64_t now_ns)
{
    if (sender->state != TRANSFER_SENDING || !wire_snapshot_id_equal(&ack->id, &sender->id) ||
        ack->run < sender->run)
        return;
    sender->heard_ns = now_ns;
    if (ack->status != WIRE_CHUNK_GOING) {
        sender->state = ack->status == WIRE_CHUNK_WHOLE ? TRANSFER_WHOLE : TRANSFER_REFUSED;
        return;
    }
    uint64_t offset = ack->offset;
    bool grid = offset == sender->id.bytes || offset % sender->config.unit == 0;
    if (!grid) /* cut by another sender's unit: what is begun is sent whole */
        offset -= offset % sender->config.unit;
    if (ack->run > sender->run) {
        sender->run = ack->run;
        sender->acked = offset;
        sender->ahead = 0;
        memset(sender->sent_ns, 0, sizeof sender->sent_ns);
    } else if (offset < sender->acked) {
        return; /* it was on its way for long */
    }
    if (offset != sender->acked) {
        move_to(sender, offset);
        sender->ahead = 0;
    }
    if (grid)
        sender->ahead |= ack->ahead;
}

uint64_t transfer_send_wake(const struct transfer_sender *sender)
{
    if (sender->state != TRANSFER_SENDING)
        return UINT64_MAX;
    uint64_t wake = UINT64_MAX;
    for (uint32_t i = 0; i < WIRE_CHUNK_AHEAD_MAX; i++)
        if (sender->sent_ns[i] != 0)
            wake = min_u64(wake, sender->sent_ns[i] + sender->config.resend_ns);
    if (wake == UINT64_MAX)
        wake = 0; /* at once */
    return min_u64(max_u64(wake, sender->paced_ns), sender->heard_ns + sender->config.silence_ns);
}

/* ---- receiver -------------------------------------------------------------------------------- */

void transfer_receive_begin(struct transfer_receiver *receiver, uint16_t group,
                            const struct wire_snapshot_id *id, uint64_t run, uint64_t have)
{
    ENSURE(run > 0 && have <= id->bytes);
    *receiver = (struct transfer_receiver){.group = group, .id = *id, .run = run, .have = have};
}

/* The grid is the sender's: bytes behind its last whole unit are taken again. Who has heard of more
 * must believe that, so it is a run of its own. */
static void set_unit(struct transfer_receiver *receiver, uint32_t unit)
{
    receiver->unit = unit;
    receiver->ahead = 0;
    if (receiver->have == receiver->id.bytes || receiver->have % unit == 0)
        return;
    receiver->have -= receiver->have % unit;
    receiver->run++;
}

enum transfer_verdict transfer_receive(struct transfer_receiver *receiver,
                                       const struct wire_chunk *chunk)
{
    if (!wire_snapshot_id_equal(&chunk->id, &receiver->id))
        return TRANSFER_FOREIGN;
    if (chunk->crc != snapshot_crc(chunk->data, chunk->bytes))
        return TRANSFER_DAMAGED;
    if (receiver->status == WIRE_CHUNK_GOING && chunk->unit != receiver->unit)
        set_unit(receiver, chunk->unit);
    if (receiver->status != WIRE_CHUNK_GOING || chunk->offset < receiver->have)
        return TRANSFER_DUPLICATE;
    uint64_t ahead = (chunk->offset - receiver->have) / chunk->unit;
    if (ahead >= WIRE_CHUNK_AHEAD_MAX)
        return TRANSFER_OUTSIDE;
    if ((receiver->ahead >> ahead & 1) != 0)
        return TRANSFER_DUPLICATE;
    receiver->ahead |= UINT64_C(1) << ahead;
    while ((receiver->ahead & 1) != 0) {
        receiver->ahead >>= 1;
        receiver->have += wire_chunk_length(receiver->id.bytes, receiver->have, receiver->unit);
    }
    return TRANSFER_STORE;
}

bool transfer_receive_complete(const struct transfer_receiver *receiver)
{
    return receiver->have == receiver->id.bytes;
}

void transfer_receive_end(struct transfer_receiver *receiver, bool wanted)
{
    ENSURE(!wanted || transfer_receive_complete(receiver));
    receiver->status = wanted ? WIRE_CHUNK_WHOLE : WIRE_CHUNK_REFUSED;
}

void transfer_receive_ack(const struct transfer_receiver *receiver, struct wire_chunk_ack *ack)
{
    *ack = (struct wire_chunk_ack){
        .group = receiver->group,
        .id = receiver->id,
        .run = receiver->run,
        .offset = receiver->have,
        .ahead = receiver->ahead,
        .status = receiver->status,
    };
}
