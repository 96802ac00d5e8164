#include <gtest/gtest.h>

#include <set>
#include <string>

extern "C" {
#include "crypto/digest/digest.h"
}

// Replicas of different builds must agree, so the function itself is part of the contract.
TEST(Digest, ValuesNeverChange)
{
    EXPECT_EQ(digest_hash64(nullptr, 0, 0), UINT64_C(0xdf5b349948516bfb));
    EXPECT_EQ(digest_hash64("abc", 3, 0), UINT64_C(0xc16003524952a9f3));
}

TEST(Digest, EveryBitOfInputAndSeedCounts)
{
    std::set<uint64_t> seen;
    std::string text(40, 'x');
    seen.insert(digest_hash64(text.data(), text.size(), 7));
    for (size_t bit = 0; bit < text.size() * 8; bit++) {
        std::string other = text;
        other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
        seen.insert(digest_hash64(other.data(), other.size(), 7));
    }
    for (uint64_t bit = 0; bit < 64; bit++)
        seen.insert(digest_hash64(text.data(), text.size(), 7 ^ (UINT64_C(1) << bit)));
    seen.insert(digest_hash64(text.data(), text.size() - 1, 7));
    EXPECT_EQ(seen.size(), 1 + text.size() * 8 + 64 + 1);
}
