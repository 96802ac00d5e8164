/* cut: answers that outgrow a frame leave in pieces, at a pace that the receive buffers of kernels
 * can take, while apply goes on with other work. */
#include "dataplane/pipeline/internal.h"

#define PIECES_PER_BURST 32u
#define PIECES_PAUSE_NS  UINT64_C(100000)   /* between bursts: 450 MB/s at 1,400 bytes */
#define CUT_HOLD_NS      UINT64_C(10000000) /* then apply waits, so that the state can reclaim */

bool apply_replies_fit(struct lane *lane)
{
    return doorway_fits(lane->replies, 1,
                        (uint32_t)sizeof(struct parcel) + port_payload_max(lane->config.queue));
}

bool cut_has_room(const struct lane *lane)
{
    const struct apply_room *apply = &lane->apply;
    return apply->cutting_count < CUTTINGS_MAX &&
           (apply->cutting_count == 0 ||
            lane->look[ROOM_APPLY]->clock.now_ns - apply->cut_since_ns < CUT_HOLD_NS);
}

/* What lies in the scratch of reads is overwritten by the next one. */
static const uint8_t *value_kept(struct lane *lane, struct cutting *cutting,
                                 const struct wire_result *result)
{
    const uint8_t *scratch = lane->apply.scratch;
    if (result->value < scratch || result->value >= scratch + APPLY_SCRATCH_BYTES)
        return result->value;
    ENSURE(result->value_bytes <= APPLY_SCRATCH_BYTES);
    memcpy(cutting->copy, result->value, result->value_bytes);
    return cutting->copy;
}

static void put_piece(struct lane *lane, struct cutting *cutting)
{
    uint32_t frame_bytes = port_payload_max(lane->config.queue);
    struct parcel *parcel = doorway_reserve(lane->replies, (uint32_t)sizeof *parcel + frame_bytes);
    ENSURE(parcel != NULL); /* apply_replies_fit was asked */
    struct wire_writer writer = {.data = (uint8_t *)(parcel + 1), .capacity = frame_bytes};
    bool fits = wire_put_fragment(&writer, &cutting->cut, cutting->next_piece++);
    ENSURE(fits); /* pieces are cut to a frame */
    parcel->kind = PARCEL_ENCODED;
    parcel->group = cutting->group;
    parcel->as.encoded.peer = cutting->asker.peer;
    parcel->as.encoded.member = cutting->asker.member;
    parcel->as.encoded.bytes = writer.bytes;
}

uint32_t cut_on(struct lane *lane)
{
    struct apply_room *apply = &lane->apply;
    uint64_t now_ns = lane->look[ROOM_APPLY]->clock.now_ns;
    uint32_t pushed = 0;
    while (apply->cutting_count != 0 && now_ns >= apply->cut_resume_ns && apply_replies_fit(lane)) {
        struct cutting *cutting = &apply->cutting[apply->cutting_first];
        put_piece(lane, cutting);
        pushed++;
        if (cutting->next_piece == cutting->cut.count) {
            apply->cutting_first = (apply->cutting_first + 1) % CUTTINGS_MAX;
            apply->cutting_count--;
        } else if (cutting->next_piece % PIECES_PER_BURST == 0) {
            apply->cut_resume_ns = now_ns + PIECES_PAUSE_NS;
        }
    }
    return pushed;
}

void cut_begin(struct lane *lane, uint16_t group, uint16_t leader, const struct asker *asker,
               const struct wire_result *result)
{
    struct apply_room *apply = &lane->apply;
    ENSURE(apply->cutting_count < CUTTINGS_MAX); /* cut_has_room was asked */
    if (apply->cutting_count == 0) {
        apply->cut_since_ns = lane->look[ROOM_APPLY]->clock.now_ns;
        apply->cut_resume_ns = apply->cut_since_ns;
    }
    struct cutting *cutting =
        &apply->cutting[(apply->cutting_first + apply->cutting_count++) % CUTTINGS_MAX];
    struct wire_reply reply = {
        .group = group,
        .leader = leader,
        .client = asker->client,
        .session = asker->session,
        .route = asker->route,
        .count = 1,
    };
    cutting->group = group;
    cutting->asker = *asker;
    cutting->next_piece = 0;
    wire_reply_head(cutting->head, &reply, asker->sequence, result);
    uint64_t id = (uint64_t)asker->route << 32 | ++apply->piece_id;
    wire_cut_begin(&cutting->cut, id, cutting->head, WIRE_REPLY_HEAD_BYTES,
                   value_kept(lane, cutting, result), result->value_bytes,
                   port_payload_max(lane->config.queue));
    (void)cut_on(lane); /* up to a burst is over before the next answer comes */
}
