#include "dataplane/state/internal.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* The set after '[': does it hold the byte? Leaves the pattern behind ']', or at its end if there
 * is none. */
static bool in_set(struct cursor *pattern, uint8_t byte)
{
    bool negated = pattern->at < pattern->end && *pattern->at == '^';
    bool found = false;
    pattern->at += negated;
    while (pattern->at < pattern->end && *pattern->at != ']') {
        bool escaped = *pattern->at == '\\' && pattern->at + 1 < pattern->end;
        pattern->at += escaped;
        uint8_t low = *pattern->at++;
        uint8_t high = low;
        if (!escaped && pattern->end - pattern->at >= 2 && pattern->at[0] == '-') {
            high = pattern->at[1];
            pattern->at += 2;
        }
        if (low > high) {
            uint8_t swapped = low;
            low = high;
            high = swapped;
        }
        found |= byte >= low && byte <= high;
    }
    if (pattern->at < pattern->end)
        pattern->at++;
    return found != negated;
}

/* One element of the pattern, not a star, against one byte; steps over the element. */
static bool match_one(struct cursor *pattern, uint8_t byte)
{
    uint8_t element = *pattern->at++;
    if (element == '?')
        return true;
    if (element == '[')
        return in_set(pattern, byte);
    if (element == '\\' && pattern->at < pattern->end)
        element = *pattern->at++;
    return element == byte;
}

bool state_glob(const uint8_t *pattern, uint32_t pattern_bytes, const uint8_t *text,
                uint32_t text_bytes, uint64_t *steps)
{
    struct cursor rest = {.at = pattern, .end = pattern + pattern_bytes};
    struct cursor after_star = {0};
    const uint8_t *at = text, *end = text + text_bytes, *tried = NULL;
    /* Only the last star needs another try: what an earlier one took can stay as it is. */
    while (at < end) {
        ++*steps;
        if (rest.at < rest.end && *rest.at == '*') {
            rest.at++;
            after_star = rest;
            tried = at;
        } else if (rest.at < rest.end && match_one(&rest, *at)) {
            at++;
        } else if (tried != NULL) {
            rest = after_star;
            at = ++tried;
        } else {
            return false;
        }
    }
    while (rest.at < rest.end && *rest.at == '*')
        rest.at++;
    return rest.at == rest.end;
}
