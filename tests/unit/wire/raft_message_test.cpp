#include "tests/unit/wire/wire_fixture.h"

extern "C" {
#include "protocols/wire/members.h"
}

namespace
{

wire_raft append_of(uint64_t index, uint64_t log_term, uint64_t term)
{
    wire_raft message = {};
    message.kind = WIRE_APPEND;
    message.flags = 0;
    message.group = 5;
    message.term = term;
    message.index = index;
    message.log_term = log_term;
    message.commit = 2;
    message.round = 99;
    return message;
}

Bytes command_body()
{
    return encoded(command_of(WIRE_OP_SET, "key", "value"));
}

// Encodes the message with these entries, decodes an exact copy.
enum wire_refusal try_append(wire_raft message, const std::vector<Bytes> &entries,
                             wire_raft *out = nullptr, Bytes *entries_out = nullptr)
{
    Bytes run;
    for (const Bytes &entry : entries)
        run.insert(run.end(), entry.begin(), entry.end());
    if (message.entry_count == 0)
        message.entry_count = static_cast<uint32_t>(entries.size());
    if (message.entry_bytes == 0)
        message.entry_bytes = static_cast<uint32_t>(run.size());
    Frame frame;
    uint8_t *to = wire_put_raft(&frame.writer, &message);
    EXPECT_NE(to, nullptr);
    if (!run.empty())
        memcpy(to, run.data(), std::min<size_t>(run.size(), message.entry_bytes));
    Exact copy(frame.bytes());
    uint32_t offset = WIRE_FRAME_BYTES;
    wire_view view;
    EXPECT_EQ(wire_message_next(copy.data.get(), copy.size, &offset, &view), WIRE_OK);
    wire_raft decoded;
    const uint8_t *at = nullptr;
    enum wire_refusal refusal = wire_get_raft(&view, &decoded, &at);
    if (out != nullptr)
        *out = decoded;
    if (entries_out != nullptr)
        *entries_out = Bytes(at, at + decoded.entry_bytes);
    return refusal;
}

} // namespace

static const int raft_kinds[] = {WIRE_PREVOTE,     WIRE_PREVOTE_REPLY, WIRE_VOTE,
                                 WIRE_VOTE_REPLY,  WIRE_APPEND,        WIRE_APPEND_REPLY,
                                 WIRE_TIMEOUT_NOW, WIRE_READ_INDEX,    WIRE_READ_INDEX_REPLY};

TEST(WireRaft, EveryKindRoundTrips)
{
    for (int kind : raft_kinds) {
        wire_raft in = append_of(7, 3, 4);
        in.kind = static_cast<uint8_t>(kind);
        in.flags = WIRE_RAFT_GRANTED | WIRE_RAFT_TRANSFER | WIRE_RAFT_DOUBT;
        wire_raft out;
        ASSERT_EQ(try_append(in, {}, &out), WIRE_OK) << kind;
        EXPECT_EQ(out.kind, in.kind);
        EXPECT_EQ(out.flags, in.flags);
        EXPECT_EQ(out.group, in.group);
        EXPECT_EQ(out.term, in.term);
        EXPECT_EQ(out.index, in.index);
        EXPECT_EQ(out.log_term, in.log_term);
        EXPECT_EQ(out.commit, in.commit);
        EXPECT_EQ(out.round, in.round);
        EXPECT_EQ(out.entry_count, 0u);
    }
}

TEST(WireRaft, EntriesTravelAsTheyLie)
{
    std::vector<Bytes> entries = {
        entry_of(8, 3, WIRE_ENTRY_COMMAND, command_body()),
        entry_of(9, 4, WIRE_ENTRY_NOOP, {}),
        entry_of(10, 4, WIRE_ENTRY_REGISTER, {}),
        entry_of(11, 4, WIRE_ENTRY_TIME, {}),
    };
    wire_raft out;
    Bytes run;
    ASSERT_EQ(try_append(append_of(7, 3, 4), entries, &out, &run), WIRE_OK);
    EXPECT_EQ(out.entry_count, 4u);
    Bytes expected;
    for (const Bytes &entry : entries)
        expected.insert(expected.end(), entry.begin(), entry.end());
    EXPECT_EQ(run, expected);
}

