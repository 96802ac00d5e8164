/* notes: the lane's side of notes.h. The keeper's calls leave errands; order runs them, and writes
 * the notes; apply marks states and puts loaded ones in place. */
#include "dataplane/pipeline/internal.h"

#define ERRANDS_PER_TURN 32u
#define OFFER_BYTES_MAX  (WIRE_RAFT_HEAD_BYTES + 32u + WIRE_MEMBERS_BYTES_MAX)
#define NOTES_SPARE      (64u << 10) /* what the network brings leaves so much for the lane's own */

/* ---- the keeper's calls ---------------------------------------------------------------------- */

const struct lane_note *lane_next_note(struct lane *lane)
{
    uint32_t bytes;
    doorway_done(lane->notes);
    return doorway_next(lane->notes, &bytes);
}

struct wire_view lane_note_view(const struct lane_note *note)
{
    bool chunk = note->kind == LANE_NOTE_CHUNK;
    return (struct wire_view){
        .kind = chunk ? WIRE_SNAPSHOT_CHUNK : WIRE_SNAPSHOT_ACK,
        .group = note->group,
        .bytes = note->body_bytes,
        .body = (const uint8_t *)(note + 1),
    };
}

static struct group *group_in(struct lane *lane, uint16_t group, uint32_t *slot)
{
    bool here = group_slot(lane, group, slot);
    ENSURE(here); /* the keeper knows which lane serves which groups */
    return &lane->group[*slot];
}

struct state *lane_state_to_walk(struct lane *lane, uint16_t group)
{
    uint32_t slot;
    return group_in(lane, group, &slot)->state;
}

void lane_snapshot_ask(struct lane *lane, uint16_t group)
{
    uint32_t slot;
    state_capture_ask(group_in(lane, group, &slot)->state);
    (void)atomic_fetch_or_explicit(&lane->captures, (uint64_t)1 << slot, memory_order_release);
}

/* NULL: the doorway is full. */
static struct errand *begin_errand(struct lane *lane, uint16_t group, enum errand_kind kind,
                                   uint32_t bytes)
{
    uint32_t slot;
    (void)group_in(lane, group, &slot);
    struct errand *errand = doorway_reserve(lane->errands, (uint32_t)sizeof *errand + bytes);
    if (errand != NULL) {
        errand->kind = (uint8_t)kind;
        errand->slot = slot;
    }
    return errand;
}

static bool leave_errand(struct lane *lane)
{
    doorway_publish(lane->errands);
    return true;
}

bool lane_snapshot_taken(struct lane *lane, uint16_t group, const struct raft_snapshot *snapshot,
                         bool all)
{
    struct errand *errand = begin_errand(lane, group, ERRAND_TAKEN, 0);
    if (errand == NULL)
        return false;
    errand->snapshot = *snapshot;
    errand->all = all;
    return leave_errand(lane);
}

bool lane_snapshot_sent(struct lane *lane, uint16_t group, uint16_t to, uint64_t index)
{
    struct errand *errand = begin_errand(lane, group, ERRAND_SENT, 0);
    if (errand == NULL)
        return false;
    errand->member = to;
    errand->index = index;
    return leave_errand(lane);
}

bool lane_snapshot_failed(struct lane *lane, uint16_t group, uint16_t to)
{
    struct errand *errand = begin_errand(lane, group, ERRAND_FAILED, 0);
    if (errand == NULL)
        return false;
    errand->member = to;
    return leave_errand(lane);
}

uint32_t lane_message_bytes_max(const struct lane *lane)
{
    return port_payload_max(lane->config.queue) - WIRE_FRAME_BYTES;
}

bool lane_send(struct lane *lane, uint16_t group, uint16_t to, const uint8_t *message,
               uint32_t bytes)
{
    ENSURE(bytes <= lane_message_bytes_max(lane));
    struct errand *errand = begin_errand(lane, group, ERRAND_SEND, bytes);
    if (errand == NULL)
        return false;
    errand->member = to;
    errand->bytes = bytes;
    memcpy(errand + 1, message, bytes);
    return leave_errand(lane);
}

