#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "dataplane/edge/resp.h"
}

namespace
{

using Words = std::vector<std::string>;

std::string multibulk(const Words &words)
{
    std::string text = "*" + std::to_string(words.size()) + "\r\n";
    for (const std::string &word : words)
        text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    return text;
}

resp_outcome parse(const std::string &bytes, resp_command *command)
{
    /* A copy of the exact size: reading behind it is seen by the address sanitizer. */
    std::vector<uint8_t> exact(bytes.begin(), bytes.end());
    resp_outcome outcome = resp_parse(exact.data(), static_cast<uint32_t>(exact.size()), command);
    if (outcome == RESP_COMMAND)
        for (uint32_t i = 0; i < command->argument_count; i++) /* back into the caller's bytes */
            command->argument[i].data = reinterpret_cast<const uint8_t *>(bytes.data()) +
                                        (command->argument[i].data - exact.data());
    return outcome;
}

Words words_of(const resp_command &command)
{
    Words words;
    for (uint32_t i = 0; i < command.argument_count; i++)
        words.emplace_back(reinterpret_cast<const char *>(command.argument[i].data),
                           command.argument[i].bytes);
    return words;
}

/* Feeds the stream in two pieces and returns the commands; a hint that asks for too much shows as a
 * missing one. */
std::vector<Words> commands_of(const std::string &stream, size_t cut)
{
    auto command = std::make_unique<resp_command>();
    std::vector<Words> commands;
    std::string buffer;
    size_t needed = 1;
    for (const std::string &piece : {stream.substr(0, cut), stream.substr(cut)}) {
        buffer += piece;
        while (buffer.size() >= needed) {
            resp_outcome outcome = parse(buffer, command.get());
            if (outcome == RESP_MORE) {
                EXPECT_GT(command->needed, buffer.size());
                needed = command->needed;
                break;
            }
            EXPECT_EQ(outcome, RESP_COMMAND) << "cut at " << cut;
            if (outcome != RESP_COMMAND)
                return commands;
            commands.push_back(words_of(*command));
            buffer.erase(0, command->bytes);
            needed = 1;
        }
    }
    EXPECT_TRUE(buffer.empty()) << "cut at " << cut;
    return commands;
}

TEST(Resp, EverySplitOfAPipelineGivesTheSameCommands)
{
    std::vector<Words> expected = {
        {"SET", "key", "value"},
        {"GET", ""},
        {"PING"},
        {},
        {"MSET", "a", "1\r\n$5", "b", ""},
        {"get", "inline"},
        {"PING"},
        {},
        {"ECHO", std::string("\0\r\n*3", 6)},
    };
    std::string stream = multibulk(expected[0]) + multibulk(expected[1]) + multibulk(expected[2]) +
                         "*0\r\n" + multibulk(expected[4]) + "get \t inline\r\n" + "PING\n" +
                         "\r\n" + multibulk(expected[8]);
    for (size_t cut = 0; cut <= stream.size(); cut++)
        ASSERT_EQ(commands_of(stream, cut), expected) << "cut at " << cut;
}

TEST(Resp, HintIsTheNextByteThatMatters)
{
    auto command = std::make_unique<resp_command>();
    auto needed = [&](const std::string &bytes) {
        EXPECT_EQ(parse(bytes, command.get()), RESP_MORE) << bytes;
        return command->needed;
    };
    std::string text = multibulk({"SET", "k", std::string(100000, 'v')});
    EXPECT_EQ(needed(""), 1u);
    EXPECT_EQ(needed("*3"), 3u);
    EXPECT_EQ(needed("*3\r\n$3\r\n"), 12u); /* behind the argument that is said to come */
    EXPECT_EQ(needed("*3\r\n$3\r\nSE"), 12u);
    for (size_t bytes : {29u, 40u, 1000u, 99999u})
        EXPECT_EQ(needed(text.substr(0, bytes)), text.size() - 1);
    EXPECT_EQ(needed(text.substr(0, text.size() - 1)), text.size());
    EXPECT_EQ(needed("*1000\r\n"), 8u);
}

struct Refused {
    const char *name;
    std::string bytes;
    resp_outcome outcome;
};

class Refusals : public testing::TestWithParam<Refused>
{
};

/* Each is as short as it can be: without its last byte it may still become a command. */
TEST_P(Refusals, AreNamedAtTheFirstByteThatNothingCanMend)
{
    auto command = std::make_unique<resp_command>();
    const std::string &bytes = GetParam().bytes;
    EXPECT_EQ(parse(bytes, command.get()), GetParam().outcome);
    EXPECT_STRNE(resp_refusal_sentence(GetParam().outcome), "");
    EXPECT_EQ(parse(bytes.substr(0, bytes.size() - 1), command.get()), RESP_MORE);
}

INSTANTIATE_TEST_SUITE_P(
    Resp, Refusals,
    testing::Values(Refused{"arguments", "*1025", RESP_REFUSED_TOO_MANY_ARGUMENTS},
                    Refused{"negative count", "*-", RESP_REFUSED_NEGATIVE_LENGTH},
                    Refused{"negative bulk", "*1\r\n$-", RESP_REFUSED_NEGATIVE_LENGTH},
                    Refused{"bulk", "*2\r\n$3\r\nGET\r\n$1114113", RESP_REFUSED_BULK_TOO_BIG},
                    Refused{"sum of bulks",
                            "*4\r\n$1114112\r\n" + std::string(1114112, 'x') + "\r\n$1114080\r\n",
                            RESP_REFUSED_COMMAND_TOO_BIG},
                    Refused{"count without digits", "*\r", RESP_REFUSED_JUNK},
                    Refused{"count with plus", "*+", RESP_REFUSED_JUNK},
                    Refused{"count with leading zero", "*01", RESP_REFUSED_JUNK},
                    Refused{"count with letters", "*1x", RESP_REFUSED_JUNK},
                    Refused{"carriage return alone", "*1\rx", RESP_REFUSED_JUNK},
                    Refused{"no bulk", "*1\r\nP", RESP_REFUSED_JUNK},
                    Refused{"integer for a bulk", "*1\r\n:", RESP_REFUSED_JUNK},
                    Refused{"bulk with leading zero", "*1\r\n$04", RESP_REFUSED_JUNK},
                    Refused{"bulk longer than said", "*1\r\n$3\r\nPING", RESP_REFUSED_JUNK},
                    Refused{"bulk with half an end", "*1\r\n$3\r\nGET\rx", RESP_REFUSED_JUNK},
                    Refused{"TLS", "\x16", RESP_REFUSED_JUNK},
                    Refused{"delete", "GET \x7f", RESP_REFUSED_JUNK},
                    Refused{"inline carriage return", "a\rb", RESP_REFUSED_JUNK},
                    Refused{"inline without end", std::string(RESP_INLINE_BYTES_MAX, 'a'),
                            RESP_REFUSED_INLINE_TOO_LONG},
                    Refused{"inline of blanks", std::string(RESP_INLINE_BYTES_MAX, ' '),
                            RESP_REFUSED_INLINE_TOO_LONG},
                    Refused{"inline end too late",
                            std::string(RESP_INLINE_BYTES_MAX - 1, 'a') + "\r",
                            RESP_REFUSED_INLINE_TOO_LONG},
                    Refused{"quotes", "SET a \"", RESP_REFUSED_INLINE_QUOTES},
                    Refused{"apostrophe", "SET a b'", RESP_REFUSED_INLINE_QUOTES},
                    Refused{"inline arguments",
                            [] {
                                std::string line;
                                for (int i = 0; i < 1024; i++)
                                    line += "a ";
                                return line + "a";
                            }(),
                            RESP_REFUSED_TOO_MANY_ARGUMENTS},
                    Refused{"web page", "POST ", RESP_REFUSED_HTTP},
                    Refused{"web header", "Host: ", RESP_REFUSED_HTTP},
                    Refused{"web verb alone", "post\r", RESP_REFUSED_HTTP}),
    [](const testing::TestParamInfo<Refused> &info) {
        std::string name = info.param.name;
        for (char &c : name)
            if (c == ' ')
                c = '_';
        return name;
    });

TEST(Resp, LargestAcceptedSizesAreTaken)
{
    auto command = std::make_unique<resp_command>();
    std::string text = multibulk(
        {"CAS", std::string(512, 'k'), std::string(1 << 20, 'o'), std::string(1 << 20, 'n')});
    ASSERT_LE(text.size(), RESP_COMMAND_BYTES_MAX);
    ASSERT_EQ(parse(text, command.get()), RESP_COMMAND);
    EXPECT_EQ(command->argument[3].bytes, 1u << 20);
    ASSERT_EQ(parse(multibulk(Words(1024, "x")), command.get()), RESP_COMMAND);
    EXPECT_EQ(command->argument_count, 1024u);
}

/* The dumb twin of the multibulk form: reads with std::string; says yes, no, more. */
enum class Twin { yes, no, more };

Twin twin_number(const std::string &text, size_t *at, long most, long *number)
{
    size_t end = std::min(text.find_first_not_of("0123456789", *at), text.size());
    std::string digits = text.substr(*at, end - *at);
    if (digits.size() > 9 || (digits.size() > 1 && digits[0] == '0') ||
        (!digits.empty() && std::stol(digits) > most))
        return Twin::no;
    std::string line = text.substr(end, 2);
    if (line != std::string("\r\n").substr(0, line.size()) || (digits.empty() && !line.empty()))
        return Twin::no;
    if (line.size() < 2)
        return Twin::more;
    *number = std::stol(digits);
    *at = end + 2;
    return Twin::yes;
}

Twin twin_parse(const std::string &text, Words *words, size_t *used)
{
    size_t at = 1;
    long count = 0, length = 0;
    Twin twin = twin_number(text, &at, 1024, &count);
    if (twin != Twin::yes)
        return twin;
    for (long i = 0; i < count; i++) {
        if (at == text.size())
            return Twin::more;
        if (text[at++] != '$')
            return Twin::no;
        twin = twin_number(text, &at, 1114112, &length);
        if (twin != Twin::yes)
            return twin;
        words->push_back(text.substr(at, static_cast<size_t>(length)));
        at = std::min(at + static_cast<size_t>(length), text.size());
        std::string line = text.substr(at, 2);
        if (line != std::string("\r\n").substr(0, line.size()))
            return Twin::no;
        if (line.size() < 2)
            return Twin::more;
        at += 2;
    }
    *used = at;
    return Twin::yes;
}

/* Some start of a command, damaged in up to two places. */
std::string damaged(std::mt19937 &random)
{
    const std::string alphabet = "*$-0123456789\r\nxyz";
    Words words(random() % 4);
    for (std::string &word : words)
        word.assign(random() % 12, 'w');
    std::string text = multibulk(words);
    for (unsigned damage = random() % 3; damage > 0 && text.size() > 1; damage--) {
        size_t at = 1 + random() % (text.size() - 1);
        if (random() % 4 == 0)
            text.erase(at);
        else
            text[at] = alphabet[random() % alphabet.size()];
    }
    return text;
}

TEST(Resp, AgreesWithItsDumbTwinOnDamagedCommands)
{
    std::mt19937 random(7);
    auto command = std::make_unique<resp_command>();
    int verdicts[3] = {0, 0, 0};
    for (int round = 0; round < 60000; round++) {
        std::string text = damaged(random);
        Words expected;
        size_t used = 0;
        Twin twin = twin_parse(text, &expected, &used);
        resp_outcome outcome = parse(text, command.get());
        verdicts[static_cast<int>(twin)]++;
        ASSERT_EQ(outcome == RESP_COMMAND, twin == Twin::yes) << text;
        ASSERT_EQ(outcome == RESP_MORE, twin == Twin::more) << text;
        if (twin == Twin::yes) {
            ASSERT_EQ(words_of(*command), expected) << text;
            ASSERT_EQ(command->bytes, used) << text;
        }
    }
    for (int verdict : verdicts)
        EXPECT_GT(verdict, 1000);
}

/* The verdict comes at one byte, the hint never passes that byte, and no later byte changes it. */
void check_all_starts_of(const std::string &text)
{
    auto command = std::make_unique<resp_command>();
    resp_outcome verdict = RESP_MORE;
    size_t needed = 1;
    for (size_t bytes = 0; bytes <= text.size(); bytes++) {
        resp_outcome outcome = parse(text.substr(0, bytes), command.get());
        if (verdict != RESP_MORE) {
            ASSERT_EQ(outcome, verdict) << text << " at " << bytes;
        } else if (outcome != RESP_MORE) {
            ASSERT_LE(needed, bytes) << text;
            verdict = outcome;
        } else {
            ASSERT_GT(command->needed, bytes) << text;
            needed = std::max<size_t>(needed, command->needed);
        }
    }
}

TEST(Resp, EverySplitOfDamagedCommandsGivesTheSameVerdict)
{
    std::mt19937 random(11);
    for (int round = 0; round < 4000; round++)
        check_all_starts_of(damaged(random));
    const std::string alphabet = " \t\r\n\"*$ab1:POSTost\x01";
    for (int round = 0; round < 20000; round++) {
        std::string line = random() % 4 == 0 ? "POST" : "";
        while (random() % 12 != 0)
            line += alphabet[random() % alphabet.size()];
        check_all_starts_of(line);
    }
}

std::optional<int64_t> integer(const std::string &text)
{
    int64_t value = 0;
    resp_span span = {reinterpret_cast<const uint8_t *>(text.data()),
                      static_cast<uint32_t>(text.size())};
    if (!resp_integer(span, &value))
        return std::nullopt;
    return value;
}

TEST(Resp, IntegersAreReadAsRedisReadsThem)
{
    EXPECT_EQ(integer("0"), 0);
    EXPECT_EQ(integer("-1"), -1);
    EXPECT_EQ(integer("9223372036854775807"), INT64_MAX);
    EXPECT_EQ(integer("-9223372036854775808"), INT64_MIN);
    for (const char *text : {"", "-", "+1", "01", "-0", " 1", "1 ", "1x", "9223372036854775808",
                             "-9223372036854775809", "99999999999999999999"})
        EXPECT_EQ(integer(text), std::nullopt) << text;
}

TEST(Resp, DigitsAreThoseOfTheNumber)
{
    for (int64_t value :
         {INT64_MIN, INT64_MAX, int64_t{0}, int64_t{-1}, int64_t{10}, int64_t{123}}) {
        uint8_t digits[RESP_INTEGER_BYTES_MAX];
        uint32_t count = resp_digits(digits, value);
        EXPECT_EQ(std::string(reinterpret_cast<char *>(digits), count), std::to_string(value));
    }
}

TEST(Resp, WordsMatchWhateverTheirCase)
{
    auto is = [](const std::string &text, const char *word) {
        return resp_is(
            {reinterpret_cast<const uint8_t *>(text.data()), static_cast<uint32_t>(text.size())},
            word);
    };
    EXPECT_TRUE(is("keepttl", "KEEPTTL"));
    EXPECT_TRUE(is("KeepTtl", "KEEPTTL"));
    EXPECT_FALSE(is("KEEPTT", "KEEPTTL"));
    EXPECT_FALSE(is("KEEPTTLL", "KEEPTTL"));
    EXPECT_FALSE(is(std::string("EX\0", 3), "EX"));
    EXPECT_FALSE(is("", "EX"));
}

} // namespace
