#include "crypto/ed25519/ed25519.h"
#include "numa/base/assert.h"

#include <string.h>

static const char *const names[ED25519_BACKENDS] = {
    [ED25519_PORTABLE] = "portable", [ED25519_AVX2] = "avx2", [ED25519_IFMA] = "ifma"};

/* __builtin_cpu_supports asks the CPU and, by XGETBV, the kernel. */
bool ed25519_backend_runs(enum ed25519_backend backend)
{
    switch (backend) {
    case ED25519_PORTABLE:
        return true;
    case ED25519_AVX2:
        return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0;
    case ED25519_IFMA:
        return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
               __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
               __builtin_cpu_supports("avx512ifma") != 0 && __builtin_cpu_supports("bmi2") != 0;
    default:
        return false;
    }
}

enum ed25519_backend ed25519_backend_best(void)
{
    if (ed25519_backend_runs(ED25519_IFMA))
        return ED25519_IFMA;
    return ed25519_backend_runs(ED25519_AVX2) ? ED25519_AVX2 : ED25519_PORTABLE;
}

const char *ed25519_backend_name(enum ed25519_backend backend)
{
    ENSURE((size_t)backend < ED25519_BACKENDS);
    return names[backend];
}

bool ed25519_backend_named(const char *name, enum ed25519_backend *backend)
{
    for (uint32_t i = 0; i < ED25519_BACKENDS; i++) {
        if (strcmp(name, names[i]) == 0) {
            *backend = (enum ed25519_backend)i;
            return true;
        }
    }
    return false;
}
