/* actor.h: a client: asks, waits, asks again, and writes down what it was told.
 *
 * Shape: one client machine (protocols/client) of one group, carried over the simulated network, or
 *   over a duct into one node's lane, which forwards. Few keys and many actors, so that commands
 *   conflict.
 *   Two keys of its own, a counter and a list, are never overwritten: at the end they must hold
 *   exactly what it was told. A client that restarts is a new process with a new session.
 * Memory: malloc at open and restart. Threads: one. Time: virtual. Limits: ACTOR_WINDOW
 * outstanding.
 * Refusals: none. Cost: not measured.
 */
#ifndef TESTS_SIM_ACTOR_H
#define TESTS_SIM_ACTOR_H

#include "protocols/client/client.h"
#include "tests/sim/world.h"

#define ACTOR_WINDOW 8u

struct actor *actor_open(struct world *, uint32_t number, uint16_t group); /* on the network */
struct actor *actor_open_edge(struct world *, uint32_t number, uint16_t group, uint32_t node);
void actor_close(struct actor *);

uint64_t actor_wake_ns(const struct actor *);
void actor_run(struct actor *);
void actor_receive(struct actor *, const uint8_t *payload, uint32_t bytes);
void actor_crash(struct actor *);   /* with its node; what it asked stays open */
void actor_restart(struct actor *); /* as another process */
uint32_t actor_host(const struct actor *);
/* The node that an edge actor lives on; NODES_MAX: it is on the network. */
uint32_t actor_node(const struct actor *);

/* After healing: stops asking; one last increment shows progress. */
void actor_finish(struct actor *);
bool actor_finished(const struct actor *);

#endif
