#include "tests/interpose/interpose.h"

#include "numa/base/assert.h"
#include "numa/base/guard.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/interpose/internal.h"

#define SYSCALL_NUMBER_MAX 1024u
#define KERNEL_SA_RESTORER UINT64_C(0x04000000)
#define KERNEL_MASK_BYTES  8

static _Atomic uint64_t counts[INTERPOSE_KIND_COUNT];
static _Atomic uint64_t syscall_counts[SYSCALL_NUMBER_MAX];

void interpose_note(enum interpose_kind kind)
{
    if (guard_polling())
        atomic_fetch_add_explicit(&counts[kind], 1, memory_order_relaxed);
}

/* The kernel lets calls from this range pass even under the mark: here the handler makes the caught
 * call, and from here it returns. The kernel compares the address after the instruction, hence the
 * end label behind ret.
 */
__asm__(
    ".pushsection .text\n"
    ".globl interpose_pass_begin, interpose_pass_end, interpose_restore, interpose_raw\n"
    "interpose_pass_begin:\n"
    "interpose_restore:\n" /* a signal handler returns to here, its frame at the stack's top */
    "    mov $15, %eax\n"
    "    syscall\n"
    "    ud2\n"
    "interpose_raw:\n" /* (number, arguments[6]), System V to kernel convention */
    "    mov %rdi, %rax\n"
    "    mov %rsi, %r11\n"
    "    mov (%r11), %rdi\n"
    "    mov 8(%r11), %rsi\n"
    "    mov 16(%r11), %rdx\n"
    "    mov 24(%r11), %r10\n"
    "    mov 32(%r11), %r8\n"
    "    mov 40(%r11), %r9\n"
    "    syscall\n"
    "    ret\n"
    "interpose_resume:\n" /* (stack): leaves a handler that another signal's return interrupted */
    "    mov %rdi, %rsp\n"
    "    jmp interpose_restore\n"
    "interpose_pass_end:\n"
    ".popsection\n");

extern const char interpose_pass_begin[], interpose_pass_end[];
void interpose_restore(void);
int64_t interpose_raw(int64_t number, const int64_t arguments[6]);
_Noreturn void interpose_resume(int64_t stack);

/* A child on a stack of its own would return into our frame: polling threads start no threads. */
static bool shares_memory(int64_t number, const int64_t arguments[6])
{
    if (number == SYS_clone)
        return (arguments[0] & CLONE_VM) != 0;
    if (number == SYS_clone3) {
        uint64_t flags;
        memcpy(&flags, (const void *)(uintptr_t)arguments[0], sizeof flags);
        return (flags & CLONE_VM) != 0;
    }
    return number == SYS_vfork;
}

static void syscall_caught(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    int64_t number = registers[REG_RAX];
    if (number == SYS_rt_sigreturn) /* another signal's handler ends: that is no call of the loop */
        interpose_resume(registers[REG_RSP]);
    if (number >= 0 && number < SYSCALL_NUMBER_MAX)
        atomic_fetch_add_explicit(&syscall_counts[number], 1, memory_order_relaxed);
    interpose_note(number == SYS_sched_yield ? INTERPOSE_YIELD : INTERPOSE_SYSCALL);
    const int64_t arguments[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                                  registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    registers[REG_RAX] =
        shares_memory(number, arguments) ? -EAGAIN : interpose_raw(number, arguments);
}

static bool dispatch_on(volatile uint8_t *mark)
{
    size_t bytes = (size_t)(interpose_pass_end - interpose_pass_begin);
    return prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, interpose_pass_begin, bytes,
                 mark) == 0;
}

static void thread_watch(volatile uint8_t *mark)
{
    ENSURE(dispatch_on(mark)); /* interpose_start has seen it work */
}

/* libc's sigaction puts its own way back under the handler, one that the kernel would catch again.
 * Not deferred: a signal that arrives within a caught call has a handler whose return is caught in
 * turn. */
static bool handler_install(void)
{
    struct {
        void (*handler)(int, siginfo_t *, void *);
        uint64_t flags;
        void (*restorer)(void);
        uint64_t mask;
    } action = {syscall_caught, SA_SIGINFO | SA_NODEFER | KERNEL_SA_RESTORER, interpose_restore, 0};
    return syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, KERNEL_MASK_BYTES) == 0;
}

bool interpose_start(void)
{
    static volatile uint8_t trial;
    if (INTERPOSE_UNDER_TSAN || !interpose_allocations_watch() || !handler_install())
        return false;
    if (!dispatch_on(&trial) ||
        prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_OFF, 0, 0, 0) != 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        atomic_store(&counts[i], 0);
    for (size_t i = 0; i < COUNT_OF(syscall_counts); i++)
        atomic_store(&syscall_counts[i], 0);
    guard_watch_set(thread_watch);
    return true;
}

void interpose_stop(void)
{
    guard_watch_set(NULL);
}

uint64_t interpose_count(enum interpose_kind kind)
{
    ENSURE(kind < INTERPOSE_KIND_COUNT);
    return atomic_load(&counts[kind]);
}

uint64_t interpose_syscall_count(uint32_t number)
{
    ENSURE(number < SYSCALL_NUMBER_MAX);
    return atomic_load(&syscall_counts[number]);
}

const char *interpose_story(void)
{
    static char story[1024];
    static const char *const words[] = {"allocations", "frees", "system calls", "yields", "locks"};
    _Static_assert(COUNT_OF(words) == INTERPOSE_KIND_COUNT, "a word for each kind");
    int used = 0;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        used += snprintf(story + used, sizeof story - (size_t)used, "%s%llu %s", i == 0 ? "" : ", ",
                         (unsigned long long)atomic_load(&counts[i]), words[i]);
    for (uint32_t i = 0; i < SYSCALL_NUMBER_MAX && (size_t)used < sizeof story - 64; i++)
        if (interpose_syscall_count(i) != 0)
            used += snprintf(story + used, sizeof story - (size_t)used, "; number %u: %llu", i,
                             (unsigned long long)interpose_syscall_count(i));
    return story;
}
