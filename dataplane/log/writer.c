/* writer: batches are filled by submit, and sealed, begun and taken back by poll. */
#include "dataplane/log/wal_internal.h"

static struct wal *wal_of(struct storage *storage)
{
    return (void *)storage;
}

static const struct wal *look_at(const struct storage *storage)
{
    return (const void *)storage;
}

static void set(_Atomic uint64_t *window, uint64_t value)
{
    atomic_store_explicit(window, value, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *window)
{
    return atomic_load_explicit(window, memory_order_relaxed);
}

static void add(_Atomic uint64_t *counter, uint64_t value)
{
    set(counter, get(counter) + value);
}

static struct wal_batch *batch_at(struct wal *wal, uint64_t number)
{
    return &wal->batch[number % (wal->config.in_flight + 1)];
}

static bool has_failed(const struct storage *storage)
{
    return atomic_load_explicit(&look_at(storage)->error, memory_order_relaxed) != 0;
}

/* ---- room ------------------------------------------------------------------------------------ */

static uint64_t free_segments(const struct wal *wal)
{
    return wal->config.segments - (wal->segment + 1 - wal->durable_oldest);
}

uint64_t writer_room(const struct wal *wal)
{
    return wal->config.segment_bytes - wal->offset + free_segments(wal) * wal->config.segment_bytes;
}

static bool is_full(const struct storage *storage)
{
    const struct wal *wal = look_at(storage);
    return get(&wal->room_bytes) < 2 * wal->config.segment_bytes + wal->write_bytes_max;
}

/* The last segment is kept for what may lead to room: entries that replace others and votes, and
 * the end of it for releases alone. */
static bool room_for(const struct wal *wal, bool adds)
{
    uint64_t kept = adds ? wal->config.segment_bytes : wal->write_bytes_max;
    return writer_room(wal) >= kept + wal->write_bytes_max;
}

/* ---- batches --------------------------------------------------------------------------------- */

void writer_note_entries(struct wal *wal, uint32_t slot, uint64_t segment, uint64_t first,
                         uint64_t last)
{
    for (uint64_t s = wal->oldest; first <= wal->group[slot].last && s < segment; s++) {
        uint64_t *highest = &wal_highest(wal, s)[slot];
        *highest = min_u64(*highest, first - 1);
    }
    wal_highest(wal, segment)[slot] = last;
    wal->group[slot].last = last;
}

/* What a record with entries says of those that are committed: they may be applied at a start. */
static uint32_t behind(uint64_t commit, uint64_t last)
{
    uint64_t rest = last + 1 - min_u64(commit, last);
    return rest <= UINT32_MAX ? (uint32_t)rest : 0;
}

static void put_record(struct wal *wal, uint32_t slot, uint64_t first, uint32_t count,
                       uint32_t bytes)
{
    struct wal_batch *batch = batch_at(wal, wal->tail);
    struct wal_group *group = &wal->group[slot];
    struct format_record record = {
        .bytes = bytes,
        .count = count,
        .term = group->term,
        .first = first,
        .released = group->released,
        .released_term = group->released_term,
        .group = (uint16_t)(slot * wal->config.lanes + wal->config.lane),
        .vote = group->vote,
        .behind = count != 0 ? behind(group->commit, first + count - 1) : 0,
    };
    memcpy(batch->bytes + batch->used, &record, sizeof record);
    batch->used += FORMAT_RECORD_BYTES + bytes;
    batch->records++;
    batch->groups |= UINT64_C(1) << slot;
    group->known = true;
    group->release_due = false;
    if (count != 0)
        writer_note_entries(wal, slot, batch->segment, first, first + count - 1);
}

/* A batch with room for a record of `bytes`, in this segment or in the next. False: no segment is
 * free. */
static bool open_batch(struct wal *wal, uint64_t bytes, uint64_t now_ns)
{
    uint64_t left = wal->config.segment_bytes - wal->offset;
    uint64_t need = FORMAT_HEAD_BYTES + FORMAT_RECORD_BYTES + bytes;
    if (left < wal->config.batch_bytes || format_capacity(left) < need) {
        if (free_segments(wal) == 0)
            return false;
        wal->segment++;
        wal->offset = 0;
        wal->opening = true;
        left = wal->config.segment_bytes;
    }
    struct wal_batch *batch = batch_at(wal, wal->tail);
    *batch = (struct wal_batch){
        .bytes = batch->bytes,
        .used = FORMAT_HEAD_BYTES,
        .last_seq =
            wal->tail != wal->head ? batch_at(wal, wal->tail - 1)->last_seq : get(&wal->stored),
        .since_ns = now_ns,
        .segment = wal->segment,
        .opens = wal->opening,
    };
    wal->is_open = true;
    for (uint32_t slot = 0; slot < wal->groups_here && batch->opens; slot++)
        if (wal->group[slot].known)
            put_record(wal, slot, 0, 0, 0);
    need = format_write_bytes(batch->used + FORMAT_RECORD_BYTES + bytes);
    ENSURE(need <= wal->write_bytes_max);
    batch->capacity = format_capacity(min_u64(left, max_u64(need, wal->config.batch_bytes)));
    return true;
}

/* Does nobody need it, as records up to here say, or, with `due`, as those say that are due? */
static bool is_spent(const struct wal *wal, uint64_t segment, bool due)
{
    const uint64_t *highest = &wal->highest[segment % wal->config.segments * WAL_GROUPS_MAX];
    for (uint32_t slot = 0; slot < wal->groups_here; slot++)
        if (highest[slot] > wal->group[slot].released || (wal->group[slot].release_due && !due))
            return false;
    return true;
}

static void begin_batch(struct wal *wal)
{
    struct wal_batch *batch = batch_at(wal, wal->tail);
    batch->number = wal->number++;
    while (wal->oldest < wal->segment && is_spent(wal, wal->oldest, false))
        wal->oldest++;
    batch->oldest = wal->oldest;
    struct format_head *head = (void *)batch->bytes;
    *head = (struct format_head){
        .flags = batch->opens ? FORMAT_OPENS : 0,
        .bytes = (uint32_t)batch->used,
        .number = batch->number,
        .previous = wal->previous,
        .boot = wal->super.boots,
        .segment = batch->segment,
        .oldest = batch->oldest,
        .complete = wal->complete,
        .groups = batch->groups,
        .chain = wal->chain,
        .records = batch->records,
    };
    uint64_t place = wal_place(wal, batch->segment, wal->offset);
    wal->chain = format_seal(batch->bytes, wal->super.nonce, place / FORMAT_SECTOR_BYTES);
    wal->previous = batch->number;
    batch->write_bytes = (uint64_t)head->sectors * FORMAT_SECTOR_BYTES;
    wal->offset += batch->write_bytes;
    wal->opening = false;
    wal->is_open = false;
    uint32_t slot = (uint32_t)(wal->tail++ % (wal->config.in_flight + 1));
    set(&wal->room_bytes, writer_room(wal));
    wal->config.file->calls->begin(wal->config.file, slot, place, batch->bytes,
                                   (uint32_t)batch->write_bytes);
}

static bool may_begin(const struct wal *wal)
{
    return wal->is_open && wal->tail - wal->head < wal->config.in_flight;
}

static void take_done(struct wal *wal, uint64_t now_ns)
{
    struct wal_file_done done[WAL_FILE_SLOTS];
    uint32_t count = wal->config.file->calls->poll(wal->config.file, done);
    for (uint32_t i = 0; i < count; i++) {
        if (done[i].error != 0)
            atomic_store_explicit(&wal->error, done[i].error, memory_order_relaxed);
        wal->batch[done[i].slot].done = true;
    }
    if (has_failed(&wal->storage))
        return; /* nothing can be said about any of them */
    while (wal->head != wal->tail && batch_at(wal, wal->head)->done) {
        struct wal_batch *batch = batch_at(wal, wal->head++);
        wal->complete = batch->number;
        wal->durable_oldest = batch->oldest;
        set(&wal->stored, batch->last_seq);
        add(&wal->writes, 1);
        add(&wal->write_bytes, batch->write_bytes);
        add(&wal->records, batch->records);
        add(&wal->ages[storage_age_step(now_ns - min_u64(batch->since_ns, now_ns))], 1);
        set(&wal->room_bytes, writer_room(wal));
    }
}

/* ---- submit ---------------------------------------------------------------------------------- */

struct run {
    uint64_t first;
    uint32_t count;
    uint32_t bytes;
    uint64_t last_term;
};

/* Entries from `first` on, as the log has them and as far as they fit. Above the write's term there
 * is nothing of this write: order has truncated and gone on, and a later write will say so. */
static struct run measure(const struct storage_write *write, const struct log *log, uint64_t first,
                          uint64_t room)
{
    struct run run = {.first = first};
    for (uint64_t index = first; first != 0 && index <= write->last; index++) {
        const struct wire_entry *entry = log_entry(log, index);
        if (entry == NULL || entry->term > write->term)
            break;
        uint32_t size = wire_entry_size(entry->body_bytes);
        if (run.bytes + size > room)
            break;
        run.last_term = entry->term;
        run.bytes += size;
        run.count++;
    }
    return run;
}

static bool batch_holds(struct wal *wal, uint64_t bytes)
{
    const struct wal_batch *batch = batch_at(wal, wal->tail);
    return batch->used + FORMAT_RECORD_BYTES + bytes <= batch->capacity;
}

/* Makes sure of an open batch that holds a record of `bytes`. */
static bool make_room(struct wal *wal, uint64_t bytes, uint64_t now_ns)
{
    if (wal->is_open && !batch_holds(wal, bytes)) {
        if (!may_begin(wal))
            return false;
        begin_batch(wal);
    }
    return wal->is_open || open_batch(wal, bytes, now_ns);
}

/* True: all of the write is in batches. */
static bool take_write(struct wal *wal, const struct storage_write *write, const struct log *log,
                       uint64_t now_ns)
{
    uint32_t slot = write->group / wal->config.lanes;
    ENSURE(write->group % wal->config.lanes == wal->config.lane && slot < wal->groups_here);
    uint64_t next = wal->partial_seq == write->seq ? wal->partial_next : write->first;
    struct run one = measure(write, log, next, UINT32_MAX / 2);
    for (;;) {
        /* A batch must hold one entry at least, or none if there is none any more. */
        const struct wire_entry *entry = one.count != 0 ? log_entry(log, next) : NULL;
        if (!room_for(wal, entry != NULL && next > wal->group[slot].last) ||
            !make_room(wal, entry != NULL ? wire_entry_size(entry->body_bytes) : 0, now_ns))
            return false;
        struct wal_batch *batch = batch_at(wal, wal->tail);
        uint64_t room = batch->capacity - batch->used - FORMAT_RECORD_BYTES;
        struct run run = one.bytes <= room ? one : measure(write, log, next, room);
        uint32_t bytes = run.count == 0 ? 0
                                        : log_copy(log, next, run.count, run.last_term,
                                                   batch->bytes + batch->used + FORMAT_RECORD_BYTES,
                                                   (uint32_t)room);
        bool gone = run.count != 0 && bytes == 0; /* truncated meanwhile: a later write covers it */
        wal->group[slot].term = write->term;
        wal->group[slot].vote = write->vote;
        wal->group[slot].commit = write->commit;
        put_record(wal, slot, bytes != 0 ? next : 0, bytes != 0 ? run.count : 0, bytes);
        next += run.count;
        if (gone || run.count == one.count) {
            batch->last_seq = write->seq;
            return true;
        }
        wal->partial_seq = write->seq;
        wal->partial_next = next;
        one = measure(write, log, next, UINT32_MAX / 2);
    }
}

static void tell_age(struct wal *wal)
{
    uint64_t since_ns =
        wal->head != wal->tail || wal->is_open ? max_u64(batch_at(wal, wal->head)->since_ns, 1) : 0;
    if (since_ns != get(&wal->since_ns))
        set(&wal->since_ns, since_ns);
}

static uint32_t submit(struct storage *storage, const struct storage_write *writes, uint32_t count,
                       struct log *const *logs, uint64_t now_ns)
{
    struct wal *wal = wal_of(storage);
    uint32_t taken = 0;
    if (has_failed(storage))
        return 0;
    while (taken < count && take_write(wal, &writes[taken], logs[taken], now_ns))
        taken++;
    tell_age(wal);
    return taken;
}

/* Where room is scarce, it is spent on releases that make some. */
static void put_releases(struct wal *wal, uint64_t now_ns)
{
    if (!room_for(wal, true) && !(wal->oldest < wal->segment && is_spent(wal, wal->oldest, true)))
        return;
    wal->any_release_due = false;
    for (uint32_t slot = 0; slot < wal->groups_here; slot++) {
        if (wal->group[slot].release_due && make_room(wal, 0, now_ns))
            put_record(wal, slot, 0, 0, 0);
        wal->any_release_due |= wal->group[slot].release_due;
    }
}

static uint64_t poll(struct storage *storage, uint64_t now_ns)
{
    struct wal *wal = wal_of(storage);
    if (wal->head != wal->tail)
        take_done(wal, now_ns);
    if (UNLIKELY(wal->any_release_due) && !has_failed(storage))
        put_releases(wal, now_ns);
    if (may_begin(wal) && !has_failed(storage))
        begin_batch(wal);
    tell_age(wal);
    return get(&wal->stored);
}

static void release(struct storage *storage, uint16_t number, uint64_t index, uint64_t term)
{
    struct wal *wal = wal_of(storage);
    struct wal_group *group = &wal->group[number / wal->config.lanes];
    if (index <= group->released)
        return;
    group->released = index;
    group->released_term = term;
    group->release_due = true;
    wal->any_release_due = true;
}

/* ---- looks ----------------------------------------------------------------------------------- */

static uint64_t age_ns(const struct storage *storage, uint64_t now_ns)
{
    uint64_t since_ns = get(&look_at(storage)->since_ns);
    return since_ns == 0 ? 0 : now_ns - min_u64(since_ns, now_ns);
}

static void report(const struct storage *storage, struct storage_report *report)
{
    const struct wal *wal = look_at(storage);
    report->backend = wal->config.file->name;
    report->error = atomic_load_explicit(&wal->error, memory_order_relaxed);
    report->writes = get(&wal->writes);
    report->write_bytes = get(&wal->write_bytes);
    report->records = get(&wal->records);
    report->room_bytes = get(&wal->room_bytes);
    report->capacity_bytes = wal->config.segments * wal->config.segment_bytes;
    for (uint32_t i = 0; i < STORAGE_AGES; i++)
        report->ages[i] = get(&wal->ages[i]);
}

void writer_settle(struct wal *wal)
{
    const struct wal_file_calls *calls = wal->config.file->calls;
    struct wal_file_done done[WAL_FILE_SLOTS];
    uint64_t out = 0;
    for (uint64_t i = wal->head; i != wal->tail; i++)
        out += !batch_at(wal, i)->done;
    for (; out != 0; out -= calls->poll(wal->config.file, done))
        calls->wait(wal->config.file, 1000000);
}

const struct storage_calls writer_calls = {
    .durability = "fsync",
    .submit = submit,
    .poll = poll,
    .release = release,
    .failed = has_failed,
    .full = is_full,
    .age_ns = age_ns,
    .report = report,
};
