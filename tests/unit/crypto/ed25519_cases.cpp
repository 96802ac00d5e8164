#include "tests/unit/crypto/ed25519_cases.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

extern "C" {
#include "numa/base/random.h"
}

Bytes from_hex(const std::string &hex)
{
    Bytes bytes(hex.size() / 2);
    size_t length = 0;
    if (hex.empty())
        return bytes;
    EXPECT_EQ(sodium_hex2bin(bytes.data(), bytes.size(), hex.data(), hex.size(), nullptr, &length,
                             nullptr),
              0);
    EXPECT_EQ(length, bytes.size());
    return bytes;
}

void judge(Case &one)
{
    one.good = crypto_sign_verify_detached(one.signature.data(), one.message.data(),
                                           one.message.size(), one.key.data()) == 0;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static Bytes32 array_of(const Bytes &bytes)
{
    Bytes32 out{};
    std::copy_n(bytes.begin(), std::min<size_t>(32, bytes.size()), out.begin());
    return out;
}

static const Bytes32 order =
    array_of(from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"));
static const Bytes32 prime =
    array_of(from_hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"));

/* a + b as integers; false: beyond 2^256. */
static bool add_integer(Bytes32 &a, const Bytes32 &b)
{
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += a[i] + b[i];
        a[i] = static_cast<uint8_t>(carry);
        carry >>= 8;
    }
    return carry == 0;
}

static Bytes32 small(uint8_t value)
{
    return Bytes32{value};
}

static Bytes32 add_points(const Bytes32 &a, const Bytes32 &b)
{
    Bytes32 sum;
    EXPECT_EQ(crypto_core_ed25519_add(sum.data(), a.data(), b.data()), 0);
    return sum;
}

static Bytes32 base_multiple(const Bytes32 &scalar)
{
    Bytes32 point;
    EXPECT_EQ(crypto_scalarmult_ed25519_base_noclamp(point.data(), scalar.data()), 0);
    return point;
}

static Bytes32 hash_scalar(const Bytes32 &r, const Bytes32 &key, const Bytes &message)
{
    crypto_hash_sha512_state state;
    uint8_t hash[64];
    Bytes32 out;
    crypto_hash_sha512_init(&state);
    crypto_hash_sha512_update(&state, r.data(), 32);
    crypto_hash_sha512_update(&state, key.data(), 32);
    crypto_hash_sha512_update(&state, message.data(), message.size());
    crypto_hash_sha512_final(&state, hash);
    crypto_core_ed25519_scalar_reduce(out.data(), hash);
    return out;
}

/* S = r + h a, so that [S]B - [h]A is [r]B but for torsion. */
static Bytes32 make_s(const Bytes32 &r, const Bytes32 &h, const Bytes32 &a)
{
    Bytes32 s;
    crypto_core_ed25519_scalar_mul(s.data(), h.data(), a.data());
    crypto_core_ed25519_scalar_add(s.data(), s.data(), r.data());
    return s;
}

static Bytes32 random_scalar(random_state &chance)
{
    uint64_t wide[8];
    Bytes32 out;
    for (uint64_t &word : wide)
        word = random_next(&chance);
    crypto_core_ed25519_scalar_reduce(out.data(), reinterpret_cast<const uint8_t *>(wide));
    return out;
}

/* The multiples of a point of order 8. */
static std::array<Bytes32, 8> torsion()
{
    std::array<Bytes32, 8> points;
    points[0] = small(1);
    points[1] =
        array_of(from_hex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"));
    for (size_t i = 2; i < 8; i++)
        points[i] = add_points(points[i - 1], points[1]);
    return points;
}

std::vector<Bytes32> small_order_encodings()
{
    std::vector<Bytes32> all;
    for (const Bytes32 &point : torsion())
        all.push_back(point);
    for (uint8_t more : {0, 1}) { /* p and p + 1: y = 0 and y = 1 once more */
        Bytes32 y = prime;
        add_integer(y, small(more));
        all.push_back(y);
    }
    for (size_t i = 0; i < 10; i++) {
        Bytes32 other = all[i];
        other[31] ^= 0x80;
        if (std::find(all.begin(), all.end(), other) == all.end())
            all.push_back(other);
    }
    return all;
}

/* ---- cases ----------------------------------------------------------------------------------- */

struct Maker {
    std::vector<Case> cases;
    random_state chance;

    void put(const std::string &name, const Bytes32 &key, const Bytes32 &r, const Bytes32 &s,
             const Bytes &message)
    {
        Case one{name, key, {}, message, false};
        std::copy(r.begin(), r.end(), one.signature.begin());
        std::copy(s.begin(), s.end(), one.signature.begin() + 32);
        judge(one);
        cases.push_back(one);
    }

    Bytes message()
    {
        Bytes bytes(random_below(&chance, 300));
        for (uint8_t &byte : bytes)
            byte = static_cast<uint8_t>(random_next(&chance));
        return bytes;
    }

    /* A = [a]B + T, R = [r]B + T', all 64 of them, S to match. */
    void mixed_orders()
    {
        const auto points = torsion();
        Bytes32 a = random_scalar(chance);
        for (const Bytes32 &of_key : points) {
            Bytes32 key = add_points(base_multiple(a), of_key);
            for (const Bytes32 &of_r : points) {
                Bytes32 r = random_scalar(chance);
                Bytes32 encoded = add_points(base_multiple(r), of_r);
                Bytes text = message();
                put("mixed order", key, encoded, make_s(r, hash_scalar(encoded, key, text), a),
                    text);
            }
        }
    }

    /* A good signature, and S + L, S + 2L .. as far as 32 bytes hold. */
    void multiples_of_order()
    {
        Bytes32 a = random_scalar(chance), r = random_scalar(chance);
        Bytes32 key = base_multiple(a), encoded = base_multiple(r);
        Bytes text = message();
        Bytes32 s = make_s(r, hash_scalar(encoded, key, text), a);
        do
            put("S + k L", key, encoded, s, text);
        while (add_integer(s, order));
    }

    void bounds_of_s()
    {
        Bytes32 a = random_scalar(chance), key = base_multiple(a);
        std::vector<Bytes32> all = {small(0), small(1), order, prime};
        for (int bit = 248; bit < 256; bit++) {
            Bytes32 power{}, below;
            power[31] = static_cast<uint8_t>(1 << (bit - 248));
            below.fill(0xff);
            below[31] = static_cast<uint8_t>(power[31] - 1);
            all.push_back(power);
            all.push_back(below);
        }
        for (int below = 1; below < 4; below++) {
            Bytes32 s = order, up = order;
            s[0] = static_cast<uint8_t>(s[0] - below);
            all.push_back(s);
            add_integer(up, small(static_cast<uint8_t>(below)));
            all.push_back(up);
        }
        for (const Bytes32 &s : all)
            put("bounds of S", key, base_multiple(random_scalar(chance)), s, message());
    }

    /* The equation holds, but R (or A) is forbidden. */
    void small_orders()
    {
        Bytes32 a = random_scalar(chance), key = base_multiple(a);
        for (const Bytes32 &bad : small_order_encodings()) {
            for (int i = 0; i < 4; i++) {
                Bytes text = message();
                put("R of small order", key, bad, make_s(small(0), hash_scalar(bad, key, text), a),
                    text);
                Bytes32 r = random_scalar(chance), encoded = base_multiple(r);
                put("A of small order", bad, encoded, r, text);
                put("A and R of small order", bad, bad, small(0), text);
            }
        }
    }

    /* y from p on, up to p + 18, with both signs, as A and as R. */
    void beyond_p()
    {
        Bytes32 a = random_scalar(chance), key = base_multiple(a);
        for (uint8_t more = 0; more <= 18; more++) {
            for (uint8_t sign : {0x00, 0x80}) {
                Bytes32 y = prime, r = random_scalar(chance);
                add_integer(y, small(more));
                y[31] |= sign;
                Bytes text = message();
                put("A beyond p", y, base_multiple(r), r, text);
                put("R beyond p", key, y, make_s(small(0), hash_scalar(y, key, text), a), text);
            }
        }
    }

    /* Any y: half of them have no point. */
    void any_keys()
    {
        for (int i = 0; i < 40; i++) {
            Bytes32 key = random_scalar(chance), r = random_scalar(chance);
            key[31] = static_cast<uint8_t>(random_next(&chance));
            put("any A", key, base_multiple(r), r, message());
        }
    }

    /* One bit of a good signature turned, at each place. */
    void single_bits()
    {
        Bytes32 a = random_scalar(chance), r = random_scalar(chance);
        Bytes32 key = base_multiple(a), encoded = base_multiple(r);
        Bytes text = message();
        Bytes32 s = make_s(r, hash_scalar(encoded, key, text), a);
        put("whole", key, encoded, s, text);
        for (size_t bit = 0; bit < 512; bit++) {
            Bytes32 bent_r = encoded, bent_s = s;
            (bit < 256 ? bent_r : bent_s)[bit % 256 / 8] ^= static_cast<uint8_t>(1 << bit % 8);
            put("one bit", key, bent_r, bent_s, text);
        }
    }

    /* Every length around the blocks of the hash. */
    void lengths()
    {
        Bytes32 a = random_scalar(chance), key = base_multiple(a);
        for (size_t length = 0; length < 400; length++) {
            Bytes text(length, static_cast<uint8_t>(length));
            Bytes32 r = random_scalar(chance), encoded = base_multiple(r);
            put("length", key, encoded, make_s(r, hash_scalar(encoded, key, text), a), text);
        }
    }
};

std::vector<Case> edge_cases()
{
    Maker maker{};
    random_init(&maker.chance, 25519);
    for (int i = 0; i < 4; i++)
        maker.mixed_orders();
    maker.multiples_of_order();
    maker.bounds_of_s();
    maker.small_orders();
    maker.beyond_p();
    maker.any_keys();
    maker.single_bits();
    maker.lengths();
    return maker.cases;
}

std::vector<Case> random_cases(uint32_t count, uint32_t signers, uint64_t seed)
{
    Maker maker{};
    random_init(&maker.chance, seed);
    std::vector<std::array<uint8_t, 64>> secrets(signers);
    std::vector<Bytes32> keys(signers);
    for (uint32_t i = 0; i < signers; i++)
        crypto_sign_seed_keypair(keys[i].data(), secrets[i].data(),
                                 random_scalar(maker.chance).data());
    for (uint32_t i = 0; i < count; i++) {
        uint64_t choice = random_next(&maker.chance);
        Case one{"random", keys[choice % signers], {}, maker.message(), true};
        crypto_sign_detached(one.signature.data(), nullptr, one.message.data(), one.message.size(),
                             secrets[choice % signers].data());
        uint64_t place = choice >> 32;
        if (place % 9 == 0)
            one.signature[place / 9 % 64] ^= static_cast<uint8_t>(1 << place % 8);
        else if (place % 9 == 1 && !one.message.empty())
            one.message[place / 9 % one.message.size()] ^= static_cast<uint8_t>(1 << place % 8);
        else if (place % 9 == 2)
            one.key = keys[place / 9 % signers];
        judge(one);
        maker.cases.push_back(one);
    }
    return maker.cases;
}

/* ---- bench ----------------------------------------------------------------------------------- */

std::vector<ed25519_backend> backends()
{
    std::vector<ed25519_backend> all;
    for (uint32_t i = 0; i < ED25519_BACKENDS; i++) {
        if (ed25519_backend_runs(static_cast<ed25519_backend>(i)))
            all.push_back(static_cast<ed25519_backend>(i));
        else
            std::printf("skipped: this CPU does not run backend %s\n",
                        ed25519_backend_name(static_cast<ed25519_backend>(i)));
    }
    return all;
}

Region::Region(size_t bytes)
    : memory(std::aligned_alloc(64, (bytes + 63) / 64 * 64),
             [](void *region) { std::free(region); })
{
    EXPECT_NE(bytes, 0u);
}

static uint32_t count_keys(const std::vector<Case> &cases)
{
    std::map<Bytes32, bool> keys;
    for (const Case &one : cases)
        keys[one.key] = true;
    return static_cast<uint32_t>(keys.size());
}

Bench::Bench(const std::vector<Case> &cases, ed25519_backend backend, uint32_t key_window,
             uint32_t base_window)
    : backend_(backend), base_memory_(ed25519_base_footprint(base_window)),
      keyset_memory_(ed25519_keyset_footprint(count_keys(cases), key_window))
{
    const ed25519_base *base = ed25519_base_init(base_memory_.memory.get(), base_window, backend);
    keyset_ = ed25519_keyset_init(keyset_memory_.memory.get(), base, count_keys(cases), key_window);
    for (const Case &one : cases) {
        uint32_t slot;
        ed25519_refusal refusal = ed25519_keyset_add(keyset_, one.key.data(), &slot);
        bool taken = refusal == ED25519_ADDED || refusal == ED25519_KNOWN;
        EXPECT_TRUE(taken || !one.good) << one.name << ": " << ed25519_refusal_sentence(refusal);
    }
}

std::vector<ed25519_job> Bench::jobs(const std::vector<Case> &cases) const
{
    std::vector<ed25519_job> jobs;
    for (const Case &one : cases)
        jobs.push_back({one.signature.data(), one.message.data(), one.message.size(),
                        one.key.data(), ed25519_keyset_find(keyset_, one.key.data())});
    return jobs;
}

void Bench::check(const std::vector<Case> &cases, const std::vector<ed25519_job> &jobs) const
{
    auto verdicts = std::make_unique<bool[]>(jobs.size());
    bool all = ed25519_batch_verify_by(backend_, keyset_, jobs.data(),
                                       static_cast<uint32_t>(jobs.size()), verdicts.get());
    bool all_good = true;
    for (size_t i = 0; i < jobs.size(); i++) {
        all_good &= cases[i].good;
        EXPECT_EQ(verdicts[i], cases[i].good) << cases[i].name << ", " << i << " of " << jobs.size()
                                              << ", " << ed25519_backend_name(backend_);
    }
    EXPECT_EQ(all, all_good);
}
