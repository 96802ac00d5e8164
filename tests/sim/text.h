/* text.h: byte strings as numbers: equal strings, equal numbers; a state of the model is a word.
 *
 * Shape: an arena of strings and an open-addressing index over it; number 0 stands for "no string".
 * Memory: grows by malloc; pointers from text_bytes are valid until the next text is made.
 * Threads: one owner. Time: none. Limits: 2^32 - 1 strings. Refusals: none; running out of memory
 * aborts. Cost: one hash and one comparison per look-up; not measured.
 */
#ifndef TESTS_SIM_TEXT_H
#define TESTS_SIM_TEXT_H

#include "numa/base/types.h"

#define TEXT_NONE 0u

struct text_table;

struct text_table *text_table_new(void);
void text_table_free(struct text_table *);

uint32_t text_of(struct text_table *, const void *bytes, uint32_t count);
uint32_t text_of_number(struct text_table *, int64_t number); /* in decimal, as INCRBY leaves it */
uint32_t text_joined(struct text_table *, uint32_t head, uint32_t tail);
const uint8_t *text_bytes(const struct text_table *, uint32_t text, uint32_t *count);

/* True when the whole text is a number as INCRBY accepts it: no sign but '-', no leading zero,
 * within 64 bits. */
bool text_to_number(const struct text_table *, uint32_t text, int64_t *number);

/* malloc and realloc for the simulator's own books, which end the program instead of failing. */
void *sim_allocate(size_t bytes); /* zeroed */
void *sim_grow(void *memory, size_t bytes);

#endif
