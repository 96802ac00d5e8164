/* checksum.h: the Internet checksum (RFC 1071).
 *
 * Shape: a one's complement sum of 16-bit words in memory order, so it needs no byte swapping: sum
 * the pieces, fold once, store. Only the last piece may have an odd length. Memory, threads, time,
 * refusals: none.
 * Limits: 2^32 bytes. Cost: two additions per 8 bytes; not measured.
 */
#ifndef DATAPLANE_PORT_CHECKSUM_H
#define DATAPLANE_PORT_CHECKSUM_H

#include "numa/base/bits.h"

__extension__ typedef unsigned __int128
    checksum_wide; /* the carries of a 64-bit sum gather above it */

/* Not yet folded: congruent to the sum of the words modulo 65,535. */
static inline uint64_t checksum_add(uint64_t sum, const void *bytes, size_t count)
{
    const uint8_t *at = (const uint8_t *)bytes;
    checksum_wide wide = sum;
    for (; count >= 32; count -= 32, at += 32) {
        wide += load_u64(at);
        wide += load_u64(at + 8);
        wide += load_u64(at + 16);
        wide += load_u64(at + 24);
    }
    for (; count >= 8; count -= 8, at += 8)
        wide += load_u64(at);
    if (count > 0) {
        uint64_t last = 0;
        memcpy(&last, at, count);
        wide += last;
    }
    uint64_t low = (uint64_t)wide, high = (uint64_t)(wide >> 64);
    return (low & UINT32_MAX) + (low >> 32) + high;
}

/* 0 to 65,535; a valid packet, its checksum included, folds to 65,535. */
static inline uint16_t checksum_fold(uint64_t sum)
{
    sum = (sum & UINT32_MAX) + (sum >> 32);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    sum = (sum & UINT16_MAX) + (sum >> 16);
    return (uint16_t)sum;
}

/* What goes into an IPv4 or ICMP header. */
static inline uint16_t checksum_of(uint64_t sum)
{
    return (uint16_t)~checksum_fold(sum);
}

/* What goes into a UDP header: 0 there would say that there is none. */
static inline uint16_t checksum_of_udp(uint64_t sum)
{
    uint16_t checksum = checksum_of(sum);
    return checksum == 0 ? UINT16_MAX : checksum;
}

#endif
