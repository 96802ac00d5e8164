#include "crypto/ed25519/ifma_scalar.h"
#include "crypto/ed25519/lanes.h"
#include "crypto/ed25519/sha512.h"

#define HALF_BYTES  64u
#define BLOCK_BYTES 128u

struct lane {
    const uint8_t *head[2];
    const uint8_t *message;
    uint64_t head_bytes;
    uint64_t bytes; /* of the whole text */
    uint64_t blocks;
};

/* Bytes [from, from + 64) of the padded text, but for the length at its end. */
IFMA_INLINE __m512i lane_half(const struct lane *lane, uint64_t from)
{
    __m512i half = _mm512_setzero_si512();
    uint64_t at = from; /* where the message goes on */
    uint32_t shift = 0; /* bytes of the head before it */
    if (from == 0) {
        half = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)lane->head[0]));
        half = _mm512_zextsi256_si512(_mm512_castsi512_si256(half));
        if (lane->head[1] != NULL)
            half = _mm512_inserti64x4(half, _mm256_loadu_si256((const void *)lane->head[1]), 1);
        at = lane->head_bytes;
        shift = (uint32_t)lane->head_bytes;
    }
    if (shift == HALF_BYTES)
        return half;
    if (at < lane->bytes) {
        uint64_t left = lane->bytes - at;
        uint64_t room = HALF_BYTES - shift;
        __mmask64 mask = UINT64_MAX >> (64 - (left < room ? left : room));
        const uint8_t *message = lane->message + (at - lane->head_bytes);
        if (shift == 0) {
            half = _mm512_maskz_loadu_epi8(mask, message);
        } else {
            __m256i some = _mm256_maskz_loadu_epi8((__mmask32)mask, message);
            half = _mm512_inserti64x4(half, some, 1);
        }
    }
    if (lane->bytes >= from && lane->bytes < from + HALF_BYTES)
        half = _mm512_mask_mov_epi8(half, UINT64_C(1) << (lane->bytes - from),
                                    _mm512_set1_epi8((char)0x80));
    return half;
}

