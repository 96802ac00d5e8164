/* Signatures are libsodium's, byte for byte. */
#include "tests/unit/crypto/ed25519_cases.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <ucontext.h>

#include <algorithm>
#include <functional>

struct Signing {
    std::array<uint8_t, 64> secret;
    Bytes32 key;
    ed25519_signer signer;

    explicit Signing(uint8_t seed)
    {
        crypto_sign_seed_keypair(key.data(), secret.data(), Bytes32{seed}.data());
        ed25519_signer_init(&signer, secret.data());
    }
};

static void check(ed25519_backend backend, const ed25519_base *base, const Signing &signing,
                  const std::vector<Bytes> &messages)
{
    std::vector<std::array<uint8_t, 64>> signatures(messages.size());
    std::vector<ed25519_sign_job> jobs;
    for (size_t i = 0; i < messages.size(); i++)
        jobs.push_back({messages[i].data(), messages[i].size(), signatures[i].data()});
    ed25519_batch_sign_by(backend, base, &signing.signer, jobs.data(),
                          static_cast<uint32_t>(jobs.size()));
    for (size_t i = 0; i < messages.size(); i++) {
        std::array<uint8_t, 64> expected;
        crypto_sign_detached(expected.data(), nullptr, messages[i].data(), messages[i].size(),
                             signing.secret.data());
        EXPECT_EQ(signatures[i], expected)
            << ed25519_backend_name(backend) << ", " << i << " of " << messages.size();
    }
}

static std::vector<Bytes> messages_of(size_t count, size_t step)
{
    std::vector<Bytes> messages;
    for (size_t i = 0; i < count; i++)
        messages.push_back(Bytes(i * step % 401, static_cast<uint8_t>(i)));
    return messages;
}

TEST(Ed25519Sign, EveryBatchSize)
{
    Region memory(ed25519_base_footprint(4));
    for (ed25519_backend backend : backends()) {
        const ed25519_base *base = ed25519_base_init(memory.memory.get(), 4, backend);
        for (size_t count = 0; count <= 130; count += count < 20 ? 1 : 11)
            check(backend, base, Signing(static_cast<uint8_t>(count)), messages_of(count, 37));
    }
}

TEST(Ed25519Sign, EveryLengthOfMessage)
{
    Region memory(ed25519_base_footprint(4));
    for (ed25519_backend backend : backends()) {
        const ed25519_base *base = ed25519_base_init(memory.memory.get(), 4, backend);
        check(backend, base, Signing(77), messages_of(401, 1));
    }
}

TEST(Ed25519Sign, BaseDecidesTheBackend)
{
    Region memory(ed25519_base_footprint(4));
    const ed25519_base *base = ed25519_base_init(memory.memory.get(), 4, ed25519_backend_best());
    Signing signing(3);
    std::array<uint8_t, 64> signature, expected;
    ed25519_sign_job job = {nullptr, 0, signature.data()};
    ed25519_batch_sign(base, &signing.signer, &job, 1);
    crypto_sign_detached(expected.data(), nullptr, nullptr, 0, signing.secret.data());
    EXPECT_EQ(signature, expected);
}

TEST(Ed25519Sign, SignersAreWiped)
{
    Signing signing(1);
    ed25519_signer_fini(&signing.signer);
    const auto *bytes = reinterpret_cast<const uint8_t *>(&signing.signer);
    EXPECT_TRUE(
        std::all_of(bytes, bytes + sizeof signing.signer, [](uint8_t byte) { return byte == 0; }));
}

/* ---- what stays on the stack ----------------------------------------------------------------- */

/* Runs a function on a stack of its own, and gives what it left there. */
class Stack
{
  public:
    explicit Stack(std::function<void()> function) : function_(std::move(function))
    {
        running = this;
        getcontext(&inside_);
        inside_.uc_stack.ss_sp = bytes_.data();
        inside_.uc_stack.ss_size = bytes_.size();
        inside_.uc_link = &outside_;
        makecontext(
            &inside_, [] { running->function_(); }, 0);
        swapcontext(&outside_, &inside_);
    }
    bool holds(const uint8_t *secret, size_t bytes) const
    {
        return std::search(bytes_.begin(), bytes_.end(), secret, secret + bytes) != bytes_.end();
    }

  private:
    static Stack *running;
    std::function<void()> function_;
    ucontext_t inside_, outside_;
    std::vector<uint8_t> bytes_ = std::vector<uint8_t>(256 << 10, 0xa5);
};

Stack *Stack::running;

TEST(Ed25519Sign, LeavesNoNonceOnTheStack)
{
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "the address sanitizer keeps frames elsewhere";
#endif
    Region memory(ed25519_base_footprint(4));
    const Signing signing(5);
    const Bytes message(100, 7);
    Bytes text(signing.signer.prefix, signing.signer.prefix + 32);
    text.insert(text.end(), message.begin(), message.end());
    std::array<uint8_t, 64> hash, signature;
    Bytes32 r;
    crypto_hash_sha512(hash.data(), text.data(), text.size());
    crypto_core_ed25519_scalar_reduce(r.data(), hash.data());
    for (ed25519_backend backend : backends()) {
        const ed25519_base *base = ed25519_base_init(memory.memory.get(), 4, backend);
        const ed25519_sign_job job = {message.data(), message.size(), signature.data()};
        const Stack stack([&] { ed25519_batch_sign_by(backend, base, &signing.signer, &job, 1); });
        const char *name = ed25519_backend_name(backend);
        EXPECT_FALSE(stack.holds(r.data(), 32)) << name << ": a is (S - r) / h for who sees r";
        EXPECT_FALSE(stack.holds(signing.signer.prefix, 32)) << name;
        EXPECT_FALSE(stack.holds(signing.signer.scalar, 32)) << name;
    }
}
