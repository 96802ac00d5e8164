/* calibrate.h: what this machine does today, printed beside every figure.
 *
 * Shape: three small measurements, each the median of many short rounds, so that a neighbour who
 * takes the core for some rounds does not move the result. Run before any polling core is started.
 * Memory: a scratch file of 256 KiB, removed at once. Threads: the caller's, and one more for the
 * ping-pong.
 * Time: about half a second in all. Limits, refusals: a figure that can not be had is left out
 * (false).
 * Cost: see time.
 */
#ifndef BENCH_CALIBRATE_H
#define BENCH_CALIBRATE_H

#include "numa/base/types.h"

/* There and back of one cache line between two cores; false: this process may use one core only. */
bool calibrate_pingpong_ns(double *round_trip_ns);

/* SHA-512 of a 150-byte message, by libsodium. */
bool calibrate_sha512_ns(double *hash_ns);

/* pwrite of 4 KiB into a preallocated file, then fdatasync. directory NULL: $TMPDIR, or else /tmp.
 * On a file system that lives in memory this says nothing about a disk. */
bool calibrate_fdatasync_ns(const char *directory, double *write_ns);

/* Contract keys; negative: could not be had. */
struct calibration {
    double cacheline_pingpong_ns;
    double sha512_150b_ns;
    double fdatasync_4k_ns;
};
void calibrate(const char *directory, struct calibration *calibration);

/* Sorts the samples in place. count > 0. */
double calibrate_median(double *samples, uint32_t count);

#endif
