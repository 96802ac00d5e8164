/* Bursts against a twin that follows RFC 9162's recursive definitions, and claims that lie. */
#include "tests/unit/crypto/ed25519_cases.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>

extern "C" {
#include "crypto/ed25519/burst.h"
}

/* ---- twin ------------------------------------------------------------------------------------ */

static Bytes32 hash_of(const char *domain, const Bytes &body)
{
    std::array<uint8_t, 64> digest;
    Bytes32 cut;
    Bytes text(32, 0);
    std::copy_n(domain, std::strlen(domain), text.begin());
    text.insert(text.end(), body.begin(), body.end());
    crypto_hash_sha512(digest.data(), text.data(), text.size());
    std::copy_n(digest.begin(), cut.size(), cut.begin());
    return cut;
}

static Bytes joined(const Bytes32 &left, const Bytes32 &right)
{
    Bytes both(left.begin(), left.end());
    both.insert(both.end(), right.begin(), right.end());
    return both;
}

/* The largest power of two below n. */
static size_t split(size_t n)
{
    size_t k = 1;
    while (2 * k < n)
        k *= 2;
    return k;
}

/* RFC 9162, 2.1.1. */
static Bytes32 twin_root(const Bytes *messages, size_t n)
{
    if (n == 1)
        return hash_of("quorate ed25519 burst 1 leaf", messages[0]);
    size_t k = split(n);
    return hash_of("quorate ed25519 burst 1 node",
                   joined(twin_root(messages, k), twin_root(messages + k, n - k)));
}

/* RFC 9162, 2.1.3.1. */
static std::vector<Bytes32> twin_path(size_t m, const Bytes *messages, size_t n)
{
    if (n == 1)
        return {};
    size_t k = split(n);
    std::vector<Bytes32> path =
        m < k ? twin_path(m, messages, k) : twin_path(m - k, messages + k, n - k);
    path.push_back(m < k ? twin_root(messages + k, n - k) : twin_root(messages, k));
    return path;
}

static Bytes twin_text(const std::string &context, const std::vector<Bytes> &messages)
{
    Bytes text(32 + 32 + 4, 0);
    const std::string domain = "quorate ed25519 burst 1 root";
    std::copy(domain.begin(), domain.end(), text.begin());
    text[32] = static_cast<uint8_t>(context.size());
    std::copy(context.begin(), context.end(), text.begin() + 33);
    for (size_t i = 0; i < 4; i++)
        text[64 + i] = static_cast<uint8_t>(messages.size() >> (8 * i));
    Bytes32 root = twin_root(messages.data(), messages.size());
    text.insert(text.end(), root.begin(), root.end());
    return text;
}

/* ---- bench ----------------------------------------------------------------------------------- */

/* A claim with bytes of its own, so that they can be bent. */
struct Claim {
    Bytes message, path;
    std::array<uint8_t, 64> signature;
    uint32_t index, count, path_count, slot;
    Bytes32 key;

    ed25519_burst_claim view() const
    {
        return {{message.data(), message.size()},
                path.data(),
                path_count,
                index,
                count,
                slot,
                key.data(),
                signature.data()};
    }
};

static std::vector<Bytes> messages_of(size_t count, uint8_t salt)
{
    std::vector<Bytes> messages;
    for (size_t i = 0; i < count; i++)
        messages.emplace_back(i * 37 % 300, static_cast<uint8_t>(i + salt));
    return messages;
}

class Burst : public testing::TestWithParam<ed25519_backend>
{
  protected:
    static constexpr uint32_t window = 5, capacity = 200;
    std::string context = "votes";
    Region base_memory{ed25519_base_footprint(window)};
    Region memory{ed25519_keyset_footprint(2, window)};
    Region burst_memory{ed25519_burst_footprint(capacity)};
    ed25519_base *base = nullptr;
    ed25519_keyset *keyset = nullptr;
    ed25519_burst *burst = nullptr;
    std::array<std::array<uint8_t, 64>, 2> secret{};
    std::array<Bytes32, 2> key{};
    std::array<ed25519_signer, 2> signer{};

