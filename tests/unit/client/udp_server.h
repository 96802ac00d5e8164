// A cluster of a few UDP sockets on loopback, one of which leads, served by one thread: enough of
// the servers' promises to let the C library be used as a program would use it.
#ifndef TESTS_UNIT_CLIENT_UDP_SERVER_H
#define TESTS_UNIT_CLIENT_UDP_SERVER_H

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>

extern "C" {
#include "protocols/wire/fragment.h"
}

class UdpServer
{
  public:
    explicit UdpServer(size_t members);
    ~UdpServer();
    std::vector<std::string> endpoints() const;
    void lead(int member); // -1: nobody leads
    void forget_sessions();

    std::atomic<uint32_t> drop_every{0}; // 0: none; of datagrams in
    std::atomic<bool> silent{false};
    std::atomic<uint32_t> writes_executed{0};

  private:
    struct Session {
        uint64_t next = 1;
        std::map<uint64_t, wire_result> answers;
    };
    void serve();
    void receive(size_t member);
    void handle(size_t member, const wire_request &request, const sockaddr_in &peer);
    wire_result execute(const wire_request &request, uint64_t sequence, const wire_command &command,
                        std::string &value);
    wire_result apply(const wire_command &command, std::string &value);
    void answer(size_t member, const wire_request &request, uint64_t sequence,
                const wire_result &result, const sockaddr_in &peer);

    std::vector<int> sockets_;
    std::vector<sockaddr_in> addresses_;
    std::atomic<bool> stop_{false};
    std::mutex mutex_; // over what follows
    int leader_ = 0;
    std::map<uint64_t, Session> sessions_;
    std::map<uint64_t, uint64_t> by_nonce_;
    uint64_t last_session_ = 0;
    std::map<std::string, std::string> table_;
    wire_assembly_table assemblies_;
    std::map<uint8_t *, std::vector<uint8_t>> buffers_;
    uint32_t received_ = 0;
    std::thread thread_;
};

#endif
