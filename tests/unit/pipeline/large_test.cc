/* Values that outgrow a frame, in both directions, at one lane. */
#include "tests/unit/pipeline/lane_fixture.h"

namespace
{

const std::string key = "key";

class Large : public Lane
{
  protected:
    /* A request of one command, cut as the client machine cuts it. */
    static std::vector<std::vector<uint8_t>> cut(uint64_t session, uint64_t sequence, uint64_t id,
                                                 const struct wire_command &command)
    {
        std::vector<std::vector<uint8_t>> pieces;
        std::vector<uint8_t> body(wire_command_size(&command));
        wire_command_encode(&command, body.data());
        uint8_t head[WIRE_REQUEST_HEAD_BYTES];
        struct wire_request request = {};
        request.client = 9;
        request.session = session;
        wire_request_head(head, &request, sequence, static_cast<uint32_t>(body.size()));
        struct wire_cut cut;
        wire_cut_begin(&cut, id, head, sizeof head, body.data(), static_cast<uint32_t>(body.size()),
                       1472);
        for (uint32_t k = 0; k < cut.count; k++) {
            std::vector<uint8_t> payload(1472);
            struct wire_frame header = {};
            header.from = WIRE_NODE_CLIENT;
            struct wire_writer writer;
            wire_frame_begin(&writer, payload.data(), 1472, &header);
            EXPECT_TRUE(wire_put_fragment(&writer, &cut, k));
            payload.resize(writer.bytes);
            pieces.push_back(payload);
        }
        return pieces;
    }

    void ask_large(uint64_t session, uint64_t sequence, const struct wire_command &command)
    {
        for (const auto &piece : cut(session, sequence, session << 32 | sequence, command))
            port.arriving.push_back({client_peer, piece});
        pass(5);
    }
};

TEST_F(Large, AValueOfOneMebibyteComesInAndGoesOut)
{
    lead();
    uint64_t session = open_session(71);
    std::string value(WIRE_VALUE_BYTES_MAX, 'v');
    ask_large(session, 1, make(WIRE_OP_SET, key, value));
    std::vector<Answer> all = answers();
    ASSERT_EQ(all.size(), 1u);
    EXPECT_EQ(all[0].status, WIRE_DONE);
    ask(0, 9, make(WIRE_OP_GET, key, ""));
    pass(20);
    std::vector<uint8_t> memory(WIRE_FRAGMENT_TOTAL_MAX);
    struct wire_assembly assembly = {};
    for (const Packet &packet : port.sent) {
        uint32_t offset = WIRE_FRAME_BYTES;
        struct wire_view message;
        struct wire_fragment fragment;
        ASSERT_EQ(wire_message_next(packet.bytes.data(), static_cast<uint32_t>(packet.bytes.size()),
                                    &offset, &message),
                  WIRE_OK);
        ASSERT_EQ(wire_get_fragment(&message, &fragment), WIRE_OK);
        if (assembly.buffer == nullptr)
            wire_assembly_begin(&assembly, &fragment, memory.data());
        EXPECT_EQ(wire_assembly_add(&assembly, &fragment), WIRE_OK);
    }
    EXPECT_EQ(assembly.missing_bytes, 0u);
    port.sent.clear();
}

} // namespace
