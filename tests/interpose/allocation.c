#include "tests/interpose/internal.h"

#include "numa/base/assert.h"
#include "numa/base/bits.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#if INTERPOSE_UNDER_TSAN

bool interpose_allocations_watch(void)
{
    return false;
}

#else

/* No lock here: what libc and the loader lock among themselves does not come this way. */
int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    static int (*lock)(pthread_mutex_t *);
    if (lock == NULL) /* two threads may find it at once, and find the same */
        *(void **)&lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    interpose_note(INTERPOSE_LOCK);
    return lock(mutex);
}

#if INTERPOSE_UNDER_ASAN

/* From the sanitizers' allocator_interface.h, which gcc's package leaves out. */
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
                                              void (*freed)(const volatile void *));

static void allocated(const volatile void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
    interpose_note(INTERPOSE_ALLOCATION);
}

static void freed(const volatile void *memory)
{
    (void)memory;
    interpose_note(INTERPOSE_FREE);
}

bool interpose_allocations_watch(void)
{
    static int installed;
    if (installed == 0)
        installed = __sanitizer_install_malloc_and_free_hooks(allocated, freed);
    return installed != 0;
}

#else

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *memory, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *memory);

bool interpose_allocations_watch(void)
{
    return true;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): libc's names are reserved */
void *malloc(size_t bytes)
{
    interpose_note(INTERPOSE_ALLOCATION);
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    interpose_note(INTERPOSE_ALLOCATION);
    return __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    interpose_note(INTERPOSE_ALLOCATION);
    return __libc_realloc(memory, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
    interpose_note(INTERPOSE_ALLOCATION);
    return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    interpose_note(INTERPOSE_ALLOCATION);
    return __libc_memalign(alignment, bytes);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    interpose_note(INTERPOSE_ALLOCATION);
    if (alignment % sizeof(void *) != 0 || !is_power_of_two(alignment))
        return EINVAL;
    *memory = __libc_memalign(alignment, bytes);
    return *memory == NULL ? ENOMEM : 0;
}

void free(void *memory)
{
    if (memory != NULL)
        interpose_note(INTERPOSE_FREE);
    __libc_free(memory);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

#endif
#endif
