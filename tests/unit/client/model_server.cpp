#include "tests/unit/client/model_server.h"

void ModelServer::put_on_wire(uint16_t target, const Bytes &bytes, uint64_t now)
{
    uint32_t copies = percent(faults_.loss_percent)        ? 0
                      : percent(faults_.duplicate_percent) ? 2
                                                           : 1;
    for (uint32_t i = 0; i < copies; i++) {
        // Most are quick, some overtake, a duplicate may come long after.
        uint64_t delay = percent(10) ? chance() % faults_.delay_max_ns : 50000 + chance() % 20000;
        wire_.emplace(now + 1 + delay, Packet{target, bytes});
    }
}

void ModelServer::send(uint16_t target, const uint8_t *payload, uint32_t bytes, uint64_t now)
{
    put_on_wire(target, Bytes(payload, payload + bytes), now);
}

uint64_t ModelServer::next_ns() const
{
    return wire_.empty() ? UINT64_MAX : wire_.begin()->first;
}

std::vector<Bytes> ModelServer::run(uint64_t now)
{
    std::vector<Bytes> arrived;
    while (!wire_.empty() && wire_.begin()->first <= now) {
        Packet packet = wire_.begin()->second;
        wire_.erase(wire_.begin());
        if (packet.target == 0)
            arrived.push_back(packet.bytes);
        else if (!dead_[packet.target])
            at_member(packet.target, packet.bytes, now);
    }
    return arrived;
}

void ModelServer::disturb()
{
    if (faults_.leader_changes && percent(30)) {
        leader_ = static_cast<uint16_t>(chance() % (config_.target_count + 1u));
        if (percent(70)) // else some stay behind the times
            for (uint16_t i = 0; i < config_.target_count; i++)
                belief_[config_.target[i]] = leader_;
    }
    if (faults_.sessions_expire && percent(10)) {
        sessions_.clear();
        session_by_nonce_.clear();
    }
    if (faults_.members_die && percent(20)) {
        uint16_t member = config_.target[chance() % config_.target_count];
        dead_[member] = !dead_[member];
    }
}

void ModelServer::heal()
{
    dead_.clear();
    leader_ = config_.target[chance() % config_.target_count];
    belief_.clear();
    for (uint16_t i = 0; i < config_.target_count; i++)
        belief_[config_.target[i]] = leader_;
    faults_ = Faults{0, 0, 0, faults_.too_big_percent, 100000, false, false, false};
}

void ModelServer::at_member(uint16_t member, const Bytes &bytes, uint64_t now)
{
    uint32_t offset = WIRE_FRAME_BYTES;
    wire_view view;
    while (wire_message_next(bytes.data(), static_cast<uint32_t>(bytes.size()), &offset, &view) ==
               WIRE_OK &&
           view.kind != 0)
        at_leader(member, view, now);
}

// Large requests are dropped by members that do not lead, as the servers do.
void ModelServer::at_leader(uint16_t member, const wire_view &view, uint64_t now)
{
    wire_request request;
    if (view.kind == WIRE_REQUEST) {
        ASSERT_EQ(wire_get_request(&view, &request), WIRE_OK);
        handle(member, request, now);
        return;
    }
    wire_fragment fragment;
    ASSERT_EQ(wire_get_fragment(&view, &fragment), WIRE_OK);
    if (member != leader_)
        return;
    wire_assembly *assembly = wire_assembly_find(&assemblies_, member, &fragment, now);
    if (assembly == nullptr) {
        wire_abandoned abandoned;
        while (wire_assembly_make_room(&assemblies_, member, now, &abandoned))
            buffers_.erase(abandoned.buffer);
        Bytes buffer(fragment.total);
        uint8_t *memory = buffer.data();
        buffers_[memory] = std::move(buffer);
        assembly = wire_assembly_open(&assemblies_, member, &fragment, memory, now);
    }
    ASSERT_EQ(wire_assembly_add(assembly, &fragment), WIRE_OK) << "an id must name its bytes";
    if (assembly->missing_bytes != 0)
        return;
    wire_view whole;
    ASSERT_EQ(wire_assembly_view(assembly, &whole), WIRE_OK);
    ASSERT_EQ(wire_get_request(&whole, &request), WIRE_OK);
    handle(member, request, now);
    buffers_.erase(assembly->buffer);
    wire_assembly_close(&assemblies_, assembly);
}

