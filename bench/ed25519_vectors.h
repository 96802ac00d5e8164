/* ed25519_vectors.h: signatures from a file, judged by every backend that runs here and by
 * libsodium.
 *
 * Shape: a line is "public_key_hex signature_hex message_hex", the empty message being "-"; out
 * comes one JSON line a backend, {"backend":"ifma","total":N,"accepted":N,"verdicts":"0110..."},
 * libsodium's last.
 * Memory: the whole file and its bytes; tables of ED25519_VECTORS_KEYS keys at a time. Threads:
 * one. Time: none.
 * Limits: memory. Refusals: a sentence with the line's number. A key of another length than 32
 * bytes or a signature of another than 64 is a verdict of 0, not a refusal: libsodium's interface
 * has no such inputs. Cost: tables, mostly.
 */
#ifndef BENCH_ED25519_VECTORS_H
#define BENCH_ED25519_VECTORS_H

#include "numa/base/types.h"

#include <stdio.h>

#define ED25519_VECTORS_KEYS      256u
#define ED25519_VECTORS_ERROR_MAX 128u

/* A status of sysexits.h; if it is not 0, `error` is the sentence. */
int ed25519_vectors_run(FILE *in, FILE *out, char error[ED25519_VECTORS_ERROR_MAX]);

#endif
