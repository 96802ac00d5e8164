/* ed25519_cases.h: signatures at the edges of the predicate, and a bench to check them on.
 *
 * Shape: cases are made by libsodium's point and scalar arithmetic from fixed seeds. Bench owns a
 * base and keysets.
 * Memory: the standard library's. Threads: one. Time, limits, refusals: none. Cost: none that
 * matters.
 */
#ifndef TESTS_UNIT_CRYPTO_ED25519_CASES_H
#define TESTS_UNIT_CRYPTO_ED25519_CASES_H

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "crypto/ed25519/ed25519.h"
}

using Bytes = std::vector<uint8_t>;
using Bytes32 = std::array<uint8_t, 32>;

struct Case {
    std::string name;
    Bytes32 key;
    std::array<uint8_t, 64> signature;
    Bytes message;
    bool good; /* libsodium's verdict */
};

Bytes from_hex(const std::string &hex);
void judge(Case &one); /* fills in `good` */

/* All of it that is special: torsion in A and R, S and multiples of L, small and non-canonical
 * encodings. */
std::vector<Case> edge_cases();

/* `count` signatures by `signers` keys, every third one bent somewhere; the same for the same
 * seed. */
std::vector<Case> random_cases(uint32_t count, uint32_t signers, uint64_t seed);

/* The fourteen encodings of points of small order, the order-8 points' multiples 0..7 first. */
std::vector<Bytes32> small_order_encodings();

/* Backends that run here. */
std::vector<ed25519_backend> backends();

struct Region {
    explicit Region(size_t bytes);
    std::unique_ptr<void, void (*)(void *)> memory;
};

/* A keyset with the keys of the cases that it takes; those that it refuses must be bad, by
 * libsodium. */
class Bench
{
  public:
    Bench(const std::vector<Case> &cases, ed25519_backend backend, uint32_t key_window,
          uint32_t base_window);
    /* Jobs of the cases; refused keys take the path of unknown ones. */
    std::vector<ed25519_job> jobs(const std::vector<Case> &cases) const;
    /* Verdicts of a range by the backend; fails the test where one differs from `good`. */
    void check(const std::vector<Case> &cases, const std::vector<ed25519_job> &jobs) const;
    const ed25519_keyset *keyset() const
    {
        return keyset_;
    }

  private:
    ed25519_backend backend_;
    Region base_memory_, keyset_memory_;
    ed25519_keyset *keyset_;
};

#endif
