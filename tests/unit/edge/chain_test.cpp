#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>

extern "C" {
#include "dataplane/edge/chain.h"
}

namespace
{

class Chain : public testing::Test
{
  protected:
    static constexpr uint32_t chunks = 8;
    void *memory = aligned_alloc(64, edge_pool_footprint(chunks));
    edge_pool pool;

    void SetUp() override
    {
        edge_pool_init(&pool, memory, chunks);
    }
    void TearDown() override
    {
        EXPECT_EQ(pool.in_use, 0u);
        free(memory);
    }
    static std::string text_of(const edge_chain &chain)
    {
        std::string text;
        for (const edge_chunk *chunk = chain.first; chunk != nullptr; chunk = chunk->next)
            text.append(reinterpret_cast<const char *>(chunk->data) + chunk->begin,
                        chunk->end - chunk->begin);
        EXPECT_EQ(text.size(), chain.bytes);
        return text;
    }
    bool append(edge_chain *chain, const std::string &text)
    {
        return edge_chain_append(&pool, chain, text.data(), static_cast<uint32_t>(text.size()));
    }
};

TEST_F(Chain, HoldsWhatAStringHolds)
{
    std::mt19937 random(11);
    edge_chain chain = {};
    std::string twin;
    for (int round = 0; round < 3000; round++) {
        if (random() % 2 == 0 && twin.size() < 80000) {
            std::string piece(random() % 20000, static_cast<char>('a' + round % 26));
            ASSERT_TRUE(append(&chain, piece));
            twin += piece;
        } else {
            size_t bytes = twin.empty() ? 0 : random() % (twin.size() + 1);
            edge_chain_consume(&pool, &chain, bytes);
            twin.erase(0, bytes);
        }
        ASSERT_EQ(text_of(chain), twin);
    }
    edge_chain_drop(&pool, &chain);
    EXPECT_EQ(chain.first, nullptr);
}

TEST_F(Chain, MovesBehindWithoutCopying)
{
    edge_chain a = {}, b = {}, empty = {};
    ASSERT_TRUE(append(&a, "one"));
    ASSERT_TRUE(append(&b, "two"));
    edge_chain_move(&a, &empty);
    edge_chain_move(&a, &b);
    EXPECT_EQ(text_of(a), "onetwo");
    EXPECT_EQ(b.first, nullptr);
    ASSERT_TRUE(append(&a, "three"));
    EXPECT_EQ(text_of(a), "onetwothree");
    edge_chain_move(&b, &a);
    EXPECT_EQ(text_of(b), "onetwothree");
    edge_chain_drop(&pool, &b);
}

TEST_F(Chain, RefusesWhenThePoolIsEmpty)
{
    edge_chain chain = {};
    std::string all(chunks * sizeof(edge_chunk::data), 'x');
    EXPECT_TRUE(append(&chain, all));
    EXPECT_FALSE(append(&chain, "y"));
    EXPECT_EQ(edge_pool_take(&pool), nullptr);
    edge_chain_consume(&pool, &chain, sizeof(edge_chunk::data));
    EXPECT_TRUE(append(&chain, "y"));
    edge_chain_drop(&pool, &chain);
}

TEST_F(Chain, LastChunkFreedIsTheFirstUsedAgain)
{
    edge_chunk *first = edge_pool_take(&pool), *second = edge_pool_take(&pool);
    edge_pool_give(&pool, second);
    edge_pool_give(&pool, first);
    EXPECT_EQ(edge_pool_take(&pool), first);
    edge_pool_give(&pool, first);
}

} // namespace
