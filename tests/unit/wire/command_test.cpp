#include "tests/unit/wire/wire_fixture.h"

namespace
{

enum wire_refusal decode(const Bytes &body, wire_command *out = nullptr)
{
    Exact copy(body);
    wire_command command;
    enum wire_refusal refusal = wire_command_decode(copy.data.get(), copy.size, &command);
    if (out != nullptr)
        *out = command;
    return refusal;
}

enum wire_refusal decode(const wire_command &command)
{
    return decode(encoded(command));
}

std::string pair_of(uint32_t key_bytes, uint32_t value_bytes, const std::string &rest)
{
    std::string pair(8, '\0');
    memcpy(&pair[0], &key_bytes, 4);
    memcpy(&pair[4], &value_bytes, 4);
    return pair + rest;
}

const uint8_t kKeyed[] = {WIRE_OP_SET,    WIRE_OP_DEL,    WIRE_OP_INCRBY,  WIRE_OP_APPEND,
                          WIRE_OP_CAS,    WIRE_OP_EXPIRE, WIRE_OP_PERSIST, WIRE_OP_GET,
                          WIRE_OP_EXISTS, WIRE_OP_STRLEN, WIRE_OP_TTL};
const uint8_t kKeyless[] = {WIRE_OP_SIZE, WIRE_OP_REGISTER};

} // namespace

TEST(WireCommand, EveryPartRoundTrips)
{
    std::string key = "the key", old = "what was", value = "what shall be";
    auto in = command_of(WIRE_OP_CAS, key, value, old, -5);
    Exact body(encoded(in));
    wire_command out;
    ASSERT_EQ(wire_command_decode(body.data.get(), body.size, &out), WIRE_OK);
    EXPECT_EQ(out.op, WIRE_OP_CAS);
    EXPECT_EQ(out.argument, -5);
    EXPECT_EQ(std::string(out.key, out.key + out.key_bytes), key);
    EXPECT_EQ(std::string(out.old, out.old + out.old_bytes), old);
    EXPECT_EQ(std::string(out.value, out.value + out.value_bytes), value);
    EXPECT_EQ(wire_command_size(&out), body.size);
}

TEST(WireCommand, AcceptsEveryOperation)
{
    for (uint8_t op : kKeyed)
        EXPECT_EQ(decode(command_of(op, "k")), WIRE_OK) << int(op);
    for (uint8_t op : kKeyless)
        EXPECT_EQ(decode(command_of(op, "")), WIRE_OK) << int(op);
    std::string pairs = pair_of(1, 0, "k") + pair_of(2, 3, "ab123");
    EXPECT_EQ(decode(command_of(WIRE_OP_MSET, "", pairs)), WIRE_OK);
    std::string pattern = std::string("\x0a\0\0\0", 4) + "user:*";
    EXPECT_EQ(decode(command_of(WIRE_OP_SCAN, "", pattern)), WIRE_OK);
}

TEST(WireCommand, RefusesUnknownOperations)
{
    Bytes body = encoded(command_of(WIRE_OP_SET, "k", "v"));
    std::string accepted;
    for (int op = 0; op < 256; op++) {
        body[0] = static_cast<uint8_t>(op);
        bool known = op == WIRE_OP_SET || op == WIRE_OP_APPEND || op == WIRE_OP_CAS;
        EXPECT_EQ(decode(body), known ? WIRE_OK : WIRE_REFUSED_COMMAND)
            << "key and value, op " << op;
    }
}

TEST(WireCommand, RefusesKeysOfBadLength)
{
    for (uint8_t op : kKeyed) {
        EXPECT_EQ(decode(command_of(op, "")), WIRE_REFUSED_KEY_BYTES) << int(op);
        EXPECT_EQ(decode(command_of(op, std::string(512, 'k'))), WIRE_OK) << int(op);
        EXPECT_EQ(decode(command_of(op, std::string(513, 'k'))), WIRE_REFUSED_KEY_BYTES) << int(op);
    }
    for (uint8_t op : kKeyless)
        EXPECT_EQ(decode(command_of(op, "k")), WIRE_REFUSED_COMMAND)
            << "no key wanted, op " << int(op);
}

TEST(WireCommand, RefusesValuesOfBadLength)
{
    std::string most(WIRE_VALUE_BYTES_MAX, 'v'), more = most + "v";
    for (uint8_t op : {WIRE_OP_SET, WIRE_OP_APPEND, WIRE_OP_CAS}) {
        EXPECT_EQ(decode(command_of(op, "k", most)), WIRE_OK);
        EXPECT_EQ(decode(command_of(op, "k", more)), WIRE_REFUSED_VALUE_BYTES);
    }
    EXPECT_EQ(decode(command_of(WIRE_OP_CAS, "k", most, most)), WIRE_OK);
    EXPECT_EQ(decode(command_of(WIRE_OP_CAS, "k", "v", more)), WIRE_REFUSED_VALUE_BYTES);
    EXPECT_EQ(decode(command_of(WIRE_OP_GET, "k", "v")), WIRE_REFUSED_COMMAND)
        << "a read carries no value";
    EXPECT_EQ(decode(command_of(WIRE_OP_SET, "k", "v", "old")), WIRE_REFUSED_COMMAND)
        << "only CAS compares";
}

