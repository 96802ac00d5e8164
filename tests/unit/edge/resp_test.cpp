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

/* Feeds the stream in two pieces and returns the commands; a hint that asks for too much shows as a missing one. */
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

TEST(Resp, NullArrayIsNothingToDo)
{
    resp_command command;
    ASSERT_EQ(parse("*-1\r\n", &command), RESP_COMMAND);
    EXPECT_EQ(command.argument_count, 0u);
    EXPECT_EQ(command.bytes, 5u);
}

TEST(Resp, HintNeverExceedsTheCommandAndPassesItsLengths)
{
    auto command = std::make_unique<resp_command>();
    std::string text = multibulk({"SET", "k", std::string(100000, 'v')});
    for (size_t bytes : {1u, 4u, 8u, 20u, 30u, 40u, 1000u, 99999u}) {
        ASSERT_EQ(parse(text.substr(0, bytes), command.get()), RESP_MORE);
        EXPECT_LE(command->needed, text.size());
    }
    ASSERT_EQ(parse(text.substr(0, 40), command.get()), RESP_MORE);
    EXPECT_EQ(command->needed, text.size()); /* the length has been read */
    std::string many = "*1000\r\n";
    ASSERT_EQ(parse(many, command.get()), RESP_MORE);
    EXPECT_EQ(command->needed, many.size() + 1000 * 6);
}

struct Refused {
    const char *name;
    std::string bytes;
    resp_outcome outcome;
};

class Refusals : public testing::TestWithParam<Refused>
{
};

TEST_P(Refusals, AreNamed)
{
    auto command = std::make_unique<resp_command>();
    EXPECT_EQ(parse(GetParam().bytes, command.get()), GetParam().outcome);
    EXPECT_STRNE(resp_refusal_sentence(GetParam().outcome), "");
}

INSTANTIATE_TEST_SUITE_P(
    Resp, Refusals,
    testing::Values(Refused{"arguments", "*1025\r\n", RESP_REFUSED_TOO_MANY_ARGUMENTS},
                    Refused{"huge count", "*999999999\r\n", RESP_REFUSED_TOO_MANY_ARGUMENTS},
                    Refused{"count over 32 bits", "*99999999999\r\n", RESP_REFUSED_JUNK},
                    Refused{"negative count", "*-2\r\n", RESP_REFUSED_NEGATIVE_LENGTH},
                    Refused{"null argument", "*1\r\n$-1\r\n", RESP_REFUSED_NEGATIVE_LENGTH},
                    Refused{"bulk", "*2\r\n$3\r\nGET\r\n$1114113\r\n", RESP_REFUSED_BULK_TOO_BIG},
                    Refused{"bulk length without end", "*1\r\n$99999999999999999999",
                            RESP_REFUSED_JUNK},
                    Refused{"sum of bulks",
                            "*4\r\n$1114112\r\n" + std::string(1114112, 'x') + "\r\n$1114100\r\n",
                            RESP_REFUSED_COMMAND_TOO_BIG},
                    Refused{"count without digits", "*\r\n", RESP_REFUSED_JUNK},
                    Refused{"minus alone", "*-\r\n", RESP_REFUSED_JUNK},
                    Refused{"count with letters", "*1x\r\n", RESP_REFUSED_JUNK},
                    Refused{"carriage return alone", "*1\rx", RESP_REFUSED_JUNK},
                    Refused{"no bulk", "*1\r\nPING\r\n", RESP_REFUSED_JUNK},
                    Refused{"integer for a bulk", "*1\r\n:1\r\n", RESP_REFUSED_JUNK},
                    Refused{"bulk longer than said", "*1\r\n$3\r\nPINGG", RESP_REFUSED_JUNK},
                    Refused{"TLS", std::string("\x16\x03\x01\x02\x00", 5), RESP_REFUSED_JUNK},
                    Refused{"inline without end", std::string(RESP_INLINE_BYTES_MAX, 'a'),
                            RESP_REFUSED_INLINE_TOO_LONG},
                    Refused{"inline end too late", std::string(RESP_INLINE_BYTES_MAX, 'a') + "\n",
                            RESP_REFUSED_INLINE_TOO_LONG},
                    Refused{"quotes", "SET a \"b c\"\r\n", RESP_REFUSED_INLINE_QUOTES},
                    Refused{"unfinished quotes", "SET a 'b", RESP_REFUSED_INLINE_QUOTES},
                    Refused{"inline arguments",
                            [] {
                                std::string line;
                                for (int i = 0; i < 1025; i++)
                                    line += "a ";
                                return line + "\n";
                            }(),
                            RESP_REFUSED_TOO_MANY_ARGUMENTS},
                    Refused{"web page", "POST / HTTP/1.1\r\n", RESP_REFUSED_HTTP},
                    Refused{"web header", "Host: localhost\r\n", RESP_REFUSED_HTTP}),
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

/* The dumb twin of the multibulk form: reads with std::string and says nothing but yes, no, more. */
enum class Twin { yes, no, more };

Twin twin_number(const std::string &text, size_t *at, long *number)
{
    size_t end = text.find('\r', *at);
    std::string digits = text.substr(*at, end == std::string::npos ? end : end - *at);
    bool negative = !digits.empty() && digits[0] == '-';
    std::string plain = negative ? digits.substr(1) : digits;
    for (char c : plain)
        if (c < '0' || c > '9')
            return Twin::no;
    if (plain.size() > 9)
        return Twin::no;
    if (end == std::string::npos)
        return Twin::more;
    if (plain.empty())
        return Twin::no;
    if (end + 1 == text.size())
        return Twin::more;
    if (text[end + 1] != '\n')
        return Twin::no;
    *number = (negative ? -1 : 1) * std::stol(plain);
    *at = end + 2;
    return Twin::yes;
}

Twin twin_parse(const std::string &text, Words *words, size_t *used)
{
    size_t at = 1;
    long count = 0, length = 0;
    Twin twin = twin_number(text, &at, &count);
    if (twin != Twin::yes)
        return twin;
    if (count < -1 || count > 1024)
        return Twin::no;
    for (long i = 0; i < count; i++) {
        if (at == text.size())
            return Twin::more;
        if (text[at++] != '$')
            return Twin::no;
        twin = twin_number(text, &at, &length);
        if (twin != Twin::yes)
            return twin;
        if (length < 0 || length > 1114112)
            return Twin::no;
        if (text.size() - at < static_cast<size_t>(length) + 2)
            return Twin::more;
        words->push_back(text.substr(at, static_cast<size_t>(length)));
        if (text.substr(at + static_cast<size_t>(length), 2) != "\r\n")
            return Twin::no;
        at += static_cast<size_t>(length) + 2;
    }
    *used = at;
    return Twin::yes;
}

TEST(Resp, AgreesWithItsDumbTwinOnDamagedCommands)
{
    std::mt19937 random(7);
    auto command = std::make_unique<resp_command>();
    int verdicts[3] = {0, 0, 0};
    const std::string alphabet = "*$-0123456789\r\nxyz";
    for (int round = 0; round < 60000; round++) {
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
