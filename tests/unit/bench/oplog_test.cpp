#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <jansson.h>

extern "C" {
#include "bench/oplog.h"
}

namespace
{

std::vector<std::string> lines_of(bool (*write)(FILE *))
{
    char *text = nullptr;
    size_t bytes = 0;
    FILE *file = open_memstream(&text, &bytes);
    EXPECT_TRUE(write(file));
    fclose(file);
    std::vector<std::string> lines;
    std::string line;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '\n') {
            line += text[i];
            continue;
        }
        lines.push_back(line);
        line.clear();
    }
    EXPECT_EQ(line, "") << "the last line is ended";
    free(text);
    return lines;
}

oplog shared_log;

bool write_shared(FILE *file)
{
    return oplog_write(&shared_log, file);
}

TEST(Oplog, WritesOneObjectPerOperation)
{
    ASSERT_TRUE(oplog_create(&shared_log, 2, 8));
    EXPECT_EQ(oplog_begin(&shared_log, 0, 5, OPLOG_SET, 3, 100), 0u);
    oplog_end(&shared_log, 0, 0, OPLOG_OK, 200, OPLOG_NOBODY, 0);
    EXPECT_EQ(oplog_begin(&shared_log, 0, 6, OPLOG_GET, 3, 110), 1u);
    oplog_end(&shared_log, 0, 1, OPLOG_OK, 210, 0, 0);
    EXPECT_EQ(oplog_begin(&shared_log, 0, 6, OPLOG_GET, 4, 120), 2u);
    oplog_end(&shared_log, 0, 2, OPLOG_OK, 220, OPLOG_NOBODY, 0);
    EXPECT_EQ(oplog_begin(&shared_log, 1, 70, OPLOG_APPEND, 9, 130), 0u);
    oplog_end(&shared_log, 1, 0, OPLOG_OK, 230, OPLOG_NOBODY, 4);
    EXPECT_EQ(oplog_begin(&shared_log, 1, 71, OPLOG_APPEND, 9, 140), 1u);
    EXPECT_EQ(oplog_begin(&shared_log, 1, 72, OPLOG_SET, 9, 150), 2u);
    oplog_end(&shared_log, 1, 2, OPLOG_FAIL, 250, OPLOG_NOBODY, 0);
    const std::vector<std::string> expected = {
        R"({"process":5,"op":"set","key":"key:000000000003","argument":"0:0")"
        R"(,"result":"OK","invoke_ns":100,"return_ns":200,"outcome":"ok"})",
        R"({"process":6,"op":"get","key":"key:000000000003","argument":null)"
        R"(,"result":"0:0","invoke_ns":110,"return_ns":210,"outcome":"ok"})",
        R"({"process":6,"op":"get","key":"key:000000000004","argument":null)"
        R"(,"result":null,"invoke_ns":120,"return_ns":220,"outcome":"ok"})",
        R"({"process":70,"op":"append","key":"list:00000000009","argument":"1:0,")"
        R"(,"result":4,"invoke_ns":130,"return_ns":230,"outcome":"ok"})",
        R"({"process":71,"op":"append","key":"list:00000000009","argument":"1:1,")"
        R"(,"result":null,"invoke_ns":140,"return_ns":null,"outcome":"open"})",
        R"({"process":72,"op":"set","key":"key:000000000009","argument":"1:2")"
        R"(,"result":null,"invoke_ns":150,"return_ns":250,"outcome":"fail"})",
    };
    EXPECT_EQ(lines_of(write_shared), expected);
    for (const std::string &line : expected) {
        json_t *object = json_loads(line.c_str(), JSON_REJECT_DUPLICATES, nullptr);
        ASSERT_NE(object, nullptr) << line;
        json_decref(object);
    }
    oplog_destroy(&shared_log);
}

TEST(Oplog, OpenStaysOpen)
{
    ASSERT_TRUE(oplog_create(&shared_log, 1, 1));
    ASSERT_EQ(oplog_begin(&shared_log, 0, 0, OPLOG_SET, 1, 10), 0u);
    oplog_end(&shared_log, 0, 0, OPLOG_OPEN, 99, OPLOG_NOBODY, 0);
    EXPECT_EQ(oplog_at(&shared_log, 0, 0)->return_ns, 0u) << "an open operation has no end";
    oplog_destroy(&shared_log);
}

TEST(Oplog, FullIsSaid)
{
    ASSERT_TRUE(oplog_create(&shared_log, 2, 2));
    EXPECT_EQ(oplog_begin(&shared_log, 1, 0, OPLOG_SET, 1, 10), 0u);
    EXPECT_EQ(oplog_begin(&shared_log, 1, 0, OPLOG_SET, 1, 10), 1u);
    EXPECT_EQ(oplog_begin(&shared_log, 1, 0, OPLOG_SET, 1, 10), OPLOG_FULL);
    EXPECT_EQ(oplog_begin(&shared_log, 0, 0, OPLOG_SET, 1, 10), 0u) << "the other client is not";
    EXPECT_EQ(shared_log.count[1], 2u);
    oplog_destroy(&shared_log);
}

bool write_nothing(FILE *file)
{
    return oplog_write_list_read(file, 9, 2, nullptr, 0, 1, 2);
}

bool write_strange_bytes(FILE *file)
{
    const uint8_t list[] = {'1', ':', '2', ',', '"', '\\', '\n', 0, 0xff};
    return oplog_write_list_read(file, 9, 2, list, sizeof list, 1, 2);
}

TEST(Oplog, ListReadsStayJsonWhateverWasStored)
{
    EXPECT_EQ(lines_of(write_nothing)[0],
              R"({"process":9,"op":"get","key":"list:00000000002","argument":null)"
              R"(,"result":null,"invoke_ns":1,"return_ns":2,"outcome":"ok"})");
    std::vector<std::string> lines = lines_of(write_strange_bytes);
    ASSERT_EQ(lines.size(), 1u);
    json_t *object = json_loads(lines[0].c_str(), JSON_ALLOW_NUL, nullptr);
    ASSERT_NE(object, nullptr);
    EXPECT_EQ(std::string(json_string_value(json_object_get(object, "result"))).substr(0, 6),
              "1:2,\"\\");
    json_decref(object);
}

} // namespace