wire_result ModelServer::execute_write(Session &session, uint64_t sequence,
                                       const wire_command &command)
{
    wire_result result = {};
    if (sequence < session.next) {
        auto kept = session.answers.find(sequence);
        if (kept != session.answers.end())
            return kept->second;
        result.status = WIRE_REPLY_GONE;
        return result;
    }
    if (sequence > session.next) {
        result.status = WIRE_OUT_OF_ORDER;
        result.integer = static_cast<int64_t>(session.next);
        return result;
    }
    if (percent(faults_.busy_percent)) {
        result.status = WIRE_BUSY;
        return result;
    }
    std::string key(command.key, command.key + command.key_bytes);
    // A member that refuses a command refuses it always.
    if (command.op == WIRE_OP_SET &&
        std::hash<std::string>()(key) % 100 < faults_.too_big_percent) {
        result.status = WIRE_TOO_BIG;
        return result;
    }
    session.next++;
    if (command.op == WIRE_OP_SET) {
        executed.push_back(key);
        times[key]++;
    }
    result.type = WIRE_INTEGER;
    result.integer = static_cast<int64_t>(executed.size());
    if (!percent(faults_.busy_percent)) // sometimes the answer is not kept
        session.answers[sequence] = result;
    session.answers.erase(sequence - CLIENT_WINDOW_MAX);
    return result;
}

wire_result ModelServer::execute(const wire_request &request, uint64_t sequence,
                                 const wire_command &command)
{
    wire_result result = {};
    if (command.op == WIRE_OP_REGISTER) {
        uint64_t &session = session_by_nonce_[static_cast<uint64_t>(command.argument)];
        if (session == 0)
            sessions_[session = ++last_session_] = Session();
        result.type = WIRE_INTEGER;
        result.integer = static_cast<int64_t>(session);
        return result;
    }
    if (request.session == 0) {
        EXPECT_GT(command.op, WIRE_OP_WRITE_LAST);
        result.status = percent(faults_.busy_percent) ? WIRE_BUSY : WIRE_DONE;
        result.type = WIRE_INTEGER;
        result.integer = static_cast<int64_t>(executed.size());
        return result;
    }
    auto session = sessions_.find(request.session);
    if (session == sessions_.end()) {
        result.status = WIRE_SESSION_EXPIRED;
        return result;
    }
    return execute_write(session->second, sequence, command);
}

void ModelServer::handle(uint16_t member, const wire_request &request, uint64_t now)
{
    Bytes payload(kFrameBytes);
    wire_writer writer;
    wire_frame header = {};
    wire_frame_begin(&writer, payload.data(), kFrameBytes, &header);
    wire_reply reply = {};
    reply.group = request.group;
    reply.client = request.client;
    reply.session = request.session;
    reply.route = request.route;
    reply.leader =
        belief_.count(member) && belief_[member] != 0 ? belief_[member] : WIRE_NODE_CLIENT;
    ASSERT_TRUE(wire_put_reply(&writer, &reply));
    const uint8_t *at = request.commands;
    for (uint32_t i = 0; i < request.count; i++) {
        uint64_t sequence;
        uint32_t bytes;
        const uint8_t *body = wire_next_command(&at, &sequence, &bytes);
        wire_command command;
        ASSERT_EQ(wire_command_decode(body, bytes, &command), WIRE_OK);
        wire_result result = {};
        result.status = WIRE_NOT_LEADER;
        if (member == leader_)
            result = execute(request, sequence, command);
        ASSERT_TRUE(wire_put_result(&writer, sequence, &result));
    }
    payload.resize(writer.bytes);
    put_on_wire(0, payload, now);
}