    void SetUp() override
    {
        if (!ed25519_backend_runs(GetParam()))
            GTEST_SKIP() << "skipped: this CPU does not run " << ed25519_backend_name(GetParam());
        base = ed25519_base_init(base_memory.memory.get(), window, GetParam());
        keyset = ed25519_keyset_init(memory.memory.get(), base, 2, window);
        burst = ed25519_burst_init(burst_memory.memory.get(), base, capacity);
        for (uint32_t i = 0; i < 2; i++) {
            uint32_t slot;
            crypto_sign_seed_keypair(key[i].data(), secret[i].data(),
                                     Bytes32{static_cast<uint8_t>(i + 1)}.data());
            ed25519_signer_init(&signer[i], secret[i].data());
            ASSERT_EQ(ed25519_keyset_add(keyset, key[i].data(), &slot), ED25519_ADDED);
        }
    }

    ed25519_burst_context context_of(const std::string &text) const
    {
        return {reinterpret_cast<const uint8_t *>(text.data()), static_cast<uint32_t>(text.size())};
    }

    std::vector<Claim> sign(const std::vector<Bytes> &messages, uint32_t who = 0)
    {
        std::vector<ed25519_burst_message> list;
        std::array<uint8_t, 64> signature;
        std::vector<Claim> claims;
        auto count = static_cast<uint32_t>(messages.size());
        list.reserve(count);
        for (const Bytes &message : messages)
            list.push_back({message.data(), message.size()});
        ed25519_burst_context with = context_of(context);
        ed25519_burst_sign(burst, &signer[who], &with, list.data(), count, signature.data());
        for (uint32_t i = 0; i < count; i++) {
            Bytes path(static_cast<size_t>(ED25519_BURST_PATH_MAX) * ED25519_BURST_HASH_BYTES);
            uint32_t hashes = ed25519_burst_path(burst, i, path.data());
            path.resize(static_cast<size_t>(hashes) * ED25519_BURST_HASH_BYTES);
            claims.push_back({messages[i], path, signature, i, count, hashes, who, key[who]});
        }
        return claims;
    }

    std::vector<ed25519_burst_refusal> verdicts(const std::vector<Claim> &claims,
                                                uint32_t *checks = nullptr)
    {
        std::vector<ed25519_burst_claim> views;
        std::vector<ed25519_burst_refusal> verdicts(claims.size());
        views.reserve(claims.size());
        for (const Claim &claim : claims)
            views.push_back(claim.view());
        ed25519_burst_context with = context_of(context);
        uint32_t done = ed25519_burst_verify(keyset, &with, views.data(),
                                             static_cast<uint32_t>(views.size()), verdicts.data());
        if (checks != nullptr)
            *checks = done;
        return verdicts;
    }

    void expect(const Claim &claim, ed25519_burst_refusal refusal)
    {
        EXPECT_EQ(verdicts({claim})[0], refusal) << ed25519_burst_refusal_sentence(refusal);
    }
};

static bool all_good(const std::vector<ed25519_burst_refusal> &verdicts)
{
    return std::all_of(verdicts.begin(), verdicts.end(),
                       [](ed25519_burst_refusal refusal) { return refusal == ED25519_BURST_GOOD; });
}

/* ---- what holds ------------------------------------------------------------------------------ */

TEST_P(Burst, PathsAndRootsAreTheTwins)
{
    for (size_t count = 1; count <= 70; count++) {
        const std::vector<Bytes> messages = messages_of(count, static_cast<uint8_t>(count));
        const std::vector<Claim> claims = sign(messages);
        const Bytes text = twin_text(context, messages);
        EXPECT_EQ(crypto_sign_verify_detached(claims[0].signature.data(), text.data(), text.size(),
                                              key[0].data()),
                  0);
        for (size_t i = 0; i < count; i++) {
            Bytes path;
            for (const Bytes32 &hash : twin_path(i, messages.data(), count))
                path.insert(path.end(), hash.begin(), hash.end());
            ASSERT_EQ(claims[i].path, path) << i << " of " << count;
        }
        uint32_t checks = 0;
        EXPECT_TRUE(all_good(verdicts(claims, &checks)));
        EXPECT_EQ(checks, (count + 63) / 64);
    }
}

