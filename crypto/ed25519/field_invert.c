#include "crypto/ed25519/field.h"

/* Bernstein and Yang, "Fast constant-time gcd computation and modular inversion" (2019), in the
 * variable-time form: f = p and g = a are taken through division steps, 62 at a time on their low
 * words alone; the steps' matrix is then applied to f, g and to d, e, which keep f = a d and g = a
 * e modulo p. When g is 0, f is 1 or -1, and d the inverse or its negative. */

__extension__ typedef __int128 invert_wide;

#define WORDS     5
#define WORD_BITS 62
#define WORD_MASK (UINT64_MAX >> 2)

/* The number sum of word[i] 2^(62 i); all words but the last lie in [0, 2^62). */
struct signed62 {
    int64_t word[WORDS];
};

/* Times 2^62, what the steps do to (f, g). */
struct matrix {
    int64_t u, v, q, r;
};

static const struct signed62 modulus = {{-19, 0, 0, 0, 128}};
static const uint64_t modulus_inverse = UINT64_C(0x39435e50d79435e5); /* of p, modulo 2^62 */

/* `eta` is minus the paper's delta. Steps on even g are shifts; on odd g they add such a multiple
 * of f that several low bits become 0 at once. */
static int64_t divide_steps(int64_t eta, uint64_t f, uint64_t g, struct matrix *matrix)
{
    uint64_t u = 1, v = 0, q = 0, r = 1;
    int left = WORD_BITS;
    for (;;) {
        int zeros = __builtin_ctzll(g | UINT64_MAX << left);
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        eta -= zeros;
        left -= zeros;
        if (left == 0)
            break;
        if (eta < 0) {
            uint64_t old_f = f, old_u = u, old_v = v;
            eta = -eta;
            f = g;
            g = 0 - old_f;
            u = q;
            q = 0 - old_u;
            v = r;
            r = 0 - old_v;
        }
        /* no more bits than steps are left, nor than delta lets pass without a swap */
        int64_t bits = eta + 1 > left ? left : eta + 1;
        uint64_t mask = (UINT64_MAX >> (64 - bits)) & 63;
        uint64_t times = (f * g * (f * f - 2)) & mask; /* -g / f modulo 2^6 */
        g += f * times;
        q += u * times;
        r += v * times;
    }
    *matrix = (struct matrix){(int64_t)u, (int64_t)v, (int64_t)q, (int64_t)r};
    return eta;
}

/* (f, g) by the matrix, over 2^62: exact. */
static void update_gcd(struct signed62 *f, struct signed62 *g, const struct matrix *m)
{
    invert_wide cf = 0, cg = 0;
    for (int i = 0; i < WORDS; i++) {
        int64_t fi = f->word[i], gi = g->word[i];
        cf += (invert_wide)m->u * fi + (invert_wide)m->v * gi;
        cg += (invert_wide)m->q * fi + (invert_wide)m->r * gi;
        if (i > 0) {
            f->word[i - 1] = (int64_t)((uint64_t)cf & WORD_MASK);
            g->word[i - 1] = (int64_t)((uint64_t)cg & WORD_MASK);
        }
        cf >>= WORD_BITS;
        cg >>= WORD_BITS;
    }
    f->word[WORDS - 1] = (int64_t)cf;
    g->word[WORDS - 1] = (int64_t)cg;
}

/* (d, e) by the matrix, over 2^62 modulo p, from and to (-2p, p): multiples of p make the low words
 * 0. */