TEST(WireRaft, RefusesMisnumberedEntries)
{
    Bytes body = command_body();
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(7, 3, WIRE_ENTRY_COMMAND, body)}),
              WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(9, 3, WIRE_ENTRY_COMMAND, body)}),
              WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_COMMAND, body),
                                              entry_of(8, 3, WIRE_ENTRY_COMMAND, body)}),
              WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(try_append(append_of(UINT64_MAX, 3, 4), {entry_of(0, 3, WIRE_ENTRY_COMMAND, body)}),
              WIRE_REFUSED_ENTRIES)
        << "numbers wrap";
}

TEST(WireRaft, RefusesTermsOutOfOrder)
{
    auto one = [](uint64_t term) {
        return std::vector<Bytes>{entry_of(8, term, WIRE_ENTRY_NOOP, {})};
    };
    EXPECT_EQ(try_append(append_of(7, 3, 4), one(2)), WIRE_REFUSED_ENTRIES)
        << "below the previous entry's";
    EXPECT_EQ(try_append(append_of(7, 3, 4), one(5)), WIRE_REFUSED_ENTRIES)
        << "above the message's";
    EXPECT_EQ(try_append(append_of(7, 3, 4), one(3)), WIRE_OK);
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 4, WIRE_ENTRY_NOOP, {}),
                                              entry_of(9, 3, WIRE_ENTRY_NOOP, {})}),
              WIRE_REFUSED_ENTRIES)
        << "falling";
    Bytes none = entry_of(1, 0, WIRE_ENTRY_NOOP, {});
    EXPECT_EQ(try_append(append_of(0, 0, 4), {none}), WIRE_REFUSED_ENTRIES) << "of no term";
    EXPECT_EQ(try_append(append_of(0, 0, 4), {entry_of(1, 1, WIRE_ENTRY_NOOP, {})}), WIRE_OK);
}

TEST(WireRaft, RefusesEntriesThatWouldStopLogTimeForEver)
{
    Bytes entry = entry_of(8, 3, WIRE_ENTRY_TIME, {});
    auto dated = [&entry](uint64_t time_ms) {
        memcpy(&entry[offsetof(struct wire_entry, time_ms)], &time_ms, sizeof time_ms);
        return try_append(append_of(7, 3, 4), {entry});
    };
    EXPECT_EQ(dated(WIRE_TIME_MS_MAX), WIRE_OK);
    EXPECT_EQ(dated(WIRE_TIME_MS_MAX + 1), WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(dated(UINT64_MAX), WIRE_REFUSED_ENTRIES);
}

TEST(WireRaft, RefusesFlagsThatThisVersionDoesNotDefine)
{
    wire_raft reply = append_of(7, 3, 4);
    reply.kind = WIRE_APPEND_REPLY;
    reply.flags = WIRE_RAFT_REJECTED;
    EXPECT_EQ(try_append(reply, {}), WIRE_OK);
    reply.flags = 0x10;
    EXPECT_EQ(try_append(reply, {}), WIRE_REFUSED_RESERVED);
    Bytes entry = entry_of(8, 3, WIRE_ENTRY_NOOP, {});
    entry[offsetof(struct wire_entry, flags)] = 1;
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry}), WIRE_REFUSED_ENTRIES);
}

TEST(WireRaft, RefusesEntriesOfAnotherGroupOrUnknownKind)
{
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_NOOP, {}, 6)}),
              WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 3, 0, {})}), WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_KIND_COUNT, {})}),
              WIRE_REFUSED_ENTRIES);
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_NOOP, Bytes(16, 1))}),
              WIRE_REFUSED_ENTRIES)
        << "a no-op carries nothing";
    EXPECT_EQ(try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_COMMAND, Bytes(15, 1))}),
              WIRE_REFUSED_ENTRIES)
        << "shorter than a command header";
}

