#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

extern "C" {
#include "numa/memory.h"
}

namespace
{

class Memory : public ::testing::Test
{
  protected:
    Memory() : table(new topology)
    {
        EXPECT_EQ(topology_init(table.get(), nullptr), TOPOLOGY_READ);
    }
    ~Memory() override
    {
        topology_fini(table.get());
    }
    std::unique_ptr<topology> table;
};

TEST_F(Memory, IsZeroAndWritableToTheLastByte)
{
    for (size_t bytes : {size_t{1}, size_t{4096}, size_t{4097}, MEMORY_HUGE_PAGE_BYTES + 1}) {
        auto *memory = static_cast<uint8_t *>(memory_reserve(bytes, 0, table.get(), nullptr));
        ASSERT_NE(memory, nullptr);
        EXPECT_EQ(memory[0] | memory[bytes / 2] | memory[bytes - 1], 0);
        ASSERT_TRUE(memory_populate(memory, bytes));
        memory[bytes - 1] = 7;
        memory_release(memory, bytes);
    }
}

TEST_F(Memory, BigRegionsStartOnAHugePage)
{
    for (int i = 0; i < 8; i++) {
        size_t bytes = MEMORY_HUGE_PAGE_BYTES * 3 + 4096 * static_cast<size_t>(i);
        void *memory = memory_reserve(bytes, 0, table.get(), nullptr);
        ASSERT_NE(memory, nullptr);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(memory) % MEMORY_HUGE_PAGE_BYTES, 0u);
        memory_release(memory, bytes);
    }
}

TEST_F(Memory, TheSkyIsRefusedWithAnErrno)
{
    for (size_t bytes : {SIZE_MAX, SIZE_MAX - MEMORY_HUGE_PAGE_BYTES, SIZE_MAX / 2}) {
        errno = 0;
        EXPECT_EQ(memory_reserve(bytes, 0, table.get(), nullptr), nullptr);
        EXPECT_EQ(errno, ENOMEM);
    }
}

TEST_F(Memory, AForeignTopologyBindsNothing)
{
    std::unique_ptr<topology> foreign(new topology);
    ASSERT_EQ(topology_init(foreign.get(), "pack:2 [numa] core:2 pu:1"), TOPOLOGY_READ);
    bool bound = true;
    void *memory = memory_reserve(4096, 1, foreign.get(), &bound);
    ASSERT_NE(memory, nullptr);
    EXPECT_FALSE(bound);
    memory_release(memory, 4096);
    topology_fini(foreign.get());
}

TEST_F(Memory, NodesOutsideTheTableAbort)
{
    void *memory = nullptr;
    EXPECT_DEATH(memory = memory_reserve(4096, table->node_count, table.get(), nullptr), "node");
    EXPECT_EQ(memory, nullptr);
}

TEST_F(Memory, NothingIsReleasedForNull)
{
    memory_release(nullptr, 4096);
}

} // namespace
