/* Verdicts against libsodium's, in every backend, batch size and lane. */
#include "tests/unit/crypto/ed25519_cases.h"

#include <gtest/gtest.h>
#include <jansson.h>
#include <sodium.h>

#include <algorithm>
#include <cstdlib>

static void check_in_batches(const std::vector<Case> &cases, uint32_t key_window,
                             uint32_t base_window, size_t batch)
{
    for (ed25519_backend backend : backends()) {
        Bench bench(cases, backend, key_window, base_window);
        const std::vector<ed25519_job> jobs = bench.jobs(cases);
        for (size_t at = 0; at < cases.size(); at += batch) {
            size_t end = std::min(cases.size(), at + batch);
            bench.check({cases.begin() + static_cast<ptrdiff_t>(at),
                         cases.begin() + static_cast<ptrdiff_t>(end)},
                        {jobs.begin() + static_cast<ptrdiff_t>(at),
                         jobs.begin() + static_cast<ptrdiff_t>(end)});
        }
    }
}

TEST(Ed25519Verify, EdgeCasesAreWhatTheyShouldBe)
{
    uint32_t mixed_good = 0, lengths = 0;
    for (const Case &one : edge_cases()) {
        mixed_good += one.name == "mixed order" && one.good;
        lengths += one.name == "length" && one.good;
        bool forbidden = one.name.find("small order") != std::string::npos ||
                         one.name.find("beyond p") != std::string::npos;
        EXPECT_FALSE(forbidden && one.good) << one.name;
    }
    EXPECT_GT(mixed_good, 20u); /* torsion in A is accepted, when R's fits */
    EXPECT_EQ(lengths, 400u);
    EXPECT_EQ(small_order_encodings().size(), 14u);
}

TEST(Ed25519Verify, EdgeCases)
{
    const std::vector<Case> cases = edge_cases();
    for (size_t batch : {1u, 8u, 64u})
        check_in_batches(cases, 5, 7, batch);
}

TEST(Ed25519Verify, EveryWindow)
{
    std::vector<Case> cases = random_cases(200, 2, 1);
    for (uint32_t window = ED25519_WINDOW_MIN; window <= ED25519_WINDOW_MAX; window++)
        check_in_batches(cases, window, ED25519_WINDOW_MIN + ED25519_WINDOW_MAX - window, 64);
}

TEST(Ed25519Verify, EveryBatchSize)
{
    const std::vector<Case> cases = random_cases(500, 7, 2);
    for (ed25519_backend backend : backends()) {
        Bench bench(cases, backend, 6, 8);
        const std::vector<ed25519_job> jobs = bench.jobs(cases);
        for (size_t size = 0; size <= 130; size++) {
            auto from = static_cast<ptrdiff_t>(size * 7 % (cases.size() - size));
            auto to = from + static_cast<ptrdiff_t>(size);
            bench.check({cases.begin() + from, cases.begin() + to},
                        {jobs.begin() + from, jobs.begin() + to});
        }
    }
}

TEST(Ed25519Verify, EveryLane)
{
    std::vector<Case> edges = edge_cases();
    edges.resize(256 + 60); /* the torsion and what follows it; others differ by bytes alone */
    std::vector<Case> good = random_cases(200, 3, 3);
    good.erase(std::remove_if(good.begin(), good.end(), [](const Case &one) { return !one.good; }),
               good.end());
    std::vector<Case> all = edges;
    all.insert(all.end(), good.begin(), good.begin() + 8);
    for (ed25519_backend backend : backends()) {
        Bench bench(all, backend, 5, 7);
        const std::vector<ed25519_job> jobs = bench.jobs(all);
        std::vector<Case> group(all.end() - 8, all.end());
        std::vector<ed25519_job> group_jobs(jobs.end() - 8, jobs.end());
        for (size_t i = 0; i < edges.size(); i++) {
            for (size_t lane = 0; lane < 8; lane++) {
                std::vector<Case> with = group;
                std::vector<ed25519_job> with_jobs = group_jobs;
                with[lane] = edges[i];
                with_jobs[lane] = jobs[i];
                bench.check(with, with_jobs);
            }
        }
    }
}

