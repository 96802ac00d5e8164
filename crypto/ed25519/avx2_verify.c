#include "crypto/ed25519/work.h"

uint64_t ed25519_avx2_verify(struct work *work)
{
    return ed25519_portable_verify(work);
}