TEST(WireCommand, RefusesFlagsThatDoNotBelong)
{
    for (int flags = 0; flags < 256; flags++) {
        bool contradiction = (flags & 3) == 3;
        bool good = flags < 16 && !contradiction;
        EXPECT_EQ(decode(command_of(WIRE_OP_SET, "k", "v", "", 0, static_cast<uint8_t>(flags))),
                  good ? WIRE_OK : WIRE_REFUSED_COMMAND)
            << flags;
        EXPECT_EQ(decode(command_of(WIRE_OP_DEL, "k", "", "", 0, static_cast<uint8_t>(flags))),
                  flags == 0 ? WIRE_OK : WIRE_REFUSED_COMMAND);
        EXPECT_EQ(decode(command_of(WIRE_OP_GET, "k", "", "", 0, static_cast<uint8_t>(flags))),
                  (flags & ~int{WIRE_READ_STALE}) == 0 ? WIRE_OK : WIRE_REFUSED_COMMAND);
    }
    EXPECT_EQ(decode(command_of(WIRE_OP_SET, "k", "v", "", -1)), WIRE_REFUSED_COMMAND)
        << "time to live below 0";
    EXPECT_EQ(decode(command_of(WIRE_OP_SET, "k", "v", "", 5, WIRE_SET_KEEP_TTL)),
              WIRE_REFUSED_COMMAND);
}

TEST(WireCommand, RefusesLengthsThatDoNotAddUp)
{
    Bytes good = encoded(command_of(WIRE_OP_CAS, "key", "value", "old"));
    for (uint32_t bytes = 0; bytes < WIRE_COMMAND_BYTES + 6; bytes++)
        EXPECT_EQ(decode(Bytes(good.begin(), good.begin() + bytes)), WIRE_REFUSED_COMMAND) << bytes;
    Bytes bad = good;
    bad[2] = 100; // key_bytes
    EXPECT_EQ(decode(bad), WIRE_REFUSED_COMMAND);
    bad = good;
    bad[4] = 100; // old_bytes
    EXPECT_EQ(decode(bad), WIRE_REFUSED_COMMAND);
}

TEST(WireCommand, RefusesPairsThatDoNotTile)
{
    auto mset = [](const std::string &pairs) {
        return decode(command_of(WIRE_OP_MSET, "", pairs));
    };
    EXPECT_EQ(mset(""), WIRE_REFUSED_COMMAND) << "no pair";
    EXPECT_EQ(mset(pair_of(1, 1, "kv") + "1234567"), WIRE_REFUSED_COMMAND) << "a stub behind";
    EXPECT_EQ(mset(pair_of(1, 2, "kv")), WIRE_REFUSED_COMMAND) << "value beyond the end";
    EXPECT_EQ(mset(pair_of(0, 1, "v")), WIRE_REFUSED_KEY_BYTES);
    EXPECT_EQ(mset(pair_of(513, 0, std::string(513, 'k'))), WIRE_REFUSED_KEY_BYTES);
    EXPECT_EQ(mset(pair_of(1, WIRE_VALUE_BYTES_MAX + 1,
                           "k" + std::string(WIRE_VALUE_BYTES_MAX + 1, 'v'))),
              WIRE_REFUSED_VALUE_BYTES);
    EXPECT_EQ(mset(pair_of(0xffffffff, 0xffffffff, "kv")), WIRE_REFUSED_KEY_BYTES);
    EXPECT_EQ(mset(pair_of(1, 0xffffffff, "kv")), WIRE_REFUSED_VALUE_BYTES);
    EXPECT_EQ(decode(command_of(WIRE_OP_SCAN, "", "123")), WIRE_REFUSED_COMMAND) << "no count";
    std::string big = "k" + std::string(WIRE_VALUE_BYTES_MAX, 'v');
    EXPECT_EQ(mset(pair_of(1, WIRE_VALUE_BYTES_MAX, big)), WIRE_OK);
    std::string too_many = pair_of(1, WIRE_VALUE_BYTES_MAX, big) +
                           pair_of(1, WIRE_VALUE_BYTES_MAX, big) +
                           pair_of(1, 1000, "k" + std::string(1000, 'v'));
    EXPECT_EQ(mset(too_many), WIRE_REFUSED_VALUE_BYTES) << "over the largest body";
}
