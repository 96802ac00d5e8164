/* Receiving: pieces into a file, the file into a state, the state into its place. */
#include "dataplane/keeper/internal.h"

#include "dataplane/view/view.h"
#include "numa/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* ---- offers ---------------------------------------------------------------------------------- */

static void close_part(struct keeper *keeper, struct reception *reception, bool unlink)
{
    if (!reception->begun || reception->fd < 0)
        return;
    (void)close(reception->fd);
    reception->fd = -1;
    if (unlink)
        (void)unlinkat(keeper->folder, reception->name, 0);
}

void receive_drop(struct keeper *keeper, struct reception *reception)
{
    close_part(keeper, reception, true);
    *reception = (struct reception){.fd = -1};
}

static bool is_busy(const struct reception *reception)
{
    return reception->step == RECEPTION_LOADING || reception->step == RECEPTION_ASKING ||
           reception->step == RECEPTION_WAITING;
}

void receive_comes(struct keeper *keeper, const struct lane_note *note)
{
    struct reception *reception = &keeper->group[note->group].reception;
    if (note->witness) {
        keeper_count(keeper, KEEPER_WITNESS);
        return;
    }
    /* What is nearly in place is finished first: if a newer one is wanted still, it comes again. */
    if (is_busy(reception))
        return;
    bool same = reception->of.index == note->index && reception->of.term == note->term;
    if (reception->step == RECEPTION_TAKING && same) {
        reception->from = note->member; /* who leads now has the same bytes */
        return;
    }
    if (reception->step == RECEPTION_TAKING)
        keeper_count(keeper, KEEPER_GIVEN_UP);
    receive_drop(keeper, reception);
    reception->step = RECEPTION_TAKING;
    reception->from = note->member;
    reception->of = note->snapshot;
    reception->of.index = note->index;
    reception->of.term = note->term;
}

/* ---- pieces ---------------------------------------------------------------------------------- */

static bool put_ack(struct keeper *keeper, uint16_t group, uint16_t to,
                    const struct wire_chunk_ack *ack)
{
    uint8_t message[WIRE_MESSAGE_BYTES + 128];
    struct wire_writer writer = {.data = message, .capacity = sizeof message};
    bool fits = wire_put_chunk_ack(&writer, ack);
    ENSURE(fits);
    return lane_send(keeper_lane_of(keeper, group)->lane, group, to, message, writer.bytes);
}

/* Lost without harm: the piece comes again. */
static void refuse_stray(struct keeper *keeper, const struct lane_note *note,
                         const struct wire_chunk *chunk)
{
    struct wire_chunk_ack ack = {
        .group = note->group, .id = chunk->id, .run = ++keeper->run, .status = WIRE_CHUNK_REFUSED};
    keeper_count(keeper, KEEPER_STRAY_CHUNK);
    (void)put_ack(keeper, note->group, note->member, &ack);
}

/* The sender hears that it is to stop; the next offer begins anew. */
static void refuse_whole(struct keeper *keeper, uint16_t group)
{
    struct reception *reception = &keeper->group[group].reception;
    struct wire_chunk_ack ack;
    transfer_receive_end(&reception->transfer, false);
    transfer_receive_ack(&reception->transfer, &ack);
    (void)put_ack(keeper, group, reception->from, &ack);
    receive_drop(keeper, reception);
}

