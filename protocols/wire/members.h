/* members.h: who belongs to a group, as bytes: the body of a configuration entry, and what goes in
 * front of a snapshot.
 *
 * Shape: members in ascending order of their ids, each with a role, and while a change is on its
 * way (joint consensus) with the role that it had before.
 *
 *   members   | count 2 | joint 1 | level 1 | zero 4 | member | ...   body of WIRE_ENTRY_CONFIG
 *   member    | id 2 | role 1 | old role 1 | zero 4 | nonce 8 |
 *   snapshot  | raft 48 (entry_bytes: the rest) | members_index 8 | snapshot bytes 8 | members |
 *
 *   A stable configuration has no old roles. In a joint one each member has at least one of both:
 *   without a role it is leaving, without an old role it has just come in, and then as a learner,
 *   for there is no other way in. (id, nonce) is an identity: the nonce was drawn with the member's
 *   log, so who lost its log is somebody else, whatever its id.
 *   The hash in frames is of the cluster and the identities of its first configuration, and never
 *   changes: it says which cluster this is, not who is in it today.
 *
 *   The level never falls: see wire_level.
 *
 * Memory: the caller's. Threads: pure functions. Time: none.
 * Limits: WIRE_MEMBERS_MAX members in both halves together.
 * Refusals: WIRE_REFUSED_MEMBERS for whatever is not the one encoding of a configuration that the
 *   rules above allow, with a voter in each half that keeps a full copy; WIRE_REFUSED_LEVEL for one
 *   above wire_level.
 * Cost: O(members); measured: not measured.
 * Source: Raft (Ongaro, thesis 2014) §4.3; learners §4.2.1 (non-voting servers).
 */
#ifndef PROTOCOLS_WIRE_MEMBERS_H
#define PROTOCOLS_WIRE_MEMBERS_H

#include "protocols/wire/wire.h"

#define WIRE_MEMBERS_MAX        64u
#define WIRE_MEMBERS_HEAD_BYTES 8u
#define WIRE_MEMBER_BYTES       16u
#define WIRE_MEMBERS_BYTES_MAX  (WIRE_MEMBERS_HEAD_BYTES + WIRE_MEMBERS_MAX * WIRE_MEMBER_BYTES)

enum wire_role {
    WIRE_ROLE_NONE = 0,
    WIRE_ROLE_LEARNER, /* is sent everything; does not vote, does not lead, does not count */
    WIRE_ROLE_VOTER,
    WIRE_ROLE_WITNESS, /* votes and keeps terms, but no copy of the state: it never leads */
    WIRE_ROLE_COUNT
};

struct wire_member {
    uint16_t id;
    uint8_t role;     /* enum wire_role, of the configuration that comes, or is */
    uint8_t old_role; /* of the one that goes; NONE in a stable configuration */
    uint64_t nonce;
};

struct wire_members {
    uint16_t count;
    bool joint;
    uint8_t level; /* what all members speak, and rely on */
    struct wire_member member[WIRE_MEMBERS_MAX];
};

static inline uint32_t wire_members_size(uint32_t count)
{
    return WIRE_MEMBERS_HEAD_BYTES + count * WIRE_MEMBER_BYTES;
}

/* Is it a configuration that may exist? See refusals. */
bool wire_members_valid(const struct wire_members *members);

/* `to` has wire_members_size(members->count) bytes; members must be valid. */
void wire_members_encode(const struct wire_members *members, uint8_t *to);
enum wire_refusal wire_members_decode(const uint8_t *body, uint32_t bytes,
                                      struct wire_members *members);

/* What a leader says before it streams a snapshot (§5, InstallSnapshot): `head` is a WIRE_SNAPSHOT
 * with index and log_term of the last entry that the snapshot covers. Its bytes travel
 * elsewhere. */
struct wire_snapshot {
    struct wire_raft head;
    uint64_t members_index; /* of the entry that brought its configuration; 0: the first one */
    uint64_t bytes;         /* of the snapshot */
    struct wire_members members;
};

/* False: no room. head.entry_count must be 0; entry_bytes is filled in. */
bool wire_put_snapshot(struct wire_writer *writer, const struct wire_snapshot *snapshot);
enum wire_refusal wire_get_snapshot(const struct wire_view *view, struct wire_snapshot *snapshot);

#endif
