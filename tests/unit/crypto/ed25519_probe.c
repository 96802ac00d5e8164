#include "tests/unit/crypto/ed25519_probe.h"

#include "crypto/ed25519/avx2_field.h"
#include "crypto/ed25519/ifma_scalar.h"
#include "crypto/ed25519/lanes.h"
#include "crypto/ed25519/table.h"
#include "crypto/ed25519/work.h"

#include <stdlib.h>

void probe_field(enum probe_operation operation, uint8_t out[32], const uint64_t a[PROBE_LIMBS],
                 const uint64_t b[PROBE_LIMBS])
{
    struct field left, right, result;
    memcpy(left.limb, a, sizeof left);
    memcpy(right.limb, b, sizeof right);
    switch (operation) {
    case PROBE_MULTIPLY:
        field_mul(&result, &left, &right);
        break;
    case PROBE_SQUARE:
        field_square(&result, &left);
        break;
    case PROBE_ADD:
        field_add(&result, &left, &right);
        break;
    case PROBE_SUBTRACT:
        field_sub(&result, &left, &right);
        break;
    case PROBE_INVERT:
        ed25519_field_invert(&result, &left);
        ed25519_field_invert_public(&right, &left);
        ENSURE(ed25519_field_equal(&result, &right));
        break;
    case PROBE_CARRY:
    default:
        field_carry(&result, &left);
        break;
    }
    ed25519_field_store(out, &result);
}

static IFMA_TARGET void ifma_lanes(enum probe_operation operation, uint8_t out[PROBE_LANES][32],
                                   const struct field a[PROBE_LANES],
                                   const struct field b[PROBE_LANES])
{
    struct ifma_field left, right, result;
    ifma_from_lanes(&left, a);
    ifma_from_lanes(&right, b);
    switch (operation) {
    case PROBE_MULTIPLY:
        ifma_multiply(&result, &left, &right);
        break;
    case PROBE_MULTIPLY_LIFTED:
        ifma_multiply_lifted(&result, &left, &right, IFMA_LIFT);
        break;
    case PROBE_ADD:
        ifma_sum(&result, &left, &right);
        break;
    case PROBE_SUBTRACT:
        ifma_difference(&result, &left, &right);
        break;
    case PROBE_INVERT:
        ed25519_ifma_invert(&result, &left, true);
        ed25519_ifma_invert(&right, &left, false);
        break;
    default:
        result = left;
        break;
    }
    __m512i word[4];
    uint64_t words[4][IFMA_LANES];
    ifma_carry(&result, &result);
    ifma_pack(word, &result);
    for (int i = 0; i < 4; i++)
        _mm512_storeu_si512(words[i], word[i]);
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        for (uint32_t i = 0; i < 4; i++)
            store_u64(out[l] + (size_t)8 * i, words[i][l]);
    }
}

static AVX2_TARGET void avx2_lanes(enum probe_operation operation, uint8_t out[][32],
                                   const uint64_t a[AVX2_LANES][PROBE_WIDE_LIMBS],
                                   const uint64_t b[AVX2_LANES][PROBE_WIDE_LIMBS])
{
    struct avx2_field left, right, result;
    struct field lane[AVX2_LANES], *to[AVX2_LANES];
    for (int i = 0; i < AVX2_LIMBS; i++) {
        left.row[i] = _mm256_set_epi64x((int64_t)a[3][i], (int64_t)a[2][i], (int64_t)a[1][i],
                                        (int64_t)a[0][i]);
        right.row[i] = _mm256_set_epi64x((int64_t)b[3][i], (int64_t)b[2][i], (int64_t)b[1][i],
                                         (int64_t)b[0][i]);
    }
    switch (operation) {
    case PROBE_MULTIPLY:
        avx2_multiply(&result, &left, &right);
        break;
    case PROBE_ADD:
        avx2_sum(&result, &left, &right);
        break;
    case PROBE_SUBTRACT:
        avx2_difference(&result, &left, &right);
        break;
    default:
        result = left;
        break;
    }
    avx2_carry(&result, &result);
    for (uint32_t l = 0; l < AVX2_LANES; l++)
        to[l] = &lane[l];
    avx2_to_lanes(to, &result);
    for (uint32_t l = 0; l < AVX2_LANES; l++)
        ed25519_field_store(out[l], &lane[l]);
}

