#include "crypto/ed25519/scalar.h"

#include "numa/base/bits.h"

#include <sodium.h>

__extension__ typedef unsigned __int128 scalar_wide;

/* L = 2^252 + c */
#define C0 UINT64_C(0x5812631a5cf5d3ed)
#define C1 UINT64_C(0x14def9dea2f79cd6)

static const uint64_t order[SCALAR_WORDS] = {C0, C1, 0, UINT64_C(1) << 60};
static const uint64_t order_twice[SCALAR_WORDS] = {C0 << 1, C1 << 1 | C0 >> 63, 0,
                                                   UINT64_C(1) << 61};

void ed25519_scalar_load(struct scalar *out, const uint8_t bytes[32])
{
    for (int i = 0; i < SCALAR_WORDS; i++)
        out->word[i] = load_u64(bytes + 8 * i);
}

void ed25519_scalar_store(uint8_t bytes[32], const struct scalar *a)
{
    for (int i = 0; i < SCALAR_WORDS; i++)
        store_u64(bytes + 8 * i, a->word[i]);
}

bool ed25519_scalar_canonical(const struct scalar *a)
{
    for (int i = SCALAR_WORDS - 1; i > 0; i--) {
        if (a->word[i] != order[i])
            return a->word[i] < order[i];
    }
    return a->word[0] < order[0];
}

static inline uint64_t add_words(uint64_t *to, const uint64_t *a, int count)
{
    uint64_t carry = 0;
    for (int i = 0; i < count; i++) {
        scalar_wide sum = (scalar_wide)to[i] + a[i] + carry;
        to[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    return carry;
}

static inline uint64_t subtract_words(uint64_t *to, const uint64_t *a, int count)
{
    uint64_t borrow = 0;
    for (int i = 0; i < count; i++) {
        scalar_wide difference = (scalar_wide)to[i] - a[i] - borrow;
        to[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return borrow;
}

/* out, of count + 2 words, = c times a. */
static inline void multiply_c(uint64_t *out, const uint64_t *a, int count)
{
    uint64_t low = 0, high = 0;
    for (int i = 0; i < count; i++) {
        scalar_wide first = (scalar_wide)a[i] * C0 + low;
        scalar_wide second = (scalar_wide)a[i] * C1 + high + (uint64_t)(first >> 64);
        out[i] = (uint64_t)first;
        low = (uint64_t)second;
        high = (uint64_t)(second >> 64);
    }
    out[count] = low;
    out[count + 1] = high;
}

/* Cuts `count` words at bit 252: the upper part to `high` (count - 3 words), the lower stays. */
static inline void cut(uint64_t *high, uint64_t *words, int count)
{
    for (int i = 0; i < count - 3; i++)
        high[i] = words[3 + i] >> 60 | (4 + i < count ? words[4 + i] << 4 : 0);
    words[3] &= (UINT64_C(1) << 60) - 1;
}

static inline void subtract_if_not_below(uint64_t value[SCALAR_WORDS], const uint64_t *modulus)
{
    uint64_t back[SCALAR_WORDS];
    uint64_t below = 0 - subtract_words(value, modulus, SCALAR_WORDS);
    for (int i = 0; i < SCALAR_WORDS; i++)
        back[i] = modulus[i] & below;
    (void)add_words(value, back, SCALAR_WORDS);
}

/* x = x1 2^252 + x0 is x0 - c x1; y = c x1 (below 2^385) and z = c y1 (below 2^258) are cut in the
 * same way, so that x is x0 - y0 + z0 - c z1. With 2L added that lies between 0 and 2^253 + 2L, so
 * below 2L after the first subtraction and below L after the second. */
void ed25519_scalar_reduce(struct scalar *out, const uint64_t wide[8])
{
    uint64_t x[8], y[7], z[6], w[3], x1[5], y1[4], z1[3];
    for (int i = 0; i < 8; i++)
        x[i] = wide[i];
    cut(x1, x, 8);
    multiply_c(y, x1, 5);
    cut(y1, y, 7);
    multiply_c(z, y1, 3); /* y1 is below 2^133: its fourth word is 0 */
    cut(z1, z, 5);
    multiply_c(w, z1, 1); /* z1 is below 2^6 */
    uint64_t low[SCALAR_WORDS] = {w[0], w[1], w[2], 0};
    (void)add_words(x, z, SCALAR_WORDS);
    (void)add_words(x, order_twice, SCALAR_WORDS);
    (void)subtract_words(x, y, SCALAR_WORDS);
    (void)subtract_words(x, low, SCALAR_WORDS);
    subtract_if_not_below(x, order_twice);
    subtract_if_not_below(x, order);
    for (int i = 0; i < SCALAR_WORDS; i++)
        out->word[i] = x[i];
}

void ed25519_scalar_multiply_add(struct scalar *out, const struct scalar *a, const struct scalar *b,
                                 const struct scalar *c)
{
    uint64_t product[8] = {0};
    for (int i = 0; i < SCALAR_WORDS; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < SCALAR_WORDS; j++) {
            scalar_wide sum = (scalar_wide)a->word[i] * b->word[j] + product[i + j] + carry;
            product[i + j] = (uint64_t)sum;
            carry = (uint64_t)(sum >> 64);
        }
        product[i + SCALAR_WORDS] = carry;
    }
    uint64_t carry = add_words(product, c->word, SCALAR_WORDS);
    for (int i = SCALAR_WORDS; i < 8; i++) {
        scalar_wide sum = (scalar_wide)product[i] + carry;
        product[i] = (uint64_t)sum;
        carry = (uint64_t)(sum >> 64);
    }
    ed25519_scalar_reduce(out, product);
    sodium_memzero(product, sizeof product);
}
