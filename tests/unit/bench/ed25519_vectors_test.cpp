/* Files of vectors: every backend and libsodium say the same, and lines that are none are named. */
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sysexits.h>

extern "C" {
#include "bench/ed25519_vectors.h"
}

/* RFC 8032, 7.1, TEST 1 and TEST 2. */
static const std::string key1 = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
static const std::string signature1 =
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
    "6bd25bf5f0595bbe24655141438e7a100b";
static const std::string key2 = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
static const std::string signature2 =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d"
    "8c387b2eaeb4302aeeb00d291612bb0c00";

struct Outcome {
    int status;
    std::string text, error;
};

static Outcome run(std::string text)
{
    char *out = nullptr, error[ED25519_VECTORS_ERROR_MAX] = "";
    size_t bytes = 0;
    FILE *in = fmemopen(text.data(), text.size(), "r");
    FILE *to = open_memstream(&out, &bytes);
    Outcome outcome{ed25519_vectors_run(in, to, error), "", ""};
    fclose(in);
    fclose(to);
    outcome.text = std::string(out, bytes);
    outcome.error = error;
    free(out);
    return outcome;
}

/* Each line has these verdicts, and libsodium's comes last. */
static void expect_verdicts(const Outcome &outcome, const std::string &verdicts, int accepted)
{
    EXPECT_EQ(outcome.status, EX_OK) << outcome.error;
    std::string tail = "\",\"total\":" + std::to_string(verdicts.size()) +
                       ",\"accepted\":" + std::to_string(accepted) + ",\"verdicts\":\"" + verdicts +
                       "\"}\n";
    size_t at = 0, lines = 0;
    std::string last;
    for (; at < outcome.text.size(); lines++) {
        size_t end = outcome.text.find('\n', at) + 1;
        last = outcome.text.substr(at, end - at);
        EXPECT_EQ(last.substr(last.size() - tail.size()), tail) << last;
        at = end;
    }
    EXPECT_GE(lines, 2u);
    EXPECT_EQ(last, "{\"backend\":\"libsodium" + tail);
}

TEST(Ed25519Vectors, GoodBadAndMalformedInputs)
{
    expect_verdicts(run(key1 + " " + signature1 + " -\n" +  /* good               */
                        key2 + " " + signature2 + " 72\n" + /* good               */
                        key2 + " " + signature2 + " 73\n" + /* another message    */
                        key1 + " " + signature2 + " 72\n" + /* another key        */
                        std::string(64, '0') + " " + signature1 + " -\n\n" + /* small order   */
                        key1 + " " + signature1.substr(2) + " -\n" +     /* 63 bytes           */
                        key1 + "00 " + signature1 + " -\n" +             /* a key of 33        */
                        std::string(64, 'f') + " " + signature1 + " -"), /* y beyond p        */
                    "11000000", 2);
}

TEST(Ed25519Vectors, MoreThanOneStretch)
{
    std::string text, verdicts;
    for (uint32_t i = 0; i < 2 * ED25519_VECTORS_KEYS + 3; i++) {
        text += key2 + " " + signature2 + (i % 3 == 0 ? " 73\n" : " 72\n");
        verdicts += i % 3 == 0 ? '0' : '1';
    }
    expect_verdicts(run(text), verdicts, 2 * (2 * ED25519_VECTORS_KEYS + 3) / 3);
}

TEST(Ed25519Vectors, NamesTheLine)
{
    const std::string good = key1 + " " + signature1 + " -\n";
    for (const std::string &bad :
         {key1 + " " + signature1 + "\n", std::string("nonsense\n"), key1 + " 0x12 -\n",
          key1 + " " + signature1 + " 7\n", key1 + " " + signature1 + " - -\n"}) {
        Outcome outcome = run(good + bad + good);
        EXPECT_EQ(outcome.status, EX_DATAERR) << bad;
        EXPECT_NE(outcome.error.find("line 2 is not"), std::string::npos) << outcome.error;
        EXPECT_EQ(outcome.text, "");
    }
}
