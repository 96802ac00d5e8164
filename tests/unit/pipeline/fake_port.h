/* fake_port.h: a port without a wire, for one lane at a time in a test: what is put into `arriving`
 * is received, what the lane sends is kept in `sent`. Links in place of dataplane/port, as the
 * simulator's does. */
#ifndef TESTS_UNIT_PIPELINE_FAKE_PORT_H
#define TESTS_UNIT_PIPELINE_FAKE_PORT_H

extern "C" {
#include "dataplane/pipeline/clock.h"
#include "dataplane/port/port.h"
}

#include <cstdint>
#include <deque>
#include <vector>

struct Packet {
    struct endpoint peer;
    std::vector<uint8_t> bytes;
};

struct port_queue {
    std::deque<Packet> arriving;
    std::vector<Packet> sent;
    uint32_t out = 0;      /* frames that the lane holds */
    uint32_t limit = 4096; /* frames there are */
    uint32_t waiting = 0;  /* frames that the device did not take */
    uint64_t now_ns = 1000000000;
    uint64_t wall_ms = 1700000000000;
};

#endif
