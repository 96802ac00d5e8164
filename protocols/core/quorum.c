#include "protocols/core/quorum.h"

static uint32_t member_count(member_set set)
{
    return (uint32_t)__builtin_popcountll(set);
}

static bool majority_of(member_set voters, member_set yes)
{
    return member_count(voters & yes) >= quorum_majority(member_count(voters));
}

bool quorum_reached(const struct quorum_rule *rule, member_set yes)
{
    if (rule->incoming == 0)
        return false;
    return majority_of(rule->incoming, yes) &&
           (rule->outgoing == 0 || majority_of(rule->outgoing, yes));
}

bool quorum_possible(const struct quorum_rule *rule, member_set no)
{
    return quorum_reached(rule, ~no);
}

/* The k-th largest, k being the majority: the k largest so far are kept in falling order. */
static uint64_t majority_value(member_set voters, const uint64_t value[QUORUM_MEMBERS_MAX])
{
    uint64_t largest[QUORUM_MEMBERS_MAX];
    uint32_t needed = quorum_majority(member_count(voters));
    uint32_t kept = 0;
    for (member_set left = voters; left != 0; left &= left - 1) {
        uint64_t candidate = value[__builtin_ctzll(left)];
        uint32_t at = kept;
        if (kept < needed)
            kept++;
        else if (candidate > largest[needed - 1])
            at = needed - 1;
        else
            continue;
        for (; at > 0 && largest[at - 1] < candidate; at--)
            largest[at] = largest[at - 1];
        largest[at] = candidate;
    }
    return largest[needed - 1];
}

uint64_t quorum_value(const struct quorum_rule *rule, const uint64_t value[QUORUM_MEMBERS_MAX])
{
    if (rule->incoming == 0)
        return 0;
    uint64_t incoming = majority_value(rule->incoming, value);
    return rule->outgoing == 0 ? incoming
                               : min_u64(incoming, majority_value(rule->outgoing, value));
}