/* Element l of row w to element w of row l. */
IFMA_INLINE void transpose(__m512i row[8])
{
    __m512i t[8], u[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm512_unpacklo_epi64(row[i], row[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi64(row[i], row[i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 2; j++) {
            u[4 * j + i] = _mm512_shuffle_i64x2(t[4 * j + i], t[4 * j + 2 + i], 0x88);
            u[4 * j + 2 + i] = _mm512_shuffle_i64x2(t[4 * j + i], t[4 * j + 2 + i], 0xdd);
        }
    }
    for (int i = 0; i < 4; i++) {
        row[i] = _mm512_shuffle_i64x2(u[i], u[4 + i], 0x88);
        row[4 + i] = _mm512_shuffle_i64x2(u[i], u[4 + i], 0xdd);
    }
}

IFMA_INLINE __m512i swap_bytes(__m512i row)
{
    const __m512i order =
        _mm512_broadcast_i32x4(_mm_set_epi64x(0x08090a0b0c0d0e0f, 0x0001020304050607));
    return _mm512_shuffle_epi8(row, order);
}

/* Block `index` of each lane, big-endian words. */
IFMA_INLINE void load_block(__m512i w[16], const struct lane *lane, uint64_t index)
{
    for (uint32_t l = 0; l < IFMA_LANES; l++) {
        w[l] = lane_half(&lane[l], index * BLOCK_BYTES);
        w[8 + l] = lane_half(&lane[l], index * BLOCK_BYTES + HALF_BYTES);
    }
    transpose(w);
    transpose(w + 8);
    uint64_t bits[IFMA_LANES];
    for (uint32_t l = 0; l < IFMA_LANES; l++)
        bits[l] = index + 1 == lane[l].blocks ? lane[l].bytes * 8 : 0;
    for (int i = 0; i < 16; i++)
        w[i] = swap_bytes(w[i]);
    w[15] = _mm512_or_si512(w[15], _mm512_loadu_si512(bits));
}

IFMA_INLINE __m512i exclusive3(__m512i a, __m512i b, __m512i c)
{
    return ifma_logic(a, b, c, 0x96);
}

#define ROTATE(x, bits) _mm512_ror_epi64(x, bits)

/* FIPS 180-4, 6.4.2, with the schedule in sixteen rows. */
IFMA_INLINE void compress(__m512i state[8], __m512i w[16])
{
    __m512i s[8];
    for (int i = 0; i < 8; i++)
        s[i] = state[i];
    for (int block = 0; block < 80; block += 16) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m512i a = s[(16 - i) % 8], b = s[(17 - i) % 8], c = s[(18 - i) % 8];
            __m512i e = s[(20 - i) % 8], f = s[(21 - i) % 8], g = s[(22 - i) % 8];
            __m512i k = _mm512_set1_epi64((int64_t)ed25519_sha512_k[block + i]);
            __m512i choice = ifma_logic(e, f, g, 0xca);
            __m512i majority = ifma_logic(a, b, c, 0xe8);
            __m512i sum1 = exclusive3(ROTATE(e, 14), ROTATE(e, 18), ROTATE(e, 41));
            __m512i sum0 = exclusive3(ROTATE(a, 28), ROTATE(a, 34), ROTATE(a, 39));
            __m512i t1 =
                _mm512_add_epi64(_mm512_add_epi64(s[(23 - i) % 8], _mm512_add_epi64(k, w[i])),
                                 _mm512_add_epi64(choice, sum1));
            s[(19 - i) % 8] = _mm512_add_epi64(s[(19 - i) % 8], t1);
            s[(23 - i) % 8] = _mm512_add_epi64(t1, _mm512_add_epi64(sum0, majority));
            if (block < 64) {
                __m512i near = w[(i + 14) % 16], far = w[(i + 1) % 16];
                __m512i small1 =
                    exclusive3(ROTATE(near, 19), ROTATE(near, 61), _mm512_srli_epi64(near, 6));
                __m512i small0 =
                    exclusive3(ROTATE(far, 1), ROTATE(far, 8), _mm512_srli_epi64(far, 7));
                w[i] = _mm512_add_epi64(_mm512_add_epi64(w[i], w[(i + 9) % 16]),
                                        _mm512_add_epi64(small0, small1));
            }
        }
    }
    for (int i = 0; i < 8; i++)
        state[i] = _mm512_add_epi64(state[i], s[i]);
}

/* The digests' words, little-endian, each row one word of all lanes. */
IFMA_TARGET static void hash(__m512i state[8], const struct lanes_text *text, uint32_t count)
{
    struct lane lane[IFMA_LANES];
    __m512i w[16];
    uint64_t blocks = 0;
    for (uint32_t l = 0; l < IFMA_LANES; l++) { /* lanes beyond `count` repeat the first */
        const struct lanes_text *from = &text[l < count ? l : 0];
        lane[l] = (struct lane){
            {from->head[0], from->head[1]}, from->message, from->head[1] != NULL ? 64 : 32, 0, 0};
        lane[l].bytes = lane[l].head_bytes + from->message_bytes;
        lane[l].blocks = (lane[l].bytes + 16) / BLOCK_BYTES + 1;
        blocks = max_u64(blocks, lane[l].blocks);
    }
    for (int i = 0; i < 8; i++)
        state[i] = _mm512_set1_epi64((int64_t)ed25519_sha512_start[i]);
    for (uint64_t index = 0; index < blocks; index++) {
        __m512i before[8];
        __mmask8 ended = 0;
        for (uint32_t l = 0; l < IFMA_LANES; l++)
            ended = (__mmask8)(ended | (index >= lane[l].blocks) << l);
        for (int i = 0; i < 8; i++)
            before[i] = state[i];
        load_block(w, lane, index);
        compress(state, w);
        for (int i = 0; i < 8; i++)
            state[i] = _mm512_mask_mov_epi64(state[i], ended, before[i]);
    }
    for (int i = 0; i < 8; i++)
        state[i] = swap_bytes(state[i]);
}

IFMA_TARGET void ed25519_ifma_sha512(uint64_t digest[][8], const struct lanes_text *text,
                                     uint32_t count)
{
    __m512i state[8];
    hash(state, text, count);
    transpose(state);
    for (uint32_t l = 0; l < count; l++)
        _mm512_storeu_si512(digest[l], state[l]);
}

IFMA_TARGET void ed25519_ifma_hash_scalar(struct scalar *out, const struct lanes_text *text,
                                          uint32_t count)
{
    __m512i state[8], word[8];
    hash(state, text, count);
    ifma_scalar_reduce(word, state);
    for (int i = SCALAR_WORDS; i < 8; i++)
        word[i] = _mm512_setzero_si512();
    transpose(word);
    for (uint32_t l = 0; l < count; l++)
        _mm256_storeu_si256((void *)out[l].word, _mm512_castsi512_si256(word[l]));
}