TEST(WireRaft, AConfigurationIsAsLongAsSomeNumberOfMembersAtLeast)
{
    for (uint32_t bytes : {wire_members_size(1), WIRE_MEMBERS_BYTES_MAX})
        EXPECT_EQ(
            try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_CONFIG, Bytes(bytes, 1))}),
            WIRE_OK);
    for (uint32_t bytes : {0u, wire_members_size(1) - 1, WIRE_MEMBERS_BYTES_MAX + 1})
        EXPECT_EQ(
            try_append(append_of(7, 3, 4), {entry_of(8, 3, WIRE_ENTRY_CONFIG, Bytes(bytes, 1))}),
            WIRE_REFUSED_ENTRIES);
}

TEST(WireRaft, RefusesEntriesThatDoNotTile)
{
    Bytes entry = entry_of(8, 3, WIRE_ENTRY_COMMAND, command_body());
    wire_raft message = append_of(7, 3, 4);
    message.entry_count = 2;
    EXPECT_EQ(try_append(message, {entry}), WIRE_REFUSED_ENTRIES) << "fewer than promised";
    message.entry_count = 1;
    EXPECT_EQ(try_append(message, {entry, entry_of(9, 3, WIRE_ENTRY_NOOP, {})}),
              WIRE_REFUSED_ENTRIES)
        << "more than promised";
    message.entry_bytes = static_cast<uint32_t>(entry.size()) - 8;
    EXPECT_EQ(try_append(message, {entry}), WIRE_REFUSED_ENTRIES) << "padding cut off";
    message.entry_count = 0xffffffff;
    message.entry_bytes = 0;
    EXPECT_EQ(try_append(message, {entry}), WIRE_REFUSED_ENTRIES);
    for (uint32_t body_bytes : {0xffffffffu, 0xfffffff9u, WIRE_BODY_BYTES_MAX + 1, 1000u}) {
        Bytes bad = entry;
        memcpy(bad.data(), &body_bytes, 4);
        EXPECT_EQ(try_append(append_of(7, 3, 4), {bad}), WIRE_REFUSED_ENTRIES) << body_bytes;
        wire_raft two = append_of(7, 3, 4);
        two.entry_count = 2; // the second would lie behind the end
        EXPECT_EQ(try_append(two, {bad}), WIRE_REFUSED_ENTRIES) << body_bytes;
    }
}

TEST(WireRaft, OnlyAnAppendCarriesEntries)
{
    for (int kind : raft_kinds) {
        wire_raft message = append_of(7, 3, 4);
        message.kind = static_cast<uint8_t>(kind);
        EXPECT_EQ(try_append(message, {entry_of(8, 3, WIRE_ENTRY_NOOP, {})}),
                  kind == WIRE_APPEND ? WIRE_OK : WIRE_REFUSED_ENTRIES);
    }
}

TEST(WireRaft, RefusesBytesWithoutEntriesAndLengthsThatLie)
{
    wire_raft message = append_of(7, 3, 4);
    message.entry_bytes = 48;
    Frame frame;
    ASSERT_NE(wire_put_raft(&frame.writer, &message), nullptr);
    wire_view view = frame.only_view();
    wire_raft out;
    const uint8_t *entries;
    EXPECT_EQ(wire_get_raft(&view, &out, &entries), WIRE_REFUSED_ENTRIES) << "count 0, bytes 48";
    view.bytes -= 8;
    EXPECT_EQ(wire_get_raft(&view, &out, &entries), WIRE_REFUSED_ENTRIES)
        << "bytes beyond the message";
}

TEST(WireRaft, RefusesOtherKinds)
{
    for (int kind : {WIRE_HELLO, WIRE_REQUEST, WIRE_REPLY, WIRE_FRAGMENT, WIRE_SNAPSHOT}) {
        Bytes body(64, 0);
        wire_view view = {};
        view.kind = static_cast<uint8_t>(kind);
        view.bytes = 64;
        view.body = body.data();
        wire_raft out;
        const uint8_t *entries;
        EXPECT_EQ(wire_get_raft(&view, &out, &entries), WIRE_REFUSED_MESSAGE_KIND);
    }
}

TEST(WireRaft, RefusesWhatDoesNotFitTheFrame)
{
    wire_raft message = append_of(7, 3, 4);
    message.entry_bytes = 0xfffffff8;
    Frame frame;
    EXPECT_EQ(wire_put_raft(&frame.writer, &message), nullptr);
    EXPECT_EQ(frame.writer.bytes, WIRE_FRAME_BYTES);
}