static void update_inverse(struct signed62 *d, struct signed62 *e, const struct matrix *m)
{
    int64_t d_minus = d->word[WORDS - 1] >> 63, e_minus = e->word[WORDS - 1] >> 63;
    int64_t md = (m->u & d_minus) + (m->v & e_minus), me = (m->q & d_minus) + (m->r & e_minus);
    invert_wide cd = (invert_wide)m->u * d->word[0] + (invert_wide)m->v * e->word[0];
    invert_wide ce = (invert_wide)m->q * d->word[0] + (invert_wide)m->r * e->word[0];
    md -= (int64_t)((modulus_inverse * (uint64_t)cd + (uint64_t)md) & WORD_MASK);
    me -= (int64_t)((modulus_inverse * (uint64_t)ce + (uint64_t)me) & WORD_MASK);
    cd = (cd + (invert_wide)modulus.word[0] * md) >> WORD_BITS;
    ce = (ce + (invert_wide)modulus.word[0] * me) >> WORD_BITS;
    for (int i = 1; i < WORDS; i++) {
        int64_t di = d->word[i], ei = e->word[i];
        cd += (invert_wide)m->u * di + (invert_wide)m->v * ei + (invert_wide)modulus.word[i] * md;
        ce += (invert_wide)m->q * di + (invert_wide)m->r * ei + (invert_wide)modulus.word[i] * me;
        d->word[i - 1] = (int64_t)((uint64_t)cd & WORD_MASK);
        e->word[i - 1] = (int64_t)((uint64_t)ce & WORD_MASK);
        cd >>= WORD_BITS;
        ce >>= WORD_BITS;
    }
    d->word[WORDS - 1] = (int64_t)cd;
    e->word[WORDS - 1] = (int64_t)ce;
}

/* out = `sign` times a + `times` p, its words in order. */
static void combine(struct signed62 *a, int64_t sign, int64_t times)
{
    int64_t carry = 0;
    for (int i = 0; i < WORDS; i++) {
        int64_t word = sign * a->word[i] + times * modulus.word[i] + carry;
        bool last = i == WORDS - 1;
        a->word[i] = last ? word : (int64_t)((uint64_t)word & WORD_MASK);
        carry = word >> WORD_BITS;
    }
}

static bool is_zero(const struct signed62 *a)
{
    int64_t any = 0;
    for (int i = 0; i < WORDS; i++)
        any |= a->word[i];
    return any == 0;
}

void ed25519_field_invert_public(struct field *out, const struct field *a)
{
    struct signed62 f = modulus, g, d = {{0}}, e = {{1}};
    struct matrix matrix;
    uint8_t bytes[32];
    uint64_t w[4];
    int64_t eta = -1;
    ed25519_field_store(bytes, a);
    memcpy(w, bytes, sizeof w);
    g.word[0] = (int64_t)(w[0] & WORD_MASK);
    g.word[1] = (int64_t)((w[0] >> 62 | w[1] << 2) & WORD_MASK);
    g.word[2] = (int64_t)((w[1] >> 60 | w[2] << 4) & WORD_MASK);
    g.word[3] = (int64_t)((w[2] >> 58 | w[3] << 6) & WORD_MASK);
    g.word[4] = (int64_t)(w[3] >> 56);
    while (!is_zero(&g)) {
        /* the low 64 bits of f and g, of which 62 matter */
        eta = divide_steps(eta, (uint64_t)f.word[0] | (uint64_t)f.word[1] << WORD_BITS,
                           (uint64_t)g.word[0] | (uint64_t)g.word[1] << WORD_BITS, &matrix);
        update_gcd(&f, &g, &matrix);
        update_inverse(&d, &e, &matrix);
    }
    combine(&d, 1, d.word[WORDS - 1] < 0);
    combine(&d, f.word[WORDS - 1] < 0 ? -1 : 1, 0);
    combine(&d, 1, d.word[WORDS - 1] < 0);
    const uint64_t v[WORDS] = {(uint64_t)d.word[0], (uint64_t)d.word[1], (uint64_t)d.word[2],
                               (uint64_t)d.word[3], (uint64_t)d.word[4]};
    store_u64(bytes, v[0] | v[1] << 62);
    store_u64(bytes + 8, v[1] >> 2 | v[2] << 60);
    store_u64(bytes + 16, v[2] >> 4 | v[3] << 58);
    store_u64(bytes + 24, v[3] >> 6 | v[4] << 56);
    field_load(out, bytes);
}
