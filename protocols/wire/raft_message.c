#include "protocols/wire/fragment.h"
#include "protocols/wire/members.h"
#include "protocols/wire/message.h"

#define RAFT_FIXED_BYTES 48u
#define RAFT_FLAGS       (2u * WIRE_RAFT_DOUBT - 1u) /* that one and all before it */

static void write_fixed(uint8_t *body, const struct wire_raft *message)
{
    store_u64(body, message->term);
    store_u64(body + 8, message->index);
    store_u64(body + 16, message->log_term);
    store_u64(body + 24, message->commit);
    store_u64(body + 32, message->round);
    store_u32(body + 40, message->entry_count);
    store_u32(body + 44, message->entry_bytes);
}

uint8_t *wire_put_raft(struct wire_writer *writer, const struct wire_raft *message)
{
    uint8_t *body = wire_message_begin(writer, message->kind, message->flags, message->group,
                                       (uint64_t)RAFT_FIXED_BYTES + message->entry_bytes);
    if (body == NULL)
        return NULL;
    write_fixed(body, message);
    return body + RAFT_FIXED_BYTES;
}

void wire_raft_head(uint8_t head[WIRE_RAFT_HEAD_BYTES], const struct wire_raft *message)
{
    wire_message_header(head, message->kind, message->flags, message->group,
                        (uint64_t)WIRE_RAFT_HEAD_BYTES + message->entry_bytes);
    write_fixed(head + WIRE_MESSAGE_BYTES, message);
}

static bool entry_body_fits_kind(uint8_t kind, uint32_t body_bytes)
{
    if (LIKELY(kind == WIRE_ENTRY_COMMAND))
        return body_bytes >= WIRE_COMMAND_BYTES && body_bytes <= WIRE_BODY_BYTES_MAX;
    if (kind == WIRE_ENTRY_CONFIG)
        return body_bytes >= wire_members_size(1) && body_bytes <= WIRE_MEMBERS_BYTES_MAX;
    return kind != 0 && kind < WIRE_ENTRY_KIND_COUNT && body_bytes == 0;
}

/* Only lengths and numbers: a command is decoded where it is applied, and answered there if it is
 * bad; a configuration is decoded where it is appended. */
static bool entries_tile(const struct wire_raft *message, const uint8_t *at)
{
    uint64_t left = message->entry_bytes;
    uint64_t term = max_u64(message->log_term, 1);
    if (UNLIKELY(message->index > UINT64_MAX - message->entry_count))
        return false;
    for (uint64_t i = 1; i <= message->entry_count; i++) {
        if (UNLIKELY(left < WIRE_ENTRY_BYTES))
            return false;
        uint32_t body_bytes = load_u32(at);
        if (UNLIKELY(!entry_body_fits_kind(at[4], body_bytes) || at[5] != 0))
            return false;
        uint32_t size = wire_entry_size(body_bytes);
        uint64_t entry_term = load_u64(at + offsetof(struct wire_entry, term));
        if (UNLIKELY(size > left || load_u16(at + 6) != message->group || entry_term < term ||
                     entry_term > message->term ||
                     load_u64(at + offsetof(struct wire_entry, index)) != message->index + i ||
                     load_u64(at + offsetof(struct wire_entry, time_ms)) > WIRE_TIME_MS_MAX))
            return false;
        term = entry_term;
        at += size;
        left -= size;
    }
    return left == 0;
}

void wire_read_raft(const struct wire_view *view, struct wire_raft *message)
{
    const uint8_t *body = view->body;
    *message = (struct wire_raft){
        .kind = view->kind,
        .flags = view->flags,
        .group = view->group,
        .entry_count = load_u32(body + 40),
        .entry_bytes = load_u32(body + 44),
        .term = load_u64(body),
        .index = load_u64(body + 8),
        .log_term = load_u64(body + 16),
        .commit = load_u64(body + 24),
        .round = load_u64(body + 32),
    };
}

static bool is_raft(uint8_t kind)
{
    return (kind >= WIRE_PREVOTE && kind <= WIRE_TIMEOUT_NOW) || kind == WIRE_READ_INDEX ||
           kind == WIRE_READ_INDEX_REPLY;
}

enum wire_refusal wire_get_raft(const struct wire_view *view, struct wire_raft *message,
                                const uint8_t **entries)
{
    if (UNLIKELY(!is_raft(view->kind)))
        return WIRE_REFUSED_MESSAGE_KIND;
    if (UNLIKELY(view->bytes < RAFT_FIXED_BYTES))
        return WIRE_REFUSED_MESSAGE_SHORT;
    if (UNLIKELY((view->flags & ~RAFT_FLAGS) != 0))
        return WIRE_REFUSED_RESERVED;
    wire_read_raft(view, message);
    *entries = view->body + RAFT_FIXED_BYTES;
    if (UNLIKELY(message->entry_bytes != view->bytes - RAFT_FIXED_BYTES))
        return WIRE_REFUSED_ENTRIES;
    if (message->entry_count == 0)
        return message->entry_bytes == 0 ? WIRE_OK : WIRE_REFUSED_ENTRIES;
    if (UNLIKELY(view->kind != WIRE_APPEND || !entries_tile(message, *entries)))
        return WIRE_REFUSED_ENTRIES;
    return WIRE_OK;
}
