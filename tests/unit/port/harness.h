// harness.h: ports, taps and packets for the tests of this folder. EAL runs once per test binary
// (main.cpp), without hugepages, PCI or root.
#ifndef TESTS_UNIT_PORT_HARNESS_H
#define TESTS_UNIT_PORT_HARNESS_H

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "dataplane/port/eal.h"
#include "dataplane/port/open.h"
#include "dataplane/port/tap.h"
}

using Bytes = std::vector<uint8_t>;
using Mac = std::array<uint8_t, 6>;

constexpr uint64_t second_ns = 1000000000;
constexpr uint32_t ip_a = 0x0a000001; // 10.0.0.1
constexpr uint32_t ip_b = 0x0a000002;
constexpr uint32_t ip_tap = 0x0a000009;
constexpr uint16_t base_port = 7000;
const Mac mac_tap = {0x02, 0xaa, 0, 0, 0, 9};
const Mac mac_all = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

inline Mac mac_of(uint32_t ip) // what a port without a MAC of its own gets
{
    return {0x02, 0x51, (uint8_t)(ip >> 24), (uint8_t)(ip >> 16), (uint8_t)(ip >> 8), (uint8_t)ip};
}

// A port, its counters, and the four calls in words.
struct Port {
    struct port *port = nullptr;
    char error[PORT_ERROR_MAX] = "";
    struct port_config config;

    Port()
    {
        port_config_defaults(&config);
        config.held_frames = 64;
        config.core_count = 1;
        config.udp_port = base_port;
    }
    Port(const Port &) = delete;
    ~Port()
    {
        if (port != nullptr) {
            EXPECT_EQ(close(), 0u) << "frames were lost";
        }
    }
    bool open(const char *name, uint32_t ip, struct port_wire *wire = nullptr)
    {
        config.name = name;
        config.ip = ip;
        config.wire = wire;
        port = port_open(&config, error);
        return port != nullptr;
    }
    uint32_t close()
    {
        uint32_t lost = port_close(port);
        port = nullptr;
        return lost;
    }
    struct port_queue *queue(uint32_t lane = 0)
    {
        return port_queue_of(port, lane);
    }
    uint64_t count(enum port_event event, uint32_t lane = 0)
    {
        return port_counters(queue(lane))[event];
    }
    void knows(uint32_t ip, const Mac &mac)
    {
        ASSERT_TRUE(port_neighbour_set(port, ip, mac.data()));
    }
    bool send(uint32_t ip, uint16_t to_port, const Bytes &payload, uint32_t lane = 0,
              uint64_t now_ns = second_ns, uint16_t source_port = 0)
    {
        struct frame frame;
        if (port_tx_take(queue(lane), &frame, 1) != 1)
            return false;
        EXPECT_LE(payload.size(), frame.capacity);
        if (!payload.empty())
            memcpy(frame.data, payload.data(), payload.size());
        frame.bytes = (uint32_t)payload.size();
        frame.peer = {ip, to_port, source_port};
        port_tx_burst(queue(lane), &frame, 1, now_ns);
        return true;
    }
    // Everything that waits, as copies; the buffers go back.
    std::vector<std::pair<struct endpoint, Bytes>> receive(uint32_t lane = 0,
                                                           uint64_t now_ns = second_ns)
    {
        std::vector<std::pair<struct endpoint, Bytes>> all;
        for (int polls = 0; polls < 100; polls++) {
            struct frame frames[PORT_BURST_MAX];
            uint32_t count = port_rx_burst(queue(lane), frames, PORT_BURST_MAX, now_ns);
            for (uint32_t i = 0; i < count; i++)
                all.emplace_back(frames[i].peer,
                                 Bytes(frames[i].data, frames[i].data + frames[i].bytes));
            port_frame_free(queue(lane), frames, count);
            if (count == 0 && polls > 2)
                break;
        }
        return all;
    }
    struct port_report report()
    {
        struct port_report report;
        port_report(port, &report);
        return report;
    }
};

struct Wire {
    struct port_wire *wire;
    Wire()
    {
        char error[PORT_ERROR_MAX];
        wire = port_wire_create(error);
    }
    ~Wire()
    {
        port_wire_destroy(wire);
    }
};

