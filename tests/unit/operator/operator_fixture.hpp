/* operator_fixture.hpp: the program itself, run against nodes that answer what the test says. */
#ifndef TESTS_UNIT_OPERATOR_OPERATOR_FIXTURE_HPP
#define TESTS_UNIT_OPERATOR_OPERATOR_FIXTURE_HPP

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

inline std::string bulk(const std::string &text)
{
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
}

/* Answers each command by its words, blank-separated, or by its first two; without an answer it
 * hangs up. */
class FakeNode
{
  public:
    std::map<std::string, std::string> answers;
    std::map<std::string, std::string> later; /* instead, once something was asked that moves */
    bool silent = false;                      /* takes commands and says nothing          */
    bool trickles = false;                    /* says a byte now and then, and never ends */

    FakeNode()
    {
        sockaddr_in address = {};
        socklen_t bytes = sizeof address;
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        EXPECT_EQ(bind(listening, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listening, 8), 0);
        getsockname(listening, reinterpret_cast<sockaddr *>(&address), &bytes);
        name = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        EXPECT_EQ(pipe(stop), 0);
    }
    ~FakeNode()
    {
        if (thread.joinable()) {
            EXPECT_EQ(write(stop[1], "x", 1), 1);
            thread.join();
        }
        for (int fd : {listening, stop[0], stop[1]})
            close(fd);
    }
    std::string start()
    {
        thread = std::thread([this] { serve(); });
        return name;
    }
    std::vector<std::string> heard()
    {
        std::lock_guard<std::mutex> guard(lock);
        return commands;
    }

  private:
    int listening, stop[2];
    std::string name;
    std::thread thread;
    std::mutex lock;
    std::vector<std::string> commands;

    bool wait(int fd) const
    {
        pollfd waiting[2] = {{fd, POLLIN, 0}, {stop[0], POLLIN, 0}};
        return poll(waiting, 2, -1) > 0 && waiting[1].revents == 0;
    }
    void serve()
    {
        while (wait(listening)) {
            int fd = accept(listening, nullptr, nullptr);
            talk(fd);
            close(fd);
        }
    }
    void talk(int fd)
    {
        std::string input, words;
        while (wait(fd)) {
            char bytes[4096];
            ssize_t got = recv(fd, bytes, sizeof bytes, 0);
            if (got <= 0)
                return;
            input.append(bytes, static_cast<size_t>(got));
            while (take(&input, &words)) {
                std::lock_guard<std::mutex> guard(lock);
                commands.push_back(words);
                if (words.rfind("QUORATE MOVE-LEADER", 0) == 0)
                    for (const auto &each : later)
                        answers[each.first] = each.second;
                std::string answer = answer_to(words);
                if (trickles)
                    trickle(fd);
                if (silent)
                    continue;
                if (answer.empty() || trickles)
                    return;
                EXPECT_EQ(send(fd, answer.data(), answer.size(), MSG_NOSIGNAL),
                          static_cast<ssize_t>(answer.size()));
            }
        }
    }
    void trickle(int fd) const
    {
        pollfd waiting[2] = {{fd, 0, 0}, {stop[0], POLLIN, 0}};
        while (send(fd, "+", 1, MSG_NOSIGNAL) == 1 && poll(waiting, 2, 5) == 0)
            continue;
    }
    std::string answer_to(const std::string &words) const
    {
        size_t second = words.find(' ', words.find(' ') + 1);
        for (const std::string &question : {words, words.substr(0, second)})
            if (answers.count(question) != 0)
                return answers.at(question);
        return "";
    }
    static bool take(std::string *input, std::string *words)
    {
        std::istringstream stream(*input);
        std::string line;
        size_t used = 0;
        auto next = [&] {
            bool whole = static_cast<bool>(std::getline(stream, line)) && !stream.eof();
            used += line.size() + 1;
            return whole;
        };
        if (!next())
            return false;
        words->clear();
        for (int left = std::stoi(line.substr(1)); left > 0; left--) {
            if (!next() || !next())
                return false;
            *words += (words->empty() ? "" : " ") + line.substr(0, line.size() - 1);
        }
        input->erase(0, used);
        return true;
    }
};

struct Result {
    int code;
    std::string output;
    std::string errors;
};

inline Result quorate(const std::string &arguments, const std::string &environment = "")
{
    const char *program = getenv("QUORATE_PROGRAM");
    std::string errors = testing::TempDir() + "quorate_errors." + std::to_string(getpid());
    std::string command = environment + " " + (program == nullptr ? "quorate" : program) + " " +
                          arguments + " 2>" + errors;
    Result result = {-1, "", ""};
    FILE *pipe = popen(command.c_str(), "r");
    char bytes[4096];
    for (size_t got; (got = fread(bytes, 1, sizeof bytes, pipe)) > 0;)
        result.output.append(bytes, got);
    int status = pclose(pipe);
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    std::ostringstream text;
    text << std::ifstream(errors).rdbuf();
    result.errors = text.str();
    unlink(errors.c_str());
    return result;
}

const std::string nobody = "127.0.0.1:1"; /* tcpmux: no test machine listens there */

#endif