bool lane_snapshot_install(struct lane *lane, uint16_t group, const struct raft_snapshot *snapshot,
                           struct state *loaded)
{
    ENSURE(state_applied_index(loaded) == snapshot->index);
    struct errand *errand = begin_errand(lane, group, ERRAND_INSTALL, 0);
    if (errand == NULL)
        return false;
    errand->snapshot = *snapshot;
    errand->loaded = loaded;
    return leave_errand(lane);
}

/* ---- notes ----------------------------------------------------------------------------------- */

/* NULL: no room, later. */
static struct lane_note *begin_note(struct lane *lane, const struct group *group,
                                    enum lane_note_kind kind, uint32_t bytes)
{
    struct lane_note *note = doorway_reserve(lane->notes, (uint32_t)sizeof *note + bytes);
    if (note == NULL)
        return NULL;
    note->kind = (uint8_t)kind;
    note->group = group->number;
    note->body_bytes = bytes;
    return note;
}

void order_snapshot_wanted(struct lane *lane, struct group *group)
{
    if (group->snapshot_asked || begin_note(lane, group, LANE_NOTE_WANTED, 0) == NULL)
        return;
    group->snapshot_asked = true;
    doorway_publish(lane->notes);
}

/* False: no room. */
static bool send_encoded(struct lane *lane, const struct group *group, uint16_t to,
                         const uint8_t *message, uint32_t bytes)
{
    struct parcel *parcel = doorway_reserve(lane->parcels, (uint32_t)sizeof *parcel + bytes);
    if (parcel == NULL)
        return false;
    parcel->kind = PARCEL_FORWARD;
    parcel->group = group->number;
    parcel->as.forward.member = to;
    parcel->as.forward.bytes = bytes;
    memcpy(parcel + 1, message, bytes);
    return true;
}

/* The offer goes out as one message, with who belongs; then the keeper streams what is offered.
 * Where one of both finds no room the machine is told, and offers again. */
void order_offer(struct lane *lane, struct group *group, const struct raft_send *send)
{
    const struct raft_snapshot *snapshot = raft_snapshot_of(group->raft);
    uint16_t to = send->message.to;
    struct wire_snapshot offer = {
        .head = send->message,
        .members_index = snapshot->members_index,
        .members = snapshot->members,
    };
    uint8_t message[OFFER_BYTES_MAX];
    struct wire_writer writer = {.data = message, .capacity = sizeof message};
    bool fits = wire_put_snapshot(&writer, &offer);
    ENSURE(fits); /* the most members that there can be do */
    if (!doorway_fits(lane->notes, 1, sizeof(struct lane_note)) ||
        !send_encoded(lane, group, to, message, writer.bytes)) {
        raft_snapshot_failed(group->raft, to);
        return;
    }
    struct lane_note *note = begin_note(lane, group, LANE_NOTE_OFFERED, 0);
    ENSURE(note != NULL); /* doorway_fits was asked */
    note->member = to;
    note->witness = raft_is_witness(group->raft, to);
    note->index = snapshot->index;
    note->term = snapshot->term;
    doorway_publish(lane->notes);
}

/* What the network brings is dropped where the keeper is behind: it comes again. */
static struct lane_note *note_arrival(struct lane *lane, const struct arrival *arrival,
                                      enum lane_note_kind kind, uint32_t bytes)
{
    struct lane_note *note = NULL;
    if (doorway_fits(lane->notes, 1, (uint32_t)sizeof *note + bytes + NOTES_SPARE))
        note = begin_note(lane, &lane->group[arrival->slot], kind, bytes);
    if (note == NULL)
        count_event(lane, LANE_KEEPER_BEHIND);
    else
        note->member = arrival->from;
    return note;
}

