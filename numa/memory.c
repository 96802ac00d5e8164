#include "numa/memory.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t whole_pages(size_t bytes)
{
    return (size_t)round_up(bytes, (uint64_t)sysconf(_SC_PAGESIZE));
}

static uint8_t *pages_map(size_t bytes)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* The kernel aligns to a small page only, so a huge page more is mapped and both ends are
 * trimmed. */
static uint8_t *pages_map_huge(size_t bytes)
{
    uint8_t *mapped = pages_map(bytes + MEMORY_HUGE_PAGE_BYTES);
    if (mapped == NULL)
        return NULL;
    size_t before = (size_t)(-(uintptr_t)mapped % MEMORY_HUGE_PAGE_BYTES);
    size_t after = MEMORY_HUGE_PAGE_BYTES - before;
    uint8_t *memory = mapped + before;
    if (before != 0)
        ENSURE(munmap(mapped, before) == 0);
    if (after != 0)
        ENSURE(munmap(memory + bytes, after) == 0);
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a kernel without huge pages still has pages */
    return memory;
}

void *memory_reserve(size_t bytes, uint32_t node, const struct topology *topology, bool *bound)
{
    ENSURE(bytes > 0);
    size_t mapped_bytes = whole_pages(bytes);
    if (mapped_bytes < bytes || mapped_bytes > SIZE_MAX - MEMORY_HUGE_PAGE_BYTES) {
        errno = ENOMEM;
        return NULL;
    }
    bool huge = mapped_bytes >= MEMORY_HUGE_PAGE_BYTES;
    uint8_t *memory = huge ? pages_map_huge(mapped_bytes) : pages_map(mapped_bytes);
    if (memory == NULL)
        return NULL;
    bool on_node = topology_bind_memory(topology, memory, mapped_bytes, node);
    if (bound != NULL)
        *bound = on_node;
    return memory;
}

bool memory_populate(void *memory, size_t bytes)
{
    ENSURE(memory != NULL && bytes > 0);
    if (madvise(memory, whole_pages(bytes), MADV_POPULATE_WRITE) == 0)
        return true;
    if (errno != EINVAL)
        return false;
    /* A kernel before 5.14: touch by hand, and let it kill us if it must. */
    volatile uint8_t *byte = memory;
    size_t step = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t at = 0; at < bytes; at += step)
        byte[at] = byte[at];
    return true;
}

void memory_release(void *memory, size_t bytes)
{
    if (memory != NULL)
        ENSURE(munmap(memory, whole_pages(bytes)) == 0);
}