static bool begin(struct keeper *keeper, const struct lane_note *note,
                  const struct wire_chunk *chunk, struct reception *reception)
{
    keeper_name(keeper, note->group, chunk->id.index, "part", reception->name);
    transfer_receive_begin(&reception->transfer, note->group, &chunk->id, ++keeper->run, 0);
    reception->begun = true;
    reception->fd = -1;
    if (keeper_folder(keeper))
        reception->fd =
            openat(keeper->folder, reception->name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return reception->fd >= 0;
}

static bool store(const struct reception *reception, const struct wire_chunk *chunk)
{
    uint32_t put = 0;
    while (put < chunk->bytes) {
        ssize_t more = pwrite(reception->fd, chunk->data + put, chunk->bytes - put,
                              (off_t)(chunk->offset + put));
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return false;
        put += (uint32_t)more;
    }
    return true;
}

static void take_chunk(struct keeper *keeper, const struct lane_note *note,
                       const struct wire_chunk *chunk)
{
    struct reception *reception = &keeper->group[note->group].reception;
    bool good = reception->begun || begin(keeper, note, chunk, reception);
    enum transfer_verdict verdict = TRANSFER_STORE;
    if (good)
        verdict = transfer_receive(&reception->transfer, chunk);
    if (!good || (verdict == TRANSFER_STORE && !store(reception, chunk))) {
        keeper_count(keeper, KEEPER_NOT_STORED);
        keeper_say(keeper, note->group, chunk->id.index, strerrordesc_np(errno));
        refuse_whole(keeper, note->group);
    } else if (verdict == TRANSFER_DAMAGED) {
        keeper_count(keeper, KEEPER_DAMAGED_CHUNK);
    } else if (verdict == TRANSFER_FOREIGN) {
        /* Another file at the same index: whoever sends it was offered from. Begin with that. */
        keeper_count(keeper, KEEPER_GIVEN_UP);
        close_part(keeper, reception, true);
        reception->begun = false;
    } else {
        reception->ack_due = true;
    }
}

void receive_chunk(struct keeper *keeper, const struct lane_note *note)
{
    struct reception *reception = &keeper->group[note->group].reception;
    struct wire_chunk chunk;
    struct wire_view view = lane_note_view(note);
    if (wire_get_chunk(&view, &chunk) != WIRE_OK)
        return; /* the lane has looked */
    bool expected = reception->step != RECEPTION_NONE && reception->of.index == chunk.id.index &&
                    reception->of.term == chunk.id.term && reception->from == note->member;
    if (!expected)
        refuse_stray(keeper, note, &chunk);
    else if (reception->step == RECEPTION_TAKING)
        take_chunk(keeper, note, &chunk);
    else
        reception->ack_due = true;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static bool is_as_offered(const struct reception *reception, const struct snapshot_about *about,
                          const struct snapshot_head *head)
{
    const struct snapshot_head *has = &about->head;
    return about->sum == reception->transfer.id.sum &&
           about->bytes == reception->transfer.id.bytes && has->cluster == head->cluster &&
           has->config_hash == head->config_hash && has->group == head->group &&
           has->index == head->index && has->term == head->term &&
           has->members_index == head->members_index && has->members.level == head->members.level &&
           has->members.count == head->members.count &&
           memcmp(has->members.member, head->members.member,
                  head->members.count * sizeof head->members.member[0]) == 0;
}

static void check(struct keeper *keeper, uint16_t group)
{
    struct reception *reception = &keeper->group[group].reception;
    struct snapshot_head head = keeper_head(keeper, group, &reception->of);
    char name[KEEPER_NAME_MAX];
    close_part(keeper, reception, false);
    enum snapshot_refusal refusal =
        snapshot_file_check(keeper->folder, reception->name, &reception->about);
    bool good = refusal == SNAPSHOT_OK && is_as_offered(reception, &reception->about, &head);
    keeper_name(keeper, group, reception->of.index, "snap", name);
    if (good && snapshot_file_keep(keeper->folder, reception->name, name) == SNAPSHOT_OK) {
        reception->step = RECEPTION_LOADING;
        return;
    }
    keeper_count(keeper, good ? KEEPER_NOT_STORED : KEEPER_RECEIVED_BAD);
    keeper_say(keeper, group, reception->of.index,
               refusal != SNAPSHOT_OK ? snapshot_refusal_sentence(refusal)
                                      : "received, and not what was offered");
    (void)unlinkat(keeper->folder, reception->name, 0);
    refuse_whole(keeper, group);
}

/* False: not now, or there is no memory. */
static bool get_spare(struct keeper *keeper, uint16_t group)
{
    uint32_t index = group % keeper->config.lane_count;
    struct spare *spare = &keeper->lane[index].spare;
    if (spare->busy)
        return false;
    if (spare->draining && view_epoch_completed() <= spare->drained_after)
        return false;
    if (spare->draining)
        keeper_zero(spare->memory, keeper->state_bytes);
    spare->draining = false;
    if (spare->memory == NULL) {
        spare->mapping = memory_reserve(keeper->state_bytes, keeper->config.memory_node[index],
                                        keeper->config.topology, NULL);
        spare->memory = spare->mapping;
    }
    spare->busy = spare->memory != NULL;
    return spare->busy;
}

static void free_spare(struct keeper *keeper, struct spare *spare)
{
    keeper_zero(spare->memory, keeper->state_bytes);
    spare->busy = false;
}

static void load(struct keeper *keeper, uint16_t group)
{
    struct reception *reception = &keeper->group[group].reception;
    struct spare *spare = &keeper_lane_of(keeper, group)->spare;
    struct snapshot_head head = keeper_head(keeper, group, &reception->of);
    enum state_load_refusal why;
    char name[KEEPER_NAME_MAX];
    keeper_name(keeper, group, reception->of.index, "snap", name);
    enum snapshot_refusal refusal =
        snapshot_file_load(keeper->folder, name, &head, spare->memory, &keeper->config.state,
                           &reception->about, &reception->loaded, &why);
    if (refusal == SNAPSHOT_OK) {
        reception->step = RECEPTION_ASKING;
        return;
    }
    keeper_count(keeper, KEEPER_NOT_LOADED);
    keeper_say(keeper, group, reception->of.index,
               refusal == SNAPSHOT_REFUSED_STATE ? state_load_refusal_sentence(why)
                                                 : snapshot_refusal_sentence(refusal));
    (void)unlinkat(keeper->folder, name, 0);
    free_spare(keeper, spare);
    refuse_whole(keeper, group);
}

/* The old state's memory is known before the lane forgets it. A walk of it ends first. */
static void ask(struct keeper *keeper, uint16_t group)
{
    struct reception *reception = &keeper->group[group].reception;
    struct keeper_lane *lane = keeper_lane_of(keeper, group);
    struct state *old = lane_state_to_walk(lane->lane, group);
    if ((keeper->take_step != TAKE_NONE && keeper->take_group == group) ||
        state_capture_phase(old) != STATE_CAPTURE_IDLE)
        return;
    if (!lane_snapshot_install(lane->lane, group, &reception->of, reception->loaded))
        return;
    lane->spare.memory = old;
    reception->step = RECEPTION_WAITING;
}

void receive_installed(struct keeper *keeper, const struct lane_note *note, bool installed,
                       uint64_t now_ns)
{
    struct keeper_group *kept = &keeper->group[note->group];
    struct reception *reception = &kept->reception;
    struct spare *spare = &keeper_lane_of(keeper, note->group)->spare;
    ENSURE(reception->step == RECEPTION_WAITING);
    keeper_count(keeper, installed ? KEEPER_INSTALLED : KEEPER_NOT_NEEDED);
    if (installed) {
        spare->draining = true;
        spare->drained_after = view_epoch_started();
        spare->busy = false;
        kept->newest = reception->about;
        kept->written_at = take_written(keeper_lane_of(keeper, note->group));
        (void)pthread_mutex_lock(&keeper->lock);
        kept->report.index = reception->about.head.index;
        kept->report.bytes = reception->about.bytes;
        kept->report.taken_ns = now_ns;
        (void)pthread_mutex_unlock(&keeper->lock);
    } else {
        spare->memory = reception->loaded;
        free_spare(keeper, spare);
    }
    keeper_prune(keeper, note->group);
    transfer_receive_end(&reception->transfer, true);
    reception->step = RECEPTION_DONE;
    reception->ack_due = true;
}

/* Files take long, and no grace period shall wait for them. */
static void offline(void (*job)(struct keeper *, uint16_t), struct keeper *keeper, uint16_t group)
{
    view_offline();
    job(keeper, group);
    view_online();
}

bool receive_step(struct keeper *keeper, uint16_t group)
{
    struct reception *reception = &keeper->group[group].reception;
    struct wire_chunk_ack ack;
    if (reception->step == RECEPTION_NONE || !reception->begun)
        return false;
    if (reception->ack_due) {
        transfer_receive_ack(&reception->transfer, &ack);
        reception->ack_due = !put_ack(keeper, group, reception->from, &ack);
    }
    if (reception->step == RECEPTION_TAKING && transfer_receive_complete(&reception->transfer)) {
        offline(check, keeper, group);
        return true;
    }
    if (reception->step == RECEPTION_LOADING && get_spare(keeper, group)) {
        offline(load, keeper, group);
        return true;
    }
    if (reception->step == RECEPTION_ASKING)
        ask(keeper, group);
    return false;
}