void order_snapshot_bytes(struct lane *lane, const struct arrival *arrival)
{
    struct wire_chunk chunk;
    struct wire_chunk_ack ack;
    const struct wire_view *view = &arrival->view;
    bool is_chunk = view->kind == WIRE_SNAPSHOT_CHUNK;
    enum wire_refusal refusal =
        is_chunk ? wire_get_chunk(view, &chunk) : wire_get_chunk_ack(view, &ack);
    if (refusal != WIRE_OK) {
        lane->open.refused[refusal]++;
        return;
    }
    struct lane_note *note =
        note_arrival(lane, arrival, is_chunk ? LANE_NOTE_CHUNK : LANE_NOTE_ACK, view->bytes);
    if (note == NULL)
        return;
    memcpy(note + 1, view->body, view->bytes);
    doorway_publish(lane->notes);
}

void order_snapshot(struct lane *lane, const struct arrival *arrival)
{
    struct group *group = &lane->group[arrival->slot];
    struct raft_input input = {.entries = lane->step_entries};
    struct wire_snapshot offer;
    enum wire_refusal refusal = wire_get_snapshot(&arrival->view, &offer);
    if (refusal != WIRE_OK) {
        lane->open.refused[refusal]++;
        return;
    }
    input.message = offer.head;
    input.message.from = arrival->from;
    input.message.to = lane->config.self;
    input.message.entry_bytes = 0;
    if (raft_step(group->raft, &input, 1) == 0 && order_ready(lane, arrival->slot))
        (void)raft_step(group->raft, &input, 1);
    if (!input.take_snapshot)
        return;
    struct lane_note *note = note_arrival(lane, arrival, LANE_NOTE_COMES, 0);
    if (note == NULL)
        return;
    note->witness = raft_is_witness(group->raft, lane->config.self);
    note->index = offer.head.index;
    note->term = offer.head.log_term;
    note->snapshot = (struct raft_snapshot){
        .index = offer.head.index,
        .term = offer.head.log_term,
        .members_index = offer.members_index,
        .members = offer.members,
    };
    doorway_publish(lane->notes);
}

/* ---- marks ----------------------------------------------------------------------------------- */

/* Between two entries: states that are asked for are marked, and those whose walk is over let go
 * of. Returns the groups whose state has something to take back. */
uint64_t apply_captures(struct lane *lane, uint32_t *done)
{
    uint64_t captures = atomic_load_explicit(&lane->captures, memory_order_acquire);
    for (uint64_t left = captures; left != 0; left &= left - 1) {
        struct group *group = &lane->group[__builtin_ctzll(left)];
        struct state *state = group->state;
        enum state_capture_phase phase = state_capture_phase(state);
        if (phase == STATE_CAPTURE_ASKED) {
            state_capture_begin(state);
            group->mark_index = state_applied_index(state);
            (void)atomic_fetch_add_explicit(&group->marks, 1, memory_order_release);
            wish(lane);
            ++*done;
        } else if (phase == STATE_CAPTURE_WALKED) {
            /* Before the phase says that the next one may be asked for. */
            (void)atomic_fetch_and_explicit(&lane->captures, ~(left & -left), memory_order_relaxed);
            state_capture_end(state);
        }
    }
    return captures;
}

/* What a mark is of is described while the machine still knows. */
uint32_t order_mark(struct lane *lane, uint32_t slot)
{
    struct group *group = &lane->group[slot];
    uint32_t marks = atomic_load_explicit(&group->marks, memory_order_acquire);
    if (LIKELY(marks == group->marks_seen))
        return 0;
    order_touch(lane, slot);
    struct lane_note *note = begin_note(lane, group, LANE_NOTE_MARKED, 0);
    if (note == NULL) {
        wish(lane);
        return 0;
    }
    group->marks_seen = marks;
    if (!raft_snapshot_describe(group->raft, group->mark_index, &note->snapshot)) {
        note->kind = LANE_NOTE_UNMARKED;
        group->snapshot_asked = false;
    }
    doorway_publish(lane->notes);
    return 1;
}

/* ---- errands --------------------------------------------------------------------------------- */

void order_forget_stored(struct lane *lane, struct group *group, uint64_t index, uint64_t term)
{
    struct storage_write *write = doorway_reserve(lane->writes, sizeof *write);
    ENSURE(write != NULL); /* order_has_room was asked */
    *write = (struct storage_write){
        .last = index, .term = term, .group = group->number, .release = true};
}

