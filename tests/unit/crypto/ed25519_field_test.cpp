/* Fields, scalars, digits and hashes against dumb twins, at their bounds; built with the bounds
 * checked. */
#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <cstring>
#include <vector>

extern "C" {
#include "numa/base/random.h"
#include "tests/unit/crypto/ed25519_probe.h"
}

/* ---- the twin: four words modulo p, by additions --------------------------------------------- */

struct Number {
    std::array<uint64_t, 4> word{};
};

static const Number p = {{UINT64_C(0xffffffffffffffed), UINT64_MAX, UINT64_MAX, UINT64_MAX >> 1}};

static bool below(const Number &a, const Number &b)
{
    for (int i = 3; i >= 0; i--) {
        if (a.word[i] != b.word[i])
            return a.word[i] < b.word[i];
    }
    return false;
}

static Number minus(const Number &a, const Number &b)
{
    Number out;
    uint64_t borrow = 0;
    for (int i = 0; i < 4; i++) {
        random_wide difference = (random_wide)a.word[i] - b.word[i] - borrow;
        out.word[i] = (uint64_t)difference;
        borrow = (uint64_t)(difference >> 64) & 1;
    }
    return out;
}

/* Below p both: no carry leaves 2^256. */
static Number plus(const Number &a, const Number &b)
{
    Number out;
    random_wide carry = 0;
    for (int i = 0; i < 4; i++) {
        carry += (random_wide)a.word[i] + b.word[i];
        out.word[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return below(out, p) ? out : minus(out, p);
}

static Number times(const Number &a, const Number &b)
{
    Number out;
    for (int bit = 254; bit >= 0; bit--) {
        out = plus(out, out);
        if (b.word[bit / 64] >> bit % 64 & 1)
            out = plus(out, a);
    }
    return out;
}

using Limbs = std::array<uint64_t, 5>;
using WideLimbs = std::array<uint64_t, 10>;

static Number value(const Limbs &limbs)
{
    Number out;
    for (int i = 4; i >= 0; i--) {
        for (int bit = 0; bit < 51; bit++)
            out = plus(out, out);
        out = plus(out, Number{{limbs[i]}});
    }
    return out;
}

/* Limbs of 26 and 25 bits in turn. */
static Number value(const WideLimbs &limbs)
{
    Number out;
    for (int i = 9; i >= 0; i--) {
        for (int bit = 0; bit < (i % 2 == 0 ? 26 : 25); bit++)
            out = plus(out, out);
        out = plus(out, Number{{limbs[static_cast<size_t>(i)]}});
    }
    return out;
}

static Number number(const uint8_t bytes[32])
{
    Number out;
    std::memcpy(out.word.data(), bytes, 32);
    return out;
}

/* ---- limbs at and around their bounds -------------------------------------------------------- */

static std::vector<Limbs> extremes(uint64_t limit, random_state &chance)
{
    std::vector<Limbs> all;
    for (uint64_t limb : {UINT64_C(0), UINT64_C(1), limit - 1, limit - 2, limit / 2})
        all.push_back({limb, limb, limb, limb, limb});
    for (int i = 0; i < 5; i++) { /* one limb at the top alone, and all but one */
        Limbs one{}, others;
        others.fill(limit - 1);
        one[i] = limit - 1;
        others[i] = 0;
        all.push_back(one);
        all.push_back(others);
    }
    const uint64_t mask = (UINT64_C(1) << 51) - 1;
    for (uint64_t low : {mask - 18, mask - 19, mask - 17, mask})
        all.push_back({low, mask, mask, mask, mask}); /* p, p - 1, p + 1, 2^255 - 1 */
    for (int i = 0; i < 20; i++) {
        Limbs limbs;
        for (uint64_t &limb : limbs)
            limb = random_below(&chance, limit);
        all.push_back(limbs);
    }
    return all;
}

template <typename Some>
static Number expected(probe_operation operation, const Some &a, const Some &b)
{
    switch (operation) {
    case PROBE_MULTIPLY:
    case PROBE_MULTIPLY_LIFTED:
        return times(value(a), value(b));
    case PROBE_SQUARE:
        return times(value(a), value(a));
    case PROBE_ADD:
        return plus(value(a), value(b));
    case PROBE_SUBTRACT:
        return plus(value(a), minus(p, value(b)));
    default:
        return value(a);
    }
}

static void drive_field(probe_operation operation, uint64_t limit_a, uint64_t limit_b)
{
    random_state chance;
    random_init(&chance, 1);
    for (const Limbs &a : extremes(limit_a, chance)) {
        for (const Limbs &b : extremes(limit_b, chance)) {
            uint8_t out[32];
            probe_field(operation, out, a.data(), b.data());
            ASSERT_EQ(number(out).word, expected(operation, a, b).word) << operation;
        }
    }
}

TEST(Field, AtItsBounds)
{
    const uint64_t loose = UINT64_C(1) << 54, half = UINT64_C(1) << 53;
    drive_field(PROBE_MULTIPLY, loose, loose);
    drive_field(PROBE_SQUARE, loose, 4);
    drive_field(PROBE_ADD, half, half);
    drive_field(PROBE_SUBTRACT, half, half - 76);
    drive_field(PROBE_CARRY, loose, 4);
}

TEST(Field, BeyondItsBoundsIsNoticed)
{
    uint64_t big[5] = {UINT64_C(1) << 54, 0, 0, 0, 0}, zero[5] = {0};
    uint8_t out[32];
    EXPECT_DEATH(probe_field(PROBE_MULTIPLY, out, big, zero), "broken");
    EXPECT_DEATH(probe_field(PROBE_SQUARE, out, big, zero), "broken");
    EXPECT_DEATH(probe_field(PROBE_ADD, out, big, zero), "broken");
    EXPECT_DEATH(probe_field(PROBE_SUBTRACT, out, zero, big), "broken");
}

TEST(Field, Inverses)
{
    random_state chance;
    random_init(&chance, 2);
    for (const Limbs &a : extremes(UINT64_C(1) << 54, chance)) {
        uint8_t out[32];
        probe_field(PROBE_INVERT, out, a.data(), a.data()); /* both ways agree, or it aborts */
        Number product = times(value(a), number(out));
        bool zero = value(a).word == Number{}.word;
        ASSERT_EQ(product.word, (Number{{zero ? UINT64_C(0) : UINT64_C(1)}}).word);
    }
    for (int i = 0; i < 5000; i++) {
        uint64_t a[5];
        uint8_t out[32];
        for (uint64_t &limb : a)
            limb = random_next(&chance) >> (13 + random_below(&chance, 51));
        probe_field(PROBE_INVERT, out, a, a);
    }
}

/* ---- lanes ----------------------------------------------------------------------------------- */

static void drive_ifma(probe_operation operation, uint64_t limit_a, uint64_t limit_b)
{
    random_state chance;
    random_init(&chance, 3);
    const std::vector<Limbs> left = extremes(limit_a, chance), right = extremes(limit_b, chance);
    for (size_t i = 0; i < left.size(); i++) {
        for (size_t j = 0; j < right.size(); j++) {
            uint64_t a[PROBE_LANES][PROBE_LIMBS], b[PROBE_LANES][PROBE_LIMBS];
            uint8_t out[PROBE_LANES][32];
            for (size_t lane = 0; lane < PROBE_LANES; lane++) {
                std::memcpy(a[lane], left[(i + lane) % left.size()].data(), sizeof a[lane]);
                std::memcpy(b[lane], right[(j + lane * 3) % right.size()].data(), sizeof b[lane]);
            }
            probe_ifma(operation, out, a, b);
            for (size_t lane = 0; lane < PROBE_LANES; lane += 7) {
                Number wanted = expected(operation, left[(i + lane) % left.size()],
                                         right[(j + lane * 3) % right.size()]);
                ASSERT_EQ(number(out[lane]).word, wanted.word) << operation << " lane " << lane;
            }
        }
    }
}

TEST(Lanes, IfmaAtItsBounds)
{
    if (!ed25519_backend_runs(ED25519_IFMA))
        GTEST_SKIP() << "skipped: this CPU has no AVX-512 IFMA";
    const uint64_t factor = UINT64_C(1) << 52, column = UINT64_C(1) << 61;
    drive_ifma(PROBE_MULTIPLY, factor, factor);
    drive_ifma(PROBE_MULTIPLY_LIFTED, factor, factor);
    drive_ifma(PROBE_ADD, column, column);
    drive_ifma(PROBE_SUBTRACT, column, column - 1024 * 19);
    drive_ifma(PROBE_CARRY, UINT64_C(1) << 63, 4);
}

TEST(Lanes, IfmaBeyondItsBoundsIsNoticed)
{
    if (!ed25519_backend_runs(ED25519_IFMA))
        GTEST_SKIP() << "skipped: this CPU has no AVX-512 IFMA";
    uint64_t big[PROBE_LANES][PROBE_LIMBS] = {}, zero[PROBE_LANES][PROBE_LIMBS] = {};
    uint8_t out[PROBE_LANES][32];
    big[5][3] = UINT64_C(1) << 52;
    EXPECT_DEATH(probe_ifma(PROBE_MULTIPLY, out, big, zero), "broken");
    EXPECT_DEATH(probe_ifma(PROBE_MULTIPLY, out, zero, big), "broken");
    big[5][3] = UINT64_C(1) << 63;
    EXPECT_DEATH(probe_ifma(PROBE_CARRY, out, big, zero), "broken");
}

/* Ten limbs: all or one at the limit, or anything below it. */
static std::vector<WideLimbs> wide_extremes(uint64_t limit, random_state &chance)
{
    std::vector<WideLimbs> all;
    for (uint64_t limb : {UINT64_C(0), limit - 1, limit / 2}) {
        all.emplace_back();
        all.back().fill(limb);
    }
    for (size_t i = 0; i < 10; i++) {
        all.emplace_back();
        all.back()[i] = limit - 1;
    }
    for (int i = 0; i < 15; i++) {
        all.emplace_back();
        for (uint64_t &limb : all.back())
            limb = random_below(&chance, limit);
    }
    return all;
}

static void drive_avx2(probe_operation operation, uint64_t limit_a, uint64_t limit_b)
{
    random_state chance;
    random_init(&chance, 5);
    const std::vector<WideLimbs> left = wide_extremes(limit_a, chance);
    const std::vector<WideLimbs> right = wide_extremes(limit_b, chance);
    for (size_t i = 0; i < left.size(); i++) {
        for (size_t j = 0; j < right.size(); j++) {
            uint64_t a[4][PROBE_WIDE_LIMBS], b[4][PROBE_WIDE_LIMBS];
            uint8_t out[4][32];
            for (size_t lane = 0; lane < 4; lane++) {
                std::memcpy(a[lane], left[(i + lane) % left.size()].data(), sizeof a[lane]);
                std::memcpy(b[lane], right[(j + lane * 3) % right.size()].data(), sizeof b[lane]);
            }
            probe_avx2(operation, out, a, b);
            for (size_t lane = 0; lane < 4; lane += 3) {
                Number wanted = expected(operation, left[(i + lane) % left.size()],
                                         right[(j + lane * 3) % right.size()]);
                ASSERT_EQ(number(out[lane]).word, wanted.word) << operation << " lane " << lane;
            }
        }
    }
}

TEST(Lanes, Avx2AtItsBounds)
{
    if (!ed25519_backend_runs(ED25519_AVX2))
        GTEST_SKIP() << "skipped: this CPU has no AVX2";
    const uint64_t tight = (UINT64_C(1) << 26) + (UINT64_C(1) << 18), column = UINT64_C(1) << 61;
    drive_avx2(PROBE_MULTIPLY, tight, tight);
    drive_avx2(PROBE_ADD, column, column);
    drive_avx2(PROBE_SUBTRACT, column, column);
    drive_avx2(PROBE_CARRY, UINT64_C(1) << 63, 4);
}

TEST(Lanes, Avx2BeyondItsBoundsIsNoticed)
{
    if (!ed25519_backend_runs(ED25519_AVX2))
        GTEST_SKIP() << "skipped: this CPU has no AVX2";
    uint64_t big[4][PROBE_WIDE_LIMBS] = {}, zero[4][PROBE_WIDE_LIMBS] = {};
    uint8_t out[4][32];
    big[2][7] = (UINT64_C(1) << 26) + (UINT64_C(1) << 18);
    EXPECT_DEATH(probe_avx2(PROBE_MULTIPLY, out, big, zero), "broken");
    EXPECT_DEATH(probe_avx2(PROBE_MULTIPLY, out, zero, big), "broken");
    big[2][7] = UINT64_C(1) << 63;
    EXPECT_DEATH(probe_avx2(PROBE_CARRY, out, big, zero), "broken");
}

TEST(Lanes, Hashes)
{
    if (!ed25519_backend_runs(ED25519_IFMA))
        GTEST_SKIP() << "skipped: this CPU has no AVX-512 IFMA";
    std::vector<uint8_t> text(1000);
    randombytes_buf_deterministic(text.data(), text.size(),
                                  std::array<uint8_t, randombytes_SEEDBYTES>{9}.data());
    for (bool long_head : {false, true}) {
        for (size_t length = 0; length < 420; length++) {
            uint8_t digest[PROBE_LANES][64], wanted[64];
            const uint8_t *head[PROBE_LANES], *message[PROBE_LANES];
            size_t bytes[PROBE_LANES], head_bytes = long_head ? 64 : 32;
            auto count = static_cast<uint32_t>(1 + length % PROBE_LANES);
            for (uint32_t i = 0; i < count; i++) {
                head[i] = text.data() + i;
                message[i] = text.data() + 100 + i;
                bytes[i] = (length + i * 67) % 420;
            }
            probe_hash(digest, head, long_head, message, bytes, count);
            for (uint32_t i = 0; i < count; i++) {
                std::vector<uint8_t> whole(head[i], head[i] + head_bytes);
                whole.insert(whole.end(), message[i], message[i] + bytes[i]);
                crypto_hash_sha512(wanted, whole.data(), whole.size());
                ASSERT_EQ(std::memcmp(digest[i], wanted, 64), 0) << length << " lane " << i;
            }
        }
    }
}

/* ---- scalars --------------------------------------------------------------------------------- */

TEST(Scalar, ReducesAsLibsodium)
{
    random_state chance;
    random_init(&chance, 4);
    for (int i = 0; i < 20000; i++) {
        uint64_t wide[8];
        uint8_t ours[32], theirs[32];
        for (uint64_t &word : wide) { /* runs of ones and zeros, to make carries */
            uint64_t choice = random_next(&chance);
            word = choice % 4 == 0 ? 0 : choice % 4 == 1 ? UINT64_MAX : random_next(&chance);
        }
        probe_reduce(ours, reinterpret_cast<const uint8_t *>(wide));
        crypto_core_ed25519_scalar_reduce(theirs, reinterpret_cast<const uint8_t *>(wide));
        ASSERT_EQ(std::memcmp(ours, theirs, 32), 0) << i;
        uint8_t a[32], b[32], c[32], product[32];
        std::memcpy(a, wide, 32);
        std::memcpy(b, wide + 4, 32);
        std::memcpy(c, theirs, 32);
        probe_multiply_add(ours, a, b, c);
        crypto_core_ed25519_scalar_mul(product, a, b);
        crypto_core_ed25519_scalar_add(theirs, product, c);
        ASSERT_EQ(std::memcmp(ours, theirs, 32), 0) << i;
    }
}

using Wide = uint64_t[8];

/* Runs of ones and zeros, to make carries. */
static void any_wide(Wide &wide, random_state &chance)
{
    for (uint64_t &word : wide) {
        uint64_t choice = random_next(&chance);
        word = choice % 4 == 0 ? 0 : choice % 4 == 1 ? UINT64_MAX : random_next(&chance);
    }
}

/* factor L 2^(64 at) + step, for a step of -1, 0 or 1. */
static void multiple_of_order(Wide &wide, uint64_t factor, uint64_t at, uint64_t step)
{
    __extension__ typedef unsigned __int128 Double;
    const uint64_t order[4] = {UINT64_C(0x5812631a5cf5d3ed), UINT64_C(0x14def9dea2f79cd6), 0,
                               UINT64_C(1) << 60};
    uint64_t carry = 0;
    std::memset(wide, 0, sizeof wide);
    for (uint64_t i = 0; i < 4; i++) {
        Double sum = static_cast<Double>(order[i]) * factor + carry;
        wide[at + i] = static_cast<uint64_t>(sum);
        carry = static_cast<uint64_t>(sum >> 64);
    }
    wide[at + 4] = carry;
    for (uint64_t i = 0; i < 8 && step != 0; i++) {
        wide[i] += step;
        bool on = step == 1 ? wide[i] == 0 : wide[i] == UINT64_MAX;
        step = on ? step : 0;
    }
}

TEST(Scalar, ReducesInLanes)
{
    if (!ed25519_backend_runs(ED25519_IFMA))
        GTEST_SKIP() << "skipped: this CPU has no AVX-512 IFMA";
    random_state chance;
    random_init(&chance, 6);
    for (uint64_t round = 0; round < 20000; round++) {
        Wide wide[PROBE_LANES];
        uint8_t ours[PROBE_LANES][32], theirs[32];
        for (uint64_t lane = 0; lane < PROBE_LANES; lane++) {
            if (lane % 2 == 1)
                any_wide(wide[lane], chance);
            else
                multiple_of_order(wide[lane], round < 100 ? round : random_next(&chance), round % 4,
                                  lane / 2 % 3 - 1);
        }
        probe_reduce_lanes(ours, wide);
        for (uint64_t lane = 0; lane < PROBE_LANES; lane++) {
            crypto_core_ed25519_scalar_reduce(theirs, reinterpret_cast<uint8_t *>(wide[lane]));
            ASSERT_EQ(std::memcmp(ours[lane], theirs, 32), 0) << round << " lane " << lane;
        }
    }
}

/* ---- digits ---------------------------------------------------------------------------------- */

using Scalar = std::array<uint8_t, 32>;

static Scalar order_minus(uint8_t less)
{
    Scalar scalar = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                     0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                     0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    scalar[0] = static_cast<uint8_t>(scalar[0] - less);
    return scalar;
}

/* Windows all at the digit, then those that make carries run, and the ends of the range. */
static std::vector<Scalar> boundary_scalars(uint32_t window)
{
    std::vector<Scalar> all = {Scalar{}, Scalar{1}, order_minus(1), order_minus(2), order_minus(3)};
    Scalar top{}, under;
    top[31] = 0x10;
    under.fill(0xff);
    under[31] = 0x0f;
    all.push_back(top); /* 2^252, 2^252 - 1 */
    all.push_back(under);
    uint32_t half = UINT32_C(1) << (window - 1);
    for (uint32_t digit : {half - 1, half, half + 1, 2 * half - 1, UINT32_C(1)}) {
        for (uint32_t first = 0; first < 3; first++) {
            Scalar scalar{};
            for (uint32_t bit = first * window; bit + window <= 252; bit += window * (first + 1)) {
                for (uint32_t i = 0; i < window; i++)
                    scalar[(bit + i) / 8] |=
                        static_cast<uint8_t>((digit >> i & 1) << (bit + i) % 8);
            }
            all.push_back(scalar);
        }
    }
    return all;
}

static void check_multiples(ed25519_backend backend, uint32_t window)
{
    std::vector<uint8_t> memory(ed25519_base_footprint(window) + 64);
    auto at = (reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64;
    const ed25519_base *base = ed25519_base_init(reinterpret_cast<void *>(at), window, backend);
    const std::vector<Scalar> scalars = boundary_scalars(window);
    std::vector<uint8_t> encoded;
    for (const Scalar &scalar : scalars) {
        uint8_t point[32];
        if (crypto_scalarmult_ed25519_base_noclamp(point, scalar.data()) != 0) {
            std::memset(point, 0, sizeof point); /* it refuses the neutral point */
            point[0] = 1;
        }
        encoded.insert(encoded.end(), point, point + 32);
    }
    auto count = static_cast<uint32_t>(scalars.size());
    uint64_t all = (UINT64_C(1) << count) - 1;
    EXPECT_EQ(probe_base_multiple(backend, base, scalars[0].data(), encoded.data(), count), all)
        << ed25519_backend_name(backend) << ", window " << window;
    for (uint32_t i = 0; i < count; i++) { /* alone: split over the lanes */
        EXPECT_EQ(probe_base_multiple(backend, base, scalars[i].data(), &encoded[32 * i], 1), 1u);
        encoded[32 * i + i] ^= 1;
        EXPECT_EQ(probe_base_multiple(backend, base, scalars[i].data(), &encoded[32 * i], 1), 0u);
    }
}

TEST(Digits, AtTheirBounds)
{
    for (uint32_t i = 0; i < ED25519_BACKENDS; i++) {
        auto backend = static_cast<ed25519_backend>(i);
        for (uint32_t window = ED25519_WINDOW_MIN;
             ed25519_backend_runs(backend) && window <= ED25519_WINDOW_MAX; window++)
            check_multiples(backend, window);
    }
}
