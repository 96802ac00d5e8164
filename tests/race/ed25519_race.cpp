/* Verifiers use keys by the numbers of a roster, while control takes keys away, waits for a grace
 * period and gives their slots to others. A slot handed on too early answers for the wrong key: the
 * verdict betrays it, as TSan does. */
#include <gtest/gtest.h>
#include <sodium.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

extern "C" {
#include "crypto/ed25519/ed25519.h"
#include "dataplane/view/view.h"
}

static constexpr uint32_t kSlots = 3, kSigners = 7, kWindow = 4, kTurns = 60;

/* Who is a member, and by which slot. A published one does not change. */
struct Roster {
    uint32_t number;
    std::array<uint32_t, kSlots> slot, signer;
};

struct Signer {
    std::array<uint8_t, ED25519_KEY_BYTES> key;
    std::array<uint8_t, ED25519_SIGNATURE_BYTES> good, bad;
};

struct Free {
    void operator()(void *memory) const
    {
        std::free(memory);
    }
};
using Region = std::unique_ptr<void, Free>;

static Region region(size_t bytes)
{
    return Region(std::aligned_alloc(CACHE_LINE_BYTES, (bytes + 63) / 64 * 64));
}

static const std::array<uint8_t, 5> kMessage = {'v', 'o', 't', 'e', 's'};

static std::vector<Signer> make_signers()
{
    std::vector<Signer> signers(kSigners);
    for (uint32_t i = 0; i < kSigners; i++) {
        std::array<uint8_t, crypto_sign_SEEDBYTES> seed{static_cast<uint8_t>(i + 1)};
        std::array<uint8_t, ED25519_SECRET_BYTES> secret;
        crypto_sign_seed_keypair(signers[i].key.data(), secret.data(), seed.data());
        crypto_sign_detached(signers[i].good.data(), nullptr, kMessage.data(), kMessage.size(),
                             secret.data());
        signers[i].bad = signers[i].good;
        signers[i].bad[40] ^= 1;
    }
    return signers;
}

/* A good and a bad signature of each member of the roster. */
static bool verdicts_hold(const ed25519_keyset *keyset, const std::vector<Signer> &signers,
                          const Roster &roster)
{
    std::array<ed25519_job, 2 * kSlots> jobs;
    std::array<bool, 2 * kSlots> verdicts;
    for (uint32_t i = 0; i < kSlots; i++) {
        const Signer &signer = signers[roster.signer[i]];
        jobs[2 * i] = {signer.good.data(), kMessage.data(), kMessage.size(), nullptr,
                       roster.slot[i]};
        jobs[2 * i + 1] = jobs[2 * i];
        jobs[2 * i + 1].signature = signer.bad.data();
    }
    ed25519_batch_verify(keyset, jobs.data(), jobs.size(), verdicts.data());
    for (uint32_t i = 0; i < jobs.size(); i++) {
        if (verdicts[i] != (i % 2 == 0))
            return false;
    }
    return true;
}

/* Slots by turns lose their key and get the next signer's; the last kSlots signers are the
 * members. */
static void replace_by_turns(ed25519_keyset *keyset, const std::vector<Signer> &signers,
                             std::vector<Roster> &rosters, std::atomic<const Roster *> &published)
{
    for (uint32_t turn = 1; turn <= kTurns; turn++) {
        uint32_t place = (turn - 1) % kSlots, beside = turn % kSlots;
        Roster &without = rosters[2 * turn - 1], &next = rosters[2 * turn];
        next = without = rosters[2 * turn - 2];
        without.slot[place] = without.slot[beside];
        without.signer[place] = without.signer[beside];
        published.store(&without, std::memory_order_release);
        ed25519_keyset_retire(keyset, next.slot[place]);
        view_synchronize();
        ed25519_keyset_reclaim(keyset, next.slot[place]);
        next.number = turn;
        next.signer[place] = (turn + kSlots - 1) % kSigners;
        ASSERT_EQ(
            ed25519_keyset_add(keyset, signers[next.signer[place]].key.data(), &next.slot[place]),
            ED25519_ADDED);
        published.store(&next, std::memory_order_release);
    }
}

static void race(ed25519_backend backend)
{
    const std::vector<Signer> signers = make_signers();
    const Region base_memory = region(ed25519_base_footprint(kWindow));
    const Region memory = region(ed25519_keyset_footprint(kSlots, kWindow));
    const ed25519_base *base = ed25519_base_init(base_memory.get(), kWindow, backend);
    ed25519_keyset *keyset = ed25519_keyset_init(memory.get(), base, kSlots, kWindow);
    std::vector<Roster> rosters(2 * kTurns + 1); /* all kept: only slots are in danger here */
    for (uint32_t i = 0; i < kSlots; i++) {
        rosters[0].signer[i] = i;
        ASSERT_EQ(ed25519_keyset_add(keyset, signers[i].key.data(), &rosters[0].slot[i]),
                  ED25519_ADDED);
    }
    std::atomic<const Roster *> published{&rosters[0]};
    std::atomic<uint64_t> wrong{0}, batches{0};
    auto verifier = [&](void (*enroll)()) {
        enroll();
        for (uint32_t seen = 0; seen < kTurns;) {
            const Roster *roster = published.load(std::memory_order_acquire);
            seen = roster->number;
            wrong += verdicts_hold(keyset, signers, *roster) ? 0 : 1;
            batches++;
            view_quiescent();
        }
        view_thread_unregister();
    };
    std::thread a(verifier, view_thread_register), b(verifier, view_core_register);
    replace_by_turns(keyset, signers, rosters, published);
    a.join();
    b.join();
    EXPECT_EQ(wrong, 0u);
    EXPECT_GE(batches, 2u);
}

class Ed25519Race : public testing::TestWithParam<ed25519_backend>
{
};

TEST_P(Ed25519Race, VerifiersUseSlotsWhileControlHandsThemOn)
{
    if (!ed25519_backend_runs(GetParam()))
        GTEST_SKIP() << "skipped: this CPU does not run " << ed25519_backend_name(GetParam());
    race(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Backends, Ed25519Race,
                         testing::Values(ED25519_PORTABLE, ED25519_AVX2, ED25519_IFMA));
