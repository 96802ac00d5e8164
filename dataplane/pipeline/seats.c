#include "dataplane/pipeline/seats.h"

#include "numa/base/assert.h"

#include <string.h>

#define NO_SEAT VIEW_MEMBERS_MAX

static uint32_t seat_of(const struct seats *seats, const struct view_member *member)
{
    for (uint64_t left = seats->taken; left != 0; left &= left - 1) {
        uint32_t seat = (uint32_t)__builtin_ctzll(left);
        if (seats->id[seat] == member->id && seats->incarnation[seat] == member->incarnation)
            return seat;
    }
    return NO_SEAT;
}

uint64_t seats_change(struct seats *seats, const struct view *view)
{
    uint64_t kept = 0, fresh = 0;
    for (uint32_t i = 0; i < view->member_count; i++) {
        uint32_t seat = seat_of(seats, &view->member[i]);
        seats->seat[i] = (uint8_t)seat;
        kept |= seat == NO_SEAT ? 0 : (uint64_t)1 << seat;
    }
    seats->taken = kept;
    for (uint32_t i = 0; i < view->member_count; i++) {
        if (seats->seat[i] != NO_SEAT)
            continue;
        ENSURE(seats->taken != UINT64_MAX); /* a view has no more members than there are seats */
        uint32_t seat = (uint32_t)__builtin_ctzll(~seats->taken);
        seats->seat[i] = (uint8_t)seat;
        seats->id[seat] = view->member[i].id;
        seats->incarnation[seat] = view->member[i].incarnation;
        seats->taken |= (uint64_t)1 << seat;
        fresh |= (uint64_t)1 << seat;
    }
    seats->epoch = view->epoch;
    return fresh;
}
