// What the tests of the wire format share: a frame under construction, and exact-sized copies of
// bytes, so that the address sanitizer sees a read past the end.
#ifndef TESTS_UNIT_WIRE_WIRE_FIXTURE_H
#define TESTS_UNIT_WIRE_WIRE_FIXTURE_H

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "protocols/wire/fragment.h"
#include "protocols/wire/wire.h"
}

using Bytes = std::vector<uint8_t>;

// A heap copy without slack.
struct Exact {
    explicit Exact(const Bytes &bytes)
        : size(static_cast<uint32_t>(bytes.size())), data(new uint8_t[bytes.size()])
    {
        if (size != 0)
            memcpy(data.get(), bytes.data(), size);
    }
    uint32_t size;
    std::unique_ptr<uint8_t[]> data;
};

class Frame
{
  public:
    explicit Frame(uint32_t capacity = 1472) : memory_(capacity, 0xEE)
    {
        wire_frame header = {};
        header.from = 3;
        wire_frame_begin(&writer, memory_.data(), capacity, &header);
    }
    Bytes bytes() const
    {
        return Bytes(memory_.begin(), memory_.begin() + writer.bytes);
    }
    wire_view only_view() const
    {
        uint32_t offset = WIRE_FRAME_BYTES;
        wire_view view = {};
        EXPECT_EQ(wire_message_next(writer.data, writer.bytes, &offset, &view), WIRE_OK);
        EXPECT_EQ(offset, writer.bytes);
        return view;
    }
    wire_writer writer;

  private:
    Bytes memory_;
};

// A command that owns its bytes.
struct Command : wire_command {
    Command(uint8_t op_, std::string key_, std::string value_, std::string old_, int64_t argument_,
            uint8_t flags_)
        : wire_command(), bytes{std::move(key_), std::move(old_), std::move(value_)}
    {
        op = op_;
        flags = flags_;
        key_bytes = static_cast<uint16_t>(bytes[0].size());
        old_bytes = static_cast<uint32_t>(bytes[1].size());
        value_bytes = static_cast<uint32_t>(bytes[2].size());
        argument = argument_;
        key = reinterpret_cast<const uint8_t *>(bytes[0].data());
        old = reinterpret_cast<const uint8_t *>(bytes[1].data());
        value = reinterpret_cast<const uint8_t *>(bytes[2].data());
    }
    Command(const Command &) = delete;
    std::string bytes[3];
};

inline Command command_of(uint8_t op, const std::string &key, const std::string &value = "",
                          const std::string &old = "", int64_t argument = 0, uint8_t flags = 0)
{
    return Command(op, key, value, old, argument, flags);
}

inline Bytes encoded(const wire_command &command)
{
    Bytes body(wire_command_size(&command));
    wire_command_encode(&command, body.data());
    return body;
}

// A whole entry, padding included.
inline Bytes entry_of(uint64_t index, uint64_t term, uint8_t kind, const Bytes &body,
                      uint16_t group = 5)
{
    wire_entry header = {};
    header.body_bytes = static_cast<uint32_t>(body.size());
    header.kind = kind;
    header.group = group;
    header.index = index;
    header.term = term;
    Bytes entry(wire_entry_size(header.body_bytes), 0);
    memcpy(entry.data(), &header, sizeof header);
    if (!body.empty())
        memcpy(entry.data() + sizeof header, body.data(), body.size());
    return entry;
}

#endif