TEST_P(Burst, ClaimsOfManyBurstsShareWhatTheyCan)
{
    std::vector<Claim> mixed;
    for (uint32_t number = 0; number < 4; number++) { /* two of each key */
        std::vector<Claim> some = sign(messages_of(5 + number, 9), number % 2);
        mixed.insert(mixed.end(), some.begin(), some.end());
    }
    for (size_t i = 0; i < mixed.size(); i += 2) /* half of them by libsodium's path */
        mixed[i].slot = ED25519_SLOT_NONE;
    std::stable_sort(mixed.begin(), mixed.end(),
                     [](const Claim &a, const Claim &b) { return a.index < b.index; });
    uint32_t checks = 0;
    EXPECT_TRUE(all_good(verdicts(mixed, &checks)));
    EXPECT_EQ(checks, 8u);
    mixed[3].message.push_back(0);
    std::vector<ed25519_burst_refusal> found = verdicts(mixed, &checks);
    EXPECT_EQ(checks, 9u);
    for (size_t i = 0; i < found.size(); i++)
        EXPECT_EQ(found[i], i == 3 ? ED25519_BURST_SIGNATURE : ED25519_BURST_GOOD);
}

/* A good claim does not lend its signature check to one with other bytes of signature or key. */
TEST_P(Burst, NothingIsSharedWithALiar)
{
    const std::vector<Claim> claims = sign(messages_of(4, 0));
    for (uint32_t lie = 0; lie < 3; lie++) {
        std::vector<Claim> two = {claims[0], claims[1]};
        if (lie == 0) {
            two[1].signature[40] ^= 1;
        } else {
            two[0].slot = two[1].slot = ED25519_SLOT_NONE;
            if (lie == 1)
                two[1].key = key[1];
            else
                two[1].slot = 1;
        }
        const std::vector<ed25519_burst_refusal> found = verdicts(two);
        EXPECT_EQ(found[0], ED25519_BURST_GOOD);
        EXPECT_EQ(found[1], ED25519_BURST_SIGNATURE);
    }
}

/* ---- what does not --------------------------------------------------------------------------- */

