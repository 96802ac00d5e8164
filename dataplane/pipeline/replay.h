/* replay.h: which frame numbers of one sender have been seen (the sliding window of RFC 4303
 * §3.4.3).
 *
 * Shape: the highest number seen and a bit for each of the REPLAY_WINDOW numbers up to it, in a
 * ring of words that is cleared as the window moves. Memory: the caller's, zeroed. Threads: one
 * owner. Time: none.
 * Limits: a frame more than REPLAY_WINDOW - 64 numbers late is refused as if seen. Refusals: false.
 * Cost: one word, mostly; measured: not measured.
 */
#ifndef DATAPLANE_PIPELINE_REPLAY_H
#define DATAPLANE_PIPELINE_REPLAY_H

#include "numa/base/types.h"

#define REPLAY_WINDOW 1024u
#define REPLAY_WORDS  (REPLAY_WINDOW / 64u)

struct replay_window {
    uint64_t top;
    uint64_t seen[REPLAY_WORDS];
};

/* True: first time that `number` (> 0) is seen, and now it is marked. */
static inline bool replay_accept(struct replay_window *window, uint64_t number)
{
    uint64_t word = number / 64;
    uint64_t top_word = window->top / 64;
    uint64_t bit = (uint64_t)1 << (number % 64);
    if (word > top_word) {
        uint64_t fresh = word - top_word < REPLAY_WORDS ? word - top_word : REPLAY_WORDS;
        for (uint64_t i = 0; i < fresh; i++)
            window->seen[(word - i) % REPLAY_WORDS] = 0;
    } else if (number == 0 || top_word - word >= REPLAY_WORDS) {
        return false;
    }
    if (window->seen[word % REPLAY_WORDS] & bit)
        return false;
    window->seen[word % REPLAY_WORDS] |= bit;
    if (number > window->top)
        window->top = number;
    return true;
}

#endif