struct Tap {
    struct port_tap *tap;
    Tap(struct port_wire *wire, const Mac &mac) : tap(port_tap_on_wire(wire, mac.data()))
    {
    }
    Tap(const char *name, uint32_t queues, uint32_t tx_places)
        : tap(port_tap_with_device(name, queues, tx_places))
    {
    }
    ~Tap()
    {
        if (tap != nullptr)
            port_tap_close(tap);
    }
    bool send(const Bytes &frame, uint32_t queue = 0, uint32_t split = 0)
    {
        return port_tap_send(tap, queue, frame.data(), (uint32_t)frame.size(), split);
    }
    Bytes receive(uint32_t queue = 0)
    {
        Bytes frame(16384);
        frame.resize(port_tap_receive(tap, queue, frame.data(), (uint32_t)frame.size()));
        return frame;
    }
};

inline void put16(Bytes &bytes, size_t at, uint32_t value) // network order
{
    bytes[at] = (uint8_t)(value >> 8);
    bytes[at + 1] = (uint8_t)value;
}

inline void put32(Bytes &bytes, size_t at, uint32_t value)
{
    put16(bytes, at, value >> 16);
    put16(bytes, at + 2, value & 0xffff);
}

inline uint32_t get16(const Bytes &bytes, size_t at)
{
    return (uint32_t)bytes[at] << 8 | bytes[at + 1];
}

inline uint32_t get32(const Bytes &bytes, size_t at)
{
    return get16(bytes, at) << 16 | get16(bytes, at + 2);
}

// RFC 1071 word by word, in network order: the twin of checksum.h.
inline uint32_t ones_sum(const Bytes &bytes, size_t from, size_t to, uint32_t sum = 0)
{
    for (size_t i = from; i < to; i += 2) {
        sum += (uint32_t)bytes[i] << 8 | (i + 1 < to ? bytes[i + 1] : 0u);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

constexpr size_t at_ip = 14, at_udp = 34, at_payload = 42;

inline void seal_ip(Bytes &frame)
{
    put16(frame, at_ip + 10, 0);
    put16(frame, at_ip + 10, ~ones_sum(frame, at_ip, at_ip + 20) & 0xffff);
}

inline uint32_t pseudo_sum(const Bytes &frame)
{
    return ones_sum(frame, at_ip + 12, at_ip + 20, 17 + get16(frame, at_udp + 4));
}

inline void seal_udp(Bytes &frame)
{
    put16(frame, at_udp + 6, 0);
    uint32_t sum =
        ~ones_sum(frame, at_udp, at_udp + get16(frame, at_udp + 4), pseudo_sum(frame)) & 0xffff;
    put16(frame, at_udp + 6, sum == 0 ? 0xffff : sum);
}

inline Bytes udp_frame(const Mac &to, uint32_t to_ip, uint16_t to_port, const Bytes &payload,
                       const Mac &from = mac_tap, uint32_t from_ip = ip_tap,
                       uint16_t from_port = 5555)
{
    Bytes frame(at_payload + payload.size());
    std::copy(to.begin(), to.end(), frame.begin());
    std::copy(from.begin(), from.end(), frame.begin() + 6);
    put16(frame, 12, 0x0800);
    frame[at_ip] = 0x45;
    put16(frame, at_ip + 2, (uint32_t)(28 + payload.size()));
    frame[at_ip + 8] = 3; // time to live
    frame[at_ip + 9] = 17;
    put32(frame, at_ip + 12, from_ip);
    put32(frame, at_ip + 16, to_ip);
    put16(frame, at_udp, from_port);
    put16(frame, at_udp + 2, to_port);
    put16(frame, at_udp + 4, (uint32_t)(8 + payload.size()));
    std::copy(payload.begin(), payload.end(), frame.begin() + at_payload);
    seal_ip(frame);
    seal_udp(frame);
    return frame;
}

inline Bytes arp_frame(const Mac &to, uint16_t operation, const Mac &sender, uint32_t sender_ip,
                       uint32_t target_ip)
{
    Bytes frame(60);
    std::copy(to.begin(), to.end(), frame.begin());
    std::copy(sender.begin(), sender.end(), frame.begin() + 6);
    put16(frame, 12, 0x0806);
    put16(frame, 14, 1);
    put16(frame, 16, 0x0800);
    frame[18] = 6;
    frame[19] = 4;
    put16(frame, 20, operation);
    std::copy(sender.begin(), sender.end(), frame.begin() + 22);
    put32(frame, 28, sender_ip);
    put32(frame, 38, target_ip);
    return frame;
}

inline Bytes text(const std::string &s)
{
    return Bytes(s.begin(), s.end());
}

#endif