/* What memory has of the log stays in storage, so that there is as much after a restart. */
static void snapshot_taken(struct lane *lane, struct group *group, const struct errand *errand)
{
    const struct raft_snapshot *snapshot = &errand->snapshot;
    uint64_t index = min_u64(snapshot->index, log_first_index(group->log) - 1);
    uint64_t term = errand->all ? 0 : raft_entry_term(group->raft, index);
    raft_snapshot_taken(group->raft, snapshot);
    group->snapshot_asked = false;
    if (errand->all || (index != 0 && term == 0))
        order_forget_stored(lane, group, snapshot->index, snapshot->term);
    else if (index != 0)
        order_forget_stored(lane, group, index, term);
}

static bool note_installed(struct lane *lane, struct group *group, enum lane_note_kind kind)
{
    if (begin_note(lane, group, kind, 0) == NULL)
        return false;
    doorway_publish(lane->notes);
    return true;
}

/* False: not yet. All that was handed to apply is to be applied first, so that the log in memory
 * can go; what replicates meanwhile makes the snapshot needless, in the end. */
static bool install(struct lane *lane, uint32_t slot, const struct errand *errand)
{
    struct group *group = &lane->group[slot];
    const struct raft_snapshot *snapshot = &errand->snapshot;
    if (snapshot->index <= raft_commit(group->raft)) /* what waits behind it waits no longer */
        return note_installed(lane, group, LANE_NOTE_NOT_INSTALLED);
    if (group->installing != 0 || group->handed != state_applied_index(group->state))
        return false;
    if (!doorway_fits(lane->notes, 1, sizeof(struct lane_note)))
        return false;
    enum raft_install result = raft_snapshot_installed(group->raft, snapshot);
    if (result == RAFT_INSTALL_REFUSED)
        return note_installed(lane, group, LANE_NOTE_NOT_INSTALLED);
    if (result == RAFT_INSTALL_KEEPS)
        log_release(group->log, snapshot->index);
    else
        log_restart(group->log, snapshot->index);
    order_forget_stored(lane, group, snapshot->index, snapshot->term);
    struct work *work = doorway_reserve(lane->work, sizeof *work);
    ENSURE(work != NULL); /* order_has_room was asked */
    *work = (struct work){.kind = WORK_INSTALL, .slot = slot, .loaded = errand->loaded};
    group->handed = group->applied_told = group->installing = snapshot->index;
    group->first_told = log_first_index(group->log);
    raft_snapshot_taken(group->raft, snapshot);
    return true;
}

/* After apply has put the state in place. */
void order_installed(struct lane *lane, struct group *group)
{
    if (note_installed(lane, group, LANE_NOTE_INSTALLED))
        group->installing = 0;
}

/* False: not now. */
static bool run_errand(struct lane *lane, const struct errand *errand)
{
    struct group *group = &lane->group[errand->slot];
    switch (errand->kind) {
    case ERRAND_TAKEN:
        snapshot_taken(lane, group, errand);
        return true;
    case ERRAND_SENT:
        raft_snapshot_sent(group->raft, errand->member, errand->index);
        return true;
    case ERRAND_FAILED:
        raft_snapshot_failed(group->raft, errand->member);
        return true;
    case ERRAND_SEND:
        return send_encoded(lane, group, errand->member, (const uint8_t *)(errand + 1),
                            errand->bytes);
    default:
        return install(lane, errand->slot, errand);
    }
}

/* Chunks wait while the device has not taken what is there: they would push it out. */
uint32_t order_errands(struct lane *lane)
{
    const struct errand *errand;
    uint32_t bytes, count = 0;
    bool whole = true;
    while (count < ERRANDS_PER_TURN && order_has_room(lane) &&
           atomic_load_explicit(&lane->tx_waiting, memory_order_relaxed) == 0 &&
           (errand = doorway_next(lane->errands, &bytes)) != NULL) {
        order_touch(lane, errand->slot);
        whole = run_errand(lane, errand);
        if (!whole) {
            doorway_done_before(lane->errands, errand);
            break;
        }
        count++;
    }
    if (whole && count != 0)
        doorway_done(lane->errands);
    return count;
}
