#include "protocols/wire/members.h"

#include "numa/base/assert.h"
#include "protocols/wire/fragment.h"
#include "protocols/wire/message.h"

#define SNAPSHOT_FIXED_BYTES 16u
#define RAFT_FIXED_BYTES     (WIRE_RAFT_HEAD_BYTES - WIRE_MESSAGE_BYTES)

/* ---- what may exist -------------------------------------------------------------------------- */

static bool roles_valid(const struct wire_member *member, bool joint)
{
    if (member->role >= WIRE_ROLE_COUNT || member->old_role >= WIRE_ROLE_COUNT)
        return false;
    if (!joint)
        return member->role != WIRE_ROLE_NONE && member->old_role == WIRE_ROLE_NONE;
    switch (member->old_role) {
    case WIRE_ROLE_NONE:
        return member->role == WIRE_ROLE_LEARNER;
    case WIRE_ROLE_WITNESS: /* it has no copy that it could come back with */
        return member->role == WIRE_ROLE_WITNESS || member->role == WIRE_ROLE_NONE;
    case WIRE_ROLE_VOTER:
        return member->role != WIRE_ROLE_WITNESS;
    default:
        return true;
    }
}

bool wire_members_valid(const struct wire_members *members)
{
    if (members->count == 0 || members->count > WIRE_MEMBERS_MAX)
        return false;
    bool voter = false, old_voter = false;
    for (uint32_t i = 0; i < members->count; i++) {
        const struct wire_member *member = &members->member[i];
        if (member->id == WIRE_NODE_CLIENT || (i > 0 && member->id <= member[-1].id) ||
            !roles_valid(member, members->joint))
            return false;
        voter |= member->role == WIRE_ROLE_VOTER;
        old_voter |= member->old_role == WIRE_ROLE_VOTER;
    }
    return voter && (old_voter || !members->joint);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

void wire_members_encode(const struct wire_members *members, uint8_t *to)
{
    ENSURE(wire_members_valid(members));
    store_u64(to, members->count | (uint64_t)members->joint << 16 | (uint64_t)members->level << 24);
    to += WIRE_MEMBERS_HEAD_BYTES;
    for (uint32_t i = 0; i < members->count; i++, to += WIRE_MEMBER_BYTES) {
        const struct wire_member *member = &members->member[i];
        store_u64(to, member->id | (uint64_t)member->role << 16 | (uint64_t)member->old_role << 24);
        store_u64(to + 8, member->nonce);
    }
}

enum wire_refusal wire_members_decode(const uint8_t *body, uint32_t bytes,
                                      struct wire_members *members)
{
    if (bytes < WIRE_MEMBERS_HEAD_BYTES)
        return WIRE_REFUSED_MEMBERS;
    uint64_t head = load_u64(body);
    uint32_t count = head & 0xffff;
    if (count > WIRE_MEMBERS_MAX || bytes != wire_members_size(count) || (head >> 17 & 0x7f) != 0 ||
        head >> 32 != 0)
        return WIRE_REFUSED_MEMBERS;
    *members = (struct wire_members){
        .count = (uint16_t)count, .joint = head >> 16 & 1, .level = (uint8_t)(head >> 24)};
    body += WIRE_MEMBERS_HEAD_BYTES;
    for (uint32_t i = 0; i < count; i++, body += WIRE_MEMBER_BYTES) {
        uint64_t word = load_u64(body);
        if (word >> 32 != 0)
            return WIRE_REFUSED_MEMBERS;
        members->member[i] = (struct wire_member){
            .id = (uint16_t)word,
            .role = (uint8_t)(word >> 16),
            .old_role = (uint8_t)(word >> 24),
            .nonce = load_u64(body + 8),
        };
    }
    if (!wire_members_valid(members))
        return WIRE_REFUSED_MEMBERS;
    return members->level <= wire_level ? WIRE_OK : WIRE_REFUSED_LEVEL;
}

/* ---- in front of a snapshot ------------------------------------------------------------------ */

bool wire_put_snapshot(struct wire_writer *writer, const struct wire_snapshot *snapshot)
{
    ENSURE(snapshot->head.kind == WIRE_SNAPSHOT && snapshot->head.entry_count == 0);
    struct wire_raft head = snapshot->head;
    head.entry_bytes = SNAPSHOT_FIXED_BYTES + wire_members_size(snapshot->members.count);
    uint8_t *body = wire_put_raft(writer, &head);
    if (body == NULL)
        return false;
    store_u64(body, snapshot->members_index);
    store_u64(body + 8, snapshot->bytes);
    wire_members_encode(&snapshot->members, body + SNAPSHOT_FIXED_BYTES);
    return true;
}

enum wire_refusal wire_get_snapshot(const struct wire_view *view, struct wire_snapshot *snapshot)
{
    if (view->kind != WIRE_SNAPSHOT)
        return WIRE_REFUSED_MESSAGE_KIND;
    if (view->bytes < RAFT_FIXED_BYTES + SNAPSHOT_FIXED_BYTES)
        return WIRE_REFUSED_MESSAGE_SHORT;
    if (view->flags != 0)
        return WIRE_REFUSED_RESERVED;
    wire_read_raft(view, &snapshot->head);
    const uint8_t *body = view->body + RAFT_FIXED_BYTES;
    uint32_t bytes = view->bytes - RAFT_FIXED_BYTES;
    snapshot->members_index = load_u64(body);
    snapshot->bytes = load_u64(body + 8);
    /* a snapshot of nothing, or with a configuration from after it, is none */
    if (snapshot->head.entry_count != 0 || snapshot->head.entry_bytes != bytes ||
        snapshot->head.index == 0 || snapshot->head.log_term == 0 ||
        snapshot->head.log_term > snapshot->head.term ||
        snapshot->members_index > snapshot->head.index)
        return WIRE_REFUSED_MEMBERS;
    return wire_members_decode(body + SNAPSHOT_FIXED_BYTES, bytes - SNAPSHOT_FIXED_BYTES,
                               &snapshot->members);
}
