#include "crypto/ed25519/ifma_field.h"

#include <sodium.h>

/* Montgomery's trick over the lanes. */
IFMA_TARGET void ed25519_ifma_invert(struct ifma_field *out, const struct ifma_field *a,
                                     bool is_public)
{
    struct field lane[IFMA_LANES], before[IFMA_LANES + 1], inverse;
    ifma_to_lanes(lane, a);
    before[0] = ed25519_field_one;
    for (uint32_t l = 0; l < IFMA_LANES; l++)
        field_mul(&before[l + 1], &before[l], &lane[l]);
    if (is_public)
        ed25519_field_invert_public(&inverse, &before[IFMA_LANES]);
    else
        ed25519_field_invert(&inverse, &before[IFMA_LANES]);
    for (uint32_t l = IFMA_LANES; l-- > 0;) {
        struct field own;
        field_mul(&own, &inverse, &before[l]);
        field_mul(&inverse, &inverse, &lane[l]);
        lane[l] = own;
    }
    ifma_from_lanes(out, lane);
    if (!is_public) {
        sodium_memzero(lane, sizeof lane);
        sodium_memzero(before, sizeof before);
        sodium_memzero(&inverse, sizeof inverse);
    }
}
