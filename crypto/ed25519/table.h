/* table.h: where the multiples of a point lie, and how they get there.
 *
 * Shape: a scalar below L is cut into windows of w bits, recoded to digits d with |d| <= 2^(w-1);
 * the last window takes what is left up to bit 252 and is never negative. Recoding keeps the
 * integer: nothing is added that is a multiple of L.
 *
 *    entry 0                the neutral point, for every digit 0
 *    entry i 2^(w-1) + d    d 2^(w i) P, for 1 <= d <= 2^(w-1); in the last window d <= 2^(252 - w
 *                           i)
 *
 * A window of w bits has n = ceil(252 / w) digits. The last digit of a scalar below L is at most
 * 2^(252 - w (n-1)): from 2^252 on, the bits from 125 to 251 are 0, so no carry comes in.
 * Memory: the caller's, aligned to 32 bytes. Threads: any. Time: public data, no promise. Limits:
 * ED25519_WINDOW_MIN to ED25519_WINDOW_MAX. Refusals: none. Cost: docs/ed25519.md; about 15
 * products an entry.
 */
#ifndef CRYPTO_ED25519_TABLE_H
#define CRYPTO_ED25519_TABLE_H

#include "crypto/ed25519/ed25519.h"
#include "crypto/ed25519/point.h"
#include "crypto/ed25519/scalar.h"

#define TABLE_WINDOWS_MAX  63u
#define TABLE_SCALAR_LIMIT 252u /* the last window reaches up to this bit, and takes it in */

static inline uint32_t table_windows(uint32_t window)
{
    ENSURE(window >= ED25519_WINDOW_MIN && window <= ED25519_WINDOW_MAX);
    return (TABLE_SCALAR_LIMIT + window - 1) / window;
}

/* Digits of the last window go up to this. */
static inline uint32_t table_last_digit(uint32_t window)
{
    uint32_t bits = TABLE_SCALAR_LIMIT - window * (table_windows(window) - 1);
    ENSURE(bits <= ED25519_WINDOW_MAX);
    return UINT32_C(1) << bits;
}

static inline uint32_t table_entries(uint32_t window)
{
    return ((table_windows(window) - 1) << (window - 1)) + table_last_digit(window) + 1;
}

/* Fills the table of a point. */
void ed25519_table_build(uint8_t *table, uint32_t window, const struct point *point,
                         enum ed25519_backend backend);

/* All but entry 0, eight windows at a time. */
void ed25519_ifma_table_build(uint8_t *table, uint32_t window, const struct point *point);

/* 1, 2, ... `count` times the point, one entry after the other. */
void ed25519_table_multiples(uint8_t *to, const struct point *point, uint32_t count);

/* The digits of a scalar below L. */
void ed25519_table_digits(int16_t digits[TABLE_WINDOWS_MAX], const struct scalar *scalar,
                          uint32_t window);

#endif
