/* lean.c: what a witness is told: that there are entries, of which terms, and who belongs to the
 * group. Their bodies stay behind, and where they were is time that passes. */
#include "dataplane/pipeline/internal.h"

/* Takes the bodies out of `bytes` of entries, in place. Returns what is left. */
static uint32_t strip(uint8_t *entries, uint32_t bytes)
{
    uint8_t *to = entries;
    for (const uint8_t *at = entries; at < entries + bytes;) {
        struct wire_entry entry;
        memcpy(&entry, at, sizeof entry);
        uint32_t size = wire_entry_size(entry.body_bytes), kept = size;
        if (entry.kind == WIRE_ENTRY_CONFIG) {
            memmove(to, at, size);
        } else {
            entry.kind = WIRE_ENTRY_NOOP;
            entry.body_bytes = 0;
            entry.session = entry.sequence = 0;
            kept = (uint32_t)sizeof entry;
            memcpy(to, &entry, sizeof entry);
        }
        to += kept;
        at += size;
    }
    return (uint32_t)(to - entries);
}

/* One that outgrew a frame: its header, alone. */
static uint32_t copy_header(const struct log *log, const struct parcel *parcel, uint8_t *to)
{
    uint64_t index = parcel->as.raft.send.message.index + 1;
    const struct wire_entry *entry = log_entry(log, index);
    if (entry == NULL || entry->index != index || entry->term != parcel->as.raft.last_term)
        return 0;
    struct wire_entry header = *entry;
    header.body_bytes = 0;
    memcpy(to, &header, sizeof header);
    return (uint32_t)sizeof header;
}

void seal_lean(struct lane *lane, const struct parcel *parcel)
{
    struct wire_raft message = parcel->as.raft.send.message;
    const struct log *log = lane->group[parcel->slot].log;
    bool whole = message.entry_bytes <= lane->raft_entry_bytes_max;
    uint32_t room = whole ? message.entry_bytes : WIRE_ENTRY_BYTES;
    struct outgoing *out =
        seal_to_member(lane, message.to, parcel->group, WIRE_RAFT_HEAD_BYTES + room);
    if (out == NULL)
        return;
    uint8_t *entries = out->writer.data + out->writer.bytes + WIRE_RAFT_HEAD_BYTES;
    uint32_t copied = whole ? log_copy(log, message.index + 1, message.entry_count,
                                       parcel->as.raft.last_term, entries, message.entry_bytes)
                            : copy_header(log, parcel, entries);
    if (copied != room || log_first_index(log) > message.index + 1) {
        count_event(lane, LANE_ENTRY_GONE);
        return;
    }
    message.entry_bytes = strip(entries, copied);
    const uint8_t *body = wire_put_raft(&out->writer, &message);
    ENSURE(body == entries); /* room was asked for, and the head goes before what lies there */
    out->reply = false;
}
