/* Golden chapters: prose, a command, "----", the transcript it must produce, an empty line.
 *
 *   golden_raft [--rewrite] FILE...
 *
 * Several commands may stand above one "----". With --rewrite the transcripts are replaced by what
 * happens now: read the difference like a change of the protocol. Exit status: 0 all equal, 1 some
 * differ, 64 usage. */
#include "tests/golden/raft_play.h"

#include <fstream>
#include <iostream>

struct Chapter {
    std::string expected; /* the file as it is         */
    std::string actual;   /* the file as it should be  */
};

static Chapter perform(std::istream &file)
{
    golden::Play play;
    Chapter chapter;
    std::string commands;
    bool in_transcript = false;
    for (std::string line; std::getline(file, line);) {
        chapter.expected += line + "\n";
        if (in_transcript && !line.empty())
            continue;
        in_transcript = false;
        chapter.actual += line + "\n";
        if (line == "----") {
            std::istringstream lines(commands);
            for (std::string command; std::getline(lines, command);)
                chapter.actual += play.direct(command);
            commands.clear();
            in_transcript = true;
        } else if (!line.empty() && line[0] != '#') {
            commands += line + "\n";
        }
    }
    if (!commands.empty())
        throw golden::Misdirected("commands without ----: " + commands);
    return chapter;
}

static void show_first_difference(const Chapter &chapter)
{
    std::istringstream expected(chapter.expected), actual(chapter.actual);
    std::string before, now;
    for (int number = 1;; number++) {
        bool more_expected = static_cast<bool>(std::getline(expected, before));
        bool more_actual = static_cast<bool>(std::getline(actual, now));
        if (!more_expected && !more_actual)
            return;
        if (more_expected && more_actual && before == now)
            continue;
        std::cerr << "  line " << number << "\n  expected: " << (more_expected ? before : "(end)")
                  << "\n  happened: " << (more_actual ? now : "(end)") << "\n";
        return;
    }
}

int main(int argc, char **argv)
{
    bool rewrite = argc > 1 && std::string(argv[1]) == "--rewrite";
    int failed = 0;
    if (argc < 2 + rewrite) {
        std::cerr << "usage: golden_raft [--rewrite] FILE...\n";
        return 64;
    }
    for (int i = 1 + rewrite; i < argc; i++) {
        std::string name = argv[i];
        try {
            std::ifstream file(name);
            if (!file)
                throw golden::Misdirected("can not be read");
            Chapter chapter = perform(file);
            if (rewrite) {
                std::ofstream(name) << chapter.actual;
            } else if (chapter.expected != chapter.actual) {
                std::cerr << name
                          << ": another transcript (golden_raft --rewrite shows it as a diff)\n";
                show_first_difference(chapter);
                failed++;
            }
        } catch (const std::exception &error) {
            std::cerr << name << ": " << error.what() << "\n";
            failed++;
        }
    }
    return failed > 0;
}