void probe_ifma(enum probe_operation operation, uint8_t out[PROBE_LANES][32],
                const uint64_t a[PROBE_LANES][PROBE_LIMBS],
                const uint64_t b[PROBE_LANES][PROBE_LIMBS])
{
    struct field left[PROBE_LANES], right[PROBE_LANES];
    memcpy(left, a, sizeof left);
    memcpy(right, b, sizeof right);
    ifma_lanes(operation, out, left, right);
}

void probe_avx2(enum probe_operation operation, uint8_t out[4][32],
                const uint64_t a[4][PROBE_WIDE_LIMBS], const uint64_t b[4][PROBE_WIDE_LIMBS])
{
    avx2_lanes(operation, out, a, b);
}

uint64_t probe_base_multiple(enum ed25519_backend backend, const struct ed25519_base *base,
                             const uint8_t *scalars, const uint8_t *encoded, uint32_t count)
{
    static struct work work;
    static struct ed25519_job job[WORK_MAX];
    static uint8_t key[ED25519_KEY_BYTES];
    uint32_t window = ED25519_WINDOW_MIN;
    uint8_t *table = aligned_alloc(CACHE_LINE_BYTES, ed25519_table_bytes(window));
    ENSURE(table != NULL && count <= WORK_MAX);
    ed25519_table_build(table, window, &ed25519_point_neutral, ED25519_PORTABLE);
    work.base = base;
    work.key_window = window;
    work.count = count;
    for (uint32_t i = 0; i < count; i++) {
        job[i] = (struct ed25519_job){.signature = encoded + (size_t)32 * i};
        work.job[i] = &job[i];
        work.key[i] = key;
        work.table[i] = table;
        ed25519_scalar_load(&work.s[i], scalars + (size_t)32 * i);
    }
    uint64_t good = 0;
    switch (backend) {
    case ED25519_IFMA:
        good = ed25519_ifma_verify(&work);
        break;
    case ED25519_AVX2:
        good = ed25519_avx2_verify(&work);
        break;
    case ED25519_PORTABLE:
        good = ed25519_portable_verify(&work);
        break;
    }
    free(table);
    return good;
}

void probe_reduce(uint8_t out[32], const uint8_t wide[64])
{
    uint64_t words[8];
    struct scalar scalar;
    memcpy(words, wide, sizeof words);
    ed25519_scalar_reduce(&scalar, words);
    ed25519_scalar_store(out, &scalar);
}

static IFMA_TARGET void reduce_lanes(uint64_t words[4][PROBE_LANES],
                                     const uint64_t wide[PROBE_LANES][8])
{
    __m512i row[8], word[4];
    for (int i = 0; i < 8; i++)
        row[i] = _mm512_set_epi64((int64_t)wide[7][i], (int64_t)wide[6][i], (int64_t)wide[5][i],
                                  (int64_t)wide[4][i], (int64_t)wide[3][i], (int64_t)wide[2][i],
                                  (int64_t)wide[1][i], (int64_t)wide[0][i]);
    ifma_scalar_reduce(word, row);
    for (int i = 0; i < 4; i++)
        _mm512_storeu_si512(words[i], word[i]);
}

void probe_reduce_lanes(uint8_t out[PROBE_LANES][32], const uint64_t wide[PROBE_LANES][8])
{
    uint64_t words[4][PROBE_LANES];
    reduce_lanes(words, wide);
    for (uint32_t l = 0; l < PROBE_LANES; l++) {
        for (uint32_t i = 0; i < 4; i++)
            store_u64(out[l] + (size_t)8 * i, words[i][l]);
    }
}

void probe_multiply_add(uint8_t out[32], const uint8_t a[32], const uint8_t b[32],
                        const uint8_t c[32])
{
    struct scalar left, right, more;
    ed25519_scalar_load(&left, a);
    ed25519_scalar_load(&right, b);
    ed25519_scalar_load(&more, c);
    ed25519_scalar_multiply_add(&left, &left, &right, &more);
    ed25519_scalar_store(out, &left);
}

void probe_hash(uint8_t digest[][64], const uint8_t *const head[], bool long_head,
                const uint8_t *const message[], const size_t message_bytes[], uint32_t count)
{
    struct lanes_text text[PROBE_LANES];
    uint64_t words[PROBE_LANES][8];
    for (uint32_t i = 0; i < count; i++)
        text[i] = (struct lanes_text){
            {head[i], long_head ? head[i] + 32 : NULL}, message[i], message_bytes[i]};
    ed25519_ifma_sha512(words, text, count);
    memcpy(digest, words, count * sizeof words[0]);
}