TEST(Ed25519Verify, HundredThousandRandomAndBent)
{
    const char *wanted = std::getenv("QUORATE_ED25519_CASES"); /* soak: more */
    const char *fresh = std::getenv("QUORATE_ED25519_SEED");
    uint64_t left = wanted == nullptr ? 100000 : std::strtoull(wanted, nullptr, 10);
    uint64_t seed = fresh == nullptr ? 100 : std::strtoull(fresh, nullptr, 10);
    for (; left > 0; seed++) {
        auto some = static_cast<uint32_t>(std::min<uint64_t>(left, 20000));
        check_in_batches(random_cases(some, 31, seed), 6, 8, 61 + seed % 8);
        left -= some;
    }
}

TEST(Ed25519Verify, UnknownKeysTakeLibsodiumsPath)
{
    std::vector<Case> cases = random_cases(100, 3, 4);
    std::vector<Case> edges = edge_cases();
    cases.insert(cases.end(), edges.begin(), edges.begin() + 100);
    for (ed25519_backend backend : backends()) {
        Bench bench(cases, backend, 5, 7);
        std::vector<ed25519_job> jobs = bench.jobs(cases);
        for (size_t i = 0; i < jobs.size(); i += 3)
            jobs[i].slot = ED25519_SLOT_NONE;
        bench.check(cases, jobs);
    }
}

TEST(Ed25519Verify, Rfc8032)
{
    static const char *const vectors[][3] = {
        /* 7.1: TEST 1, 2, 3 and SHA(abc) */
        {"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701"
         "c"
         "f9b46bd25bf5f0595bbe24655141438e7a100b"},
        {"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d"
         "0"
         "f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7609"
         "8"
         "4dc6594a7c15e9716ed28dc027beceea1ec40a"},
        {"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
         "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a"
         "3"
         "feebbd454d4423643ce80e2a9ac94fa54ca49f",
         "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66"
         "4"
         "31e0303dca179c138ac17ad9bef1177331a704"},
    };
    std::vector<Case> cases;
    for (const auto &vector : vectors) {
        Case one{"RFC 8032", {}, {}, from_hex(vector[1]), false};
        Bytes key = from_hex(vector[0]), signature = from_hex(vector[2]);
        std::copy(key.begin(), key.end(), one.key.begin());
        std::copy(signature.begin(), signature.end(), one.signature.begin());
        judge(one);
        EXPECT_TRUE(one.good);
        cases.push_back(one);
    }
    check_in_batches(cases, 8, 8, 64);
}

/* Of signatures that have 64 bytes: others are not for this interface. */
TEST(Ed25519Verify, Wycheproof)
{
    const char *elsewhere = std::getenv("QUORATE_VECTORS");
    const std::string path =
        std::string(elsewhere == nullptr ? VECTORS : elsewhere) + "/wycheproof_ed25519_test.json";
    json_t *root = json_load_file(path.c_str(), 0, nullptr);
    if (root == nullptr)
        GTEST_SKIP() << "skipped: no " << path;
    std::vector<Case> cases;
    size_t i, j;
    json_t *group, *test;
    json_array_foreach(json_object_get(root, "testGroups"), i, group)
    {
        Bytes key =
            from_hex(json_string_value(json_object_get(json_object_get(group, "publicKey"), "pk")));
        json_array_foreach(json_object_get(group, "tests"), j, test)
        {
            Bytes signature = from_hex(json_string_value(json_object_get(test, "sig")));
            if (signature.size() != ED25519_SIGNATURE_BYTES)
                continue;
            Case one{"Wycheproof", {}, {}, {}, false};
            one.message = from_hex(json_string_value(json_object_get(test, "msg")));
            std::copy(key.begin(), key.end(), one.key.begin());
            std::copy(signature.begin(), signature.end(), one.signature.begin());
            judge(one);
            EXPECT_EQ(one.good,
                      std::string(json_string_value(json_object_get(test, "result"))) == "valid");
            cases.push_back(one);
        }
    }
    json_decref(root);
    EXPECT_EQ(cases.size(), 139u);
    for (size_t batch : {1u, 5u, 64u})
        check_in_batches(cases, 6, 8, batch);
}