TEST_P(Burst, EveryBitCounts)
{
    const std::vector<Claim> claims = sign(messages_of(11, 3));
    for (uint32_t number : {1u, 4u, 10u}) {
        const Claim &good = claims[number];
        std::vector<Claim> bent;
        for (size_t bit = 0; bit < good.message.size() * 8; bit += 7) {
            bent.push_back(good);
            bent.back().message[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        }
        for (size_t bit = 0; bit < good.path.size() * 8; bit++) {
            bent.push_back(good);
            bent.back().path[bit / 8] ^= static_cast<uint8_t>(1 << bit % 8);
        }
        for (ed25519_burst_refusal refusal : verdicts(bent))
            ASSERT_EQ(refusal, ED25519_BURST_SIGNATURE);
    }
}

TEST_P(Burst, PlacesAndSizesAreSigned)
{
    for (uint32_t count : {1u, 2u, 7u, 8u, 13u}) {
        const std::vector<Claim> claims = sign(messages_of(count, 1));
        for (const Claim &good : claims) {
            for (uint32_t size = 1; size <= 2 * count; size++) {
                for (uint32_t index = 0; index < size; index++) {
                    Claim lie = good;
                    lie.index = index;
                    lie.count = size;
                    if (index == good.index && size == count)
                        continue;
                    EXPECT_NE(verdicts({lie})[0], ED25519_BURST_GOOD);
                }
            }
        }
    }
}

TEST_P(Burst, RefusesByName)
{
    const Claim good = sign(messages_of(6, 0))[2];
    expect(good, ED25519_BURST_GOOD);
    Claim lie = good;
    lie.count = 0;
    expect(lie, ED25519_BURST_SIZE);
    lie.count = ED25519_BURST_MAX + 1;
    expect(lie, ED25519_BURST_SIZE);
    lie.count = UINT32_MAX;
    expect(lie, ED25519_BURST_SIZE);
    lie = good;
    lie.index = 6;
    expect(lie, ED25519_BURST_INDEX);
    lie.index = UINT32_MAX;
    expect(lie, ED25519_BURST_INDEX);
    for (uint32_t hashes : {0u, 2u, 4u, 16u, UINT32_MAX}) {
        lie = good;
        lie.path_count = hashes;
        expect(lie, ED25519_BURST_PATH);
    }
    lie = good;
    lie.slot = 1;
    expect(lie, ED25519_BURST_SIGNATURE);
    for (const char *other : {"", "vote", "votes ", "voteS"}) {
        context = other;
        expect(good, ED25519_BURST_SIGNATURE);
    }
}

/* The two hashes below a node, given as a message: refused twice over, by the domain and by the
 * signed count. */
TEST_P(Burst, NodesAreNoLeaves)
{
    const std::vector<Bytes> messages = messages_of(4, 0);
    Claim lie = sign(messages)[0];
    lie.message = joined(twin_root(messages.data(), 1), twin_root(messages.data() + 1, 1));
    lie.path.erase(lie.path.begin(), lie.path.begin() + ED25519_BURST_HASH_BYTES);
    lie.path_count = 1;
    lie.count = 2;
    expect(lie, ED25519_BURST_SIGNATURE);
}

/* A signature of the message or of the bare root is none of the burst. */
TEST_P(Burst, PlainSignaturesAreNoBursts)
{
    Claim lie = sign({Bytes(3, 1)})[0];
    crypto_sign_detached(lie.signature.data(), nullptr, lie.message.data(), lie.message.size(),
                         secret[0].data());
    expect(lie, ED25519_BURST_SIGNATURE);
    Bytes32 root = twin_root(&lie.message, 1);
    crypto_sign_detached(lie.signature.data(), nullptr, root.data(), root.size(), secret[0].data());
    expect(lie, ED25519_BURST_SIGNATURE);
}

TEST_P(Burst, TheLargestOne)
{
    Region large(ed25519_burst_footprint(ED25519_BURST_MAX));
    burst = ed25519_burst_init(large.memory.get(), base, ED25519_BURST_MAX);
    const std::vector<ed25519_burst_message> none(ED25519_BURST_MAX);
    Claim claim{};
    claim.index = ED25519_BURST_MAX - 1;
    claim.count = ED25519_BURST_MAX;
    claim.path.resize(static_cast<size_t>(ED25519_BURST_PATH_MAX) * ED25519_BURST_HASH_BYTES);
    ed25519_burst_context with = context_of(context);
    ed25519_burst_sign(burst, &signer[0], &with, none.data(), ED25519_BURST_MAX,
                       claim.signature.data());
    claim.path_count = ed25519_burst_path(burst, claim.index, claim.path.data());
    EXPECT_EQ(claim.path_count, ED25519_BURST_PATH_MAX);
    expect(claim, ED25519_BURST_GOOD);
}

TEST_P(Burst, MistakesOfOursAbort)
{
    const std::vector<Bytes> messages = messages_of(capacity + 1, 0);
    EXPECT_DEATH(sign(messages), "broken");
    EXPECT_DEATH(sign({}), "broken");
    uint8_t path[ED25519_BURST_PATH_MAX * ED25519_BURST_HASH_BYTES];
    sign(messages_of(3, 0));
    EXPECT_DEATH(ed25519_burst_path(burst, 3, path), "broken");
    context = std::string(ED25519_BURST_CONTEXT_MAX + 1, 'x');
    EXPECT_DEATH(sign(messages_of(3, 0)), "broken");
    context.pop_back();
    EXPECT_TRUE(all_good(verdicts(sign(messages_of(3, 0)))));
}

INSTANTIATE_TEST_SUITE_P(Backends, Burst,
                         testing::Values(ED25519_PORTABLE, ED25519_AVX2, ED25519_IFMA));

TEST(BurstSizes, NoSuchSizes)
{
    EXPECT_EQ(ed25519_burst_footprint(0), 0u);
    EXPECT_EQ(ed25519_burst_footprint(ED25519_BURST_MAX + 1), 0u);
    EXPECT_GE(ed25519_burst_footprint(1), 2u * ED25519_BURST_HASH_BYTES);
}
