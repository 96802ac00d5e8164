#include "tests/unit/client/udp_server.h"

#include <gtest/gtest.h>

#include <cstring>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static constexpr uint32_t kFrame = 1472;

UdpServer::UdpServer(size_t members)
{
    wire_assembly_table_init(&assemblies_, UINT64_MAX);
    for (size_t i = 0; i < members; i++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        sockaddr_in address = {};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        EXPECT_EQ(bind(descriptor, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
        socklen_t bytes = sizeof address;
        getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &bytes);
        sockets_.push_back(descriptor);
        addresses_.push_back(address);
    }
    thread_ = std::thread([this] { serve(); });
}

UdpServer::~UdpServer()
{
    stop_ = true;
    thread_.join();
    for (int descriptor : sockets_)
        close(descriptor);
}

std::vector<std::string> UdpServer::endpoints() const
{
    std::vector<std::string> all;
    for (const sockaddr_in &address : addresses_)
        all.push_back("127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
    return all;
}

void UdpServer::lead(int member)
{
    std::lock_guard<std::mutex> lock(mutex_);
    leader_ = member;
}

void UdpServer::forget_sessions()
{
    std::lock_guard<std::mutex> lock(mutex_);
    sessions_.clear();
    by_nonce_.clear();
}

void UdpServer::serve()
{
    while (!stop_) {
        std::vector<pollfd> descriptors;
        for (int descriptor : sockets_)
            descriptors.push_back(pollfd{descriptor, POLLIN, 0});
        if (poll(descriptors.data(), descriptors.size(), 10) <= 0)
            continue;
        std::lock_guard<std::mutex> lock(mutex_);
        for (size_t i = 0; i < descriptors.size(); i++)
            if (descriptors[i].revents & POLLIN)
                receive(i);
    }
}

void UdpServer::receive(size_t member)
{
    uint8_t payload[65536];
    sockaddr_in peer = {};
    socklen_t peer_bytes = sizeof peer;
    ssize_t got = recvfrom(sockets_[member], payload, sizeof payload, 0,
                           reinterpret_cast<sockaddr *>(&peer), &peer_bytes);
    if (got <= 0 || silent || (drop_every != 0 && ++received_ % drop_every == 0))
        return;
    uint32_t bytes = static_cast<uint32_t>(got), offset = WIRE_FRAME_BYTES;
    wire_frame frame;
    wire_view view;
    EXPECT_EQ(wire_frame_decode(payload, bytes, &frame), WIRE_OK);
    while (wire_message_next(payload, bytes, &offset, &view) == WIRE_OK && view.kind != 0) {
        wire_request request;
        wire_fragment fragment;
        if (wire_get_request(&view, &request) == WIRE_OK) {
            handle(member, request, peer);
            continue;
        }
        if (wire_get_fragment(&view, &fragment) != WIRE_OK || static_cast<int>(member) != leader_)
            continue;
        wire_assembly *assembly = wire_assembly_find(&assemblies_, peer.sin_port, &fragment, 0);
        if (assembly == nullptr) {
            wire_abandoned abandoned;
            while (wire_assembly_make_room(&assemblies_, peer.sin_port, 0, &abandoned))
                buffers_.erase(abandoned.buffer);
            std::vector<uint8_t> buffer(fragment.total);
            uint8_t *memory = buffer.data();
            buffers_[memory] = std::move(buffer);
            assembly = wire_assembly_open(&assemblies_, peer.sin_port, &fragment, memory, 0);
        }
        EXPECT_EQ(wire_assembly_add(assembly, &fragment), WIRE_OK);
        wire_view whole;
        if (assembly->missing_bytes != 0 || wire_assembly_view(assembly, &whole) != WIRE_OK ||
            wire_get_request(&whole, &request) != WIRE_OK)
            continue;
        handle(member, request, peer);
        buffers_.erase(assembly->buffer);
        wire_assembly_close(&assemblies_, assembly);
    }
}

wire_result UdpServer::apply(const wire_command &command, std::string &value)
{
    std::string key(command.key, command.key + command.key_bytes);
    std::string argument(command.value, command.value + command.value_bytes);
    wire_result result = {};
    auto found = table_.find(key);
    writes_executed += command.op <= WIRE_OP_WRITE_LAST;
    result.type = WIRE_INTEGER;
    switch (command.op) {
    case WIRE_OP_SET:
        table_[key] = argument;
        result.type = WIRE_STATUS_OK;
        break;
    case WIRE_OP_GET:
        result.type = found == table_.end() ? WIRE_NIL : WIRE_BYTES;
        value = found == table_.end() ? "" : found->second;
        break;
    case WIRE_OP_DEL:
        result.integer = static_cast<int64_t>(table_.erase(key));
        break;
    case WIRE_OP_INCRBY:
        if (found != table_.end() &&
            found->second.find_first_not_of("-0123456789") != std::string::npos) {
            result.status = WIRE_WRONG_TYPE;
            break;
        }
        result.integer = (found == table_.end() ? 0 : std::stoll(found->second)) + command.argument;
        table_[key] = std::to_string(result.integer);
        break;
    case WIRE_OP_CAS:
        result.integer = found != table_.end() &&
                         found->second == std::string(command.old, command.old + command.old_bytes);
        if (result.integer)
            table_[key] = argument;
        break;
    case WIRE_OP_APPEND:
        result.status = WIRE_NO_SPACE;
        break;
    default:
        result.integer = static_cast<int64_t>(table_.size());
    }
    return result;
}

wire_result UdpServer::execute(const wire_request &request, uint64_t sequence,
                               const wire_command &command, std::string &value)
{
    wire_result result = {};
    if (command.op == WIRE_OP_REGISTER) {
        uint64_t &session = by_nonce_[static_cast<uint64_t>(command.argument)];
        if (session == 0)
            sessions_[session = ++last_session_] = Session();
        result.integer = static_cast<int64_t>(session);
        return result;
    }
    if (request.session == 0)
        return apply(command, value);
    auto found = sessions_.find(request.session);
    if (found == sessions_.end()) {
        result.status = WIRE_SESSION_EXPIRED;
        return result;
    }
    Session &session = found->second;
    if (sequence > session.next) {
        result.status = WIRE_OUT_OF_ORDER;
        result.integer = static_cast<int64_t>(session.next);
        return result;
    }
    if (sequence < session.next)
        return session.answers[sequence];
    session.next++;
    return session.answers[sequence] = apply(command, value);
}

// One frame for a small answer, pieces for a large one.
void UdpServer::answer(size_t member, const wire_request &request, uint64_t sequence,
                       const wire_result &result, const sockaddr_in &peer)
{
    wire_reply reply = {};
    reply.group = request.group;
    reply.client = request.client;
    reply.route = request.route;
    reply.session = request.session;
    reply.leader = WIRE_NODE_CLIENT;
    if (leader_ >= 0) {
        reply.leader = static_cast<uint16_t>(40 + leader_); // ids are the cluster's own affair
        reply.leader_ip = INADDR_LOOPBACK;
        reply.leader_port = ntohs(addresses_[static_cast<size_t>(leader_)].sin_port);
    }
    uint8_t head[WIRE_REPLY_HEAD_BYTES];
    wire_cut cut;
    wire_reply_head(head, &reply, sequence, &result);
    wire_cut_begin(&cut, sequence, head, sizeof head, result.value, result.value_bytes, kFrame);
    for (uint32_t k = 0; k < cut.count; k++) {
        uint8_t payload[kFrame];
        wire_writer writer;
        wire_frame frame = {};
        wire_frame_begin(&writer, payload, sizeof payload, &frame);
        if (cut.count == 1) {
            EXPECT_TRUE(wire_put_reply(&writer, &reply) &&
                        wire_put_result(&writer, sequence, &result));
        } else {
            EXPECT_TRUE(wire_put_fragment(&writer, &cut, k));
        }
        sendto(sockets_[member], payload, writer.bytes, 0,
               reinterpret_cast<const sockaddr *>(&peer), sizeof peer);
    }
}

void UdpServer::handle(size_t member, const wire_request &request, const sockaddr_in &peer)
{
    const uint8_t *at = request.commands;
    for (uint32_t i = 0; i < request.count; i++) {
        uint64_t sequence;
        uint32_t bytes;
        const uint8_t *body = wire_next_command(&at, &sequence, &bytes);
        wire_command command;
        EXPECT_EQ(wire_command_decode(body, bytes, &command), WIRE_OK);
        wire_result result = {};
        std::string value;
        result.status = WIRE_NOT_LEADER;
        if (static_cast<int>(member) == leader_)
            result = execute(request, sequence, command, value);
        if (!value.empty()) {
            result.value = reinterpret_cast<const uint8_t *>(value.data());
            result.value_bytes = static_cast<uint32_t>(value.size());
        }
        answer(member, request, sequence, result, peer);
    }
}
